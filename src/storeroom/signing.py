"""Temporary URLs for disks whose service signs none: HMAC over everything that a URL grants.

The key of a purpose comes from the configured one by HKDF (RFC 5869), so that the same secret may
serve other purposes too. What is signed is length-prefixed, so that no two grants have one text.
"""

import hashlib
import hmac
import math
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlencode, urlsplit

from storeroom.contracts.abilities import (
    PresignRead,
    PresignWrite,
    PublicUrl,
    VerifyUrl,
    find,
    within,
)
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, PermissionDenied, Unsupported
from storeroom.contracts.paths import is_readable, quoted
from storeroom.contracts.values import Grant, Upload

__all__ = ["SigningKeys", "UrlSigner"]

_VERSION = "storeroom-url-1"
_PURPOSE: Final = b"storeroom/temporary-url/1"
_SHORTEST = 16
_PARAMETERS = frozenset(
    ("expires", "filename", "content_type", "max_size", "overwrite", "signature")
)
_METHODS = {"GET": "GET", "HEAD": "GET", "PUT": "PUT"}


class SigningKeys:
    """Secrets that sign and verify, newest first: the first one signs, all of them verify.

    A key is text of at least 16 bytes, or "base64:" and that many bytes in base64.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: str | Sequence[str], /) -> None:
        given = [keys] if isinstance(keys, str) else list(keys)
        if not given:
            raise ConfigError("signing_key is an empty list; give one key or more, newest first")
        self._keys = tuple(_derived(_secret(key)) for key in given)

    def __repr__(self) -> str:
        return f"SigningKeys({len(self._keys)} hidden)"

    def sign(self, parts: Sequence[str], /) -> str:
        """The signature of these texts by the newest key, in hex."""
        return _signature(self._keys[0], parts)

    def verifies(self, parts: Sequence[str], signature: str, /) -> bool:
        """Whether any key made this signature, in a time that does not tell how much is right."""
        given = signature.encode()
        fits = [hmac.compare_digest(_signature(key, parts).encode(), given) for key in self._keys]
        return any(fits)


class UrlSigner(PresignRead, PresignWrite, VerifyUrl):
    """Signs and verifies temporary URLs of one disk.

    A URL is the driver's public one, or `/storage/{disk}/{path}`, with `expires` (Unix seconds) and
    what else it grants as parameters, `signature` last. `clock` gives Unix seconds.
    """

    __slots__ = ("_clock", "_disk", "_driver", "_keys")

    def __init__(
        self,
        keys: SigningKeys | None,
        driver: StorageDriver,
        disk: str,
        /,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._driver = driver
        self._disk = disk
        self._clock = clock

    async def presign_read(self, grant: Grant, /) -> str:
        """The URL, for GET and HEAD."""
        return self._signed(grant)

    async def presign_write(self, grant: Grant, /) -> Upload:
        """The URL, for PUT; whoever serves it holds the upload to the limits in its `Grant`."""
        headers = {"Content-Type": grant.content_type} if grant.content_type else {}
        return Upload(self._signed(grant), "PUT", headers)

    async def verify_url(self, url: str, method: str, /) -> Grant:
        """What the URL grants; nothing of the storage is touched."""
        keys = self._required()
        path, parameters = self._taken_apart(url)
        grant = _grant(path, method, parameters)
        if not keys.verifies(self._parts(grant), parameters["signature"]):
            raise _refused("its signature does not fit this address, method and disk")
        if self._clock() >= grant.expires.timestamp():
            raise _refused(f"it expired at {grant.expires.isoformat()}")
        return grant

    def _signed(self, grant: Grant) -> str:
        keys = self._required()
        shown = _shown(grant)
        shown["signature"] = keys.sign(self._parts(grant))
        return f"{self._base()}{quoted(grant.path)}?{urlencode(shown, quote_via=quote)}"

    def _required(self) -> SigningKeys:
        if self._keys is None:
            raise ConfigError(
                "temporary URLs of this disk are signed with a secret of yours: set signing_key in "
                "the configuration or STOREROOM_SIGNING_KEY to 16 random bytes or more",
                disk=self._disk,
            )
        return self._keys

    def _parts(self, grant: Grant) -> list[str]:
        return [
            _VERSION,
            grant.method,
            self._disk,
            grant.path,
            str(_seconds(grant.expires)),
            *_optional(grant.max_size),
            *_optional(grant.content_type),
            *_optional(grant.filename),
            str(int(grant.overwrite)),
        ]

    def _base(self) -> str:
        """What stands before the path: the public address's, where that is simply put before."""
        origin, prefix = _origin(self._driver)
        public = find(origin, PublicUrl)
        base = None if public is None else _simple_base(public)
        return f"/storage/{quoted(self._disk)}/" if base is None else f"{base}{prefix}"

    def _taken_apart(self, url: str) -> tuple[str, dict[str, str]]:
        if not is_readable(url):
            raise _refused("it is not encoded as it was signed")
        try:
            parts = urlsplit(url)
            pairs = parse_qsl(
                parts.query, keep_blank_values=True, strict_parsing=True, max_num_fields=10
            )
        except ValueError:
            raise _refused("it carries no signature") from None
        parameters = dict(pairs)
        if parts.fragment or len(parameters) != len(pairs) or not parameters.keys() <= _PARAMETERS:
            raise _refused("it was added to")
        if not {"expires", "signature"} <= parameters.keys():
            raise _refused("it carries no signature")
        return self._path(parts.path), parameters

    def _path(self, address: str) -> str:
        base = urlsplit(self._base()).path
        if not address.startswith(base):
            base = unquote(base)
        if not address.startswith(base):
            raise _refused(f"it is no address of the disk {self._disk!r}")
        rest = address[len(base) :]
        if quote(rest, safe="/~%") != rest:
            return rest  # a framework decoded it already; the signature holds the path itself
        try:
            path = unquote_to_bytes(rest).decode()
        except UnicodeDecodeError:
            raise _refused("it is not encoded as it was signed") from None
        if quoted(path) != rest:
            raise _refused("it is not encoded as it was signed")
        return path


