"""The part of an object that is asked for."""

import re

_RANGE = re.compile(r"bytes=(?P<start>\d*)-(?P<end>\d*)")


def asked_range(header: str | None, size: int, /) -> range | None:
    """The bytes that are meant, empty where none of them exist; None for the whole."""
    found = _RANGE.fullmatch(header or "")
    if not found or not (found["start"] or found["end"]):
        return None  # other units and several ranges are ignored, as S3 does
    if not found["start"]:
        return range(max(0, size - int(found["end"])), size)
    start = int(found["start"])
    if found["end"] and int(found["end"]) < start:
        return None
    return range(start, min(size, int(found["end"]) + 1) if found["end"] else size)
