"""Storage: the process's disks, under the one name that everybody imports."""

from storeroom.manager import StorageManager

__all__ = ["Storage"]

Storage = StorageManager()
