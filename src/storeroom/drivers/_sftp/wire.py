"""SFTP version 3 as bytes: requests, replies, and what they tell of files.

https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02, with the extensions of
https://github.com/openssh/openssh-portable/blob/master/PROTOCOL
"""

import stat
from collections.abc import Sequence
from struct import Struct, error
from typing import Final, Literal, NamedTuple

from storeroom.contracts.body import Piece

__all__ = [
    "Facts",
    "Kind",
    "Malformed",
    "Named",
    "Words",
    "attributes",
    "long",
    "number",
    "packet",
    "text",
]

INIT: Final = 1
VERSION: Final = 2
OPEN: Final = 3
CLOSE: Final = 4
READ: Final = 5
WRITE: Final = 6
LSTAT: Final = 7
FSTAT: Final = 8
SETSTAT: Final = 9
FSETSTAT: Final = 10
OPENDIR: Final = 11
READDIR: Final = 12
REMOVE: Final = 13
MKDIR: Final = 14
RMDIR: Final = 15
RENAME: Final = 18
STATUS: Final = 101
HANDLE: Final = 102
DATA: Final = 103
NAME: Final = 104
ATTRS: Final = 105
EXTENDED: Final = 200
EXTENDED_REPLY: Final = 201

OK: Final = 0
EOF: Final = 1
NO_SUCH_FILE: Final = 2
PERMISSION_DENIED: Final = 3
FAILURE: Final = 4
UNSUPPORTED: Final = 8

TO_READ: Final = 0x01
TO_WRITE: Final = 0x02
TO_APPEND: Final = 0x04
TO_CREATE: Final = 0x08
TO_CREATE_NEW: Final = 0x28  # CREAT and EXCL

HEAD: Final = Struct(">IBI")
DATA_HEAD: Final = 13  # length, type, id, and the length of the bytes
_SIZE, _OWNERS, _MODE, _TIMES, _EXTENDED = 0x1, 0x2, 0x4, 0x8, 0x80000000
_BYTE: Final = Struct(">B")
_NUMBER: Final = Struct(">I")
_LONG: Final = Struct(">Q")

Kind = Literal["file", "folder", "link", "other", "unknown"]


class Malformed(Exception):
    """What came is no SFTP."""


class Facts(NamedTuple):
    """What a server tells of a file, None where it does not; `modified` in seconds since 1970."""

    size: int | None = None
    mode: int | None = None
    modified: int | None = None

    @property
    def kind(self) -> Kind:
        """By the type in its mode; "unknown" where none is sent."""
        if self.mode is None or not stat.S_IFMT(self.mode):
            return "unknown"
        return _KINDS.get(stat.S_IFMT(self.mode), "other")


class Named(NamedTuple):
    """A name in a folder, as bytes."""

    name: bytes
    facts: Facts


_KINDS: Final[dict[int, Kind]] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
}


def packet(kind: int, number: int, parts: Sequence[Piece], /) -> bytes:
    """A request with its length, ready to be sent."""
    size = 5 + sum(map(len, parts))
    return b"".join((HEAD.pack(size, kind, number), *parts))


def text(data: bytes, /) -> bytes:
    """A string with its length."""
    return _NUMBER.pack(len(data)) + data


def number(value: int, /) -> bytes:
    return _NUMBER.pack(value)


def long(value: int, /) -> bytes:
    return _LONG.pack(value)


def attributes(
    *, size: int | None = None, mode: int | None = None, modified: int | None = None
) -> bytes:
    """Facts to be set: those that are not None."""
    flags, parts = 0, b""
    if size is not None:
        flags, parts = _SIZE, _LONG.pack(size)
    if mode is not None:
        flags, parts = flags | _MODE, parts + _NUMBER.pack(mode)
    if modified is not None:  # with the time of the last access, which cannot be left alone
        flags, parts = flags | _TIMES, parts + _NUMBER.pack(modified) * 2
    return _NUMBER.pack(flags) + parts


class Words:
    """The content of a reply, read from its beginning; `Malformed` where it ends too early."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, /) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        return self._number(_BYTE)

    def number(self) -> int:
        return self._number(_NUMBER)

    def long(self) -> int:
        return self._number(_LONG)

    def text(self) -> bytes:
        start = self._at + 4
        self._at = start + self._number(_NUMBER)
        if self._at > len(self._data):
            raise Malformed("a string is longer than its packet")
        return self._data[start : self._at]

    def facts(self) -> Facts:
        flags = self.number()
        size = self.long() if flags & _SIZE else None
        if flags & _OWNERS:
            self._at += 8
        mode = self.number() if flags & _MODE else None
        modified = None
        if flags & _TIMES:
            self._at += 4
            modified = self.number()
        if flags & _EXTENDED:
            for _ in range(2 * self.number()):
                self.text()
        return Facts(size, mode, modified)

    def names(self) -> list[Named]:
        found: list[Named] = []
        for _ in range(self.number()):
            name = self.text()
            self.text()  # the line that `ls -l` would print
            found.append(Named(name, self.facts()))
        return found

    def _number(self, form: Struct) -> int:
        try:
            (value,) = form.unpack_from(self._data, self._at)
        except error:
            raise Malformed("a packet ends too early") from None
        self._at += form.size
        found: int = value
        return found
