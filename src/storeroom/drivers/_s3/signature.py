"""Signature Version 4 for S3: headers, URLs and browser forms.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from storeroom.contracts.errors import InvalidArgument
from storeroom.drivers._http.canonical import (
    Query,
    encoded_path,
    encoded_query,
    host_of,
    layout,
    pairs_of,
    trimmed,
)

__all__ = ["EMPTY", "UNSIGNED", "Credentials", "Signer"]

EMPTY = sha256(b"").hexdigest()
"""The payload hash of a request without a body."""

UNSIGNED = "UNSIGNED-PAYLOAD"
"""In the place of a payload hash: the body is not covered by the signature."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_LONGEST = 7 * 24 * 3600
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_KEYS_KEPT = 16


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs, and until when if that is limited; the secrets are not shown."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: datetime | None = None


class Signer:
    """Signs for one region, with any credentials; safe between threads and loops."""

    __slots__ = ("_keys", "_scope", "_second", "region", "service")

    def __init__(self, region: str, service: str = "s3") -> None:
        self.region = region
        self.service = service
        self._scope = f"/{region}/{service}/aws4_request"
        self._keys: dict[tuple[str, str], _Key] = {}
        self._second: tuple[int, _Moment] = (-1, _Moment(0, self._scope))

    def __repr__(self) -> str:
        return f"Signer({self.region!r}, {self.service!r})"

    def sign(
        self,
        method: str,
        host: str,
        path: str,
        query: Query,
        headers: Mapping[str, str],
        payload_hash: str,
        credentials: Credentials,
        now: datetime,
    ) -> dict[str, str]:
        """The headers to send: those given, the date, the payload's hash and the authorization.

        `path` begins with `/` and is not encoded; `host` is what the `Host` header will be; `now` is
        an aware datetime.
        """
        moment = self._moment(now)
        signed = dict(headers)
        signed["x-amz-content-sha256"] = payload_hash
        signed["x-amz-date"] = moment.time
        if credentials.token is not None:
            signed["x-amz-security-token"] = credentials.token
        names, line, template, sources = layout(tuple(signed))
        values = [trimmed(signed[name]) if name else host for name in sources]
        request = (
            f"{method}\n{encoded_path(path)}\n{encoded_query(query) if query else ''}\n"
            f"{template % tuple(values)}{line}{payload_hash}"
        )
        signature = self._signature(request, moment, credentials)
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{moment.scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def presign(
        self,
        method: str,
        url_base: str,
        path: str,
        query: Query,
        headers: Mapping[str, str],
        expires_seconds: int,
        credentials: Credentials,
        now: datetime,
    ) -> str:
        """A URL that allows one request until it expires, 1 second to 7 days from `now`.

        `url_base` is `https://host[:port]`. Whoever uses the URL must send `headers` as they are here.
        """
        if not 0 < expires_seconds <= _LONGEST:
            raise InvalidArgument(
                f"a signed URL lasts from 1 second to 7 days, not {expires_seconds:,} seconds"
            )
        moment = self._moment(now)
        names, line, template, sources = layout(tuple(headers))
        pairs = [
            *pairs_of(query),
            ("X-Amz-Algorithm", _ALGORITHM),
            ("X-Amz-Credential", f"{credentials.access_key}/{moment.scope}"),
            ("X-Amz-Date", moment.time),
            ("X-Amz-Expires", str(expires_seconds)),
            ("X-Amz-SignedHeaders", names),
        ]
        if credentials.token is not None:
            pairs.append(("X-Amz-Security-Token", credentials.token))
        target, search, host = encoded_path(path), encoded_query(pairs), host_of(url_base)
        values = [trimmed(headers[name]) if name else host for name in sources]
        request = (
            f"{method}\n{target}\n{search}\n{template % tuple(values)}{line}"
            f"{_named(headers, 'x-amz-content-sha256') or UNSIGNED}"
        )
        signature = self._signature(request, moment, credentials)
        return f"{url_base}{target}?{search}&X-Amz-Signature={signature}"

    def post_policy(
        self,
        conditions: Sequence[Mapping[str, str] | Sequence[str | int]],
        expires: datetime,
        credentials: Credentials,
        now: datetime,
    ) -> dict[str, str]:
        """The fields of a browser's form: those that `conditions` fix, the policy, its signature.

        A condition is `{"name": "value"}`, `["starts-with", "$name", "prefix"]` or
        `["content-length-range", least, most]`; what they leave open is the form's to add.
        """
        moment = self._moment(now)
        own = {
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": f"{credentials.access_key}/{moment.scope}",
            "x-amz-date": moment.time,
        }
        if credentials.token is not None:
            own["x-amz-security-token"] = credentials.token
        policy = {
            "expiration": expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "conditions": [*conditions, *({name: value} for name, value in own.items())],
        }
        encoded = b64encode(json.dumps(policy).encode()).decode()
        fixed = {
            name: value
            for condition in conditions
            if isinstance(condition, Mapping)
            for name, value in condition.items()
            if name != "bucket"
        }
        signature = self._key(moment.day, credentials).hexdigest(encoded)
        return {**fixed, **own, "policy": encoded, "x-amz-signature": signature}

    def _signature(self, request: str, moment: "_Moment", credentials: Credentials) -> str:
        digest = sha256(request.encode()).hexdigest()
        return self._key(moment.day, credentials).hexdigest(f"{moment.prefix}{digest}")

    def _moment(self, now: datetime) -> "_Moment":
        second = int(now.timestamp())
        known, moment = self._second
        if known != second:
            moment = _Moment(second, self._scope)
            self._second = (second, moment)
        return moment

    def _key(self, day: str, credentials: Credentials) -> "_Key":
        name = (day, credentials.secret_key)
        key = self._keys.get(name)
        if key is None:
            if len(self._keys) >= _KEYS_KEPT:
                self._keys.clear()
            key = _Key(f"AWS4{credentials.secret_key}".encode())
            for part in (day, self.region, self.service, "aws4_request"):
                key = _Key(key.digest(part))
            self._keys[name] = key
        return key


class _Moment:
    """The texts that stay the same for a second."""

    __slots__ = ("day", "prefix", "scope", "time")

    def __init__(self, second: int, scope: str) -> None:
        self.time = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
        self.day = self.time[:8]
        self.scope = f"{self.day}{scope}"
        self.prefix = f"{_ALGORITHM}\n{self.time}\n{self.scope}\n"


class _Key:
    """HMAC-SHA256 under one key whose first blocks are hashed already (RFC 2104)."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK:
            key = sha256(key).digest()
        block = key.ljust(_BLOCK, b"\0")
        self._inner = sha256(block.translate(_INNER))
        self._outer = sha256(block.translate(_OUTER))

    def digest(self, text: str) -> bytes:
        inner = self._inner.copy()
        inner.update(text.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def hexdigest(self, text: str) -> str:
        return self.digest(text).hex()


def _named(headers: Mapping[str, str], wanted: str) -> str | None:
    return next((value for name, value in headers.items() if name.lower() == wanted), None)
