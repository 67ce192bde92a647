"""An entry as bytes, for stores outside this process: no pickle, and nothing is believed unchecked.

    magic 4 | kind 1 | token 16 | epoch 16 | checksum 16 | size of the facts 4 | facts (JSON) | bytes

The checksum (BLAKE2b) covers the place the value is for, so that one at a wrong place is none. All
numbers are big-endian. `b"SRC1"` names this version; any other is a miss.
"""

import hashlib
import json
import struct
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, cast

from storeroom.contracts import threads
from storeroom.contracts.values import Stat

__all__ = ["CHANGED", "CHANGING", "HEAD", "TOKEN", "Packed", "mark", "packed", "unpacked"]

CHANGING, CHANGED = b"w", b"g"
"""The kinds of marks: what was read before must not be stored, and while it is being changed nothing."""

TOKEN: Final = 16
HEAD: Final = 4 + 1 + TOKEN
"""So many first bytes tell one value from any other."""

_FILE, _FACTS_ONLY, _ABSENT = b"f", b"s", b"n"
_MAGIC: Final = b"SRC1"
_SIZE: Final = struct.Struct(">I")
_CHECKSUM: Final = 16
_START: Final = HEAD + TOKEN + _CHECKSUM + _SIZE.size
_SMALL: Final = 64 << 10
_FACTS: Final = 64 << 10
_TEXTS: Final = frozenset(field.name for field in fields(Stat)) - {"size", "modified", "metadata"}


@dataclass(frozen=True, slots=True)
class Packed:
    """A value as it was found: the facts, None where there is no file, and the bytes if held.

    `head` tells it from any other; `born` is when it was checked, in Unix seconds.
    """

    head: bytes
    epoch: bytes
    stat: Stat | None
    content: bytes | None
    born: float


def mark(kind: bytes, token: bytes, /) -> bytes:
    """What stands in the place of a value that is or was changed."""
    return _MAGIC + kind + token


async def packed(
    place: bytes, token: bytes, epoch: bytes, stat: Stat | None, content: bytes | None, born: float
) -> bytes:
    """The value as bytes; `place` is where it will lie."""
    if content is not None and len(content) > _SMALL:
        return await threads.run(_packed, place, token, epoch, stat, content, born)
    return _packed(place, token, epoch, stat, content, born)


async def unpacked(place: bytes, blob: bytes, /) -> Packed | None:
    """The value found at `place`; None for anything foreign, damaged or of another version."""
    if len(blob) > _SMALL:
        return await threads.run(_unpacked, place, blob)
    return _unpacked(place, blob)


def _packed(
    place: bytes, token: bytes, epoch: bytes, stat: Stat | None, content: bytes | None, born: float
) -> bytes:
    kind = _ABSENT if stat is None else _FACTS_ONLY if content is None else _FILE
    facts = json.dumps({"born": born, "stat": None if stat is None else _facts(stat)}).encode()
    head = _MAGIC + kind + token + epoch
    body = content or b""
    checksum = _checksum(place, head, facts, body)
    return b"".join((head, checksum, _SIZE.pack(len(facts)), facts, body))


def _unpacked(place: bytes, blob: bytes) -> Packed | None:
    if len(blob) < _START or blob[:4] != _MAGIC or blob[4:5] not in (_FILE, _FACTS_ONLY, _ABSENT):
        return None
    head, kind = blob[: HEAD + TOKEN], blob[4:5]
    checksum = blob[HEAD + TOKEN : HEAD + TOKEN + _CHECKSUM]
    (size,) = _SIZE.unpack_from(blob, _START - _SIZE.size)
    view = memoryview(blob)
    facts, body = bytes(view[_START : _START + size]), view[_START + size :]
    if size > _FACTS or len(facts) != size or checksum != _checksum(place, head, facts, body):
        return None
    try:
        born, stat = _read(facts)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if (stat is None) != (kind == _ABSENT) or (kind != _FILE and body):
        return None
    if kind == _FILE and stat is not None and stat.size not in (None, len(body)):
        return None
    content = bytes(body) if kind == _FILE else None
    return Packed(head[:HEAD], head[HEAD:], stat, content, born)


def _checksum(place: bytes, head: bytes, facts: bytes, body: bytes | memoryview) -> bytes:
    hasher = hashlib.blake2b(digest_size=_CHECKSUM)
    for part in (place, head, facts):
        hasher.update(_SIZE.pack(len(part)))
        hasher.update(part)
    hasher.update(body)
    return hasher.digest()


def _facts(stat: Stat) -> dict[str, Any]:
    known = {name: value for name, value in stat.items() if value is not None}
    if stat.modified is not None:
        known["modified"] = stat.modified.isoformat()
    if stat.metadata is not None:
        known["metadata"] = dict(stat.metadata)
    return known


def _read(facts: bytes) -> tuple[float, Stat | None]:
    read = cast(dict[str, Any], json.loads(facts))
    born, known = read["born"], read["stat"]
    if type(born) is not float:
        raise TypeError("born")
    if known is None:
        return born, None
    for name, value in known.items():
        if name in _TEXTS and not isinstance(value, str):
            raise TypeError(name)
    if not isinstance(known.get("size", 0), int):
        raise TypeError("size")
    if "modified" in known:
        known["modified"] = datetime.fromisoformat(known["modified"])
    for pair in known.get("metadata", {}).items():
        if not all(isinstance(text, str) for text in pair):
            raise TypeError("metadata")
    return born, Stat(**known)
