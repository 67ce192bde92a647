"""What the server remembers: buckets, versions of objects, uploads in parts."""

import bisect
import hashlib
import itertools
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.servers._strict_s3.checksums import FULL, digest
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.settings import Settings

ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


@dataclass(frozen=True, slots=True)
class Encryption:
    """`customer` is the MD5 of the customer's key where the key is theirs."""

    algorithm: str = "AES256"
    key_id: str | None = None
    customer: str | None = None
    key_hash: str | None = None

    @property
    def hides_md5(self) -> bool:
        return self.algorithm != "AES256" or self.customer is not None


@dataclass(frozen=True, slots=True)
class Checksum:
    algorithm: str
    value: str
    kind: str = FULL


@dataclass(slots=True)
class Facts:
    """Everything about an object but its bytes; an upload in parts has them from its start."""

    headers: dict[str, str] = field(default_factory=dict[str, str])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    acl: str = "private"
    storage_class: str = "STANDARD"
    encryption: Encryption = field(default_factory=Encryption)


@dataclass(slots=True)
class Version:
    """An object, or the marker of its deletion."""

    key: str
    data: bytes
    facts: Facts
    modified: datetime
    etag: str = ""
    id: str = "null"
    is_marker: bool = False
    checksum: Checksum | None = None
    parts: list[int] = field(default_factory=list[int])
    restoring: bool = False
    restored_until: datetime | None = None

    def stored_checksum(self) -> Checksum:
        """What the writer gave, or the CRC64NVME that S3 adds by itself."""
        if self.checksum is None:
            self.checksum = Checksum("crc64nvme", digest("crc64nvme", self.data))
        return self.checksum

    def is_archived(self, now: datetime) -> bool:
        if self.facts.storage_class not in ARCHIVED:
            return False
        return self.restored_until is None or self.restored_until < now


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    data: bytes
    etag: str
    modified: datetime
    checksum: Checksum | None


@dataclass(slots=True)
class Upload:
    id: str
    key: str
    facts: Facts
    initiated: datetime
    algorithm: str | None
    kind: str | None
    parts: dict[int, Part] = field(default_factory=dict[int, Part])


@dataclass(slots=True)
class Bucket:
    """`versions` has the newest of a key first, `keys` is sorted."""

    name: str
    region: str
    has_acls: bool = False
    acl: str = "private"
    versioning: str | None = None
    versions: dict[str, list[Version]] = field(default_factory=dict[str, list[Version]])
    keys: list[str] = field(default_factory=list[str])
    uploads: dict[str, Upload] = field(default_factory=dict[str, Upload])

    def latest(self, key: str) -> Version | None:
        """The object as it is now, None where there is none or it is deleted."""
        found = self.versions.get(key)
        return None if not found or found[0].is_marker else found[0]

    def add(self, version: Version) -> None:
        """Put a version on top: beside older ones, or in the place of the unversioned one."""
        older = self.versions.setdefault(version.key, [])
        if not older:
            bisect.insort(self.keys, version.key)
        version.id = _version_id() if self.versioning == "Enabled" else "null"
        older[:] = [version, *(old for old in older if old.id != version.id)]

    def drop(self, key: str, version_id: str) -> Version | None:
        """Take one version out for good."""
        found = self.versions.get(key, [])
        dropped = next((version for version in found if version.id == version_id), None)
        if dropped:
            found.remove(dropped)
        if not found and key in self.versions:
            del self.versions[key]
            self.keys.remove(key)
        return dropped


_versions = itertools.count(1)


def _version_id() -> str:
    return f"{next(_versions):08x}{os.urandom(12).hex()}"


@dataclass(slots=True)
class Store:
    settings: Settings = field(default_factory=Settings)
    buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.settings.clock)

    def bucket(self, name: str) -> Bucket:
        try:
            return self.buckets[name]
        except KeyError:
            raise Refused(
                "NoSuchBucket", "The specified bucket does not exist", BucketName=name
            ) from None


def etag_of(data: bytes, encryption: Encryption) -> str:
    """The MD5, but where the bytes are encrypted by a key that is not S3's own."""
    salt = os.urandom(16) if encryption.hides_md5 else b""
    return hashlib.md5(data + salt).hexdigest()
