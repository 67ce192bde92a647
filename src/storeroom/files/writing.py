"""Storing: put and its relatives."""

import json as jsonlib
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Unpack

from storeroom.contracts import mime
from storeroom.contracts.abilities import Append, find
from storeroom.contracts.body import Body, Progress
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidArgument, InvalidPath, NotFound, Unsupported
from storeroom.contracts.values import PLAIN, Visible, WriteOptions
from storeroom.files._verb import Held, checked, checked_folder, ready, verb, writable
from storeroom.files.carrying import carried
from storeroom.files.content import Content, PutOptions, client_name, opened
from storeroom.files.sniff import sniffed, typed
from storeroom.files.writer import Writer

__all__ = ["Writing"]

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}")


class Writing(Held):
    """The verbs that store; see `Files`."""

    __slots__ = ()

    @verb
    async def put(
        self,
        path: str | os.PathLike[str],
        content: Content,
        /,
        *,
        content_type: str | None = None,
        cache_control: str | None = None,
        content_disposition: str | None = None,
        content_encoding: str | None = None,
        content_language: str | None = None,
        visibility: Visible | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        tier: str | None = None,
        overwrite: bool = True,
        if_match: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Store the content under the path, all of it or nothing, and return the path.

        `content` is bytes, `str` (as UTF-8), a local file's path, a binary file, an upload, or an
        iterable of chunks, which is streamed. The content type is told, else guessed by extension,
        else from the first bytes. `overwrite=False` raises `AlreadyExists`, a stale `if_match` (the
        `etag` of a `Stat`) `PreconditionFailed`. `size` announces the bytes of a stream; `progress`
        is called with bytes done and total.
        """
        driver = writable(await self._ready())
        text = checked(driver, path)
        how = WriteOptions(
            content_type=content_type or mime.by_name(text),
            cache_control=cache_control,
            content_disposition=content_disposition,
            content_encoding=content_encoding,
            content_language=content_language,
            visibility=visibility,
            metadata=metadata,
            tags=tags,
            tier=tier,
            overwrite=overwrite,
            if_match=if_match,
        )
        if type(content) is bytes:
            body = Body(content, size=size, progress=progress)
            how = how if how.content_type else await typed(text, body, how)
            await driver.write(text, body, how)
            return text
        async with opened(content, size=size, progress=progress) as body:
            await driver.write(text, body, await typed(text, body, how))
        return text

    @verb
    async def put_json(
        self,
        path: str | os.PathLike[str],
        value: Any,
        /,
        *,
        indent: int | None = None,
        **options: Unpack[PutOptions],
    ) -> str:
        """Store a value as JSON in UTF-8; the options are those of `put`."""
        try:
            text = jsonlib.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise InvalidArgument(f"not a JSON value: {error}") from error
        options.setdefault("content_type", "application/json")
        return await self.put(path, text, **options)

    @verb
    async def write_stream(
        self,
        path: str | os.PathLike[str],
        chunks: AsyncIterable[bytes] | Iterable[bytes] | AsyncIterable[str] | Iterable[str],
        /,
        **options: Unpack[PutOptions],
    ) -> str:
        """Store chunks as they come, one at a time; the options are those of `put`."""
        if isinstance(chunks, (bytes, bytearray, memoryview, str)):
            raise TypeError("write_stream takes an iterable of chunks; for bytes or text use put")
        return await self.put(path, chunks, **options)

    def open_writer(self, path: str | os.PathLike[str], /, **options: Unpack[PutOptions]) -> Writer:
        """A writer for `async with`: stored when the block ends well, nothing on an exception."""

        async def store(chunks: AsyncGenerator[bytes]) -> None:
            await self.put(path, chunks, **options)

        return Writer(os.fspath(path), store)

    @verb
    async def put_file(
        self, folder: str | os.PathLike[str], file: Content, /, **options: Unpack[PutOptions]
    ) -> str:
        """Store a file in the folder under a random name of 40 characters, and return its path.

        The extension comes from the content, else from the name that the client gave.
        """
        _refuse_text(file)
        writable(await self._ready())
        size, progress = options.get("size"), options.get("progress")
        async with opened(file, size=size, progress=progress) as body:
            kind = await sniffed(await body.peek(mime.HEAD_BYTES))
            name = secrets.token_hex(20) + _extension(kind, client_name(file))
            return await _stored(self, folder, name, body, options)

    @verb
    async def put_file_as(
        self,
        folder: str | os.PathLike[str],
        file: Content,
        name: str,
        /,
        **options: Unpack[PutOptions],
    ) -> str:
        """Store a file in the folder under this name, and return its path."""
        _refuse_text(file)
        writable(await self._ready())
        size, progress = options.get("size"), options.get("progress")
        async with opened(file, size=size, progress=progress) as body:
            return await _stored(self, folder, name, body, options)

    @verb
    async def append(
        self, path: str | os.PathLike[str], content: Content, /, *, separator: str = "\n"
    ) -> str:
        """Add to the end of a file, or make it; a `str` goes on a new line, bytes follow directly.

        In place where the service can, else the file is rewritten as a stream.
        """
        driver = writable(await self._ready())
        text = checked(driver, path)
        glue = await _glue(driver, text, content, separator)
        async with opened(content) as body:
            if not await _extended(driver, text, glue or b"", body):
                await _revised(driver, text, glue, body, after=True)
        return text

    @verb
    async def prepend(
        self, path: str | os.PathLike[str], content: Content, /, *, separator: str = "\n"
    ) -> str:
        """Add before the beginning of a file, or make it; the file is rewritten as a stream."""
        driver = writable(await self._ready())
        text = checked(driver, path)
        glue = await _glue(driver, text, content, separator)
        async with opened(content) as body:
            await _revised(driver, text, glue, body, after=False)
        return text


async def _stored(
    disk: Held, folder: str | os.PathLike[str], name: str, body: Body, options: PutOptions
) -> str:
    driver = await ready(disk)
    if "/" in name:
        raise InvalidPath("a name has no '/'; give the folder as the first argument", path=name)
    inside = checked_folder(driver, folder)
    text = checked(driver, f"{inside}/{name}" if inside else name)
    fields = {key: value for key, value in options.items() if key not in ("size", "progress")}
    how = WriteOptions(**fields)  # type: ignore[arg-type]
    await driver.write(text, body, await typed(text, body, how))
    return text


def _refuse_text(file: object) -> None:
    if isinstance(file, str):
        raise TypeError(
            "a str may be a path or content: give pathlib.Path(...) for a local file, "
            "or put(path, text) for text"
        )


def _extension(kind: str | None, name: str | None) -> str:
    """The extension for a type; a type that many formats share leaves it to the client's name."""
    told = _EXTENSION.fullmatch(os.path.splitext(name or "")[1])
    if told and mime.may_be(kind, f"x{told.group()}"):
        return told.group().lower()
    return mime.extension_for(kind) if kind else ""


async def _glue(driver: StorageDriver, path: str, content: Content, separator: str) -> bytes | None:
    """What goes between old and new content, None where there is no file yet."""
    try:
        stat = await driver.stat(path)
    except NotFound:
        return None
    return separator.encode() if isinstance(content, str) and stat.size else b""


async def _extended(driver: StorageDriver, path: str, glue: bytes, body: Body) -> bool:
    """Whether the service added the body in place; it makes a missing file."""
    native = find(driver, Append)
    if native is None:
        return False
    added = body if not glue else _joined(_once(glue), body)
    if body.whole is not None:
        added = Body(glue + body.whole)
    try:
        await native.extend(path, added, await typed(path, body, PLAIN))
    except Unsupported:
        return False
    return True


async def _revised(
    driver: StorageDriver, path: str, glue: bytes | None, body: Body, *, after: bool
) -> None:
    """Replace a file by a stream made from it, if it is still the same by then; or make it."""
    conditions = driver.traits.conditions
    if glue is None:
        how = replace(PLAIN, overwrite="overwrite" not in conditions)
        await driver.write(path, body, await typed(path, body, how))
        return
    async with await driver.read(path) as source:
        parts = (source, _once(glue), body) if after else (body, _once(glue), source)
        await driver.write(path, _joined(*parts), carried(source.stat, conditions=conditions))


async def _once(piece: bytes) -> AsyncGenerator[bytes]:
    if piece:
        yield piece


def _joined(*parts: AsyncIterable[bytes]) -> Body:
    async def chunks() -> AsyncGenerator[bytes]:
        for part in parts:
            async for chunk in part:
                yield chunk

    return Body(chunks)
