"""What type checkers know of names that a package imports when they are asked for; never run."""

from typing import assert_type

from storeroom import layers
from storeroom.drivers import FTPDriver, S3Driver, SFTPDriver
from storeroom.layers import Cache, Comparison, Difference, Encryption, Mirror
from storeroom.layers.cache import CacheStats


def stacks() -> None:
    assert_type(Encryption(S3Driver("media"), key="base64:..."), Encryption)
    assert_type(Cache(SFTPDriver("host", agent=True)).stats(), CacheStats)
    assert_type(Mirror(FTPDriver("host"), S3Driver("media")), Mirror)
    assert_type(Comparison().differing["a"], Difference)
    layers.Nothing()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
