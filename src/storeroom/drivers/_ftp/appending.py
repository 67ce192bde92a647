"""Adding to the end of a file: in one piece from memory, or from a temporary file on the server."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    Corrupted,
    Obstructed,
    QuotaExceeded,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import WHOLE, Stat
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.failures import unknown_outcome
from storeroom.drivers._ftp.listing import has_folder
from storeroom.drivers._ftp.looking import looked_at
from storeroom.drivers._ftp.parts import Parts
from storeroom.drivers._ftp.placing import ensure_folder
from storeroom.drivers._ftp.reading import opened
from storeroom.drivers._ftp.replies import Refused, Short
from storeroom.drivers._ftp.service import Service
from storeroom.drivers._ftp.transfer import Transfer
from storeroom.drivers._ftp.uploading import Upload, check_moded, sent, tried
from storeroom.drivers._http.wire import Lost
from storeroom.drivers._tree.shielded import settled

__all__ = ["extended"]

_AT_ONCE = 1 << 20


async def extended(service: Service, path: str, body: Body, mode: int | None, /) -> Stat:
    """Add all of the body or nothing: where the body fails, it does so before a byte is added."""
    if body.whole is not None:
        return await _added(service, path, body, mode)
    if len(await body.peek(_AT_ONCE + 1)) > _AT_ONCE:
        return await tried(
            service, path, body, lambda upload, parts: _by_copy(service, path, upload, parts, mode)
        )
    return await _added(service, path, Body(await body.content()), mode)


async def _by_copy(
    service: Service, path: str, upload: Upload, parts: Parts, mode: int | None
) -> Stat:
    """Store it beside the file, whole; then read that and add it."""
    stored = await upload.fill(parts, None)
    upload.keep()
    copy = Body(lambda: _chunks(service, upload.temporary), size=stored.size, replayable=True)
    try:
        return await _added(service, path, copy, mode)
    finally:
        await upload.clear()


async def _chunks(service: Service, path: str) -> AsyncGenerator[bytes]:
    async with await opened(service, path, WHOLE) as source:
        async for chunk in source:
            yield chunk


async def _added(service: Service, path: str, body: Body, mode: int | None) -> Stat:
    attempts = service.attempts()
    async with service.adding.taken(path), aclosing(Parts(body)) as parts:
        while True:
            await parts.begin()
            adding = _Adding(path, parts, mode)
            try:
                size = await service.once(lambda control: settled(adding.run(control)), "write")  # noqa: B023
            except (Lost, Refused) as error:
                if adding.begun:
                    return await _arrived(service, adding, body.size, error)
                await attempts.rest(error)
            else:
                return Stat(path, size)


async def _arrived(
    service: Service, adding: "_Adding", count: int | None, error: Exception
) -> Stat:
    """Only where all of it was added is that sure: else the server may still be adding the rest.

    Whatever goes wrong here is no reason to do it again.
    """
    try:
        found = await service.run(lambda control: looked_at(control, adding.path))
    except (Lost, Refused, StorageError):
        raise unknown_outcome("adding to it", adding.path) from error
    size = 0 if found is None else found.size
    is_known = None not in (size, adding.before, count)
    if found is not None and is_known and size == (adding.before or 0) + (count or 0):
        try:
            await service.change(lambda control: adding.moded(control, size))
        except Lost:
            raise unknown_outcome("adding to it", adding.path) from error
        return Stat(adding.path, size)
    refused = error if isinstance(error, Refused) else None
    if refused is not None and not refused.reply.is_passing and is_known and size == adding.before:
        raise refused
    is_full = refused is not None and refused.reply.is_full
    kind = QuotaExceeded if is_full else Unavailable
    raise kind(
        f"it broke off ({error}) while {_told(adding.before)} were added to, and now there are "
        f"{_told(size)}, so the file may end in a part of what was to be added; look at it before "
        "adding again",
        retryable=False,
    ) from error


def _told(size: int | None) -> str:
    return "an unknown number of bytes" if size is None else f"{size} bytes"


class _Adding:
    """One try to append."""

    def __init__(self, path: str, parts: Parts, mode: int | None) -> None:
        self.path = path
        self.begun = False
        self.before: int | None = None
        self._is_new = False
        self._parts = parts
        self._mode = mode

    async def run(self, control: Control) -> int | None:
        """Append the parts: how many bytes the file has then."""
        found = await looked_at(control, self.path)
        self.before = 0 if found is None else found.size
        self._is_new = found is None
        transfer = await self._opened(control)
        self.begun = True
        try:
            count = await sent(control, transfer, self._parts)
        except (StorageError, Short) as error:  # where the bytes come from; some are added already
            raise Lost("dropped", "what is to be added cannot be read to its end") from error
        finally:
            transfer.close()
        await self.moded(control, count)
        return await self._checked(control, count)

    async def moded(self, control: Control, count: int | None) -> None:
        """A new file has its permission bits; where it cannot have them, it goes, unless others added to it."""
        if not self._is_new or self._mode is None:
            return
        command = f"SITE CHMOD {self._mode:04o} {control.at(self.path)}"
        try:
            check_moded(control, (await control.ask(command))[0])
        except (Refused, Unsupported) as error:
            found = await looked_at(control, self.path)
            if found is None or found.size != count:
                raise StorageError(
                    f"it was added to a new file, which has not its visibility ({error})"
                ) from error
            await control.ask(f"DELE {control.at(self.path)}")
            raise

    async def _opened(self, control: Control) -> Transfer:
        command = f"APPE {control.at(self.path)}"
        transfer = Transfer(control, command)
        try:
            await transfer.begin()
        except Refused as refused:
            if refused.reply.is_passing or refused.reply.is_unknown or refused.reply.is_full:
                raise
            if await has_folder(control, self.path):
                raise Obstructed("a folder is there") from refused
            await ensure_folder(control, self.path.rpartition("/")[0])
            transfer = Transfer(control, command)
            await transfer.begin()
        return transfer

    async def _checked(self, control: Control, count: int) -> int | None:
        """Others may add at the same time, so there can be more than what we added."""
        found = await looked_at(control, self.path)
        size = None if found is None else found.size
        if size is None or self.before is None:
            return size
        if size < self.before + count:
            raise Corrupted(
                f"the file had {self.before} bytes, {count} were added, and the server has {size}"
            )
        return size
