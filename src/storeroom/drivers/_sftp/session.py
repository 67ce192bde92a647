"""One session with a server: its connection, its channel, and every request as a method.

A request is sent when its method is called; awaiting what that gives waits for the reply. So several
are under way at once, and OpenSSH carries them out in the order they were sent.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

import asyncssh

from storeroom.contracts.body import Piece
from storeroom.drivers._sftp import wire
from storeroom.drivers._sftp.channel import Answer, Channel, expect
from storeroom.drivers._sftp.failures import Lost, Refused
from storeroom.drivers._sftp.wire import Facts, Malformed, Named, Words

__all__ = ["Offer", "Session"]

T = TypeVar("T")

Offer = dict[str, bytes]
"""Extensions by name, with their versions."""

_SAFE: Final = 32 << 10
_LONGEST: Final = 255 << 10
_READ_ONLY: Final = 1  # of a file system's flags


class Space(NamedTuple):
    """How many bytes this user may still write, and whether nobody may write at all."""

    free: int
    is_sealed: bool


class Session:
    """What one connection can do; paths are bytes as the server names them."""

    def __init__(self, connection: asyncssh.SSHClientConnection, channel: Channel) -> None:
        self.channel = channel
        self.offer: Offer = {}
        self.handles = 0
        self.read_size = _SAFE
        self.write_size = _SAFE
        self._connection = connection

    @property
    def lost(self) -> Lost | None:
        """Why it is over, None while it is not."""
        return self.channel.lost

    @property
    def keeps_order(self) -> bool:
        """Whether requests are carried out in the order they were sent."""
        said: str = self._connection.get_extra_info("server_version", "")
        return "OpenSSH" in said

    @property
    def load(self) -> int:
        """How much it has to do."""
        return self.channel.waiting + self.handles

    async def begin(self) -> None:
        """Learn what the server offers."""
        self.channel.begin()
        reply = await self.channel.version
        if isinstance(reply, Lost):
            raise reply
        try:
            self._greeted(*reply)
        except Malformed as error:
            raise self.channel.drop(Lost("dropped", f"that is no SFTP: {error}")) from error
        if self.offer.get("limits@openssh.com") == b"1":
            most_read, most_written = await self._extended("limits@openssh.com", _limits)
            self.read_size = min(most_read or _SAFE, _LONGEST)
            self.write_size = min(most_written or _SAFE, _LONGEST)

    def offers(self, name: str, version: bytes = b"1") -> bool:
        """Whether the server has an extension."""
        return self.offer.get(name) == version

    async def aclose(self) -> None:
        """End it politely, or at once where the server does not answer."""
        self.channel.flush()
        self.channel.drop(Lost("dropped", "the connection was given up"))
        self._connection.close()
        try:
            async with asyncio.timeout(1):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()
            await self._connection.wait_closed()

    def abort(self) -> None:
        """End it at once."""
        self.channel.drop(Lost("dropped", "the connection was given up"))
        self._connection.abort()

    def found(self, path: bytes) -> Answer[Facts | None]:
        """What is at a path, a link not followed; None where nothing is."""
        return self.channel.ask(wire.LSTAT, (wire.text(path),), _facts_or_none)

    def facts(self, handle: bytes) -> Answer[Facts]:
        return self.channel.ask(wire.FSTAT, (wire.text(handle),), _facts)

    def open(self, path: bytes, flags: int, *, mode: int | None = None) -> Answer[bytes]:
        parts = (wire.text(path), wire.number(flags), wire.attributes(mode=mode))
        return self.channel.ask(wire.OPEN, parts, _handle)

    def close(self, handle: bytes) -> Answer[None]:
        return self.channel.ask(wire.CLOSE, (wire.text(handle),), _done)

    def read(self, handle: bytes, offset: int, count: int) -> Answer[bytes]:
        """Up to so many bytes, none at the end."""
        parts = (wire.text(handle), wire.long(offset), wire.number(count))
        return self.channel.ask(wire.READ, parts, _data)

    def write(self, handle: bytes, offset: int, pieces: Sequence[Piece]) -> Answer[None]:
        size = wire.number(sum(map(len, pieces)))
        parts = (wire.text(handle), wire.long(offset), size, *pieces)
        return self.channel.ask(wire.WRITE, parts, _done)

    def set(self, path: bytes, attributes: bytes) -> Answer[None]:
        return self.channel.ask(wire.SETSTAT, (wire.text(path), attributes), _done)

    def set_open(self, handle: bytes, attributes: bytes) -> Answer[None]:
        return self.channel.ask(wire.FSETSTAT, (wire.text(handle), attributes), _done)

    def open_folder(self, path: bytes) -> Answer[bytes]:
        return self.channel.ask(wire.OPENDIR, (wire.text(path),), _handle)

    def names(self, handle: bytes) -> Answer[list[Named]]:
        """The next names of a folder, none at the end."""
        return self.channel.ask(wire.READDIR, (wire.text(handle),), _names)

    def remove(self, path: bytes) -> Answer[None]:
        return self.channel.ask(wire.REMOVE, (wire.text(path),), _done)

    def make_folder(self, path: bytes, mode: int | None) -> Answer[None]:
        parts = (wire.text(path), wire.attributes(mode=mode))
        return self.channel.ask(wire.MKDIR, parts, _done)

    def remove_folder(self, path: bytes) -> Answer[None]:
        return self.channel.ask(wire.RMDIR, (wire.text(path),), _done)

    def rename(self, path: bytes, to: bytes) -> Answer[None]:
        """Where nothing may be at the target."""
        return self.channel.ask(wire.RENAME, (wire.text(path), wire.text(to)), _done)

    def replace(self, path: bytes, to: bytes) -> Answer[None]:
        """Rename over whatever is there, in one step."""
        return self._extended("posix-rename@openssh.com", _done, wire.text(path), wire.text(to))

    def link(self, path: bytes, to: bytes) -> Answer[None]:
        """A second name for a file, where nothing is yet."""
        return self._extended("hardlink@openssh.com", _done, wire.text(path), wire.text(to))

    def sync(self, handle: bytes) -> Answer[None]:
        return self._extended("fsync@openssh.com", _done, wire.text(handle))

    def copy(self, handle: bytes, offset: int, count: int, to: bytes, at: int) -> Answer[None]:
        """Bytes of one open file into another."""
        place = (wire.text(handle), wire.long(offset), wire.long(count))
        return self._extended("copy-data", _done, *place, wire.text(to), wire.long(at))

    def space(self, path: bytes) -> Answer[Space]:
        """What may still be written there."""
        return self._extended("statvfs@openssh.com", _space, wire.text(path))

    def _extended(self, name: str, parse: Callable[[int, bytes], T], *parts: bytes) -> Answer[T]:
        return self.channel.ask(wire.EXTENDED, (wire.text(name.encode()), *parts), parse)

    def _greeted(self, kind: int, content: bytes) -> None:
        words = expect(kind, wire.VERSION, content)
        version = words.number()
        if version != 3:
            raise Malformed(f"version {version}, where 3 was asked for")
        while words:
            name = words.text().decode(errors="replace")
            self.offer[name] = words.text()


def _limits(kind: int, content: bytes) -> tuple[int, int]:
    words = expect(kind, wire.EXTENDED_REPLY, content)
    words.long()
    return words.long(), words.long()


def _space(kind: int, content: bytes) -> Space:
    words = expect(kind, wire.EXTENDED_REPLY, content)
    _, unit, _, _, free, _, _, _, _, flags = (words.long() for _ in range(10))
    return Space(unit * free, bool(flags & _READ_ONLY))


def _facts(kind: int, content: bytes) -> Facts:
    return expect(kind, wire.ATTRS, content).facts()


def _facts_or_none(kind: int, content: bytes) -> Facts | None:
    try:
        return _facts(kind, content)
    except Refused as refused:
        if not refused.is_missing:
            raise
        return None


def _handle(kind: int, content: bytes) -> bytes:
    return expect(kind, wire.HANDLE, content).text()


def _data(kind: int, content: bytes) -> bytes:
    if kind == wire.DATA:
        return content
    _at_end(kind, wire.DATA, content)
    return b""


def _names(kind: int, content: bytes) -> list[Named]:
    if kind == wire.NAME:
        return Words(content).names()
    _at_end(kind, wire.NAME, content)
    return []


def _at_end(kind: int, wanted: int, content: bytes) -> None:
    """Nothing more comes, or it raises why not."""
    try:
        expect(kind, wanted, content)
    except Refused as refused:
        if refused.code != wire.EOF:
            raise


def _done(kind: int, content: bytes) -> None:
    expect(kind, wire.STATUS, content)
