"""What the server remembers: buckets, generations of objects, uploads under way, tokens."""

import copy
import itertools
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.servers._strict_gcs.errors import Refused, no_bucket, no_object
from tests.servers._strict_gcs.settings import Settings

_generations = itertools.count(time.time_ns() // 1000)


@dataclass(slots=True)
class Facts:
    """Everything about an object but its bytes; `fields` are as in its resource."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    storage_class: str | None = None
    acl: dict[str, str] = field(default_factory=dict[str, str])

    def copied(self) -> "Facts":
        return copy.deepcopy(self)


@dataclass(slots=True)
class Version:
    """A generation of an object. One that was composed has no MD5."""

    name: str
    data: bytes
    facts: Facts
    created: datetime
    updated: datetime
    crc32c: str
    md5: str | None = None
    components: int | None = None
    generation: int = field(default_factory=lambda: next(_generations))
    metageneration: int = 1
    deleted: datetime | None = None


@dataclass(slots=True)
class Bucket:
    """`versions` has the newest of a name first; what is live is never behind another."""

    name: str
    created: datetime
    resource: dict[str, Any]
    versions: dict[str, list[Version]] = field(default_factory=dict[str, list[Version]])
    policy: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    metageneration: int = 1

    @property
    def is_versioned(self) -> bool:
        return bool(self.resource.get("versioning", {}).get("enabled"))

    @property
    def is_uniform(self) -> bool:
        access = self.resource.get("iamConfiguration", {}).get("uniformBucketLevelAccess", {})
        return bool(access.get("enabled"))

    @property
    def forbids_public(self) -> bool:
        configured = self.resource.get("iamConfiguration", {})
        return bool(configured.get("publicAccessPrevention") == "enforced")

    @property
    def storage_class(self) -> str:
        return str(self.resource.get("storageClass", "STANDARD"))

    @property
    def is_public(self) -> bool:
        return any(
            binding["role"] == "roles/storage.objectViewer" and "allUsers" in binding["members"]
            for binding in self.policy
        )

    def live(self, name: str) -> Version | None:
        found = self.versions.get(name)
        return None if not found or found[0].deleted else found[0]

    def add(self, version: Version) -> None:
        """Put it on top; what was live is kept where the bucket keeps versions."""
        self.retire(version.name, version.created)
        self.versions.setdefault(version.name, []).insert(0, version)

    def retire(self, name: str, now: datetime) -> None:
        """What is live is so no more."""
        version = self.live(name)
        if version is None:
            return
        version.deleted = now
        if not self.is_versioned:
            self.drop(version)

    def drop(self, version: Version) -> None:
        """Take a generation out for good."""
        self.versions[version.name].remove(version)
        if not self.versions[version.name]:
            del self.versions[version.name]


@dataclass(slots=True)
class Upload:
    """A resumable session; `result` is what it became."""

    bucket: str
    name: str
    facts: Facts
    conditions: dict[str, str]
    checks: dict[str, str]
    is_xml: bool
    size: int | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    data: bytearray = field(default_factory=bytearray)
    state: Literal["open", "done", "gone"] = "open"
    result: Version | None = None


@dataclass(slots=True)
class Rewrite:
    """A copy under way, and what its token stands for."""

    asked: tuple[object, ...]
    done: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    email: str
    until: datetime


@dataclass(slots=True)
class Store:
    """`key` is the service account's."""

    key: RSAPrivateKey
    settings: Settings = field(default_factory=Settings)
    buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])
    uploads: dict[str, Upload] = field(default_factory=dict[str, Upload])
    rewrites: dict[str, Rewrite] = field(default_factory=dict[str, Rewrite])
    tokens: dict[str, Token] = field(default_factory=dict[str, Token])

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.settings.clock)

    def bucket(self, name: str) -> Bucket:
        try:
            return self.buckets[name]
        except KeyError:
            raise no_bucket() from None

    def found(self, bucket: str, name: str, generation: str | None = None) -> Version:
        """The object, or its generation; refused if it is not there."""
        versions = self.bucket(bucket).versions.get(name, [])
        if generation is None:
            version = self.bucket(bucket).live(name)
        else:
            version = next((it for it in versions if str(it.generation) == generation), None)
        if version is None:
            raise no_object(bucket, name)
        return version


def is_number(value: str, /) -> bool:
    return value.isascii() and value.isdigit()


def number(name: str, value: str, /) -> int:
    """The value of a parameter that must be a whole number."""
    if not is_number(value):
        raise Refused(400, f"Invalid value for: {value} is not a valid integer", location=name)
    return int(value)
