"""What people hand to `put`: anything that holds bytes becomes a `Body`."""

import inspect
import io
import os
import stat
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import PurePath
from typing import Any, Protocol, TypeAlias, TypedDict

import aiofiles

from storeroom.contracts import threads
from storeroom.contracts.body import Body, Progress
from storeroom.contracts.errors import InvalidArgument, from_os_error
from storeroom.contracts.source import Source
from storeroom.contracts.values import Visible
from storeroom.files._verb import calling

__all__ = ["AsyncReader", "Content", "PutOptions", "Reader", "client_name", "opened"]

_PIECE = 1 << 20
_PATIENCE = 0.05


class Reader(Protocol):
    """A binary file object."""

    def read(self, count: int, /) -> bytes: ...


class AsyncReader(Protocol):
    """A binary file object whose `read` is awaited: an upload, an aiofiles handle."""

    def read(self, count: int, /) -> Awaitable[bytes]: ...


Content: TypeAlias = (
    bytes
    | bytearray
    | memoryview
    | str
    | os.PathLike[str]
    | Reader
    | AsyncReader
    | Iterable[bytes]
    | Iterable[str]
    | AsyncIterable[bytes]
    | AsyncIterable[str]
)
"""Bytes-like, text (stored as UTF-8), a local file's path, a binary file, an upload, or chunks."""


class PutOptions(TypedDict, total=False):
    """The options of `put`, also taken by every verb that stores."""

    content_type: str | None
    cache_control: str | None
    content_disposition: str | None
    content_encoding: str | None
    content_language: str | None
    visibility: Visible | None
    metadata: Mapping[str, str] | None
    tags: Mapping[str, str] | None
    tier: str | None
    overwrite: bool
    if_match: str | None
    size: int | None
    progress: Progress | None


@asynccontextmanager
async def opened(
    content: Content, *, size: int | None = None, progress: Progress | None = None
) -> AsyncGenerator[Body]:
    """The content as a body; a local file is opened and closed, what cannot be stored is refused."""
    async with AsyncExitStack() as stack:
        given: Any = content
        if isinstance(content, os.PathLike):
            given = await stack.enter_async_context(_local_file(content))
        body = await _body(given, size, progress)
        stack.push_async_callback(body.aclose)
        yield body


def client_name(content: Any, /) -> str | None:
    """The file name that comes with an upload, a path or an open file."""
    if _is(content, os.PathLike):
        return PurePath(content).name
    name: object = getattr(content, "filename", None) or getattr(content, "name", None)
    return name.replace("\\", "/").rpartition("/")[2] if isinstance(name, str) else None


async def _body(content: Any, size: int | None, progress: Progress | None) -> Body:
    if _is(content, str):
        content = content.encode()
    if _is(content, bytes, bytearray, memoryview):
        return Body(bytes(content), size=size, progress=progress)
    if _is(content, Mapping, AbstractSet):
        raise TypeError(
            f"a {type(content).__name__} has no order of bytes; use put_json, or give bytes"
        )
    if _is(content, Source):
        size = content.size if size is None else size
        return Body(lambda: _texts(content), size=size, progress=progress)
    if callable(getattr(content, "read", None)):
        return await _read_by(content, size, progress)
    if _is(content, list, tuple):
        return Body(lambda: _listed(content), size=size, replayable=True, progress=progress)
    if _is(content, AsyncIterable, Iterable):
        _refuse_finished(content)
        pulled = _theirs if _is(content, AsyncIterable) else _pulled
        return Body(lambda: pulled(content), size=size, progress=progress)
    raise TypeError(
        f"cannot store a {type(content).__name__}; give bytes, str, a path, a binary file or chunks"
    )


def _is(content: Any, *kinds: type) -> bool:
    """`isinstance` without narrowing: what `put` is given has no useful static type."""
    return isinstance(content, kinds)


async def _read_by(file: Any, size: int | None, progress: Progress | None) -> Body:
    """The body of a file object, from where it stands to its end."""
    if _is_text(file):
        raise TypeError("the file is open in text mode; open it in binary mode: open(path, 'rb')")
    call = _awaiting if _is_async(file) else threads.run
    start, end = await _extent(file)
    if end is not None and end > 0 and start >= end:
        raise InvalidArgument("the file was read to its end already; call seek(0) first")
    known = None if end is None else end - start

    async def pieces() -> AsyncGenerator[bytes]:
        if end is not None:
            await call(file.seek, start)
        while piece := _as_bytes(await call(file.read, _PIECE)):
            yield piece

    return Body(
        pieces,
        size=known if size is None else size,
        replayable=end is not None,
        progress=progress,
    )


