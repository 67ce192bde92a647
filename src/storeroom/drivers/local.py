"""Files in a folder of this machine: atomic, durable as asked for, and never outside of the folder."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.abilities import (
    Append,
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    LocalPath,
    Move,
    Origin,
    PublicUrl,
    Sweep,
    Times,
    Visibility,
)
from storeroom.contracts.body import Body, Piece
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Closed,
    ConfigError,
    InvalidArgument,
    InvalidPath,
    StorageError,
    Unsupported,
    translating,
)
from storeroom.contracts.paths import check_folder, check_path, quoted
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    Attribute,
    Folder,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    Traits,
    Visible,
    WriteOptions,
    check_visibility,
)
from storeroom.drivers._local import (
    beneath,
    changing,
    clearing,
    compiled,
    duplicating,
    facts,
    reading,
    writing,
)
from storeroom.drivers._local.beneath import Tree
from storeroom.drivers._local.descriptor import Descriptor
from storeroom.drivers._local.directory import IS_WINDOWS
from storeroom.drivers._local.failures import changing as changed
from storeroom.drivers._local.failures import reading as looked
from storeroom.drivers._local.kept import HAS_XATTRS, HEADERS
from storeroom.drivers._local.listing import Listing, Strangers
from storeroom.drivers._local.locks import CAN_LOCK
from storeroom.drivers._local.root import Root
from storeroom.drivers._local.rules import Durability, Modes, Rules
from storeroom.files import Files

__all__ = ["LocalDriver"]

_SEGMENT_BYTES: Final = 255
_EVERY: Final = 32
_HAS_MODES: Final = hasattr(os, "fchmod")
_MODES: Final[tuple[Attribute, ...]] = ("visibility",)
_answers = count(1)
_KEPT: Final[tuple[Attribute, ...]] = (*HEADERS, "metadata")


class LocalDriver(
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
    Sweep,
    Attributes,
    Times,
    LocalPath,
):
    """Files in the folder `root`, which the first write makes.

    `visibility` (public when None) is that of files, `directory_visibility` (as `visibility`) that
    of the folders made; `permissions` overrides their modes, 0644/0600 and 0755/0700, which hold
    whatever the umask. A write without a visibility gives the file the disk's, also over an old one.

    `durability` says what a power cut cannot take back any more: "file" each write that returned,
    "full" also each removal, move and change of folders, "none" nothing; in each case a reader sees
    old or new, whole.
    Content headers and metadata are extended attributes (Linux); a file system without any drops the
    headers and raises `Unsupported` for metadata. A link inside the root is refused, never
    followed, also when it is swapped in at that moment; on Windows, which has no way to open beneath
    a folder, paths are checked before use, and a program swapping folders for links could win.
    Bodies of more than 1 MiB are appended from a temporary file, so that a failure leaves no half; a
    crash while they are added may.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        url: str | None = "/storage",
        visibility: Visible | None = None,
        directory_visibility: Visible | None = None,
        durability: Durability = "file",
        permissions: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self._rules = _rules(visibility, directory_visibility, durability, permissions)
        self._address = None if url is None else url.rstrip("/")
        self._root = Root(_absolute(root), self._rules.folder_mode(), self._opener)
        self._strangers = Strangers()
        self._closed = False

    def __repr__(self) -> str:
        return f"LocalDriver({self._root.path!r})"

    @property
    def traits(self) -> Traits:
        return _TRAITS

    async def stat(self, path: str, /) -> Stat:
        path = _path(path)
        with translating(looked, "stat", path):
            root = self._open()
            at_once = compiled.glance(root, path)
            if at_once is not None:
                await _turn()
                return at_once
            return await threads.run(facts.look_at, root, path)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        path = _path(path)
        with translating(looked, "read", path):
            root = self._open()
            at_once = compiled.grab(root, path, how)
            if at_once is not None:
                await _turn()
                return Source(*at_once, chunk_size=how.chunk_size)
            held = Descriptor()
            try:
                opened = await threads.run(reading.open_range, held, root, path, how)
            except BaseException:
                held.close()
                raise
        if opened.is_whole:
            return Source(opened.stat, opened.first, chunk_size=how.chunk_size)
        return Source(
            opened.stat,
            _blocks(root, opened, how, held),
            size=opened.stop - opened.start,
            release=held.close,
            chunk_size=how.chunk_size,
        )

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), _path(path)
        with translating(changed, "write", path, body=body):
            root = self._open()
            _check_kept(how)
            async with aclosing(body.parts(writing.BLOCK)) as parts:
                first, second = await _begun(body, parts)
                if second is None:
                    return await _stored(root, self._rules, path, b"".join(first), how)
                spool = writing.Writing(root, self._rules, path, how, size=body.size)
                return await _written(spool, first, second, parts, spool.finish)

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool:
        path = _path(path)
        with translating(changed, "remove", path):
            root, rules = self._open(), self._rules
            removed = await compiled.drop(root, rules, path, how)
            if removed is not None:
                return removed
            return await threads.run(changing.remove, root, rules, path, how)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        folder = _folder(folder)
        listing = Listing(self._open(), folder, how, self._strangers)
        while page := await _page(listing, folder):
            for entry in page:
                yield entry

    async def aclose(self) -> None:
        self._closed = True
        self._root.forget()

    def public_url(self, path: str, /) -> str:
        path = _path(path)
        if self._address is None:
            raise Unsupported("this disk has no url", operation="public_url", path=path)
        return f"{self._address}/{quoted(path)}"

    def local_path(self, path: str, /) -> str:
        return os.path.join(self._root.path, *_path(path).split("/"))

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        return self, path

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        return await self.copy_from(self, path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        path, to = _path(path), _path(to)
        if not isinstance(source, LocalDriver):
            raise Unsupported("the other disk is not a local one", operation="copy_from", path=path)
        _check_kept(how)
        return await threads.run(
            duplicating.copy, source._open(), path, self._open(), self._rules, to, how
        )

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        path, to = _path(path), _path(to)
        _check_bare(how)
        return await threads.run(changing.rename, self._open(), self._rules, path, to, how)

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        root = self._open()
        return await threads.run(
            lambda: {path: _removed(root, self._rules, path) for path in paths}
        )

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), _path(path)
        with translating(changed, "extend", path, body=body):
            root, rules = self._open(), self._rules
            _check_kept(how)
            async with aclosing(body.parts(writing.BLOCK)) as parts:
                first, second = await _begun(body, parts)
                if second is None:
                    data = b"".join(first)
                    return await threads.run(changing.extend_by, root, rules, path, how, data)
                spool = writing.Writing(root, rules, path, how, size=body.size)
                return await _written(
                    spool,
                    first,
                    second,
                    parts,
                    lambda: changing.extend_from(root, rules, path, how, spool),
                )

    async def read_visibility(self, path: str, /) -> Visible:
        path = _path(path)
        with translating(looked, "read_visibility", path):
            return await threads.run(changing.read_visibility, self._open(), self._rules, path)

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        path = _path(path)
        check_visibility(visibility)
        with translating(looked, "change_visibility", path):
            _check_kept(WriteOptions(visibility=visibility))
            await threads.run(
                changing.change_visibility, self._open(), self._rules, path, visibility
            )

    async def has_folder(self, folder: str, /) -> bool:
        folder = _folder(folder)
        with translating(looked, "has_folder", folder):
            return await threads.run(clearing.has_folder, self._open(), folder)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        folder = _folder(folder)
        if visibility is not None:
            check_visibility(visibility)
        with translating(changed, "make_folder", folder):
            await threads.run(clearing.make_folder, self._open(), self._rules, folder, visibility)

    async def remove_folder(self, folder: str, /) -> bool:
        folder = _folder(folder)
        with translating(changed, "remove_folder", folder):
            return await threads.run(clearing.remove_folder, self._open(), self._rules, folder)

    async def digest(self, path: str, algorithm: str, /) -> str:
        path = _path(path)
        with translating(looked, "digest", path):
            return await threads.run(duplicating.digest, self._open(), path, algorithm)

    async def sweep(self, older_than: timedelta, /) -> int:
        with translating(changed, "sweep"):
            return await threads.run(clearing.sweep, self._open(), older_than)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        path = _path(path)
        with translating(looked, "change_attributes", path):
            _check_kept(how)
            return await threads.run(
                changing.change_attributes, self._open(), self._rules, path, how
            )

    async def change_time(self, path: str, modified: datetime, /) -> None:
        path = _path(path)
        if modified.tzinfo is None:
            raise InvalidArgument("a time needs its zone; say modified.astimezone()", path=path)
        if IS_WINDOWS:
            raise Unsupported("this system sets no times of open files", path=path)
        with translating(looked, "change_time", path):
            await threads.run(changing.change_time, self._open(), path, modified)

    @staticmethod
    def _opener(root: str) -> Tree:
        return beneath.opened(root)

    def _open(self) -> Root:
        if self._closed:
            raise Closed("this driver was closed; build a new one")
        return self._root


