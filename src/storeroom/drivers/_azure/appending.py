"""Bytes added to the end of a blob, all of them in one step or none.

A new file that is small is made an append blob, which grows in place. Any other is a list of blocks,
and gets some more: https://learn.microsoft.com/rest/api/storageservices/understanding-block-blobs--append-blobs--and-page-blobs
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Final

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    PreconditionFailed,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.turns import PathTurns
from storeroom.contracts.values import ReadOptions, Stat, WriteOptions
from storeroom.drivers._azure.blocks import MOST_BLOCKS, Blocks, committed, md5_header
from storeroom.drivers._azure.client import Client
from storeroom.drivers._azure.container import Container
from storeroom.drivers._azure.headers import describing, explicit_tier, written
from storeroom.drivers._azure.keeping import carried_tags
from storeroom.drivers._azure.removing import remove
from storeroom.drivers._azure.settling import commit
from storeroom.drivers._azure.uploading import put, stored
from storeroom.drivers._http.failures import unknown_outcome
from storeroom.drivers._http.pace import pause
from storeroom.drivers._http.parts import parts_of, send_all
from storeroom.drivers._http.reading import looked_at, opened
from storeroom.drivers._http.wire import Lost, Refused, Request

__all__ = ["Appending"]

_MOST: Final = 4 << 20
_REWRITTEN: Final = 256 << 10
_NEW: Final = {"if-none-match": "*"}
_TRIES: Final = 100
_TRIES_OF_LARGE: Final = 10
_SLOWEST: Final = 5  # the attempt whose pause is the longest, some seconds
_OVERTAKEN: Final = frozenset(
    (
        *("AppendPositionConditionNotMet", "BlobAlreadyExists", "BlobNotFound", "ConditionNotMet"),
        *("InvalidBlobType", "InvalidBlockList"),
    )
)


class Appending:
    """Appends to the files of one container."""

    def __init__(self, container: Container, client: Client) -> None:
        self._container = container
        self._service = container.service
        self._client = client
        self._turns = PathTurns()

    async def extend(self, path: str, body: Body, how: WriteOptions, /) -> Stat:
        """Add the body to a file, or make one of it; those of this process take turns."""
        small = await _small(body)
        async with self._turns.taken(path):
            return await self._extend(path, body, small, how)

    async def _extend(self, path: str, body: Body, small: bytes | None, how: WriteOptions) -> Stat:
        """Who is overtaken by another process begins anew."""
        for attempt in range(_TRIES_OF_LARGE if small is None else _TRIES):
            headers = await self._looked(path)
            try:
                if headers is None:
                    return await self._made(path, body, small, how)
                return await self._extended(path, body, small, how, headers)
            except Refused as refused:
                if refused.code not in _OVERTAKEN:
                    raise
                if small is None and not body.replayable:
                    raise _overtaken(path) from refused
            await asyncio.sleep(pause(min(attempt, _SLOWEST), {}))
        raise _overtaken(path)

    async def _looked(self, path: str) -> Mapping[str, str] | None:
        try:
            return await looked_at(self._container.reading, path)
        except Refused as refused:
            if refused.status != 404 or refused.code == "ContainerNotFound":
                raise
            return None

    async def _made(self, path: str, body: Body, small: bytes | None, how: WriteOptions) -> Stat:
        """Make the file, if there is none; what has a tier, or is large, is made of blocks."""
        if how.if_match is not None:
            raise PreconditionFailed("there is no file for if_match to name", path=path)
        said = self._container.described(how)
        if small is None:
            container = self._container
            reply, size = await stored(self._service, path, body, said, _NEW, container.rules)
            return written(path, size, reply)
        if small and "x-ms-access-tier" not in said:
            return await self._begun(path, small, said, how)
        return written(path, len(small), await self._put(path, small, said, _NEW))

    async def _begun(
        self, path: str, content: bytes, said: Mapping[str, str], how: WriteOptions
    ) -> Stat:
        """Make an append blob, with its first bytes; a cancellation waits until it has them."""
        making = asyncio.create_task(self._first(path, content, said, how))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            await self._service.ended(making)
            raise

    async def _first(
        self, path: str, content: bytes, said: Mapping[str, str], how: WriteOptions
    ) -> Stat:
        headers = {"x-ms-blob-type": "AppendBlob", **said, **_NEW}
        request = Request("create append", "PUT", path, (), headers)
        # Where it may be there already it does not matter who made it.
        made = self._service.commit(request) if how.overwrite else commit(self._service, request)
        reply, _ = await made
        empty = written(path, 0, reply)
        try:
            return await self._grown(path, content, empty)
        except (Refused, Lost, Unavailable):
            with suppress(Refused, Lost, Unavailable):
                await remove(self._service, path, {"if-match": empty.etag or "*"})
            raise

    async def _extended(
        self,
        path: str,
        body: Body,
        small: bytes | None,
        how: WriteOptions,
        headers: Mapping[str, str],
    ) -> Stat:
        stat, kind = self._container.stat_in(path, headers), headers.get("x-ms-blob-type")
        if not how.overwrite:
            raise AlreadyExists("there is a file already", path=path)
        if how.if_match not in (None, stat.etag):
            raise PreconditionFailed("the file is not the one that if_match names", path=path)
        if small == b"":
            return stat
        if kind == "BlockBlob":
            return await self._lengthened(path, body, small, stat, headers)
        if kind != "AppendBlob" or small is None:
            raise Unsupported(
                f"a file of this kind gets at most {_MOST:,} bytes at once; append in pieces",
                path=path,
            )
        return await self._grown(path, small, stat)

    async def _grown(self, path: str, content: bytes, stat: Stat) -> Stat:
        """Append to an append blob at its end as it was seen, so that no try adds a second time."""
        at = stat.size or 0
        headers = {
            "content-md5": await md5_header(content),
            "x-ms-blob-condition-appendpos": str(at),
        }
        request = Request("append", "PUT", path, (("comp", "appendblock"),), headers, content)
        try:
            reply, _ = await self._service.commit(request)
        except (Refused, Lost) as error:
            if request.uncertain and (_is_overtaken(error) or _is_silent(error)):
                return await self._looked_for(path, content, at, error)
            raise
        return written(path, at + len(content), reply)

    async def _looked_for(self, path: str, content: bytes, at: int, error: Refused | Lost) -> Stat:
        """Whether an earlier try, whose reply was lost, added these bytes."""
        stop = at + len(content)
        try:
            async with await opened(self._container.reading, path, ReadOptions(at, stop)) as source:
                found, size = await source.read(), source.stat.size
        except (Refused, Lost):
            raise unknown_outcome(path) from error
        if found == content:
            return Stat(path, stop)
        if size == at or _is_overtaken(error):
            raise error
        raise unknown_outcome(path) from error

    async def _lengthened(
        self,
        path: str,
        body: Body,
        small: bytes | None,
        stat: Stat,
        headers: Mapping[str, str],
    ) -> Stat:
        """Add to a block blob in one step, under the etag that was seen."""
        said = await self._kept(path, stat, headers)
        pinned = {} if stat.etag is None else {"if-match": stat.etag}
        size = stat.size or 0
        if small is not None and size + len(small) <= _REWRITTEN:
            content = await self._old(path, stat) + small
            reply = await self._put(path, content, said, pinned)
            return written(path, len(content), reply)
        added = body if small is None else Body(small)
        _, listed = await committed(self._service, path)
        if sum(length for _, length in listed) != size:  # what came in one request has no blocks
            added, listed, size = self._joined(path, stat, added), [], 0
        ids = [name for name, _ in listed]
        sent, reply = await self._added(path, ids, added, said, pinned)
        return written(path, size + sent, reply)

    async def _added(
        self,
        path: str,
        ids: list[str],
        added: Body,
        said: Mapping[str, str],
        pinned: Mapping[str, str],
    ) -> tuple[int, Mapping[str, str]]:
        """Put the blocks of a body behind those that are there: how many bytes it had."""
        rules = self._container.rules
        summed = rules.sums_blocks or (added.whole is not None and rules.checksum != "none")
        blocks = Blocks(self._service, path, summed=summed)
        room = MOST_BLOCKS - len(ids)
        if room < 1:
            raise Unsupported("the file has as many blocks as it can have", path=path)
        async with aclosing(added), aclosing(parts_of(added, rules.part_size)) as parts:
            sent = await send_all(parts, blocks.stage, concurrency=rules.concurrency, most=room)
        return sent, await blocks.commit([*ids, *blocks.ids], said, pinned)

    async def _put(
        self, path: str, content: bytes, said: Mapping[str, str], conditions: Mapping[str, str]
    ) -> Mapping[str, str]:
        rules = self._container.rules
        return await put(self._service, path, content, said, conditions, rules)

    async def _old(self, path: str, stat: Stat) -> bytes:
        how = ReadOptions(if_match=stat.etag)
        async with await opened(self._container.reading, path, how) as source:
            return await source.read()

    def _joined(self, path: str, stat: Stat, added: Body) -> Body:
        how = ReadOptions(if_match=stat.etag)

        async def chunks() -> AsyncGenerator[bytes]:
            async with await opened(self._container.reading, path, how) as source:
                async for chunk in source:
                    yield chunk
            async for chunk in added:
                yield chunk

        return Body(chunks)

    async def _kept(self, path: str, stat: Stat, headers: Mapping[str, str]) -> dict[str, str]:
        """What a list of blocks replaces, and is to stay: headers, metadata, tags, tier."""
        how = WriteOptions(
            stat.content_type,
            stat.cache_control,
            stat.content_disposition,
            stat.content_encoding,
            stat.content_language,
            metadata=stat.metadata,
            tags=await carried_tags(self._client, path, headers),
            tier=explicit_tier(headers),
        )
        return describing(how)


async def _small(body: Body) -> bytes | None:
    """All of a body that one request may append; None for a larger one, of which nothing is taken."""
    if body.size is None and body.whole is None:
        if len(await body.peek(_MOST + 1)) > _MOST:
            return None
        return await body.content()
    return await body.content() if (body.size or 0) <= _MOST else None


def _is_overtaken(error: Refused | Lost) -> bool:
    return isinstance(error, Refused) and error.status == 412


def _is_silent(error: Refused | Lost) -> bool:
    """Whether the service did not say what it did."""
    return isinstance(error, Lost) or error.status >= 500


def _overtaken(path: str) -> Unavailable:
    return Unavailable("something else was stored there meanwhile; append again", path=path)
