"""Signatures in URLs: of a blob, of a container, of the account, and by a delegated key.

https://learn.microsoft.com/rest/api/storageservices/create-service-sas
https://learn.microsoft.com/rest/api/storageservices/create-account-sas
https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
"""

import hmac
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Final

from tests.servers._strict_azure.call import Call, Caller
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.shared_key import failed, sign
from tests.servers._strict_azure.state import KEYS, Store

_OVERRIDES: Final = {
    "rscc": "Cache-Control",
    "rscd": "Content-Disposition",
    "rsce": "Content-Encoding",
    "rscl": "Content-Language",
    "rsct": "Content-Type",
}
_DELEGATE: Final = ("skoid", "sktid", "skt", "ske", "sks", "skv")
_FORMATS: Final = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d")
_CREATING: Final = (
    "block",
    "block from url",
    "commit",
    "copy",
    "create append",
    "put",
    "put from url",
)
_BY_KEY_ONLY: Final = ("key", "get acl", "set acl")


def verify(store: Store, call: Call, /) -> Caller:
    """The caller with what the signature lets them do."""
    said = call.query
    if call.account not in KEYS:
        raise failed(f"no account {call.account}")
    if said.get("sv", "") < "2018-11-09":
        raise failed(f"version {said.get('sv')} is not one this server knows")
    text, key = _account_text(call), KEYS[call.account]
    if "ss" not in said:
        text, key = _service_text(store, call)
    if not hmac.compare_digest(sign(key, text), said["sig"]):
        raise failed(f"Signature did not match. String to sign used was {text!r}")
    _check_time(call, store.now())
    _check_way(call)
    _check_scope(call)
    overrides = {header: said[name] for name, header in _OVERRIDES.items() if name in said}
    return Caller("signature", said.get("sp", ""), overrides)


def _account_text(call: Call) -> str:
    names = ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv")
    lines = [call.account, *(call.query.get(name, "") for name in names)]
    if call.query.get("sv", "") >= "2020-12-06":
        lines.append(call.query.get("ses", ""))
    return "\n".join([*lines, ""])


def _service_text(store: Store, call: Call) -> tuple[str, str]:
    said, version = call.query, call.query["sv"]
    place = f"/blob/{call.account}/{call.bucket}"
    if said.get("sr") in ("b", "bv", "bs"):
        place += f"/{call.key}"
    lines = [said.get(name, "") for name in ("sp", "st", "se")] + [place]
    key = KEYS[call.account]
    if "skoid" in said:
        delegate = tuple(said.get(name, "") for name in _DELEGATE)
        lines += [*delegate, *_delegates(call)]
        key = _delegated(store, delegate)
    else:
        lines.append(said.get("si", ""))
    lines += [said.get(name, "") for name in ("sip", "spr", "sv", "sr")]
    lines.append({"bv": said.get("versionid"), "bs": said.get("snapshot")}.get(said["sr"]) or "")
    if version >= "2020-12-06":
        lines.append(said.get("ses", ""))
    if "skoid" in said and version >= "2026-04-06":
        lines += _restrictions(call)
    return "\n".join([*lines, *(said.get(name, "") for name in _OVERRIDES)]), key


def _delegates(call: Call) -> list[str]:
    names: tuple[str, ...] = ()
    if call.query["sv"] >= "2020-02-10":
        names = ("saoid", "suoid", "scid")
    if call.query["sv"] >= "2025-07-05":
        names += ("skdutid", "sduoid")
    return [call.query.get(name, "") for name in names]


def _restrictions(call: Call) -> list[str]:
    headers = [name for name in call.query.get("srh", "").split(",") if name]
    names = [name for name in call.query.get("srq", "").split(",") if name]
    lines = [f"{name}:{call.header(name) or ''}\n" for name in headers]
    asked = [f"\n{name}:{call.query.get(name.lower(), '')}" for name in names]
    return ["".join(lines), "".join(asked)]


def _delegated(store: Store, delegate: tuple[str, ...]) -> str:
    key = store.delegated.get(delegate)
    if key is None:
        raise failed("no such delegated key")
    start, expiry = _moment(delegate[2]), _moment(delegate[3])
    if not start <= store.now() <= expiry:
        raise failed("the delegated key is not, or no longer, valid")
    return key.value


def _check_time(call: Call, now: datetime) -> None:
    start, expiry = call.query.get("st"), call.query.get("se")
    if not expiry:
        raise failed("no time of expiry")
    if start and now < _moment(start):
        raise failed(f"Signature not valid yet: it starts at {start}, it is {now}")
    if now > _moment(expiry):
        raise failed(f"Signature not valid any more: it expired at {expiry}, it is {now}")


def _moment(said: str) -> datetime:
    for form in _FORMATS:
        try:
            return datetime.strptime(said, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise failed(f"{said!r} is no time")


def _check_way(call: Call) -> None:
    if call.query.get("spr") == "https" and not call.secure:
        raise Refused("AuthorizationProtocolMismatch", "This request is not authorized by http.")
    said = call.query.get("sip")
    if not said:
        return
    first, _, last = said.partition("-")
    if not IPv4Address(first) <= IPv4Address(call.address) <= IPv4Address(last or first):
        raise Refused("AuthorizationSourceIPMismatch", SourceIP=call.address)


def _check_scope(call: Call) -> None:
    said = call.query
    if call.operation in _BY_KEY_ONLY:
        raise Refused("AuthorizationFailure", "No signature in a URL lets you do that.")
    if "ss" in said:
        kind = "s" if not call.bucket else "c" if not call.key else "o"
        if "b" not in said["ss"]:
            raise Refused("AuthorizationServiceMismatch")
        if kind not in said.get("srt", "") and call.operation != "batch":
            raise Refused("AuthorizationResourceTypeMismatch")
        return
    is_of_container = call.operation in ("list", "container", "batch")
    if not call.key and not (said.get("sr") == "c" and is_of_container):
        raise Refused("AuthorizationFailure", "The signature is of another resource.")


def permits(call: Call, /, *, exists: bool) -> bool:
    """Whether the caller may do what they ask for with a blob that exists, or does not."""
    allowed = call.caller.permissions
    if allowed is None:
        return True
    needed = _needed(call, exists=exists)
    with_tags = call.header("x-ms-tags") is not None and "t" not in allowed
    return any(one in allowed for one in needed) and not with_tags


def _needed(call: Call, *, exists: bool) -> str:
    if call.operation in _CREATING:
        return "w" if exists else "cw"
    if call.operation == "delete":
        return "x" if "versionid" in call.query else "d"
    return {
        "append": "aw",
        "list": "l",
        "containers": "l",
        "create container": "cw",
        "delete container": "d",
        "tags": "t",
        "get tags": "t",
        "get": "r",
        "head": "r",
        "get blocks": "r",
        "container": "r",
        "batch": "racwdxltmeopyi",
        "snapshot": "cw",
    }.get(call.operation, "w")
