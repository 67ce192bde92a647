"""What a service can do beyond the six verbs: one small Protocol each, and `find()`."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol, Self, TypeVar, cast, runtime_checkable

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    PLAIN,
    WHOLE,
    Grant,
    ReadOptions,
    Stat,
    Upload,
    Version,
    Visible,
    WriteOptions,
)

__all__ = [
    "ABILITIES",
    "Append",
    "Attributes",
    "BulkRemove",
    "Checksum",
    "Copy",
    "CopyFrom",
    "Folders",
    "Leases",
    "LocalPath",
    "Move",
    "Multipart",
    "Origin",
    "PresignPost",
    "PresignRead",
    "PresignWrite",
    "PublicUrl",
    "Shared",
    "Sweep",
    "Tags",
    "Tiers",
    "Times",
    "VerifyUrl",
    "Versions",
    "Visibility",
    "find",
    "has",
    "why_absent",
    "within",
]

A = TypeVar("A")


@runtime_checkable
class PublicUrl(Protocol):
    """Addresses that need no signature."""

    def public_url(self, path: str, /) -> str:
        """The address of a file, without asking whether it exists."""
        ...


@runtime_checkable
class PresignRead(Protocol):
    """Addresses that let anyone read one file until a moment."""

    async def presign_read(self, grant: Grant, /) -> str:
        """A signed URL for `grant`, whose method is "GET"."""
        ...


@runtime_checkable
class PresignWrite(Protocol):
    """Addresses that let anyone write one file until a moment."""

    async def presign_write(self, grant: Grant, /) -> Upload:
        """A signed upload for `grant` ("PUT"); a limit the service cannot enforce is `Unsupported`."""
        ...


@runtime_checkable
class PresignPost(Protocol):
    """Signed HTML forms, with a limit on the size."""

    async def presign_post(self, grant: Grant, /) -> Upload:
        """A signed form for `grant`, whose `max_size` the service enforces."""
        ...


@runtime_checkable
class VerifyUrl(Protocol):
    """Checks the URLs that it signed, for whoever serves them."""

    async def verify_url(self, url: str, method: str, /) -> Grant:
        """What the URL grants; `PermissionDenied` where it is forged, expired or for another use."""
        ...


@runtime_checkable
class Copy(Protocol):
    """Copies without the bytes passing through here."""

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        """Copy with headers and metadata; `how` overrides them and sets conditions."""
        ...


@runtime_checkable
class CopyFrom(Protocol):
    """Copies from another driver of the same service without the bytes passing through here."""

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        """As `copy_within`, from `source`; `Unsupported` where it is no such neighbour."""
        ...


@runtime_checkable
class Origin(Protocol):
    """Tells which driver really holds a file's stored bytes, and under which path."""

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        """The innermost driver and the path there, where the bytes are the same as here."""
        ...


class Shared(tuple[StorageDriver, str]):  # noqa: SLOT001 - a tuple's subclass can have none
    """An origin where further drivers hold the same file, at `others`."""

    others: tuple[tuple[StorageDriver, str], ...]

    def __new__(
        cls, driver: StorageDriver, path: str, others: Iterable[tuple[StorageDriver, str]], /
    ) -> Self:
        """The first of them and all others."""
        shared = super().__new__(cls, (driver, path))
        shared.others = tuple(others)
        return shared


@runtime_checkable
class Move(Protocol):
    """Renames in one step."""

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        """Move a file with all that belongs to it; conditions in `how` are for the target."""
        ...


@runtime_checkable
class BulkRemove(Protocol):
    """Removes many files in few requests."""

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        """What became of each path: as `remove` answers, or the error."""
        ...


@runtime_checkable
class Append(Protocol):
    """Adds to the end of a file in place."""

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        """Add the body; a missing file is made with `how`."""
        ...


@runtime_checkable
class Visibility(Protocol):
    """Knows who may read a file."""

    async def read_visibility(self, path: str, /) -> Visible:
        """ "public" or "private"."""
        ...

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        """Set it."""
        ...


@runtime_checkable
class Folders(Protocol):
    """Holds folders that can be empty."""

    async def has_folder(self, folder: str, /) -> bool:
        """Whether the folder is there, with or without entries; the root `""` always is."""
        ...

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        """Make it and its parents; already there is no error."""
        ...

    async def remove_folder(self, folder: str, /) -> bool:
        """Remove it with all that is in it: whether it was there."""
        ...


@runtime_checkable
class Checksum(Protocol):
    """Knows or computes a hash at the service."""

    async def digest(self, path: str, algorithm: str, /) -> str:
        """The hash in lower-case hex; `Unsupported` for an algorithm it does not have."""
        ...


