"""What the server remembers: containers, blobs and their versions, blocks, leases, keys."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.settings import Settings
from tests.servers.azure import ACCOUNT, KEY, OTHER_ACCOUNT, OTHER_KEY

KEYS = {ACCOUNT: KEY, OTHER_ACCOUNT: OTHER_KEY}


@dataclass(slots=True)
class Copy:
    """`left` is how often its status is asked until it is done."""

    id: str
    source: str
    status: str
    data: bytes = b""
    left: int = 0
    fails: bool = False
    finished: datetime | None = None
    progress: str = ""


@dataclass(slots=True)
class Lease:
    """`until` None: for ever, while it is leased; `broken` is when a break is, or was, over."""

    id: str = ""
    seconds: int = 0
    until: datetime | None = None
    broken: datetime | None = None

    def state(self, now: datetime) -> str:
        if not self.id:
            return "available"
        if self.broken:
            return "breaking" if now < self.broken else "broken"
        return "leased" if self.until is None or now < self.until else "expired"

    def is_locked(self, now: datetime) -> bool:
        return self.state(now) in ("leased", "breaking")


@dataclass(slots=True)
class Blob:
    """One version of a blob; `blocks` are ids and sizes, `headers` in lower case."""

    name: str
    kind: str
    data: bytes
    created: datetime
    modified: datetime
    etag: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    version_id: str | None = None
    tier: str | None = None
    tier_changed: datetime | None = None
    rehydrates_to: str | None = None
    copy: Copy | None = None
    blocks: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    appends: int = 0

    @property
    def is_archived(self) -> bool:
        return self.tier == "Archive"


@dataclass(slots=True)
class Entry:
    """All there is under a name; `older` has the newest first, `staged` blocks without a list."""

    current: Blob | None = None
    older: list[Blob] = field(default_factory=list[Blob])
    staged: dict[str, bytes] = field(default_factory=dict[str, bytes])
    lease: Lease = field(default_factory=Lease)

    def versions(self) -> Iterator[Blob]:
        """Those with an id, the oldest first."""
        every = [*self.older[::-1], *([self.current] if self.current else [])]
        return (blob for blob in every if blob.version_id)


@dataclass(slots=True)
class Container:
    name: str
    modified: datetime
    etag: str
    access: str | None = None
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])

    def entry(self, name: str) -> Entry:
        """What is under the name, an empty one where nothing is; `keep` it to change that."""
        return self.entries.get(name, Entry())

    def keep(self, name: str, entry: Entry) -> None:
        if entry.current or entry.older or entry.staged:
            self.entries[name] = entry
        else:
            self.entries.pop(name, None)


@dataclass(frozen=True, slots=True)
class DelegatedKey:
    """`said` are its facts, in the order in which signatures have them."""

    said: tuple[str, ...]
    value: str


_ticks = itertools.count()


@dataclass(slots=True)
class Store:
    settings: Settings = field(default_factory=Settings)
    containers: dict[tuple[str, str], Container] = field(
        default_factory=dict[tuple[str, str], Container]
    )
    delegated: dict[tuple[str, ...], DelegatedKey] = field(
        default_factory=dict[tuple[str, ...], DelegatedKey]
    )

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.settings.clock)

    def container(self, account: str, name: str) -> Container:
        try:
            return self.containers[account, name]
        except KeyError:
            raise Refused("ContainerNotFound", "The specified container does not exist.") from None

    def has_versions(self, account: str) -> bool:
        asked = self.settings.versioning
        return account == ACCOUNT if asked is None else asked

    def stamp(self) -> str:
        """A moment that no other version has: the last digit counts."""
        return f"{self.now():%Y-%m-%dT%H:%M:%S.%f}{next(_ticks) % 10}Z"


def new_etag() -> str:
    return f'"0x8D{uuid.uuid4().hex[:13].upper()}"'
