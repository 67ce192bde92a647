"""Reading: whole, as text, as a stream, and whether something is there."""

import json as jsonlib
import os
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Self

from storeroom.contracts.abilities import Folders, find
from storeroom.contracts.errors import Corrupted
from storeroom.contracts.source import Source
from storeroom.contracts.values import SHALLOW, WHOLE, ReadOptions
from storeroom.files._verb import Held, checked, checked_folder, is_there, label, ready, verb

__all__ = ["Opening", "Reading"]


class Opening:
    """A file about to be read: await it for a `Source`, or use it in `async with` or `async for`."""

    __slots__ = ("_open", "_source")

    def __init__(self, open_: Callable[[], Awaitable[Source]], /) -> None:
        self._open = open_
        self._source: Source | None = None

    def __await__(self) -> Generator[Any, None, Source]:
        return self._open().__await__()

    async def __aenter__(self) -> Source:
        self._source = await self._open()
        return self._source

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._source is not None:
            await self._source.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._source is None:
            self._source = await self._open()
        try:
            return await anext(self._source)
        except BaseException:
            await self._source.aclose()
            raise


class Reading(Held):
    """The verbs that read; see `Files`."""

    __slots__ = ()

    @verb
    async def get(
        self,
        path: str | os.PathLike[str],
        /,
        *,
        start: int = 0,
        stop: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> bytes:
        """All bytes of a file, or those from `start` to `stop` (exclusive).

        A missing file is `NotFound`; a stale `if_match` is `PreconditionFailed`, a file that still is
        `if_none_match` is `NotModified`.
        """
        driver = await self._ready()
        how = WHOLE
        if start or stop is not None or if_match or if_none_match:
            how = ReadOptions(start, stop, if_match, if_none_match)
        async with await driver.read(checked(driver, path), how) as source:
            return await source.read()

    @verb
    async def text(
        self, path: str | os.PathLike[str], /, *, encoding: str = "utf-8", errors: str = "strict"
    ) -> str:
        """A file's text; bytes that are not in this encoding are `Corrupted`."""
        data = await self.get(path)
        try:
            return data.decode(encoding, errors)
        except UnicodeDecodeError as error:
            raise Corrupted(f"not {encoding} text: {error.reason}", path=os.fspath(path)) from error

    @verb
    async def json(self, path: str | os.PathLike[str], /) -> Any:
        """A JSON file's value; what is not JSON is `Corrupted`."""
        data = await self.get(path)
        try:
            return jsonlib.loads(data)
        except ValueError as error:
            raise Corrupted(f"not JSON: {error}", path=os.fspath(path)) from error

    def read_stream(
        self,
        path: str | os.PathLike[str],
        /,
        *,
        start: int = 0,
        stop: int | None = None,
        chunk_size: int | None = None,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Opening:
        """Open a file for reading piece by piece: in `async with`, `async for` or by `await`.

        Ranges and conditions are those of `get`, and fail on opening. With `chunk_size` every chunk
        has that many bytes, but for the last.
        """
        how = ReadOptions(start, stop, if_match, if_none_match, chunk_size)
        return Opening(lambda: _opened(self, path, how))

    @verb
    async def exists(self, path: str | os.PathLike[str], /) -> bool:
        """Whether there is a file at the path; folders do not count, and no access is an error."""
        driver = await self._ready()
        return await is_there(driver, checked(driver, path))

    @verb
    async def missing(self, path: str | os.PathLike[str], /) -> bool:
        """Whether there is no file at the path."""
        return not await self.exists(path)

    @verb
    async def directory_exists(self, folder: str | os.PathLike[str], /) -> bool:
        """Whether there is such a folder: empty where the disk has real ones, else with entries."""
        driver = await self._ready()
        text = checked_folder(driver, folder)
        native = find(driver, Folders)
        if native is not None:
            return await native.has_folder(text)
        entries = driver.scan(text, SHALLOW)
        try:
            return not text or await anext(entries, None) is not None
        finally:
            await entries.aclose()

    @verb
    async def directory_missing(self, folder: str | os.PathLike[str], /) -> bool:
        """Whether there is no such folder."""
        return not await self.directory_exists(folder)


async def _read_stream(self: Reading, path: str | os.PathLike[str], how: ReadOptions) -> Source:
    driver = await ready(self)
    source = await driver.read(checked(driver, path), how)
    source.chunk_size = how.chunk_size
    source.disk = label(self)
    return source


_read_stream.__name__ = "read_stream"
_opened = verb(_read_stream)
