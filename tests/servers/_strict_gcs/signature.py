"""Signed URLs, version 4.

https://cloud.google.com/storage/docs/authentication/canonical-requests
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import quote, unquote, unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.servers import google_keys
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused
from tests.servers._strict_gcs.state import Store

ALGORITHM = "GOOG4-RSA-SHA256"
WEEK = 7 * 24 * 3600
SKEW = timedelta(minutes=15)
_NEEDED = ("Credential", "Date", "Expires", "SignedHeaders", "Signature")
_SIGNATURE = re.compile(r"[0-9a-f]{512}")


@dataclass(frozen=True, slots=True)
class Scope:
    """Who signs, and for which day, place and service."""

    email: str
    text: str

    @classmethod
    def of(cls, credential: str) -> Self:
        email, _, text = credential.partition("/")
        parts = text.split("/")
        if len(parts) != 4 or parts[2:] != ["storage", "goog4_request"]:
            raise _malformed("The credential ends with /DATE/LOCATION/storage/goog4_request.")
        return cls(email, text)


def verify(store: Store, call: Call, /) -> str:
    """The e-mail address of the service account that signed the request."""
    given = call.query
    missing = [name for name in _NEEDED if f"X-Goog-{name}" not in given]
    if missing:
        raise _malformed(f"The query parameter X-Goog-{missing[0]} is missing.")
    if given["X-Goog-Algorithm"] != ALGORITHM:
        raise _malformed(f"X-Goog-Algorithm must be {ALGORITHM}.")
    scope = Scope.of(given["X-Goog-Credential"])
    stamp = given["X-Goog-Date"]
    names = given["X-Goog-SignedHeaders"].split(";")
    _check_names(call, names)
    text = _string_to_sign(call, names, stamp, scope)
    check_signature(store, scope, text, given["X-Goog-Signature"])
    _check_time(stamp, scope, given["X-Goog-Expires"], store.now())
    return scope.email


def check_signature(store: Store, scope: Scope, text: str, signature: str, /) -> None:
    """Refuse what the service account has not signed."""
    if scope.email != google_keys.EMAIL:
        raise Refused(403, "The account does not exist or is disabled.", code="AccessDenied")
    if not _SIGNATURE.fullmatch(signature):
        raise _mismatch(text)
    try:
        store.key.public_key().verify(bytes.fromhex(signature), text.encode(), PKCS1v15(), SHA256())
    except InvalidSignature as exc:
        raise _mismatch(text) from exc


def moment(stamp: str, scope: Scope, /) -> datetime:
    """When it was signed, which is on the day of its scope."""
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as exc:
        raise _malformed("X-Goog-Date must be of the form YYYYMMDD'T'HHMMSS'Z'.") from exc
    if not scope.text.startswith(f"{signed:%Y%m%d}/"):
        raise _malformed("The date of the credential is not that of X-Goog-Date.")
    return signed


def _check_time(stamp: str, scope: Scope, lasting: str, now: datetime) -> None:
    signed = moment(stamp, scope)
    if not lasting.isdigit() or not 0 < int(lasting) <= WEEK:
        raise _malformed(f"X-Goog-Expires must be a number of seconds, at most {WEEK}.")
    if signed - now > SKEW:
        raise Refused(
            403,
            "The difference between the request time and the current time is too large.",
            code="RequestTimeTooSkewed",
        )
    until = signed + timedelta(seconds=int(lasting))
    if now > until:
        raise Refused(
            400,
            "The provided token has expired.",
            code="ExpiredToken",
            details=f"Request signature expired at: {until.isoformat()}",
        )


def _check_names(call: Call, names: Sequence[str]) -> None:
    if "host" not in names or list(names) != sorted(names):
        raise _malformed("The signed headers must have host, and be sorted.")
    absent = [name for name in names if call.header(name) is None]
    if absent:
        raise _bad_header(
            absent[0], "Header was included in signedheaders, but not in the request."
        )
    unsigned = [
        name.lower()
        for name in call.headers
        if name.lower().startswith("x-goog-") and name.lower() not in names
    ]
    if unsigned:
        raise _bad_header(
            unsigned[0], "Header was included in the request, but not in signedheaders."
        )


def _string_to_sign(call: Call, names: Sequence[str], stamp: str, scope: Scope) -> str:
    canonical = "\n".join(
        (
            call.method,
            quote(unquote(call.path), safe="/~"),
            _canonical_query(call.query_string),
            *(f"{name}:{_value(call, name)}" for name in names),
            "",
            ";".join(names),
            call.header("x-goog-content-sha256") or "UNSIGNED-PAYLOAD",
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return f"{ALGORITHM}\n{stamp}\n{scope.text}\n{hashed}"


def _canonical_query(query_string: str) -> str:
    pairs = [pair.partition("=") for pair in query_string.split("&") if pair]
    encoded = [
        (quote(unquote_plus(name), safe="~"), quote(unquote_plus(value), safe="~"))
        for name, _, value in pairs
        if name != "X-Goog-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _value(call: Call, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in call.headers.getall(name, []))


def _mismatch(text: str) -> Refused:
    return Refused(
        403,
        "Access denied.",
        code="SignatureDoesNotMatch",
        details="The request signature we calculated does not match the signature you provided. "
        f"Check your Google secret key and signing method. StringToSign: {text}",
    )


def _malformed(message: str) -> Refused:
    return Refused(400, message, code="AuthorizationQueryParametersError", details=message)


def _bad_header(name: str, details: str) -> Refused:
    return Refused(
        400,
        "Your request has a malformed header.",
        code="MalformedSecurityHeader",
        details=f"{name}: {details}",
    )
