"""The form a browser posts, and the policy that its signature stands for.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import base64
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import Message
from typing import Any, Self
from urllib.parse import urlencode

from multidict import CIMultiDict, CIMultiDictProxy

from tests.servers._strict_s3 import access, objects, xml
from tests.servers._strict_s3.call import Call, Reply, Signed
from tests.servers._strict_s3.checksums import ALGORITHMS, digest
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.payload import bad_digest
from tests.servers._strict_s3.signature import ALGORITHM, Scope, hmac_of, known_key
from tests.servers._strict_s3.state import Checksum, Store
from tests.servers._strict_s3.tagging import parse_tags

_FREE = {"policy", "x-amz-signature", "file", "submit"}
_CHECKSUM = "x-amz-checksum-"


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by their names in lower case; what stands behind the file is not looked at."""

    fields: Mapping[str, str]
    file: bytes
    file_name: str


def post(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    form = _parsed(call)
    if "key" not in form.fields:
        raise Refused("InvalidArgument", "Bucket POST must contain a field named 'key'.")
    signed = _signed(store, form, bucket.region)
    _check_policy(Policy.of(form.fields["policy"]), form, bucket.name, store.now())
    fields = dict(form.fields)
    key = fields["key"].replace("${filename}", form.file_name)
    target = replace(
        call,
        method="PUT",
        key=key,
        headers=CIMultiDictProxy(_as_headers(fields)),
        signed=signed,
        body=form.file,
        checksum=_checksum(fields, form.file),
    )
    reply = objects.put(store, target)
    return _answer(fields, bucket.name, key, reply)


def _parsed(call: Call) -> Form:
    kind = Message()
    kind["Content-Type"] = call.header("Content-Type") or ""
    boundary = str(kind.get_param("boundary", "")).encode()
    if kind.get_content_type() != "multipart/form-data" or not boundary:
        raise _malformed("Bucket POST must be of the enclosure-type multipart/form-data.")
    fields: dict[str, str] = {}
    for raw in (b"\r\n" + call.body).split(b"\r\n--" + boundary)[1:]:
        head, found, value = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not found:
            continue
        name, file_name = _names(head.decode("utf-8", "replace"))
        if name == "file":
            return Form(fields, value, file_name)
        fields[name] = value.decode("utf-8", "replace")
    raise Refused("InvalidArgument", "POST requires exactly one file upload per request.")


def _names(head: str) -> tuple[str, str]:
    name = re.search(r'[; ]name="(?P<it>[^"]*)"', head)
    file_name = re.search(r'filename="(?P<it>[^"]*)"', head)
    if not name:
        raise _malformed("A part of the form has no name.")
    return name["it"].lower(), file_name["it"] if file_name else ""


def _signed(store: Store, form: Form, region: str) -> Signed:
    needed = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
    if not any(name in form.fields for name in needed):
        raise access.denied()
    for name in needed:
        if name not in form.fields:
            raise Refused("InvalidArgument", f"Bucket POST must contain a field named '{name}'.")
    if form.fields["x-amz-algorithm"] != ALGORITHM:
        raise Refused("InvalidArgument", f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    scope = Scope(form.fields["x-amz-credential"], "AuthorizationQueryParametersError")
    key = known_key(scope.access, form.fields.get("x-amz-security-token"), store.settings)
    if scope.region != region:
        raise Refused(
            "AuthorizationQueryParametersError",
            f"the region '{scope.region}' is wrong; expecting '{region}'",
            Region=region,
        )
    right = hmac_of(scope.signing_key(key), form.fields["policy"]).hex()
    if not hmac.compare_digest(right, form.fields["x-amz-signature"]):
        raise Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    return Signed(key)


@dataclass(frozen=True, slots=True)
class Policy:
    until: datetime
    conditions: list[Any]  # JSON, as it stands in the policy

    @classmethod
    def of(cls, encoded: str) -> Self:
        try:
            said: Any = json.loads(base64.b64decode(encoded, validate=True))
            return cls(datetime.fromisoformat(said["expiration"]), list(said["conditions"]))
        except (ValueError, TypeError, KeyError) as exc:
            raise Refused("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from exc


def _check_policy(policy: Policy, form: Form, bucket: str, now: datetime) -> None:
    if now > policy.until:
        raise _against("Policy expired.")
    values = {**form.fields, "bucket": bucket}
    named: set[str] = set()
    for condition in policy.conditions:
        named.add(_check_condition(condition, values, len(form.file)))
    extra = [
        name for name in values if name not in named | _FREE and not name.startswith("x-ignore-")
    ]
    if extra:
        raise _against(f"Extra input fields: {', '.join(sorted(extra))}")


def _check_condition(condition: Any, values: Mapping[str, str], size: int) -> str:
    """The name of the field it is about."""
    if hasattr(condition, "items"):
        ((field, value),) = condition.items()
        condition = ["eq", f"${field}", value]
    operator, subject, expected = condition
    if operator == "content-length-range":
        _check_range(int(subject), int(expected), size)
        return str(operator)
    name = str(subject).removeprefix("$").lower()
    value = values.get(name, "")
    holds = value == expected if operator == "eq" else value.startswith(expected)
    if operator not in ("eq", "starts-with"):
        raise Refused("InvalidPolicyDocument", f"Invalid Policy: Invalid operation {operator}.")
    if not holds or (name not in values and expected):
        raise _against(f"Policy Condition failed: {json.dumps(condition)}")
    return name


def _check_range(least: int, most: int, size: int) -> None:
    if size > most:
        raise Refused(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=size,
            MaxSizeAllowed=most,
        )
    if size < least:
        raise Refused(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            ProposedSize=size,
            MinSizeAllowed=least,
        )


def _as_headers(fields: Mapping[str, str]) -> CIMultiDict[str]:
    headers = CIMultiDict({name: value for name, value in fields.items() if name != "tagging"})
    if "acl" in fields:
        headers["x-amz-acl"] = headers.pop("acl")
    if "tagging" in fields:
        headers["x-amz-tagging"] = urlencode(parse_tags(fields["tagging"].encode()))
    return headers


def _checksum(fields: Mapping[str, str], data: bytes) -> Checksum | None:
    for name in ALGORITHMS:
        value = fields.get(f"{_CHECKSUM}{name}")
        if value is not None:
            given = Checksum(name, value)
            if given != Checksum(name, digest(name, data)):
                raise bad_digest(given)
            return given
    return None


def _answer(fields: Mapping[str, str], bucket: str, key: str, reply: Reply) -> Reply:
    etag = reply.headers["ETag"]
    redirect = fields.get("success_action_redirect")
    if redirect:
        query = urlencode({"bucket": bucket, "key": key, "etag": etag})
        join = "&" if "?" in redirect else "?"
        reply.headers["Location"] = f"{redirect}{join}{query}"
        return replace(reply, status=303)
    status = fields.get("success_action_status", "204")
    if status != "201":
        return replace(reply, status=200 if status == "200" else 204)
    told = (
        xml.tag("Location", f"/{bucket}/{key}"),
        xml.tag("Bucket", bucket),
        xml.tag("Key", key),
        xml.tag("ETag", etag),
    )
    reply.headers["Content-Type"] = "application/xml"
    return replace(reply, status=201, body=xml.document("PostResponse", told, plain=True))


def _against(fact: str) -> Refused:
    return Refused("AccessDenied", f"Invalid according to Policy: {fact}")


def _malformed(message: str) -> Refused:
    return Refused("MalformedPOSTRequest", message)