@runtime_checkable
class Multipart(Protocol):
    """Uploads in parts, resumable and from elsewhere."""

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        """Begin: the upload's id."""
        ...

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        """Store part `number` (from 1): its etag."""
        ...

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        """A signed upload for one part."""
        ...

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        """The parts there so far, with their etags."""
        ...

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        """Make the parts the file."""
        ...

    async def abort_parts(self, path: str, upload: str, /) -> None:
        """Throw the parts away; an unknown upload is no error."""
        ...


@runtime_checkable
class Sweep(Protocol):
    """Clears what crashes left: temporary files, uploads begun and never finished."""

    async def sweep(self, older_than: timedelta, /) -> int:
        """Remove leftovers older than this: how many."""
        ...


@runtime_checkable
class Attributes(Protocol):
    """Changes headers and metadata in place."""

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        """Set what is not None in `how`; metadata is replaced as a whole."""
        ...


@runtime_checkable
class Times(Protocol):
    """Sets when a file was modified."""

    async def change_time(self, path: str, modified: datetime, /) -> None:
        """Set the time, an aware datetime."""
        ...


@runtime_checkable
class Tags(Protocol):
    """Holds tags beside the metadata."""

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        """All tags of a file."""
        ...

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        """Replace all tags of a file."""
        ...


@runtime_checkable
class Tiers(Protocol):
    """Stores in classes of price and speed."""

    async def change_tier(self, path: str, tier: str, /) -> None:
        """Move a file to a tier, by the service's own name for it."""
        ...


@runtime_checkable
class Versions(Protocol):
    """Keeps what was overwritten and deleted."""

    def list_versions(self, path: str, /) -> AsyncIterator[Version]:
        """The kept versions, newest first."""
        ...

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        """The bytes of one version."""
        ...

    async def restore_version(self, path: str, version: str, /) -> Stat:
        """Make one version the current one."""
        ...

    async def remove_version(self, path: str, version: str, /) -> None:
        """Remove one version for good."""
        ...


@runtime_checkable
class Leases(Protocol):
    """Locks a file at the service for a while."""

    async def acquire_lease(self, path: str, duration: timedelta, /) -> str:
        """The lease's id; `PreconditionFailed` while somebody else holds one."""
        ...

    async def renew_lease(self, path: str, lease: str, /) -> None:
        """Hold it for its duration from now."""
        ...

    async def release_lease(self, path: str, lease: str, /) -> None:
        """Give it back."""
        ...


@runtime_checkable
class LocalPath(Protocol):
    """Keeps its files on this machine."""

    def local_path(self, path: str, /) -> str:
        """The absolute path of a file in this machine's file system."""
        ...


ABILITIES: tuple[Callable[..., Any], ...] = (
    PublicUrl,
    PresignRead,
    PresignWrite,
    PresignPost,
    VerifyUrl,
    Copy,
    CopyFrom,
    Origin,
    Move,
    BulkRemove,
    Append,
    Visibility,
    Folders,
    Checksum,
    Multipart,
    Sweep,
    Attributes,
    Times,
    Tags,
    Tiers,
    Versions,
    Leases,
    LocalPath,
)


def find(driver: object, kind: Callable[..., A], /) -> A | None:
    """Who offers the ability: the driver itself or something inside it, None where nobody does.

    A driver or layer that decides for itself has `offer(kind)`; any other offers what its class has.
    """
    offer = getattr(driver, "offer", None)
    if offer is not None:
        found: A | None = offer(kind)
        return found
    owner: Any = type(driver)
    return cast(A, driver) if has(owner, kind) else None


@lru_cache(maxsize=4096)
def has(owner: Any, kind: Any, /) -> bool:
    """Whether a class has an ability's methods; asked of every Protocol once, for that is slow."""
    return issubclass(owner, kind)


def within(driver: object, /) -> object | None:
    """What a layer (`inner`) or a disk (`driver`) stands on; None for a driver."""
    for name in ("inner", "driver"):
        held: object | None = getattr(driver, name, None)
        if held is not driver and callable(getattr(held, "scan", None)):
            return held
    return None


def why_absent(driver: object, kind: Callable[..., Any], /) -> str:
    """Who hides or lacks an ability that `find` did not find."""
    name = getattr(kind, "__name__", str(kind))
    inner = within(driver)
    if inner is None:
        traits = getattr(driver, "traits", None)
        return f"{getattr(traits, 'service', type(driver).__name__)} has no {name}"
    if find(inner, kind) is not None:
        return f"the layer {type(driver).__name__} hides {name}"
    return why_absent(inner, kind)
