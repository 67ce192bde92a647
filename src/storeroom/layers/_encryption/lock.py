"""The lock of a file: its own key, locked by one of the disk's; in the header, or in its metadata.

The header has 512 bytes, which docs/design/2026-11-28-encryption-format.md lists. A lock in the
metadata begins as the header does and has no padding; it is bound to the header it replaces.
"""

import hashlib
import hmac
import os
import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from storeroom.contracts.errors import Corrupted
from storeroom.contracts.extras import extra
from storeroom.layers._encryption.secret import Secret
from storeroom.layers._encryption.sizes import HEADER

with extra("encryption", "cryptography"):
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA512
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__ = [
    "ENTRY",
    "FOREIGN",
    "ID_BYTES",
    "SEALED_BYTES",
    "UNBOUND",
    "Key",
    "Lock",
    "Mark",
    "bound_to",
    "check_of",
    "context_of",
    "entries_in",
    "entry_of",
    "header_of",
    "locked",
    "read_header",
    "unlocked",
]

ENTRY: Final = "storeroomkey"
"""The name of the metadata entry; letters only, which every service takes."""

ID_BYTES: Final = 64
SEALED_BYTES: Final = 278
UNBOUND: Final = bytes(32)
FOREIGN: Final = "this file was not written by this layer, or it was damaged"

_MAGIC: Final = b"\x8eSRE"
_VERSION: Final = 1
_BOUND: Final = 1
_FIXED: Final = struct.Struct(">4sBB16s32s8sBIII16sB")
_SUM: Final = 16
_NAME: Final = b"storeroom/encryption/1"


@dataclass(frozen=True, slots=True)
class Mark:
    """What finds or makes a key again: its name and check, how it is derived, how it is sealed.

    `kdf` is 0 for a key given as it is, 1 for scrypt (`cost` is N), 2 for PBKDF2 (`cost` counts
    iterations), 3 for a key of a provider, which unseals `sealed`.
    """

    id: str
    check: bytes
    kdf: int = 0
    cost: int = 0
    r: int = 0
    p: int = 0
    salt: bytes = bytes(16)
    sealed: bytes = b""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that locks files, and what finds it again."""

    mark: Mark
    secret: Secret


@dataclass(frozen=True, slots=True)
class Lock:
    """A file's own key, locked by the key of `mark`, for one object and, if bound, for one path."""

    mark: Mark
    object_id: bytes
    binding: bytes
    nonce: bytes
    locked: bytes


def bound_to(path: str, /) -> bytes:
    """What binds a lock to a path."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).digest()


def context_of(object_id: bytes, /) -> bytes:
    """The context of an object's chunks, which are in no other object's."""
    return _NAME + object_id


def check_of(key: Secret, /) -> bytes:
    """Eight bytes that tell a key from others and nothing else of it."""
    return HKDFExpand(SHA512(), 8, _NAME + b" check").derive(key.reveal())


def locked(
    file_key: Secret, key: Secret, mark: Mark, object_id: bytes, binding: bytes, header: bytes = b""
) -> Lock:
    """Lock a file's key; `header` is that of the file where the lock goes into the metadata."""
    nonce = os.urandom(12)
    open_lock = Lock(mark, object_id, binding, nonce, b"")
    sealed = _cipher(key, object_id).encrypt(nonce, file_key.reveal(), _said(open_lock, header))
    return Lock(mark, object_id, binding, nonce, sealed)


def unlocked(lock: Lock, key: Secret, header: bytes = b"") -> Secret:
    """The file's key; `Corrupted` where anything of the lock was changed."""
    try:
        cipher = _cipher(key, lock.object_id)
        return Secret(cipher.decrypt(lock.nonce, lock.locked, _said(lock, header)))
    except InvalidTag:
        raise Corrupted("the file's key was damaged, or something was put in its place") from None


def header_of(lock: Lock, /) -> bytes:
    """The 512 bytes before the chunks."""
    return _summed(_packed(lock).ljust(HEADER - _SUM, b"\0"))


def read_header(header: bytes, /) -> Lock:
    """The lock in a header; `Corrupted` for what this layer did not write just so."""
    if len(header) != HEADER or not header.startswith(_MAGIC):
        raise Corrupted(FOREIGN)
    lock = _unpacked(header)
    if header_of(lock) != header:
        raise Corrupted(FOREIGN)
    return lock


def entry_of(*locks: Lock) -> str:
    """The text of the metadata entry."""
    return ",".join(b64encode(_summed(_packed(lock))).decode() for lock in locks)


def entries_in(text: str, /) -> list[Lock]:
    """The locks in a metadata entry; `Corrupted` for what this layer did not write just so."""
    try:
        locks = [_unpacked(b64decode(part, validate=True)) for part in text.split(",")]
    except ValueError:  # no base64
        raise Corrupted("the file's key in the metadata was damaged") from None
    if entry_of(*locks) != text:
        raise Corrupted("the file's key in the metadata was damaged")
    return locks


def _cipher(key: Secret, object_id: bytes) -> AESGCM:
    # A key of its own for every object: random nonces under one key would run out at 2**32 files.
    return AESGCM(HKDFExpand(SHA512(), 32, _NAME + b" lock" + object_id).derive(key.reveal()))


def _said(lock: Lock, header: bytes) -> bytes:
    """All that a lock says, which its tag covers."""
    return _described(lock) + (hashlib.sha256(header).digest() if header else b"")


def _described(lock: Lock) -> bytes:
    mark, name = lock.mark, lock.mark.id.encode()
    flags = 0 if lock.binding == UNBOUND else _BOUND
    fixed = _FIXED.pack(
        *(_MAGIC, _VERSION, flags, lock.object_id, lock.binding, mark.check),
        *(mark.kdf, mark.cost, mark.r, mark.p, mark.salt, len(name)),
    )
    return fixed + name + struct.pack(">H", len(mark.sealed)) + mark.sealed


def _packed(lock: Lock) -> bytes:
    return _described(lock) + lock.nonce + lock.locked


def _unpacked(data: bytes) -> Lock:
    """The lock, as far as it is one: whoever calls packs it again and compares."""
    body, found = data[:-_SUM], data[-_SUM:]
    if not hmac.compare_digest(_sum(body), found) or len(body) < _FIXED.size + 62:
        raise Corrupted("the header of this file was damaged")
    _, version, _, object_id, binding, check, kdf, cost, r, p, salt, length = _FIXED.unpack_from(
        body
    )
    if version != _VERSION:
        raise Corrupted(f"version {version} of the format, which this release does not know")
    name, rest = _cut(body[_FIXED.size :], min(length, ID_BYTES))
    count, rest = _cut(rest, 2)
    sealed, rest = _cut(rest, min(int.from_bytes(count, "big"), SEALED_BYTES))
    mark = Mark(_text(name), check, kdf, cost, r, p, salt, sealed)
    return Lock(mark, object_id, binding, rest[:12], rest[12:60])


def _cut(data: bytes, count: int) -> tuple[bytes, bytes]:
    return data[:count], data[count:]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Corrupted("the header of this file was damaged") from None


def _summed(data: bytes) -> bytes:
    """With a sum that tells damage from a missing key, before any key is asked for."""
    return data + _sum(data)


def _sum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SUM]
