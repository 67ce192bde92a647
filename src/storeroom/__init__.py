"""Async file storage with one facade and many disks."""

from typing import TYPE_CHECKING

from storeroom.contracts.errors import (
    AlreadyExists,
    Closed,
    ConfigError,
    Corrupted,
    InvalidArgument,
    InvalidPath,
    MissingPackage,
    NotFound,
    NotModified,
    Obstructed,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.lazily import lazily
from storeroom.contracts.source import Source
from storeroom.contracts.values import Folder, Grant, Report, Stat, Upload
from storeroom.disk import Disk
from storeroom.drivers._registry import DRIVERS
from storeroom.facade import Storage
from storeroom.manager import StorageManager

if TYPE_CHECKING:
    from storeroom.drivers.local import LocalDriver
    from storeroom.drivers.memory import MemoryDriver

__all__ = [
    "AlreadyExists",
    "Closed",
    "ConfigError",
    "Corrupted",
    "Disk",
    "Folder",
    "Grant",
    "InvalidArgument",
    "InvalidPath",
    "LocalDriver",
    "MemoryDriver",
    "MissingPackage",
    "NotFound",
    "NotModified",
    "Obstructed",
    "PermissionDenied",
    "PreconditionFailed",
    "QuotaExceeded",
    "Report",
    "Source",
    "Stat",
    "Storage",
    "StorageError",
    "StorageManager",
    "Timeout",
    "Unavailable",
    "Unsupported",
    "Upload",
]

if not TYPE_CHECKING:  # with a `__getattr__` checkers take any name for one that is here
    __getattr__, __dir__ = lazily(__name__, DRIVERS.homes(), __all__)