_TRAITS = Traits(
    "local",
    folders="real",
    atomic_append=HAS_XATTRS,
    ordered=True,
    conditions=frozenset(("overwrite", "if_match") if CAN_LOCK else ("overwrite",)),
    keeps=frozenset((*(_KEPT if HAS_XATTRS else ()), *(_MODES if _HAS_MODES else ()))),
    segment_bytes=_SEGMENT_BYTES,
)


def _absolute(root: str | os.PathLike[str]) -> str:
    text = os.fspath(root)
    if not isinstance(text, str):
        raise ConfigError(f"root is a folder's path as text, not {type(text).__name__}")
    if not text or "\0" in text:
        raise ConfigError("root names no folder; give its path, such as 'storage/app'")
    return os.path.abspath(text)


def _rules(
    visibility: Visible | None,
    directory_visibility: Visible | None,
    durability: Durability,
    permissions: Mapping[str, Mapping[str, int]] | None,
) -> Rules:
    for visible in (visibility, directory_visibility):
        if visible is not None:
            check_visibility(visible)
    if durability not in ("none", "file", "full"):
        raise ConfigError(f"durability is 'none', 'file' or 'full', not {durability!r}")
    given = dict(permissions or {})
    files = _modes(given.pop("file", {}), Modes(0o644, 0o600))
    folders = _modes(given.pop("folder", {}), Modes(0o755, 0o700))
    if given:
        raise ConfigError(f"permissions are for 'file' and 'folder', not {next(iter(given))!r}")
    shown: Visible = visibility or "public"
    return Rules(files, folders, shown, directory_visibility or shown, durability)


