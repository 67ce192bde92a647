"""Named disks, made on first use and closed together."""

from storeroom.manager.manager import StorageManager

__all__ = ["StorageManager"]
