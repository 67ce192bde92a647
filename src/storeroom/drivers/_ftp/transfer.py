"""Data connections: one for each transfer, opened beside the command that it is for.

The order under TLS is that of RFC 4217: connect, send the command, and greet when the server says
that the transfer begins.
"""

import re
from collections.abc import Sequence
from typing import Final

from storeroom.drivers._ftp.active import Listener
from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._ftp.connecting import reached
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.replies import Reply
from storeroom.drivers._http.wire import Lost

__all__ = ["Transfer"]

_EPSV: Final = re.compile(r"\((.)\1\1(\d{1,5})\1\)")
_PASV: Final = re.compile(r"\d{1,3},\d{1,3},\d{1,3},\d{1,3},(\d{1,3}),(\d{1,3})")


class Transfer:
    """One transfer: `begin` it, use `data`, and `end` it; what is not ended leaves the connection unfit."""

    def __init__(self, control: Control, command: str, /, *, start: int = 0) -> None:
        self._control = control
        self._commands = [f"REST {start}", command] if start else [command]
        self._listener: Listener | None = None
        self._over = False

    @property
    def data(self) -> Channel:
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

    async def end(self) -> None:
        """Hear that all went well; `Refused` where it did not."""
        try:
            if not self._over:
                self._control.checked(await self._control.reply())
        finally:
            self.close()

    async def cut(self) -> None:
        """Take no more of it, and hear the server out: the connection is good for another command."""
        self.close()
        await self._control.settle()

    def close(self) -> None:
        """Close the data connection at once."""
        if self._listener is not None:
            self._listener.close()
        data, self._control.data = self._control.data, None
        if data is not None:
            data.drop()

    async def _begun(self, first: Sequence[str]) -> list[Reply]:
        control = self._control
        opening = await self._opening()
        control.send(*first, opening, *self._commands)
        answers = [await control.reply() for _ in first]
        if answers and not answers[0].is_good:
            await control.skip()
            return answers
        await self._opened(opening, await control.reply())
        for _ in self._commands:
            reply = await control.reply()
            if not (reply.is_good or reply.is_first):
                await control.skip()
                raise control.refusal(reply)
            self._over = not reply.is_first
        if self._listener is not None:
            self._control.data = await self._listener.accepted()
        if control.protected:
            await self.data.secure(control.session(), control.host)
        return answers

    async def _opening(self) -> str:
        """The command that makes a data connection; which one the server has, the first transfer finds out."""
        control, server = self._control, self._control.server
        if not control.passive:
            self._listener = await Listener.opened(control.channel)
            return self._listener.command
        if server.epsv is None:
            asked = (await control.ask("EPSV"))[0]
            server.epsv = asked.is_good
        return "EPSV" if server.epsv else "PASV"

    async def _opened(self, opening: str, reply: Reply) -> None:
        if not reply.is_good:
            await self._control.skip()
            raise self._control.refusal(reply)
        if self._listener is None:
            # Whatever host the server names, data goes where the commands go (CVE-2020-8284).
            host = self._control.channel.about("peername")[0]
            self._control.data = await reached(host, _port(opening, reply), self._control.timeout)


def _port(opening: str, reply: Reply) -> int:
    said = reply.lines[-1]
    found = (_EPSV if opening == "EPSV" else _PASV).search(said)
    if found is None:
        raise Lost("dropped", "the server does not say where data goes")
    if opening == "EPSV":
        return int(found[2])
    return int(found[1]) << 8 | int(found[2])
