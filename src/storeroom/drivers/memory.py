"""Files in this process's memory, with everything a cloud store keeps; gone with the process."""

import hashlib
import logging
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from storeroom.contracts import threads
from storeroom.contracts.abilities import (
    Append,
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    Move,
    Origin,
    PublicUrl,
    Tags,
    Tiers,
    Times,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Closed,
    ConfigError,
    InvalidArgument,
    InvalidPath,
    NotModified,
    Obstructed,
    PreconditionFailed,
    StorageError,
    Unsupported,
    translating,
)
from storeroom.contracts.paths import check_folder, check_path, is_listable, quoted
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    Traits,
    Visible,
    WriteOptions,
)
from storeroom.drivers._memory.store import Object, Store, parents
from storeroom.files import Files

__all__ = ["MemoryDriver"]

_PIECE = 1 << 20
_log = logging.getLogger("storeroom")


class MemoryDriver(
    Files,
    PublicUrl,
    Copy,
    CopyFrom,
    Origin,
    Move,
    BulkRemove,
    Append,
    Visibility,
    Folders,
    Checksum,
    Attributes,
    Times,
    Tags,
    Tiers,
):
    """An empty disk in memory, safe between threads and event loops.

    `folders` is "implied" as on object stores, or "real" as on a file system; `paths="service"` takes
    any name a cloud store could hold. `url` is what `url(path)` begins with.
    """

    def __init__(
        self,
        *,
        url: str = "/storage",
        visibility: Visible = "private",
        folders: Literal["implied", "real"] = "implied",
        paths: Literal["strict", "service"] = "strict",
    ) -> None:
        if folders not in ("implied", "real"):
            raise ConfigError(f"folders is 'implied' or 'real', not {folders!r}")
        if paths not in ("strict", "service"):
            raise ConfigError(f"paths is 'strict' or 'service', not {paths!r}")
        self._url = url.rstrip("/")
        self._default: Visible = visibility
        self._store = Store(real_folders=folders == "real")
        self._warned = False
        self._closed = False
        self._traits = Traits(
            service="memory",
            folders=folders,
            ordered=True,
            strict_paths=paths == "strict",
            keeps=frozenset(
                (
                    *("content_type", "cache_control", "content_disposition", "content_encoding"),
                    *("content_language", "metadata", "tags", "tier", "visibility"),
                )
            ),
        )

    @property
    def traits(self) -> Traits:
        """What is true of this disk."""
        return self._traits

    def flush(self) -> None:
        """Remove everything."""
        with self._locked() as store:
            store.clear()

    def count(self) -> int:
        """How many files there are."""
        with self._locked() as store:
            return len(store.objects)

    def all_paths(self) -> list[str]:
        """The paths of all files, sorted."""
        with self._locked() as store:
            return store.keys()

    def twin(self, *, paths: Literal["strict", "service"] = "strict") -> "MemoryDriver":
        """A second driver over the same files, as another process would have one."""
        other = MemoryDriver(
            url=self._url, visibility=self._default, folders=self._traits.folders, paths=paths
        )
        other._store = self._store
        return other

    async def stat(self, path: str, /) -> Stat:
        """The facts of one file."""
        with self._locked("stat", path) as store:
            return store.get(path).stat

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        """The bytes, as they are at this moment."""
        with self._locked("read", path) as store:
            found = store.get(path)
        _check_read(found.stat, how)
        start = min(how.start, len(found.content))
        stop = len(found.content) if how.stop is None else min(how.stop, len(found.content))
        if stop - start <= _PIECE:
            return Source(found.stat, found.content[start:stop])
        return Source(found.stat, _pieces(found.content, start, stop), size=stop - start)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        """Store the body once all of it is here."""
        with self._locked("write", path) as store:
            body = Body.checked(body)
            store.check(path, how)
        with translating(_unknown, "write", path, body=body):
            content = await body.content()
        with self._locked("write", path) as store:
            store.check(path, how)
            return store.put(path, self._object(path, content, how))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool:
        """Remove a file: whether one was there."""
        with self._locked("remove", path) as store:
            found = store.objects.get(path)
            if how.if_match is not None and found is not None and found.stat.etag != how.if_match:
                raise PreconditionFailed("the file is not the one that if_match names", path=path)
            return store.pop(path) is not None

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        """List in the order of the paths, as of the beginning."""
        folder = check_folder(folder, strict=self._traits.strict_paths)
        with self._locked("scan", folder or None):
            entries = self._listed(folder, how)
        for entry in entries:
            if isinstance(entry, Folder):
                yield entry
            elif (found := self._store.objects.get(entry)) is not None:
                yield found.stat

    async def aclose(self) -> None:
        """Close this driver; the files stay for a twin."""
        self._closed = True

    def public_url(self, path: str, /) -> str:
        """The address under `url`."""
        return f"{self._url}/{quoted(self._checked(path))}"

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        """This driver and the path."""
        return self, self._checked(path)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        """Copy in one step."""
        return await self.copy_from(self, path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        """Copy from another memory disk of this process."""
        if not isinstance(source, MemoryDriver):
            raise Unsupported("memory copies at the service only from memory", path=to)
        with source._locked("copy", path) as store:
            found = store.get(path)
        with self._locked("copy", to) as store:
            store.check(to, how)
            return store.put(to, _overridden(found, how))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        """Move in one step."""
        self._checked(path)
        with self._locked("move", to) as store:
            found = store.get(path)
            store.check(to, how)
            if path != to:
                store.put(to, _overridden(found, how), touch=False)
                store.pop(path)
            return store.get(to).stat

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        """Remove each: whether it was there, or why its path is refused."""
        answers: dict[str, bool | StorageError | None] = {}
        for path in paths:
            try:
                answers[path] = await self.remove(path)
            except InvalidPath as error:
                answers[path] = error
        return answers

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        """Add to the end in one step."""
        self._checked(path)
        body = Body.checked(body)
        with translating(_unknown, "append", path, body=body):
            content = await body.content()
        with self._locked("append", path) as store:
            store.check(path, how)
            found = store.objects.get(path) or self._object(path, b"", how)
            return store.put(path, replace(found, content=found.content + content))

    async def read_visibility(self, path: str, /) -> Visible:
        """As set, or the disk's default."""
        with self._locked("visibility", path) as store:
            return store.get(path).visibility

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        """Set it."""
        with self._locked("set_visibility", path) as store:
            store.put(path, replace(store.get(path), visibility=visibility), touch=False)

    async def has_folder(self, folder: str, /) -> bool:
        """Whether it was made or has files under it."""
        folder = check_folder(folder, strict=self._traits.strict_paths)
        with self._locked("directory_exists", folder or None) as store:
            return store.has_folder(folder)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        """Make it and its parents."""
        folder = check_folder(folder, strict=self._traits.strict_paths)
        with self._locked("make_directory", folder or None) as store:
            if folder:
                store.make_folder(folder)

    async def remove_folder(self, folder: str, /) -> bool:
        """Remove it with all under it; refused while names would be left behind."""
        folder = check_folder(folder, strict=self._traits.strict_paths)
        with self._locked("delete_directory", folder or None) as store:
            self._listed(folder, ScanOptions(strangers="refuse"))
            return store.remove_folder(folder)

    async def digest(self, path: str, algorithm: str, /) -> str:
        """The hash, computed in a thread where the file is large."""
        with self._locked("checksum", path) as store:
            content = store.get(path).content
        if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
            raise Unsupported(f"memory has no {algorithm}", path=path)
        if len(content) <= _PIECE:
            return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
        return await threads.run(_hashed, algorithm, content)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        """Set what is not None."""
        with self._locked("set_attributes", path) as store:
            found = store.get(path)
            store.check(path, how)
            return store.put(path, _overridden(found, how))

    async def change_time(self, path: str, modified: datetime, /) -> None:
        """Set when it was modified."""
        if modified.tzinfo is None:
            raise InvalidArgument("a time needs its zone; say modified.astimezone()", path=path)
        with self._locked("set_time", path) as store:
            found = store.get(path)
            stat = replace(found.stat, modified=modified.astimezone(UTC))
            store.put(path, replace(found, stat=stat), touch=False)

    async def read_tags(self, path: str, /) -> Mapping[str, str]:
        """All tags."""
        with self._locked("tags", path) as store:
            return dict(store.get(path).tags)

    async def change_tags(self, path: str, tags: Mapping[str, str], /) -> None:
        """Replace all tags."""
        with self._locked("set_tags", path) as store:
            store.put(path, replace(store.get(path), tags=dict(tags)), touch=False)

    async def change_tier(self, path: str, tier: str, /) -> None:
        """Note the tier."""
        with self._locked("set_tier", path) as store:
            found = store.get(path)
            store.put(path, replace(found, stat=replace(found.stat, tier=tier)), touch=False)

    @contextmanager
    def _locked(self, operation: str = "", path: str | None = None) -> Generator[Store]:
        """The store for one step, after checking the driver and the path."""
        with translating(_unknown, operation, path):
            if path is not None:
                self._checked(path)
            elif self._closed:
                raise Closed("this memory disk was closed; make a new one")
            with self._store.lock:
                yield self._store

    def _checked(self, path: str) -> str:
        if self._closed:
            raise Closed("this memory disk was closed; make a new one", path=path)
        return check_path(path, strict=self._traits.strict_paths)

    def _object(self, path: str, content: bytes, how: WriteOptions) -> Object:
        stat = Stat(
            path,
            content_type=how.content_type,
            cache_control=how.cache_control,
            content_disposition=how.content_disposition,
            content_encoding=how.content_encoding,
            content_language=how.content_language,
            metadata=dict(how.metadata or {}),
            tier=how.tier,
        )
        return Object(stat, content, how.visibility or self._default, dict(how.tags or {}))

    def _listed(self, folder: str, how: ScanOptions) -> list[str | Folder]:
        """What a scan yields, in order: a file's path, or a folder, which sorts as if with a `/`."""
        prefix = f"{folder}/" if folder else ""
        files = [p for p in self._store.keys(prefix + how.starting) if self._shown(p, how)]
        found: dict[str, str | Folder] = {}
        found.update({path: path for path in files if how.deep or "/" not in path[len(prefix) :]})
        for name in {p for path in files for p in parents(path)} | self._made(how):
            inside_folder = name.startswith(prefix + how.starting) and name != folder
            if inside_folder and (how.deep or "/" not in name[len(prefix) :]):
                found[f"{name}/"] = Folder(name)
        after = how.after or ""
        return [found[key] for key in sorted(found) if key > after]

    def _made(self, how: ScanOptions) -> set[str]:
        made = set(self._store.folders)
        if self._traits.folders == "implied":
            made.update([p for folder in self._store.folders for p in parents(folder)])
        return {folder for folder in made if self._shown(folder, how)}

    def _shown(self, path: str, how: ScanOptions) -> bool:
        if is_listable(path, strict=self._traits.strict_paths):
            return True
        if how.strangers == "refuse":
            raise Obstructed(
                f"the folder holds the name {path!r}, which the path rule refuses; open the disk "
                'with paths="service" to reach it',
            )
        if not self._warned:
            self._warned = True
            _log.warning("left out of listings: %r and such names break the path rule", path)
        return False


def _check_read(stat: Stat, how: ReadOptions) -> None:
    if how.if_match is not None and how.if_match != stat.etag:
        raise PreconditionFailed("the file is not the one that if_match names", path=stat.path)
    if how.if_none_match is not None and how.if_none_match == stat.etag:
        raise NotModified("the file is still the one that if_none_match names", path=stat.path)


async def _pieces(content: bytes, start: int, stop: int) -> AsyncGenerator[bytes]:
    for at in range(start, stop, _PIECE):
        yield content[at : min(at + _PIECE, stop)]


def _overridden(found: Object, how: WriteOptions) -> Object:
    """The object with what `how` says instead."""
    stat = found.stat
    changed = replace(
        stat,
        content_type=how.content_type or stat.content_type,
        cache_control=how.cache_control or stat.cache_control,
        content_disposition=how.content_disposition or stat.content_disposition,
        content_encoding=how.content_encoding or stat.content_encoding,
        content_language=how.content_language or stat.content_language,
        metadata=stat.metadata if how.metadata is None else dict(how.metadata),
        tier=how.tier or stat.tier,
    )
    return Object(
        changed,
        found.content,
        how.visibility or found.visibility,
        found.tags if how.tags is None else dict(how.tags),
    )


def _hashed(algorithm: str, content: bytes) -> str:
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def _unknown(error: Exception) -> None:
    return None
