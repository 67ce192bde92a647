"""Signatures of requests by an account's key.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from tests.servers._strict_azure.call import Call, Caller, pairs
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import KEYS

_SIGNED = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)
_SKEW = timedelta(minutes=15)


def verify(call: Call, said: str, now: datetime, /) -> Caller:
    """The owner, where `said` is what they must have signed."""
    account, colon, signature = said.partition(":")
    if not colon or account not in KEYS:
        raise failed(f"no account {account}")
    if account != call.account:
        raise failed("the account of the URL is another than the one that signed")
    check_version(call)
    _check_date(call, now)
    text = string_to_sign(call)
    if not hmac.compare_digest(sign(KEYS[account], text), signature):
        raise failed(f"the string to sign is {text!r}")
    return Caller("key")


def check_version(call: Call, /) -> None:
    """A part of a batch is of the version of the whole, any other request says its own."""
    if not call.is_part and not call.header("x-ms-version"):
        raise Refused("MissingRequiredHeader", status=400, HeaderName="x-ms-version")


def string_to_sign(call: Call, /) -> str:
    values = [call.header(name) or "" for name in _SIGNED]
    if values[2] == "0":
        values[2] = ""
    if call.header("x-ms-date"):
        values[5] = ""
    return "\n".join([call.method, *values, _headers(call) + _resource(call)])


def _headers(call: Call) -> str:
    named = {name.lower() for name in call.headers if name.lower().startswith("x-ms-")}
    lines = [
        f"{name}:{','.join(value.strip() for value in call.headers.getall(name))}\n"
        for name in sorted(named, key=_weight)
    ]
    return "".join(lines)


def _weight(name: str) -> tuple[str, str]:
    # The service compares words as people do: hyphens do not count, and "_" is before digits.
    return name.replace("-", "").replace("_", "!"), name


def _resource(call: Call) -> str:
    values: dict[str, list[str]] = {}
    for name, value in pairs(call.query_string):
        values.setdefault(name.lower(), []).append(value)
    lines = [f"\n{name}:{','.join(sorted(values[name]))}" for name in sorted(values)]
    return f"/{call.account}{call.path}{''.join(lines)}"


def _check_date(call: Call, now: datetime) -> None:
    said = call.header("x-ms-date") or call.header("Date") or ""
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        raise failed("no date") from None
    if abs(moment - now) > _SKEW:
        raise failed(f"the date {said} is too far from {now}")


def sign(key: str, text: str, /) -> str:
    """The signature by a key in base64."""
    made = hmac.new(
        base64.b64decode(key), text.encode("utf-8", "surrogateescape"), hashlib.sha256
    ).digest()
    return base64.b64encode(made).decode()


def failed(detail: str, /) -> Refused:
    return Refused(
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is "
        "formed correctly including the signature.",
        AuthenticationErrorDetail=detail,
    )
