"""How a stored file is read: by its memo, its mark, or what is known of it; and its ranges by the table."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.errors import Corrupted, PreconditionFailed, StorageError, Unavailable
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.layers._compression.format import Format, end_size, table_in
from storeroom.layers._compression.formats import (
    HEAD,
    format_named,
    format_of,
    is_like_ours,
    mark_in,
)
from storeroom.layers._compression.known import Known, Seen
from storeroom.layers._compression.marks import SMALLEST, Mark
from storeroom.layers._compression.memo import Memo, shown
from storeroom.layers._compression.table import Table
from storeroom.layers._compression.unpacking import Behind, Cut, Frames, Unpacking, unpacked

__all__ = ["Changed", "Reader", "Stored"]

_TAIL: Final = 16 << 10
_SMALL: Final = 64 << 10
_TRIES: Final = 5


class Changed(Exception):
    """The file is another one than at the last look."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file, or one version of it, as the driver inside opens it; `pins` if by its etag.

    It is known later by its `key`: "" where two contents may have one etag, as on SFTP.
    """

    path: str
    key: str
    open: Callable[[ReadOptions], Awaitable[Source]]
    pins: bool

    async def opened(self, stat: Stat, start: int, stop: int | None) -> Source:
        """These bytes of the very file of `stat`, or `Changed`."""
        etag = stat.etag if self.pins else None
        try:
            source = await self.open(ReadOptions(start, stop, etag))
        except PreconditionFailed:
            raise Changed from None
        if _identity(source.stat) != _identity(stat):
            await source.aclose()
            raise Changed
        return source

    async def bytes(self, stat: Stat, start: int, stop: int) -> "bytes":
        """The same, all at once."""
        async with await self.opened(stat, start, stop) as source:
            data = await source.read()
        if len(data) != stop - start:
            raise Corrupted(f"{len(data)} of {stop - start} bytes came")
        return data


class Reader:
    """Opens files; what has more than `max_size` plain bytes is refused."""

    def __init__(self, max_size: int | None, /) -> None:
        self._max_size = max_size
        self._known = Known()

    async def stat(self, stored: Stored, stat: Stat, /) -> Stat:
        """The facts of a file with its plain size; None where the bytes cannot be looked into."""
        memo = Memo.of(stat)
        if memo is not None and memo.format is not None and memo.size is not None:
            return shown(stat, memo.size, without=memo.token)
        with _naming(stored.path):
            table, _ = await self._table(stored, stat, memo)
        return shown(stat, stat.size) if table is None else _facts(stat, table.size, table.mark)

    async def encoding(self, stored: Stored, stat: Stat, /) -> str | None:
        """The Content-Encoding that the layer added to this file."""
        memo = Memo.of(stat)
        if memo is not None:
            return memo.token
        table, _ = await self._table(stored, stat, None)
        return format_of(table.mark).encoding if table is not None and table.mark.encoded else None

    async def whole(self, stored: Stored, how: ReadOptions, /) -> Source:
        """All of a file, in one read of the driver inside."""
        source = await stored.open(how)
        try:
            with _naming(stored.path):
                return await self._whole(stored, source)
        except BaseException:
            await source.aclose()
            raise

    async def part(self, stored: Stored, how: ReadOptions, /) -> Source:
        """A range of a file."""
        for _ in range(_TRIES):
            try:
                with _naming(stored.path):
                    return await self._part(stored, how)
            except Changed:
                self._known.forget(stored.key)
        raise Unavailable("the file changes faster than it can be read", path=stored.path)

    async def _whole(self, stored: Stored, source: Source) -> Source:
        stat, memo = source.stat, Memo.of(source.stat)
        if stat.size is not None and stat.size <= _SMALL:
            data = await source.read()
            await source.aclose()
            return await self._held(stored, stat, memo, data)
        head = b""
        while len(head) < HEAD and (chunk := await anext(source, None)) is not None:
            head += chunk
        found = _mark(stored, memo, head)
        if found is None:
            return await _as_is(stat, head, source)
        format_, mark = found
        size = memo.size if memo is not None else self._size(stored, stat)
        self._check(size)
        unpacker = format_.unpacker(mark)
        unpacker.give(head[format_.head_size :])
        chunks = Unpacking(unpacker, source, stored.path, self._max_size)
        return Source(_facts(stat, size, mark), chunks, size=size)

    async def _held(self, stored: Stored, stat: Stat, memo: Memo | None, data: bytes) -> Source:
        """A small file, of which all stored bytes are here."""
        found = _mark(stored, memo, data[:HEAD]) if len(data) >= SMALLEST or memo else None
        if found is None:
            return Source(shown(stat, len(data)), data)
        format_, mark = found
        table = await self._read_table(memo, format_, data, len(data))
        self._check(table.size)
        unpacker = format_.unpacker(mark)
        facts = _facts(stat, table.size, mark)
        if table.size <= _SMALL:
            return Source(facts, unpacked(unpacker, data[format_.head_size :], table.size))
        unpacker.give(data[format_.head_size :])
        return Source(facts, Unpacking(unpacker, None, stored.path), size=table.size)

    async def _part(self, stored: Stored, how: ReadOptions) -> Source:
        seen = self._known.get(stored.key) if stored.pins else None
        if seen is not None and how.if_match in (None, seen.etag):
            return await self._again(stored, how, seen)
        source = await stored.open(how)
        stat = source.stat
        if stat.size is None:
            await source.aclose()
            return await self._through(stored, how)
        memo, given = Memo.of(stat), None
        if memo is not None and memo.format is None:
            return await _as_is(stat, b"", source)
        # Given back before the next one is opened: else many readers wait for each other's connections.
        async with source:
            if memo is None and source.size is not None and source.size <= _SMALL:
                given = await source.read()
        table, held = await self._table(stored, stat, memo)
        if table is None:
            if given is not None:
                return Source(shown(stat, stat.size), given)
            return await _as_is(stat, b"", await stored.opened(stat, how.start, how.stop))
        self._check(table.size)
        return await self._frames(stored, stat, table, how, held)

    async def _again(self, stored: Stored, how: ReadOptions, seen: Seen) -> Source:
        """A range of a file that is known already, in one read if it is still the same."""
        self._check(None if seen.table is None else seen.table.size)
        same = replace(how, if_match=seen.etag)
        start, stop = (how.start, how.stop) if seen.table is None else _extent(seen.table, how)
        try:
            source = await stored.open(replace(same, start=start, stop=stop))
        except PreconditionFailed:
            if how.if_match is not None:
                raise
            raise Changed from None
        if seen.table is None:
            return await _as_is(source.stat, b"", source)
        return await _ranged(stored, source.stat, seen.table, how, source)

    async def _frames(
        self, stored: Stored, stat: Stat, table: Table, how: ReadOptions, held: bytes | None
    ) -> Source:
        start, stop = _extent(table, how)
        if held is not None:
            return await _ranged(stored, stat, table, how, held[start:stop])
        source = await stored.opened(stat, start, stop)
        return await _ranged(stored, stat, table, how, source)

    async def _through(self, stored: Stored, how: ReadOptions) -> Source:
        """A range where the service does not tell sizes: read from the beginning, and cut."""
        whole = await self.whole(stored, replace(how, start=0, stop=None))
        count = None if how.stop is None else how.stop - how.start
        return Source(whole.stat, Cut(whole, how.start, count))

    async def _table(
        self, stored: Stored, stat: Stat, memo: Memo | None
    ) -> tuple[Table | None, bytes | None]:
        """The table of a file, None if it is stored as it is; and all stored bytes if they came along."""
        size = stat.size
        if size is None or (memo is not None and memo.format is None):
            return None, None
        if memo is None and size < SMALLEST:
            return None, None
        seen = self._seen(stored, stat)
        if seen is not None:
            return seen.table, None
        format_ = await self._format(stored, stat, memo, size)
        if format_ is None:
            self._known.note(stored.key, stat.etag, None)
            return None, None
        start = max(0, size - _TAIL)
        data = await stored.bytes(stat, start, size)
        needed = end_size(format_, data)
        if len(data) < needed <= size:
            data = await stored.bytes(stat, size - needed, size)
        table = await self._read_table(memo, format_, data, size)
        self._known.note(stored.key, stat.etag, table)
        return table, None if start else data

    async def _format(
        self, stored: Stored, stat: Stat, memo: Memo | None, size: int
    ) -> Format | None:
        if memo is not None and memo.format is not None:
            return format_named(memo.format)
        found = mark_in(await stored.bytes(stat, 0, min(HEAD, size)))
        return None if found is None else found[0]

    async def _read_table(
        self, memo: Memo | None, format_: Format, data: bytes, size: int
    ) -> Table:
        """The table at the end of `data`, held against what else is known."""
        needed = end_size(format_, data)
        if needed > len(data):
            raise Corrupted("the compressed data is cut off")
        tail = data[-needed:]
        if needed > _SMALL:
            table = await threads.run(table_in, format_, tail)
        else:
            table = table_in(format_, tail)
        if table.starts[-1] + needed != size:
            raise Corrupted("the frames are not those of the seek table")
        if memo is not None and (
            memo.size not in (None, table.size) or memo.encoded != table.mark.encoded
        ):
            raise Corrupted("the metadata tells of another file")
        return table

    def _size(self, stored: Stored, stat: Stat) -> int | None:
        seen = self._seen(stored, stat)
        return None if seen is None or seen.table is None else seen.table.size

    def _seen(self, stored: Stored, stat: Stat) -> Seen | None:
        seen = self._known.get(stored.key)
        return seen if seen is not None and seen.etag == stat.etag else None

    def _check(self, size: int | None) -> None:
        if self._max_size is not None and size is not None and size > self._max_size:
            raise Corrupted(f"it has {size} bytes in it, more than max_size, {self._max_size}")


@contextmanager
def _naming(path: str) -> Generator[None]:
    """A context whose failures name the file."""
    try:
        yield
    except StorageError as error:
        error.located(path=path)
        raise


async def _as_is(stat: Stat, head: bytes, source: Source) -> Source:
    """A file that is stored as it is, of which the head was read already."""
    if source.size is not None and source.size <= _SMALL:
        async with source:
            data = head + await source.read()
        return Source(shown(stat, stat.size), data)
    return Source(shown(stat, stat.size), Behind(head, source), size=source.size)


async def _ranged(
    stored: Stored, stat: Stat, table: Table, how: ReadOptions, given: Source | bytes
) -> Source:
    """A range out of the stored bytes of its frames."""
    start, stop = _range(table, how)
    first, last = _frames_of(table, start, stop)
    full = table.mark.frame_size
    frames = Frames(table, format_of(table.mark).opener(), first, last)
    facts = _facts(stat, table.size, table.mark)
    skip, count = start - first * full, stop - start
    if min(table.size, (last + 1) * full) - first * full > _SMALL:
        chunks = Unpacking(frames, given if isinstance(given, Source) else None, stored.path)
        if isinstance(given, bytes):
            frames.give(given)
        return Source(facts, Cut(chunks, skip, count), size=count)
    if isinstance(given, Source):
        async with given:
            given = await given.read()
    return Source(facts, unpacked(frames, given, _SMALL)[skip : skip + count])


def _range(table: Table, how: ReadOptions) -> tuple[int, int]:
    """The range as far as there are bytes."""
    stop = table.size if how.stop is None else min(how.stop, table.size)
    return min(how.start, stop), stop


def _frames_of(table: Table, start: int, stop: int) -> tuple[int, int]:
    """The first and the last frame that a range needs; none at all is 0 and -1."""
    if start == stop:
        return 0, -1
    full = table.mark.frame_size
    return start // full if format_of(table.mark).apart else 0, (stop - 1) // full


def _extent(table: Table, how: ReadOptions) -> tuple[int, int]:
    """Where the stored bytes of a range are."""
    first, last = _frames_of(table, *_range(table, how))
    return (table.starts[first], table.starts[last + 1]) if last >= 0 else (0, 0)


def _mark(stored: Stored, memo: Memo | None, head: bytes) -> tuple[Format, Mark] | None:
    if memo is not None and memo.format is None and is_like_ours(head):
        raise Corrupted("the metadata tells of plain data, and it is compressed", path=stored.path)
    found = mark_in(head)
    if (
        memo is not None
        and memo.format is not None
        and (found is None or found[0].name != memo.format)
    ):
        raise Corrupted(
            "the metadata tells of compressed data, and there is none", path=stored.path
        )
    return found


def _facts(stat: Stat, size: int | None, mark: Mark) -> Stat:
    return shown(stat, size, without=format_of(mark).encoding if mark.encoded else None)


def _identity(stat: Stat) -> object:
    return stat.etag or (stat.size, stat.modified)
