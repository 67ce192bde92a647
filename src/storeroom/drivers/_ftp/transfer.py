"""Data connections: one for each transfer, opened beside the command that it is for.

The order under TLS is that of RFC 4217: connect, send the command, and greet when the server says
that the transfer begins.
"""

import asyncio
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from storeroom.contracts.errors import Unsupported
from storeroom.drivers._ftp.active import Listener
from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._ftp.connecting import reached
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.data import Data
from storeroom.drivers._ftp.plain import Plain
from storeroom.drivers._ftp.replies import Refused, Reply
from storeroom.drivers._http.wire import Lost

__all__ = ["SOON", "Transfer"]

SOON: Final = 2.0
"""Seconds in which a server answers that notices the end of a data connection at all."""

_HAS_NO_WATCH: Final = sys.platform == "win32"  # its loop tells of sockets by other means
_EPSV: Final = re.compile(r"\((.)\1\1(\d{1,5})\1\)")
_PASV: Final = re.compile(r"\d{1,3},\d{1,3},\d{1,3},\d{1,3},(\d{1,3}),(\d{1,3})")


class Transfer:
    """One transfer: `begin` it, use `data`, and `end` it; what is not ended leaves the connection unfit.

    `early` bytes are on their way before the server says that it takes them, `offered` of them: the
    command was sent, and where it is refused nobody reads them.
    """

    def __init__(
        self, control: Control, command: str, /, *, start: int = 0, early: bytes = b""
    ) -> None:
        self.offered = 0
        self._control = control
        self._early = early
        self._commands = [f"REST {start}", command] if start else [command]
        self._opening = ""
        self._port: int | None = None
        self._listener: Listener | None = None
        self._is_met = False
        self._over: Reply | None = None

    @property
    def data(self) -> Data:
        """The data connection."""
        if self._control.data is None:
            raise Lost("dropped", "the transfer has not begun")
        return self._control.data

    async def begin(self, *first: str) -> list[Reply]:
        """Open it, and send `first` in the same breath: their answers. `Refused` where it is.

        Nothing is transferred where the very first of `first` is refused.
        """
        try:
            return await self._begun(first)
        except BaseException:
            self.close()
            raise

    async def end(self) -> Reply:
        """Hear that all went well, and in which words; `Refused` where it did not."""
        try:
            if self._over is None:
                self._over = self._control.checked(await self._control.final())
        finally:
            self.close()
        return self._over

    async def cut(self) -> None:
        """Take no more of it, and hear the server out: the connection is good for another command.

        pure-ftpd may say 150 instead, and nothing more.
        """
        self.close()
        try:
            async with asyncio.timeout(SOON):
                await self._control.skip()
        except TimeoutError as error:
            raise Lost("idle", "the server did not notice the end of a transfer") from error

    async def undo(self) -> None:
        """After a cancellation while it began: who was told to store waits for data, and there has to be an end.

        For transfers without a command before theirs.
        """
        control = self._control
        if self._is_met or not self._opening:
            return
        if self._port is None and control.owes:
            reply = await control.final()
            self._port = _port(self._opening, reply) if reply.is_good else None
        if self._port is not None and control.owes:
            with suppress(Lost):
                (await self._met(self._port)).drop()

    def close(self) -> None:
        """Close the data connection at once."""
        if self._listener is not None:
            self._listener.close()
        data, self._control.data = self._control.data, None
        if data is not None:
            data.drop()

    async def _begun(self, first: Sequence[str]) -> list[Reply]:
        control = self._control
        if not control.passive:
            return await self._begun_actively(first)
        opening = await self._way()
        control.send(*first, opening, *self._commands)
        self._opening = opening
        answers = [await control.final() for _ in first]
        if answers and not answers[0].is_good:
            if answers[0].is_unknown:  # before a transfer that begins now is the end of this try
                control.server.unlearn(first[0][:4])
            await control.skip()
            return answers
        agreed = await self._agreed(await control.final())
        try:
            self._port = _port(opening, agreed)
            data = control.data = await self._met(self._port)
        except Lost as lost:
            try:
                await self._check_refused()
            except Refused as refused:
                if not refused.reply.is_passing:
                    raise
            self._doubt(opening)
            if lost.why != "unreachable":
                raise
            raise Lost(
                "dropped", f"no data connection could be made ({lost.reason}); see passive"
            ) from lost
        self._is_met = control.server.met = True
        if isinstance(data, Plain) and self._early:
            self.offered = data.offer(self._early)
        await self._commanded(data)
        return answers

    async def _met(self, port: int) -> Channel | Plain:
        """Whatever host the server names, data goes where the commands go (CVE-2020-8284)."""
        control = self._control
        peer = control.channel.about("peername")
        if control.protected or _HAS_NO_WATCH:
            return await reached(peer, port, control.timeout)
        return await Plain.reached(peer, port, control.timeout)

    async def _check_refused(self) -> None:
        """Some servers stop listening as soon as they refuse the command, which was sent already."""
        with suppress(Lost, TimeoutError):
            async with asyncio.timeout(SOON):
                await self._commanded()

    def _doubt(self, opening: str) -> None:
        """Gateways that know PASV only let no data through that was agreed upon by EPSV."""
        control = self._control
        is_old = len(control.channel.about("peername")) == 2  # PASV has no place for IPv6
        if opening == "EPSV" and is_old and not (control.server.met or control.channel.closed):
            control.server.epsv = False

    async def _begun_actively(self, first: Sequence[str]) -> list[Reply]:
        """Step by step: some servers connect before they answer, and are confused by a command in between."""
        control = self._control
        answers = await control.ask(*first)
        if answers and not answers[0].is_good:
            return answers
        self._listener = await Listener.opened(control.channel)
        await self._agreed((await control.ask(self._listener.command))[0])
        control.send(*self._commands)
        await self._commanded()
        channel = control.data = await self._listener.accepted()
        await self._protected(channel)
        return answers

    async def _commanded(self, data: Channel | Plain | None = None) -> None:
        """The commands are sent: the server agrees, and greets back where data is protected."""
        control = self._control
        for command in self._commands:
            reply = await control.reply()
            if command.startswith("REST") and not (reply.is_good or reply.is_passing):
                await self._unstarted(reply)
            reply = await self._agreed(reply)
            self._over = None if reply.is_first else reply
        if isinstance(data, Channel):
            await self._protected(data)

    async def _protected(self, channel: Channel) -> None:
        if self._control.protected:
            await channel.secure(self._control.session(), self._control.host)

    async def _agreed(self, reply: Reply) -> Reply:
        """The reply, unless it is an error; then nothing more of this is to come."""
        if reply.is_good or reply.is_first:
            return reply
        await self._control.skip()
        raise self._control.refusal(reply)

    async def _unstarted(self, reply: Reply) -> None:
        """The command behind REST is sent already, and begins a transfer that nobody wants."""
        with suppress(Lost):
            await self._control.skip()
        raise Unsupported(
            f"the server cannot begin in the middle of a file ({self._control.refusal(reply)})"
        )

    async def _way(self) -> str:
        """The command that makes a data connection; which one the server has, the first transfer finds out."""
        server = self._control.server
        if server.epsv is None:
            reply = (await self._control.ask("EPSV"))[0]
            if not reply.is_good and reply.code < 500:  # it says nothing of the next time
                return "PASV"
            server.epsv = reply.is_good
        return "EPSV" if server.epsv else "PASV"


def _port(opening: str, reply: Reply) -> int:
    said = reply.lines[-1]
    found = (_EPSV if opening == "EPSV" else _PASV).search(said)
    if found is None:
        raise Lost("dropped", "the server does not say where data goes")
    port = int(found[2]) if opening == "EPSV" else int(found[1]) << 8 | int(found[2])
    if port not in range(1, 1 << 16):
        raise Lost("dropped", f"the server says that data goes to port {port}, which is none")
    return port
