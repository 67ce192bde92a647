"""Bytes coming out: facts, data connection and command in one breath, and the rest after a cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from storeroom.contracts.errors import (
    Corrupted,
    PermissionDenied,
    StorageError,
    Unavailable,
    Unsupported,
    translating,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.facts import asking, told
from storeroom.drivers._ftp.looking import file_at, is_file
from storeroom.drivers._ftp.pool import Lease
from storeroom.drivers._ftp.replies import Refused, Reply
from storeroom.drivers._ftp.service import Service
from storeroom.drivers._ftp.transfer import Transfer
from storeroom.drivers._http.wire import Lost

__all__ = ["opened"]

_AT_ONCE: Final = 256 << 10
_NEAR: Final = 256 << 10


async def opened(service: Service, path: str, how: ReadOptions, /) -> Source:
    """The source of a file or of a part of it; a small one is here already."""
    if how.if_match is not None or how.if_none_match is not None:
        raise Unsupported("FTP has no etags that a condition could name")
    attempts, early = service.attempts(), 0
    while True:
        try:
            return await _opened(service, path, how)
        except (Lost, Refused) as error:
            early += isinstance(error, _Early)
            if early > 1:
                raise Corrupted(str(error)) from error
            await attempts.rest(error)


async def _opened(service: Service, path: str, how: ReadOptions) -> Source:
    lease = await service.lease("read")
    try:
        stat, transfer = await _begun(lease.control, path, how)
        return await _source(Chunks(service, lease, transfer, stat, how), stat, how)
    except (Lost, Refused):
        service.lost(lease)
        raise
    except StorageError:  # an answer like any other: a lease that was not given back is well
        lease.give()
        raise
    except BaseException:
        lease.drop()
        raise


async def _source(chunks: "Chunks", stat: Stat, how: ReadOptions) -> Source:
    if chunks.left is not None and chunks.left <= _AT_ONCE:
        return Source(stat, await chunks.all(), chunk_size=how.chunk_size)
    return Source(stat, chunks, size=chunks.left, release=chunks.release, chunk_size=how.chunk_size)


async def _begun(control: Control, path: str, how: ReadOptions) -> tuple[Stat, Transfer | None]:
    """Facts and bytes are asked for together, but for a range that may begin behind the end."""
    commands = asking(control, path)
    if not how.start and how.stop != 0 and commands and control.server.surely_tells:
        transfer = Transfer(control, f"RETR {control.at(path)}")
        answers = await _begin(control, path, transfer, *commands)
        if not answers[0].is_unknown:
            try:
                return is_file(path, told(control, path, answers)), transfer
            except StorageError:
                transfer.close()
                raise
        control.server.unlearn(commands[0][:4])
    stat = await file_at(control, path)
    if how.stop == how.start or (stat.size is not None and how.start >= stat.size):
        return stat, None
    transfer = Transfer(control, f"RETR {control.at(path)}", start=how.start)
    await _begin(control, path, transfer)
    return stat, transfer


async def _begin(control: Control, path: str, transfer: Transfer, *first: str) -> list[Reply]:
    try:
        return await transfer.begin(*first)
    except Refused as refused:
        if refused.reply.is_passing or refused.reply.is_unknown:
            raise
        await file_at(control, path)
        raise PermissionDenied(
            f"the file is there, and the server does not let it be read ({refused})"
        ) from refused


def _is_on(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


class _Early(Lost):
    """The server says that this was all; a connection that was cut can look like that, once."""

    def __init__(self, reason: str) -> None:
        super().__init__("dropped", reason)


class Chunks(AsyncIterator[bytes]):
    """The bytes of one transfer; where it breaks off, the rest of another one."""

    def __init__(
        self,
        service: Service,
        lease: Lease,
        transfer: Transfer | None,
        stat: Stat,
        how: ReadOptions,
    ) -> None:
        self._service = service
        self._lease = lease
        self._transfer = transfer
        self._stat = stat
        self._at = how.start
        self._is_part = how.stop is not None and (stat.size is None or how.stop <= stat.size)
        self._stop = how.stop if self._is_part else stat.size
        self._attempts = service.attempts()
        self._resumed: int | None = None
        self._is_lost = False
        self._loop = asyncio.get_running_loop()

    @property
    def left(self) -> int | None:
        """How many bytes are still to come, None where the server does not tell."""
        if self._transfer is None:
            return 0
        if self._stop is None or self._stat.size is None:
            return None
        return self._stop - self._at

    async def all(self) -> bytes:
        """All of the bytes; the connection is given back."""
        pieces: list[bytes] = []
        try:
            while piece := await self._next():
                pieces.append(piece)
        except BaseException:
            if self._transfer is not None:
                self._transfer.close()
            raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def __anext__(self) -> bytes:
        with translating(self._service.failed, "read", self._stat.path):
            chunk = await self._chunk()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Give the connection up."""
        self.release()

    def release(self) -> None:
        """Give the connection up, unless it was given back; does not block.

        Also from another thread, where a garbage collection happens to run.
        """
        if self._loop.is_running() and not _is_on(self._loop):
            with suppress(RuntimeError):  # the loop ended just now
                self._loop.call_soon_threadsafe(self._released)
        else:
            self._released()

    def _released(self) -> None:
        if self._transfer is not None:
            self._transfer.close()
        self._lease.drop()

    async def _chunk(self) -> bytes:
        while True:
            try:
                if self._is_lost:
                    await self._resume()
                chunk = await self._next()
            except (Lost, Refused) as error:
                self.release()
                self._is_lost = True
                await self._attempts.rest(error)
            else:
                if chunk:
                    self._attempts = self._service.attempts()
                return chunk

    async def _next(self) -> bytes:
        """The next bytes, none at the end, when the server has said that all went well."""
        if self._transfer is None:
            self._lease.give()
            return b""
        if self._is_part and self._at == self._stop:
            return await self._enough(self._transfer)
        chunk = await self._received(self._transfer)
        if not chunk:
            return await self._ended(self._transfer)
        if self._stop is not None and len(chunk) > self._stop - self._at:
            if not self._is_part:
                raise await self._surplus(self._transfer)
            chunk = chunk[: self._stop - self._at]
        self._at += len(chunk)
        return chunk or await self._next()

    async def _received(self, transfer: Transfer) -> bytes:
        try:
            return await transfer.data.chunk()
        except Lost:
            if self._at != self._stop:
                raise
            return b""  # however it ended, it did so behind the last byte

    async def _ended(self, transfer: Transfer) -> bytes:
        try:
            await transfer.end()
        except (Lost, Refused):
            if self._at != self._stop:
                raise
            self.release()  # the bytes are all here, only the server's word is not
        if self._stop is not None and self._stat.size is not None and self._at < self._stop:
            early = _Early(f"it ends after {self._at} of {self._stat.size} bytes")
            if self._resumed == self._at:
                raise Corrupted(early.reason) from early
            raise early
        self._transfer = None
        self._lease.give()
        return b""

    async def _enough(self, transfer: Transfer) -> bytes:
        """The end of a range: what is left of the file is heard out if it is little."""
        self._transfer = None
        size = self._stat.size
        try:
            if size is not None and size - self._at <= _NEAR:
                await self._heard_out(transfer)
            else:
                await transfer.cut()
        except (Lost, Refused):
            self._lease.drop()
            return b""
        self._lease.control.doubted = True
        self._lease.give()
        return b""

    async def _heard_out(self, transfer: Transfer) -> None:
        """As little as the server said there is; where more comes, it is cut all the same."""
        left = _NEAR
        while left >= 0:
            chunk = await transfer.data.chunk()
            if not chunk:
                await transfer.end()
                return
            left -= len(chunk)
        await transfer.cut()

    async def _surplus(self, transfer: Transfer) -> Exception:
        """More bytes than the server said there were: another file is there by now, or it lies."""
        await transfer.cut()
        if await file_at(self._lease.control, self._stat.path) != self._stat:
            return Lost("dropped", "the file changed while it was read")
        return Corrupted(f"it has more than the {self._stat.size} bytes that the server tells")

    async def _resume(self) -> None:
        """Ask for the rest of the very same file."""
        self._lease = await self._service.lease("read")
        try:
            control, path = self._lease.control, self._stat.path
            if await file_at(control, path) != self._stat:
                raise Unavailable(
                    "the connection broke, and the file changed before the rest was read"
                )
            self._transfer = Transfer(control, f"RETR {control.at(path)}", start=self._at)
            self._resumed = self._at
            await self._transfer.begin()
        except Unsupported as error:
            self.release()
            raise Unavailable(
                "the connection broke, and the server cannot send the rest alone; read it again"
            ) from error
        except BaseException:
            self.release()
            raise
        self._is_lost = False
