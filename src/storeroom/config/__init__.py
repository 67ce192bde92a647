"""The configuration of disks: found, checked with pydantic, and built; imported on first use."""

from storeroom.config.building import Builder
from storeroom.config.models import DiskConfig, Filesystems, disk_config, filesystems
from storeroom.config.sources import look
from storeroom.config.urls import from_url, is_url

__all__ = [
    "Builder",
    "DiskConfig",
    "Filesystems",
    "disk_config",
    "filesystems",
    "from_url",
    "is_url",
    "look",
]
