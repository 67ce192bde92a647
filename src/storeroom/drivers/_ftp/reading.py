"""Bytes coming out: facts, data connection and command in one breath, and the rest after a cut."""

from collections.abc import AsyncIterator
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
        lease = await service.lease("read")
        try:
            stat, transfer = await _begun(lease.control, path, how)
            chunks = Chunks(service, lease, transfer, stat, how)
            return await _source(chunks, stat, how)
        except (Lost, Refused) as error:
            service.lost(lease)
            early += isinstance(error, _Early)
            if early > 1:
                raise Corrupted(str(error)) from error
            await attempts.rest(error)
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
    if not how.start and how.stop != 0 and commands:
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
        self._stop = stat.size if how.stop is None else how.stop
        if stat.size is not None and self._stop is not None:
            self._stop = max(min(self._stop, stat.size), self._at)
        self._attempts = service.attempts()
        self._resumed: int | None = None

    @property
    def left(self) -> int | None:
        """How many bytes are still to come, None where the server does not tell."""
        if self._transfer is None:
            return 0
        return None if self._stop is None else self._stop - self._at

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
        """Give the connection up, unless it was given back; does not block."""
        if self._transfer is not None:
            self._transfer.close()
        self._lease.drop()

    async def _chunk(self) -> bytes:
        while True:
            try:
                chunk = await self._next()
            except Lost as lost:
                await self._resume(lost)
            except Refused as refused:
                if not refused.reply.is_passing:
                    raise
                await self._resume(refused)
            else:
                if chunk:
                    self._attempts = self._service.attempts()
                return chunk

    async def _next(self) -> bytes:
        """The next bytes, none at the end, when the server has said that all went well."""
        if self._transfer is None:
            self._lease.give()
            return b""
        if self._at == self._stop and self._at != self._stat.size:
            return await self._enough(self._transfer)
        chunk = await self._transfer.data.chunk()
        if not chunk:
            return await self._ended(self._transfer)
        if self._stop is not None and len(chunk) > self._stop - self._at:
            chunk = chunk[: self._stop - self._at]
            if self._stop == self._stat.size:
                await self._check_grown(self._transfer)
        self._at += len(chunk)
        return chunk or await self._next()

    async def _ended(self, transfer: Transfer) -> bytes:
        try:
            await transfer.end()
        except (Lost, Refused):
            if self._at != self._stop:
                raise
            self.release()  # the bytes are all here, only the server's word is not
        if self._stop is not None and self._at < self._stop:
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
                while await transfer.data.chunk():
                    pass
                await transfer.end()
            else:
                await transfer.cut()
        except (Lost, Refused):
            self._lease.drop()
            return b""
        self._lease.control.doubted = True
        self._lease.give()
        return b""

    async def _check_grown(self, transfer: Transfer) -> None:
        """More bytes than the server said there were: the file grew, or the server lies."""
        await transfer.cut()
        now = await file_at(self._lease.control, self._stat.path)
        if now.size is None or self._stat.size is None or now.size <= self._stat.size:
            raise Corrupted(f"it has more than the {self._stat.size} bytes that the server tells")
        self._transfer = None

    async def _resume(self, lost: Exception) -> None:
        """Ask for the rest of the very same file."""
        self.release()
        await self._attempts.rest(lost)
        self._lease = await self._service.lease("read")
        try:
            control, path = self._lease.control, self._stat.path
            if await file_at(control, path) != self._stat:
                raise Unavailable(
                    "the connection broke, and the file changed before the rest was read"
                ) from lost
            self._transfer = Transfer(control, f"RETR {control.at(path)}", start=self._at)
            self._resumed = self._at
            await self._transfer.begin()
        except BaseException:
            self.release()
            raise
