"""Commands as bytes: none of them is two, and every letter has a spelling."""

import re
from typing import Final

from storeroom.contracts.errors import InvalidPath

__all__ = ["spelled"]

_TELNET: Final = re.compile(rb"\xff[\xf0-\xff]")  # RFC 854; as proftpd understands it


def spelled(text: str, encoding: str, /, *, path: str | None = None) -> bytes:
    """The text in the encoding; bytes that came from the server as surrogates go back as they were.

    An error names the path only, and has no cause: the text may be a password.
    """
    if "\r" in text or "\n" in text or "\0" in text:
        raise InvalidPath("it holds a line break or NUL, which would be another command", path=path)
    try:
        spelling = text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        refused = InvalidPath(f"it cannot be written in {encoding}; see encoding", path=path)
    else:
        if _TELNET.search(spelling) is None:
            return spelling
        refused = InvalidPath(
            f"in {encoding} it holds the byte FF before one from F0 on, which some servers take for "
            "a command of Telnet and leave out",
            path=path,
        )
    raise refused
