r"""The path rule, in one place: a path is accepted byte for byte or refused, never repaired.

Refused: empty, a leading or trailing `/`, `\`, empty, `.` and `..` segments, segments beginning
`.storeroom-`, invalid UTF-8, control characters, line separators, bidi overrides, the byte order
mark, over 1,024 bytes or 100 segments. Background: CVE-2021-32708 (repairing a path after checking
it) and CVE-2026-102601 (checking a path that is not UTF-8).
"""

import os
import re
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from storeroom.contracts.errors import InvalidPath

__all__ = [
    "RESERVED",
    "are_plain",
    "check_folder",
    "check_path",
    "inside",
    "is_listable",
    "is_readable",
    "quoted",
]

RESERVED = ".storeroom-"
"""Segments that begin so are the library's own: temporary files and locks."""

_MAX_BYTES = 1024
_MAX_SEGMENTS = 100
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_. -]*(?:/[A-Za-z0-9_-][A-Za-z0-9_. -]*)*")
_PLAIN_NAMES = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_. -]*(?:\n[A-Za-z0-9_-][A-Za-z0-9_. -]*)*")
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def check_path(path: str | os.PathLike[str], /, *, strict: bool = True) -> str:
    """The path as `str`, or `InvalidPath` saying why and what to write instead.

    `strict=False` is the rule of `paths = "service"`: any name the service may hold, as long as it
    is text of at most 1,024 bytes.
    """
    text = path if type(path) is str else _text(path)
    if len(text) <= 255 and _PLAIN.fullmatch(text) and text.count("/") < _MAX_SEGMENTS:
        return text
    reason = _refusal(text) if strict else _service_refusal(text)
    if reason is not None:
        raise InvalidPath(reason, path=text)
    return text


def check_folder(folder: str | os.PathLike[str] = "", /, *, strict: bool = True) -> str:
    """A folder's path without its trailing `/`; `""` and `"/"` are the root, given as `""`."""
    text = folder if type(folder) is str else _text(folder)
    if text in ("", "/"):
        return ""
    if text == "." and isinstance(folder, PurePath):
        return ""
    return check_path(text.removesuffix("/"), strict=strict)


def is_listable(path: str, /, *, strict: bool = True) -> bool:
    """Whether a name that a service sent may be shown as a path."""
    if len(path) <= 255 and _PLAIN.fullmatch(path) and path.count("/") < _MAX_SEGMENTS:
        return True
    return (_refusal(path) if strict else _service_refusal(path)) is None


def are_plain(folder: str, names: Sequence[str], /) -> bool:
    """Whether names in a folder are listable at a glance; False where each must be looked at."""
    longest = len(folder) + 1 + max(map(len, names), default=0)
    few = folder.count("/") + 1 < _MAX_SEGMENTS
    return few and longest <= _MAX_BYTES and bool(_PLAIN_NAMES.fullmatch("\n".join(names)))


def is_readable(text: str, /) -> bool:
    """Whether a name shown to people holds nothing that hides or splits it."""
    return _FORBIDDEN.search(text) is None


def inside(folder: str, path: str, /) -> bool:
    """Whether `path` lies under `folder`, by whole segments."""
    return not folder or path.startswith(f"{folder}/")


def quoted(path: str, /) -> str:
    """The path for a URL: each segment percent-encoded exactly once (RFC 3986)."""
    return quote(path, safe="/~")


def _text(path: str | os.PathLike[str]) -> str:
    if isinstance(path, PurePath):
        return path.as_posix()
    text = path if isinstance(path, str) else os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is a str or a text path, not {type(text).__name__}")
    return str.__str__(text)  # its own letters, whatever a subclass such as an Enum prints


def _refusal(path: str) -> str | None:
    if not path:
        return "a path is empty; name a file, such as 'reports/2024.pdf'"
    return _unreadable(path) or _malformed(path) or _oversized(path)


def _service_refusal(path: str) -> str | None:
    if not path:
        return "a path is empty; name a file, such as 'reports/2024.pdf'"
    if "\x00" in path:
        return "it holds a NUL character, which no service accepts"
    return _surrogate(path) or _oversized(path, segments=False)


def _unreadable(path: str) -> str | None:
    found = _FORBIDDEN.search(path)
    if found is None:
        return None
    if "\ud800" <= found.group() <= "\udfff":
        return _surrogate(path)
    return (
        f"it holds the character U+{ord(found.group()):04X} at position {found.start()}, "
        "which hides or splits names; leave it out"
    )


def _surrogate(path: str) -> str | None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        return f"it is not valid UTF-8 at position {error.start}; decode the name before using it"
    return None


def _malformed(path: str) -> str | None:
    if "\\" in path:
        return f"it holds a backslash; write {_suggested(path.replace(chr(92), '/'))}"
    if path.startswith("/"):
        return f"it begins with '/'; paths are relative to the disk: write {_suggested(path)}"
    if path.endswith("/"):
        return f"it ends with '/', which names a folder; for a file write {_suggested(path)}"
    for segment in path.split("/"):
        if segment == "":
            return f"it holds an empty segment ('//'); write {_suggested(path)}"
        if segment in (".", ".."):
            return f"it holds the segment {segment!r}; resolve it first and name the file itself"
        if segment.startswith(RESERVED):
            return f"segments beginning {RESERVED!r} are storeroom's own; choose another name"
    return None


def _oversized(path: str, *, segments: bool = True) -> str | None:
    size = len(path.encode())
    if size > _MAX_BYTES:
        return f"it is {size:,} bytes long and {_MAX_BYTES:,} is the limit; shorten it"
    count = path.count("/") + 1
    if segments and count > _MAX_SEGMENTS:
        return f"it has {count} segments and {_MAX_SEGMENTS} is the limit; nest less deeply"
    return None


def _suggested(path: str) -> str:
    parts = [part for part in path.split("/") if part]
    return repr("/".join(parts)) if parts else "a file's name, such as 'notes.txt'"
