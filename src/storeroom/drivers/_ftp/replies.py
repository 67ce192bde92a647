"""What a server answers, and what it refuses (RFC 959, section 4.2)."""

import re
from typing import Final, NamedTuple

from storeroom.drivers._http.wire import Lost

__all__ = ["Full", "Leaving", "Refused", "Reply", "Short"]

_LONGEST: Final = 200
_UNKNOWN: Final = frozenset((500, 502, 504))
_AGAIN: Final = frozenset((425, 426, 450, 451))
_MISSING: Final = re.compile(
    r"no such|not found|does ?n[o']t exist|can(no|')t find|not exist", re.IGNORECASE
)
_FULL: Final = frozenset((452, 552))
_MAYBE_FULL: Final = frozenset((426, 450, 451, 550, 553))
_FULL_WORDS: Final = re.compile(
    r"quota|no space|disk (is )?full|out of space|insufficient.*space", re.IGNORECASE
)


class Reply(NamedTuple):
    """One answer: its number, its lines without it, and the command."""

    code: int
    lines: tuple[str, ...]
    command: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the command was carried out, or the server waits for the next one of a pair."""
        return 200 <= self.code < 400

    @property
    def is_half(self) -> bool:
        """Whether the server waits for the next command of a pair."""
        return 300 <= self.code < 400

    @property
    def is_first(self) -> bool:
        """Whether another reply follows."""
        return self.code < 200

    @property
    def is_unknown(self) -> bool:
        """Whether the server has no such command."""
        return self.code in _UNKNOWN

    @property
    def is_passing(self) -> bool:
        """Whether the same may succeed later."""
        return self.code in _AGAIN and not (self.is_full or self.says_missing)

    @property
    def is_full(self) -> bool:
        """Whether there is no room at the server; many say so only in words."""
        if self.code in _MAYBE_FULL:
            return _FULL_WORDS.search(self.words) is not None
        return self.code in _FULL

    @property
    def says_missing(self) -> bool:
        """Whether the server's words are that it does not exist."""
        return _MISSING.search(self.words) is not None

    @property
    def text(self) -> str:
        """What the server says, fit to be shown."""
        said = " ".join(line.strip() for line in self.lines)[:_LONGEST]
        return "".join(letter if letter.isprintable() else "?" for letter in said)

    @property
    def words(self) -> str:
        """What the server says without the path, whose words are not the server's."""
        said, about = " ".join(self.lines), _subject(self.command)
        if len(about) < 2:
            return said
        said = re.sub(rf"{re.escape(about)}(?!\w)", "", said)
        name = re.escape(about.rpartition("/")[2])
        return re.sub(rf"(?<![^\s/'\"]){name}(?=[:'\"])", "", said) if name else said


class Refused(Exception):
    """A reply that is an error; the password is left out of it, whatever the server says."""

    def __init__(self, reply: Reply, secret: str = "", /) -> None:
        lines = (
            tuple(line.replace(secret, "***") for line in reply.lines) if secret else reply.lines
        )
        self.reply = reply._replace(lines=lines)
        super().__init__(f"{reply.code} {self.reply.text}".strip())

    @property
    def code(self) -> int:
        """Its number."""
        return self.reply.code


class Leaving(Lost):
    """The server ends the connection, and says so (421)."""

    def __init__(self, refused: Refused, /) -> None:
        super().__init__("dropped", f"the server ends the connection ({refused})")


class Full(Lost):
    """The server takes no more connections."""

    def __init__(self, error: Exception, /) -> None:
        super().__init__("unreachable", str(error))


class Short(Exception):
    """The server says that all is well, and has not all of the bytes."""

    def __init__(self, sent: int, stored: int) -> None:
        super().__init__(f"the server has {stored} of {sent} bytes")
        self.sent = sent
        self.stored = stored


def _subject(command: str) -> str:
    """The path that a command is about, "" where it has none."""
    start = command.find("/")
    return command[start:].rstrip('"') if start >= 0 else ""