def _origin(driver: object) -> tuple[object, str]:
    """What signed addresses lead to, behind layers that give others (a CDN), and the prefix there."""
    origin, outside = (driver, ""), ""
    below: object | None = driver
    while below is not None:
        prefix = getattr(below, "prefix", "")
        outside = f"{quoted(prefix)}/{outside}" if prefix else outside
        adds = getattr(below, "adds", ())
        below = within(below)
        if below is not None and PublicUrl in adds:
            origin = (below, outside)
    return origin


def _simple_base(public: PublicUrl) -> str | None:
    try:
        base = public.public_url("x").removesuffix("x")
        simple = base.endswith("/") and public.public_url("a b/c") == f"{base}{quoted('a b/c')}"
    except Unsupported:
        return None
    return base if simple else None


def _secret(key: str) -> bytes:
    encoded = key.removeprefix("base64:")
    try:
        secret = key.encode() if encoded == key else b64decode(encoded, validate=True)
    except NotBase64:
        raise ConfigError("signing_key says it is base64 and is not") from None
    if len(secret) < _SHORTEST:
        raise ConfigError(
            f"signing_key has {len(secret)} bytes and needs {_SHORTEST} or more; "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one"
        )
    return secret


def _derived(secret: bytes, purpose: bytes = _PURPOSE) -> bytes:
    """HKDF with SHA-256, no salt, and one block of output (RFC 5869, sections 2.2 and 2.3)."""
    extracted = hmac.digest(b"", secret, hashlib.sha256)
    return hmac.digest(extracted, purpose + b"\x01", hashlib.sha256)


def _signature(key: bytes, parts: Sequence[str]) -> str:
    identity = hashlib.sha256(b"id" + key).hexdigest()[:16]
    encoded = [part.encode() for part in (identity, *parts)]
    text = b"".join(b"%d:%b" % (len(part), part) for part in encoded)
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def _optional(value: object) -> tuple[str, str]:
    """Two texts, so that an absent value differs from every present one."""
    return ("0", "") if value is None else ("1", str(value))


def _shown(grant: Grant) -> dict[str, str]:
    """What of a grant its URL has to carry; the disk, the path and the method show elsewhere."""
    shown = {"expires": str(_seconds(grant.expires))}
    for name in ("filename", "content_type", "max_size"):
        value = getattr(grant, name)
        if value is not None:
            shown[name] = str(value)
    if not grant.overwrite:
        shown["overwrite"] = "0"
    return shown


def _grant(path: str, method: str, parameters: dict[str, str]) -> Grant:
    """The grant that the URL claims; what is written in another way than it was signed is refused."""
    allowed = _METHODS.get(method.upper())
    if allowed is None:
        raise _refused(f"it allows no {method}")
    try:
        grant = Grant(
            path,
            "PUT" if allowed == "PUT" else "GET",
            datetime.fromtimestamp(int(parameters["expires"]), UTC),
            parameters.get("filename"),
            parameters.get("content_type"),
            int(parameters["max_size"]) if "max_size" in parameters else None,
            parameters.get("overwrite") != "0",
        )
    except (ValueError, OverflowError, OSError):
        raise _refused("it was changed") from None
    if _shown(grant) != {key: parameters[key] for key in parameters if key != "signature"}:
        raise _refused("it was changed")
    return grant


def _seconds(moment: datetime) -> int:
    return math.ceil(moment.timestamp())


def _refused(reason: str) -> PermissionDenied:
    return PermissionDenied(f"this temporary URL is not valid: {reason}")
