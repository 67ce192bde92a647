"""Whole replies out of bytes, however those come (RFC 959, section 4.2)."""

import re
from typing import Final

from storeroom.drivers._ftp.replies import Reply
from storeroom.drivers._http.wire import Lost

__all__ = ["Hearing"]

_LONGEST: Final = 1 << 20
_NO_FTP: Final = "what the server says is no FTP"
_PLAIN: Final = re.compile(rb"([1-9][0-9][0-9]) ([^\r\n]*)\r\n")


class Hearing:
    """What a server has said and nobody has taken yet."""

    def __init__(self, encoding: str, /) -> None:
        self._encoding = encoding
        self._held = bytearray()
        self._at = 0
        self._looked = 0

    def __bool__(self) -> bool:
        return self._at < len(self._held)

    def add(self, data: bytes, /) -> None:
        """Take what came."""
        self._held += data

    def reply(self, command: str, /) -> Reply | None:
        """The next reply, which is to this command, once all of it is here; `Lost` where it is none."""
        plain = _PLAIN.match(self._held, self._at)
        if plain is None:
            return self._other(command)
        self._at = plain.end()
        return Reply(int(plain[1]), (plain[2].decode(self._encoding, "surrogateescape"),), command)

    def _other(self, command: str) -> Reply | None:
        """One that is not all here, has several lines, or ends them in a way of its own."""
        del self._held[: self._at]
        self._at = 0
        end = self._held.find(b"\n")
        if end < 0:
            self._check_size("a line")
            return None
        if self._held.find(b"-", 3, 4) == 3:
            return self._long(command)
        line = self._taken(end + 1)
        return Reply(_number(line), (line[4:],), command)

    def _long(self, command: str) -> Reply | None:
        """Only the same number and a space end it, whatever else the lines begin with."""
        number = _number(self._held[:4].decode("latin-1"))
        last = re.compile(rb"^%03d(?: [^\n]*)?\r?\n" % number, re.MULTILINE)
        found = last.search(self._held, self._looked)
        if found is None:
            self._looked = max(self._held.rfind(b"\n"), 0)
            self._check_size("a reply")
            return None
        self._looked = 0
        lines = self._taken(found.end()).replace("\r\n", "\n").split("\n")
        before, end = f"{number:03}-", f"{number:03} "
        return Reply(
            number, tuple(x.removeprefix(before).removeprefix(end) for x in lines), command
        )

    def _taken(self, size: int) -> str:
        """So many bytes without the end of their last line."""
        text = self._held[:size].decode(self._encoding, "surrogateescape")
        del self._held[:size]
        return text.removesuffix("\n").removesuffix("\r")

    def _check_size(self, what: str) -> None:
        if len(self._held) > _LONGEST:
            raise Lost("dropped", f"{what} of the server does not end")


def _number(line: str) -> int:
    number = line[:3]
    if not (number.isascii() and number.isdecimal() and line[3:4] in ("", " ", "-")):
        raise Lost("dropped", _NO_FTP)
    if number < "100":
        raise Lost("dropped", _NO_FTP)
    return int(number)
