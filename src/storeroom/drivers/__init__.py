"""The services that files can be on, one driver for each."""

from typing import TYPE_CHECKING

from storeroom.contracts.lazily import lazily
from storeroom.drivers._registry import DRIVERS

if TYPE_CHECKING:
    from storeroom.drivers.azure import AzureDriver
    from storeroom.drivers.ftp import FTPDriver
    from storeroom.drivers.gcs import GCSDriver
    from storeroom.drivers.local import LocalDriver
    from storeroom.drivers.memory import MemoryDriver
    from storeroom.drivers.s3 import S3Driver
    from storeroom.drivers.sftp import SFTPDriver

__all__ = [
    "AzureDriver",
    "FTPDriver",
    "GCSDriver",
    "LocalDriver",
    "MemoryDriver",
    "S3Driver",
    "SFTPDriver",
]

if not TYPE_CHECKING:  # with a `__getattr__` checkers take any name for one that is here
    __getattr__, __dir__ = lazily(__name__, DRIVERS.homes(), __all__)