def _modes(given: Mapping[str, int], usual: Modes) -> Modes:
    for name, mode in given.items():
        if name not in ("public", "private"):
            raise ConfigError(f"permissions are 'public' and 'private', not {name!r}")
        if type(mode) is not int or not 0 <= mode <= 0o777:
            raise ConfigError(f"a mode is a number such as 0o644, not {mode!r}")
    return Modes(given.get("public", usual.public), given.get("private", usual.private))


def _path(path: str) -> str:
    return _fitting(check_path(path))


def _folder(folder: str) -> str:
    return _fitting(check_folder(folder))


def _fitting(path: str) -> str:
    if len(path) * 4 > _SEGMENT_BYTES:
        longest = max(len(segment.encode()) for segment in path.split("/"))
        if longest > _SEGMENT_BYTES:
            raise InvalidPath(
                f"a segment has {longest} bytes and {_SEGMENT_BYTES} is the limit; shorten it",
                path=path,
            )
    return path


def _check_kept(how: WriteOptions) -> None:
    if how.carried:
        return
    if how.tags:
        raise Unsupported("a local disk keeps no tags")
    if how.tier is not None:
        raise Unsupported("a local disk has no tiers")
    if how.visibility is not None and not _HAS_MODES:
        raise Unsupported("this system has no modes for a visibility")


def _check_bare(how: WriteOptions) -> None:
    _check_kept(how)
    given = [
        name for name in (*HEADERS, "metadata", "visibility") if getattr(how, name) is not None
    ]
    if given and not how.carried:
        raise Unsupported(f"a rename changes no {given[0]}; set it afterwards")


async def _turn() -> None:
    """Give the loop its turn now and then, who answers without waiting."""
    if not next(_answers) % _EVERY:
        await asyncio.sleep(0)


async def _page(listing: Listing, folder: str) -> list[Stat | Folder]:
    with translating(looked, "scan", folder):
        return await threads.run(listing.page)


async def _begun(
    body: Body, parts: AsyncGenerator[list[Piece]]
) -> tuple[list[Piece], list[Piece] | None]:
    """The first part, and the second where there is one: a body of one part takes one step."""
    if body.whole is not None:
        return [body.whole], None
    first = await anext(parts, None)
    return first or [], await anext(parts, None)


async def _stored(root: Root, rules: Rules, path: str, data: bytes, how: WriteOptions) -> Stat:
    stat = await compiled.put(root, rules, path, data, how)
    if stat is not None:
        return stat
    return await threads.run(writing.store, root, rules, path, data, how)


async def _written(
    spool: writing.Writing,
    first: list[Piece],
    second: list[Piece],
    parts: AsyncGenerator[list[Piece]],
    finish: Callable[[], Stat],
) -> Stat:
    behind = threads.Behind()
    try:
        await threads.run(spool.begin)
        await behind.begin(spool.add, *first)
        await behind.begin(spool.add, *second)
        async for part in parts:  # gathered while the one before it is written
            await behind.begin(spool.add, *part)
        await behind.end()
        return await threads.run(finish)
    except GeneratorExit:  # nothing can be awaited any more: the spool cleans up by itself
        raise
    except BaseException:
        await behind.over()
        await threads.run(spool.abandon)
        raise


async def _blocks(
    root: Root, opened: reading.Opened, how: ReadOptions, held: Descriptor
) -> AsyncGenerator[bytes]:
    block, size = opened.first, reading.block_for(how)
    position = opened.start
    while block:
        for start in range(0, len(block), how.chunk_size or size):
            yield block[start : start + (how.chunk_size or size)]
        position += len(block)
        if position >= opened.stop:
            return
        with translating(looked, "read", opened.stat.path):
            block = await _block(root, held, min(size, opened.stop - position), position)


async def _block(root: Root, held: Descriptor, count: int, position: int) -> bytes:
    """From memory if it is there; the loop gets its turn before it is used."""
    block = held.use(lambda fd: compiled.peek(root, fd, count, position))
    if block is None:
        return await threads.run(held.read_at, count, position)
    await asyncio.sleep(0)
    return block


def _removed(root: Root, rules: Rules, path: str) -> bool | StorageError:
    try:
        path = _path(path)
        with translating(changed, "remove", path):
            return changing.remove(root, rules, path, ANY)
    except StorageError as error:
        return error
