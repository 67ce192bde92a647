"""What S3 replies, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from storeroom.contracts.values import Stat
from storeroom.drivers._http.wire import Failure

__all__ = [
    "Completed",
    "Copied",
    "Deleted",
    "ErrorReply",
    "GrantedTo",
    "Listed",
    "OpenUpload",
    "PartListing",
    "Removal",
    "StoredPart",
    "StoredVersion",
    "UploadListing",
    "VersionListing",
]


class Listed(NamedTuple):
    """One object of a listing; a name that is no UTF-8 holds surrogates."""

    key: str
    size: int | None
    modified: datetime | None
    etag: str | None
    tier: str | None

    def stat(self) -> Stat:
        """Its facts."""
        return Stat(self.key, self.size, self.modified, self.etag, tier=self.tier)


class StoredVersion(NamedTuple):
    """One version of an object; with `deleted`, the marker of its removal."""

    key: str
    version: str
    latest: bool
    deleted: bool
    size: int | None
    modified: datetime | None
    etag: str | None
    tier: str | None


class OpenUpload(NamedTuple):
    """One multipart upload that is neither complete nor aborted."""

    key: str
    upload: str
    started: datetime | None


class StoredPart(NamedTuple):
    """One part of an open upload."""

    number: int
    etag: str
    size: int | None
    modified: datetime | None


class Removal(NamedTuple):
    """One key of a bulk removal that failed."""

    key: str
    code: str
    message: str
    version: str | None


class GrantedTo(NamedTuple):
    """One line of an access list: a group's URI, or an account's id."""

    grantee: str
    permission: str


@dataclass(frozen=True, slots=True)
class VersionListing:
    """One page of versions in the service's order; `marker` is the key and version it ends at."""

    versions: list[StoredVersion]
    folders: list[str]
    marker: tuple[str, str | None] | None


@dataclass(frozen=True, slots=True)
class UploadListing:
    """One page of open uploads; `marker` is the key and upload it ends at."""

    uploads: list[OpenUpload]
    marker: tuple[str, str | None] | None


@dataclass(frozen=True, slots=True)
class PartListing:
    """One page of parts; `marker` is the number it ends at."""

    parts: list[StoredPart]
    marker: int | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of a bulk removal; in quiet mode `keys` stays empty."""

    keys: list[str]
    failed: list[Removal]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy of an object or a part made; `checksums` by the service's names: `CRC32`."""

    etag: str | None
    modified: datetime | None
    checksums: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished multipart upload made."""

    etag: str | None
    checksums: Mapping[str, str]


class ErrorReply(Exception):
    """The service answered with an error, though the status may have said 200."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure
