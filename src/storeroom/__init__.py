"""Async file storage with one facade and many disks."""

from importlib import import_module
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
from storeroom.contracts.source import Source
from storeroom.contracts.values import Folder, Grant, Report, Stat, Upload
from storeroom.disk import Disk
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

_LAZY = {"LocalDriver": "storeroom.drivers.local", "MemoryDriver": "storeroom.drivers.memory"}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