def _is_text(file: Any) -> bool:
    if isinstance(file, (io.RawIOBase, io.BufferedIOBase)):
        return False
    mode = getattr(file, "mode", "b")
    return isinstance(file, io.TextIOBase) or (isinstance(mode, str) and "b" not in mode)


async def _extent(file: Any) -> tuple[int, int | None]:
    """Where a file stands and where it ends; the end is None where it cannot seek."""
    inner = getattr(file, "file", file)
    if not all(callable(getattr(inner, name, None)) for name in ("seek", "tell")):
        return 0, None
    call = _awaiting if _is_async(inner) else threads.run
    seekable = getattr(inner, "seekable", None)
    if seekable is not None and not await call(seekable):
        return 0, None
    start = await call(inner.tell)
    await call(inner.seek, 0, os.SEEK_END)
    end = await call(inner.tell)
    await call(inner.seek, start)
    return start, end


def _is_async(file: Any) -> bool:
    read = getattr(file, "read", None)
    return inspect.iscoroutinefunction(read) or hasattr(file, "__aiter__")


async def _awaiting(call: Callable[..., Any], /, *args: Any) -> Any:
    result = call(*args)
    return await result if inspect.isawaitable(result) else result


@asynccontextmanager
async def _local_file(path: os.PathLike[str]) -> AsyncGenerator[Any]:
    try:
        if not stat.S_ISREG((await threads.run(os.stat, path)).st_mode):
            raise InvalidArgument(f"the local path {os.fspath(path)!r} is not a regular file")
        file = await aiofiles.open(path, "rb", buffering=0, executor=threads.pool())
    except OSError as error:
        failure = from_os_error(error)
        failure.reason = f"the local file {os.fspath(path)!r}: {error.strerror}"
        raise failure from error
    try:
        yield file
    finally:
        await file.close()


def _refuse_finished(content: object) -> None:
    finished = (inspect.isgenerator(content) and content.gi_frame is None) or (
        inspect.isasyncgen(content) and content.ag_frame is None
    )
    if finished:
        raise InvalidArgument("the generator is finished already; make a new one for every put")


async def _texts(chunks: Any) -> AsyncGenerator[bytes]:
    try:
        async for chunk in chunks:
            yield _as_bytes(chunk)
    finally:
        if inspect.isasyncgen(chunks):
            await chunks.aclose()


async def _theirs(chunks: Any) -> AsyncGenerator[bytes]:
    """What the caller's own code gives: a verb that it calls meanwhile is no part of this one."""
    iterator = aiter(chunks)
    try:
        while True:
            token = calling.set(None)
            try:
                chunk = await anext(iterator)
            except StopAsyncIteration:
                return
            finally:
                calling.reset(token)
            yield _as_bytes(chunk)
    finally:
        if inspect.isasyncgen(chunks):
            await chunks.aclose()


async def _listed(chunks: Iterable[bytes | str]) -> AsyncGenerator[bytes]:
    for chunk in chunks:
        yield _as_bytes(chunk)


async def _pulled(chunks: Any) -> AsyncGenerator[bytes]:
    """A synchronous iterable may block: it runs in a thread, many small chunks per visit."""
    iterator: Iterator[bytes | str] = iter(chunks)
    try:
        while batch := await threads.run(_batch, iterator):
            for chunk in batch:
                yield chunk
    finally:
        if inspect.isgenerator(chunks):
            await threads.run(chunks.close)


def _batch(iterator: Iterator[bytes | str]) -> list[bytes]:
    batch: list[bytes] = []
    held, deadline = 0, time.monotonic() + _PATIENCE
    for chunk in iterator:
        batch.append(_as_bytes(chunk))
        held += len(batch[-1])
        if held >= _PIECE or time.monotonic() > deadline:
            break
    return batch


def _as_bytes(chunk: Any) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, str):
        return chunk.encode()
    if _is(chunk, bytearray, memoryview):
        return bytes(chunk)
    raise TypeError(f"chunks are bytes or str, not {type(chunk).__name__}")
