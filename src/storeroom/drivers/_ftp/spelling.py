"""Commands as bytes: none of them is two, and every letter has a spelling."""

from storeroom.contracts.errors import InvalidPath

__all__ = ["spelled"]


def spelled(text: str, encoding: str, /, *, path: str | None = None) -> bytes:
    """The text in the encoding; bytes that came from the server as surrogates go back as they were.

    An error names the path only, and has no cause: the text may be a password.
    """
    if "\r" in text or "\n" in text or "\0" in text:
        raise InvalidPath("it holds a line break or NUL, which would be another command", path=path)
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        refused = InvalidPath(f"it cannot be written in {encoding}; see encoding", path=path)
    raise refused
