"""The control connection: commands go out, whole replies come back, several at a time."""

import ssl
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import aioftp
from aioftp.common import Code, SSLSessionBoundContext

from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._ftp.data import Data
from storeroom.drivers._ftp.hearing import Hearing
from storeroom.drivers._ftp.replies import Leaving, Refused, Reply
from storeroom.drivers._ftp.server import Server
from storeroom.drivers._ftp.spelling import spelled
from storeroom.drivers._http.wire import Lost

__all__ = ["Control"]

_BREATH: Final = 2 << 10  # bytes: pure-ftpd forgets what is left of a longer record of TLS
_FIRSTS: Final = 10  # preliminary replies in a row
_RENAMES: Final = ("RNFR ", "RNTO ")
_HALVES: Final = ("USER ", "PASS ", "AUTH ", "REST ", "RNFR ")  # another command follows these


class Control(aioftp.Client):
    """One login at a server, over which one transfer runs at a time.

    aioftp's client with another way of sending and hearing: commands are sent together where the server
    takes that (`pipelining`), waits are bounded, and nothing is logged.
    """

    def __init__(
        self,
        channel: Channel,
        server: Server,
        /,
        *,
        host: str,
        encoding: str,
        pipelining: bool,
        passive: bool,
        secret: str,
    ) -> None:
        super().__init__(encoding=encoding)
        self.channel = channel
        self.server = server
        self.host = host
        self.passive = passive
        self.idle_since = 0.0
        self.used = False
        self.doubted = False
        self.protected = False
        self.renaming = False
        self._pipelining = pipelining
        self._secret = secret
        self._owed = 0
        self._firsts = 0
        self._sent: deque[str] = deque()
        self._queue: deque[bytes] = deque()
        self._hearing = Hearing(encoding)
        self._reuse: SSLSessionBoundContext | None = None

    def __repr__(self) -> str:
        return f"Control({self.host!r})"

    @property
    def data(self) -> Data | None:
        """The data connection of the transfer under way."""
        return self.channel.beside

    @data.setter
    def data(self, data: Data | None) -> None:
        self.channel.beside = data

    @property
    def timeout(self) -> float:
        """How long nothing may move, in seconds."""
        return self.channel.timeout

    @property
    def is_settled(self) -> bool:
        """Whether every reply has come, so that the next command gets its own.

        Where a rename was announced, some servers take nothing else for ever.
        """
        is_heard = not (self._owed or self._queue or self._hearing)
        return is_heard and not self.renaming and self.channel.is_quiet

    @property
    def owes(self) -> bool:
        """Whether an answer is still to come."""
        return self._owed > 0 and not self.channel.closed

    def at(self, path: str, /) -> str:
        """A path of the disk as the server's absolute one; `""` is the root."""
        base = self.server.base or ""
        return f"{base}/{path}" if path else base or "/"

    async def greeting(self) -> None:
        """What the server says first (RFC 959: 120 is a delay, 220 the welcome)."""
        self._owed = 1
        self.checked(await self.final())

    def send(self, *commands: str) -> None:
        """Send commands; `reply` gives the answers in their order."""
        built = [self._built(command) for command in commands]
        if not (self._owed or self._queue) and (self._hearing or self.channel.holds):
            raise self._lost("the server said what nobody had asked for")
        self._sent.extend(map(_shown, commands))
        is_next = not self._queue
        self._queue.extend(built)
        if self._pipelining and is_next and built:
            self._go_on()

    async def reply(self) -> Reply:
        """The next reply, whatever it says; 421 is a lost connection."""
        if not self._owed and self._queue:
            self._go_on()
        command = self._sent[0] if self._sent else ""
        while (reply := self._heard(command)) is None:
            await self._hear()
        if reply.code == 421:
            self.drop()
            raise Leaving(self.refusal(reply))
        if reply.is_first:
            self._firsts += 1
            if self._firsts > _FIRSTS:
                raise self._lost("the server begins again and again")
            return reply
        if reply.is_half:
            if not command.startswith(_HALVES):
                raise self._lost("the server's answer is one to another command")
            self.renaming = command.startswith("RNFR ")
        elif self.renaming and command.startswith(_RENAMES):
            self.renaming = False
        self._firsts = 0
        self._owed -= 1
        if self._sent:
            self._sent.popleft()
        return reply

    async def ask(self, *commands: str) -> list[Reply]:
        """The answers to commands that need no data connection."""
        self.send(*commands)
        return [await self.final() for _ in commands]

    async def final(self) -> Reply:
        """The next reply behind which none follows."""
        reply = await self.reply()
        while reply.is_first:
            reply = await self.reply()
        return reply

    async def do(self, command: str, /) -> Reply:
        """The answer to one command; `Refused` where it is an error."""
        return self.checked((await self.ask(command))[0])

    def checked(self, reply: Reply, /) -> Reply:
        """The reply, unless it is an error."""
        if not reply.is_good:
            raise self.refusal(reply)
        return reply

    def refusal(self, reply: Reply, /) -> Refused:
        """The error that a reply is."""
        return Refused(reply, self._secret)

    async def skip(self) -> None:
        """Hear what is still to come, and send nothing more; a transfer that begins now is `Lost`."""
        self._unsend()
        while self._owed:
            if (await self.reply()).is_first:
                raise Lost("dropped", "a transfer began that nobody wants any more")

    async def settle(self) -> None:
        """Hear what is still to come, also the end of a transfer."""
        self._unsend()
        while self._owed:
            await self.reply()

    async def secure(self, context: ssl.SSLContext, /) -> None:
        """Speak TLS from now on."""
        if self._hearing:
            raise Lost("dropped", "the server sent bytes in the clear where TLS begins")
        await self.channel.secure(context, self.host)

    def session(self) -> ssl.SSLContext:
        """A context for data connections that takes up this connection's TLS session.

        Strict servers refuse others; under TLS 1.3 the session is there with the first reply.
        """
        mine: ssl.SSLObject = self.channel.about("ssl_object")
        if self._reuse is None:
            self._reuse = SSLSessionBoundContext(ssl.PROTOCOL_TLS_CLIENT, mine.context, None)  # type: ignore[arg-type]
        self._reuse.session = mine.session  # type: ignore[assignment]
        return self._reuse

    def leave(self) -> None:
        """Close with a word of goodbye, for whose answer nobody waits."""
        with suppress(Lost):
            self.channel.write(self._built("QUIT"))
        self.channel.finish()

    def drop(self) -> None:
        """Close at once, and the data connection beside it."""
        if self.data is not None:
            self.data.drop()
        self.channel.drop()

    async def command(  # type: ignore[override]  # how aioftp's own methods talk, such as `login`
        self,
        command: str | None = None,
        expected_codes: str | Iterable[str] = (),
        wait_codes: str | Iterable[str] = (),
        censor_after: int | None = None,
    ) -> tuple[Code, list[str]]:
        wanted = (expected_codes,) if isinstance(expected_codes, str) else tuple(expected_codes)
        if command is not None:
            self.send(command)
        reply = await self.final()
        code = Code(f"{reply.code:03}")
        if not any(code.matches(mask) for mask in wanted):
            raise self.refusal(reply)
        return code, list(reply.lines)

    def _built(self, command: str) -> bytes:
        """The one place where commands are made."""
        return spelled(command, self.encoding) + b"\r\n"

    def _go_on(self) -> None:
        """Send what comes next: one command, or as many as a server surely takes at once."""
        breath = self._queue.popleft()
        self._owed += 1
        while self._pipelining and self._queue and len(breath + self._queue[0]) <= _BREATH:
            breath += self._queue.popleft()
            self._owed += 1
        self.channel.write(breath)

    def _unsend(self) -> None:
        for _ in self._queue:
            self._sent.pop()
        self._queue.clear()

    def _heard(self, command: str) -> Reply | None:
        try:
            return self._hearing.reply(command)
        except Lost:
            self.drop()  # nothing that follows can be trusted
            raise

    async def _hear(self) -> None:
        chunk = await self.channel.chunk()
        if not chunk:
            raise self._lost("the server closed the connection")
        self._hearing.add(chunk)

    def _lost(self, reason: str) -> Lost:
        self.drop()
        return Lost("dropped", reason)


def _shown(command: str) -> str:
    """The command, without what is secret."""
    return command[:5] if command.startswith(("PASS ", "USER ")) else command
