"""Commands as bytes: none of them is two, and every letter has a spelling."""

from contextlib import suppress
from typing import Final

from storeroom.contracts.errors import InvalidPath

__all__ = ["spelled"]

_NEVER: Final = frozenset("\r\n\0")


def spelled(text: str, encoding: str, /, *, path: str | None = None) -> bytes:
    """The text in the encoding; bytes that came from the server as surrogates go back as they were.

    An error names the path only, and has no cause: the text may be a password.
    """
    if not _NEVER.isdisjoint(text):
        raise InvalidPath("it holds a line break or NUL, which would be another command", path=path)
    with suppress(UnicodeEncodeError):
        return text.encode(encoding, "surrogateescape")
    raise InvalidPath(f"it cannot be written in {encoding}; see encoding", path=path)
