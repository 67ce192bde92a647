"""Bytes going in: under another name first, compared in size, then renamed over the target."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TypeVar

from storeroom.contracts.body import Body
from storeroom.contracts.errors import PermissionDenied, StorageError, Unsupported
from storeroom.contracts.values import Stat
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.data import Data
from storeroom.drivers._ftp.facts import asking, size_in, told
from storeroom.drivers._ftp.failures import why_not
from storeroom.drivers._ftp.looking import looked_at
from storeroom.drivers._ftp.parts import Parts
from storeroom.drivers._ftp.placing import ensure_folder, recovered, replaced, replaced_after
from storeroom.drivers._ftp.pool import Lease
from storeroom.drivers._ftp.replies import Refused, Reply, Short
from storeroom.drivers._ftp.service import Service
from storeroom.drivers._ftp.transfer import SOON, Transfer
from storeroom.drivers._ftp.turns import Use
from storeroom.drivers._http.wire import Lost
from storeroom.drivers._tree.entry import Entry
from storeroom.drivers._tree.shielded import PATIENCE, ended, settled
from storeroom.drivers._tree.temporaries import temporary_beside

__all__ = ["Upload", "check_moded", "sent", "stored", "tried"]

T = TypeVar("T")

_NO_FOLDER = (450, 451, 501, 550, 553)

_log = logging.getLogger("storeroom")


async def stored(service: Service, path: str, body: Body, mode: int | None, /) -> Stat:
    """Store all of the body, or change nothing."""
    return await tried(service, path, body, lambda upload, parts: upload.run(parts, mode))


async def tried(
    service: Service,
    path: str,
    body: Body,
    work: "Callable[[Upload, Parts], Awaitable[T]]",
    /,
) -> T:
    """What the work returns, done with an upload of its own each time, as often as the body can be had."""
    attempts, short = service.attempts(), 0
    # Bytes that are here wait for nobody, so they may have any connection.
    use: Use = "write" if body.whole is None else "short"
    async with aclosing(Parts(body)) as parts:
        await parts.begin()
        while True:
            try:
                return await work(Upload(service, await service.lease(use), path), parts)
            except Short:
                short += 1
                if short > 1 or not parts.is_replayable:
                    raise
            except (Lost, Refused) as error:
                if not parts.is_replayable:
                    raise
                await attempts.rest(error)
            await parts.begin()


class Upload:
    """One try, over one connection; the temporary is removed whatever happens."""

    def __init__(self, service: Service, lease: Lease, path: str, /) -> None:
        self.temporary = temporary_beside(path)
        self._service = service
        self._lease = lease
        self._path = path
        self._transfer: Transfer | None = None

    async def run(self, parts: Parts, mode: int | None, /) -> Stat:
        """Store the parts and put the file in its place."""
        entry = await self.fill(parts, mode, announced=self._lease.control.server.replaces)
        try:
            await self._put_in_place(self._lease.control)
        except Lost as lost:
            self._service.lost(self._lease)
            await self._recovered(entry.size, lost)
        except BaseException as error:
            await self.abandon(error)
            raise
        self._lease.give()
        return entry.stat(self._path)

    async def _put_in_place(self, control: Control) -> None:
        """Where RNFR was accepted, one command is left, whose answer a cancellation waits for."""
        if not control.renaming:
            await settled(replaced(control, self.temporary, self._path))
            return
        try:
            answer = (await control.ask(f"RNTO {control.at(self._path)}"))[0]
        except asyncio.CancelledError:
            await ended(asyncio.create_task(control.settle()), PATIENCE)
            raise
        if not answer.is_good:
            await settled(replaced_after(control, self.temporary, self._path, answer))

    async def _recovered(self, size: int | None, lost: Lost) -> None:
        try:
            await recovered(self._service, self.temporary, self._path, size, lost)
        except BaseException:
            await settled(self._cleared_otherwise(self._clear_beside))
            raise

    async def _clear_beside(self, control: Control) -> None:
        """Only beside a file: where there is none, the old one may be aside, and this all there is."""
        if await looked_at(control, self._path) is not None:
            await control.ask(f"DELE {control.at(self.temporary)}")

    async def fill(self, parts: Parts, mode: int | None, /, *, announced: bool = False) -> Entry:
        """Store the parts under the temporary name: what the server says is there.

        Where it is `announced`, the server waits for its new name, and some take no other command.
        """
        try:
            size = await self._sent(parts)
            return await self._checked(size, mode, announced=announced)
        except BaseException as error:
            await self.abandon(error)
            raise

    def keep(self) -> None:
        """Leave the temporary to the caller, and give the connection back."""
        self._lease.give()

    async def clear(self) -> None:
        """Remove a temporary that was kept; what fails of that is no failure of the work."""
        command = f"DELE {self._lease.control.at(self.temporary)}"
        await settled(self._cleared_otherwise(lambda control: control.ask(command)))

    async def abandon(self, error: BaseException, /) -> None:
        """Remove the temporary, as well as that can be done now; also when cancelled."""
        if self._transfer is None:
            self._let_go(error)
            return
        self._transfer.close()
        await settled(self._cleared(error))

    async def _sent(self, parts: Parts) -> int:
        control = self._lease.control
        transfer = await self._opened(control, parts.early)
        if parts.early:
            return await sent(control, transfer, parts)
        with self._service.sending():
            return await sent(control, transfer, parts)

    async def _opened(self, control: Control, early: bytes) -> Transfer:
        """The transfer; a folder that is missing is made when the server refuses the file."""
        command = f"STOR {control.at(self.temporary)}"
        try:
            return await self._begin(control, command, early)
        except Refused as refused:
            folder = self._path.rpartition("/")[0]
            if refused.code not in _NO_FOLDER or refused.reply.is_full:
                raise
            await settled(ensure_folder(control, folder))
        try:
            return await self._begin(control, command, early)
        except Refused as refused:
            if refused.code not in (501, 550, 553) or refused.reply.is_full:
                raise
            raise PermissionDenied(
                f"the server lets no file be stored in this folder ({refused})"
            ) from refused

    async def _begin(self, control: Control, command: str, early: bytes) -> Transfer:
        self._transfer = transfer = Transfer(control, command, early=early)
        await transfer.begin()
        return transfer

    async def _checked(self, size: int, mode: int | None, *, announced: bool) -> Entry:
        """Compare what is there with what was sent; the rename is announced in the same breath."""
        control = self._lease.control
        whole = control.at(self.temporary)
        moding = [] if mode is None else [f"SITE CHMOD {mode:04o} {whole}"]
        questions = asking(control, self.temporary)[:1]  # the size
        announcing = [f"RNFR {whole}"] if announced else []
        answers = await control.ask(*moding, *questions, *announcing)
        for answer in answers[: len(moding)]:
            check_moded(control, answer)
        facts = answers[len(moding) : len(moding) + len(questions)]
        if facts and not facts[0].is_unknown:
            found = told(control, self.temporary, facts)
        else:
            await self._call_off()
            if facts:
                control.server.unlearn(questions[0][:4])
            found = await looked_at(control, self.temporary)
        if found is not None and found.size is None and control.server.sizes:
            await self._call_off()
            answer = (await control.ask(f"SIZE {whole}"))[0]
            if answer.is_good:
                found = found._replace(size=size_in(answer.text.strip()))
        if found is None and control.server.hides_dots:
            found = Entry(self.temporary, "file")  # there is no way to ask
        if found is None:
            raise Short(size, 0)
        if found.size is not None and found.size != size:
            raise Short(size, found.size)
        if announced and not control.renaming:
            await control.do(f"RNFR {whole}")
        return found._replace(size=size)

    async def _call_off(self) -> None:
        """A rename that was announced becomes one to the name that it has."""
        control = self._lease.control
        if control.renaming:
            await control.ask(f"RNTO {control.at(self.temporary)}")

    async def _cleared(self, error: BaseException) -> None:
        """First over the connection itself: there the server cannot yet be storing any more."""
        control = self._lease.control
        command = f"DELE {control.at(self.temporary)}"
        try:
            async with asyncio.timeout(SOON):
                if self._transfer is not None:
                    await self._transfer.undo()
                await control.settle()
                await self._call_off()
                await control.ask(command)
        except (Lost, TimeoutError):
            self._lease.drop()
            await self._cleared_otherwise(lambda control: control.ask(command))
        self._let_go(error)

    async def _cleared_otherwise(self, clear: Callable[[Control], Awaitable[object]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._service.once(clear)
        except (Lost, Refused, StorageError, TimeoutError):
            _log.warning("a temporary file, %r, is left behind; sweep clears it", self.temporary)

    def _let_go(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._lease.drop()
        elif isinstance(error, Lost):
            self._service.lost(self._lease)
        else:
            self._lease.give()


async def sent(control: Control, transfer: Transfer, parts: Parts, /) -> int:
    """Send all parts and hear that they arrived: how many bytes there were."""
    data, early = transfer.data, parts.early
    try:
        size = len(early)
        if transfer.offered < size:
            await data.send(memoryview(early)[transfer.offered :])
        if not early:
            size = await _streamed(data, parts)
        data.finish()
    except Lost:
        transfer.close()
        await _check_told(control)
        raise
    await transfer.end()
    return size


async def _streamed(data: Data, parts: Parts) -> int:
    size = 0
    async with aclosing(parts.pieces()) as pieces:
        async for piece in pieces:
            size += len(piece)
            await data.send(piece)
    if not data.is_quiet:
        raise Lost("dropped", "the data connection was cut")
    return size


async def _check_told(control: Control) -> None:
    """Why the data connection broke, where the server knows and says so."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SOON):
            control.checked(await control.final())


def check_moded(control: Control, answer: Reply, /) -> None:
    """Whether permission bits were set."""
    if answer.is_good:
        control.server.chmod = True
        return
    if answer.is_unknown:
        control.server.chmod = False
        raise Unsupported("the server has no SITE CHMOD, so it keeps no visibility")
    raise why_not(control.refusal(answer), "the server does not let permissions be set")
