"""Signature Version 4 for Google, by an account's RSA key: URLs and browser forms.

https://cloud.google.com/storage/docs/authentication/signatures
"""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from storeroom.drivers._http.canonical import encoded_path, encoded_query, host_of, layout, trimmed

__all__ = ["Sign", "form_fields", "signed_url"]

Sign = Callable[[bytes], Awaitable[bytes]]
"""Signs by RSA with SHA-256."""

_ALGORITHM: Final = "GOOG4-RSA-SHA256"


async def signed_url(
    method: str,
    origin: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    seconds: int,
    email: str,
    sign: Sign,
    now: datetime,
) -> str:
    """A URL that allows one request for so long; whoever uses it must send `headers` as they are here.

    `origin` is `https://host[:port]`, `path` begins with `/` and is not encoded.
    """
    scope, stamp = _scope(now), _stamp(now)
    names, line, template, sources = layout(tuple(headers))
    pairs = {
        **query,
        "X-Goog-Algorithm": _ALGORITHM,
        "X-Goog-Credential": f"{email}/{scope}",
        "X-Goog-Date": stamp,
        "X-Goog-Expires": str(seconds),
        "X-Goog-SignedHeaders": names,
    }
    target, search, host = encoded_path(path), encoded_query(pairs), host_of(origin)
    values = [trimmed(headers[name]) if name else host for name in sources]
    request = f"{method}\n{target}\n{search}\n{template % tuple(values)}{line}UNSIGNED-PAYLOAD"
    digest = sha256(request.encode()).hexdigest()
    signature = await sign(f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode())
    return f"{origin}{target}?{search}&X-Goog-Signature={signature.hex()}"


async def form_fields(
    conditions: Sequence[Mapping[str, str] | Sequence[str | int]],
    expires: datetime,
    email: str,
    sign: Sign,
    now: datetime,
) -> dict[str, str]:
    """The fields of a browser's form: those that `conditions` fix, the policy, its signature.

    A condition is `{"name": "value"}`, `["starts-with", "$name", "prefix"]` or
    `["content-length-range", least, most]`; what they leave open is the form's to add.
    """
    own = {
        "x-goog-algorithm": _ALGORITHM,
        "x-goog-credential": f"{email}/{_scope(now)}",
        "x-goog-date": _stamp(now),
    }
    policy = {
        "conditions": [*conditions, *({name: value} for name, value in own.items())],
        "expiration": expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    encoded = b64encode(json.dumps(policy).encode())
    fixed = {
        name: value
        for condition in conditions
        if isinstance(condition, Mapping)
        for name, value in condition.items()
        if name != "bucket"
    }
    signature = await sign(encoded)
    return {**fixed, **own, "policy": encoded.decode(), "x-goog-signature": signature.hex()}


def _scope(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y%m%d}/auto/storage/goog4_request"


def _stamp(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
