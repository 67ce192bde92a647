"""The form a browser posts, and the policy that its signature stands for.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import hmac
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from multidict import CIMultiDict, CIMultiDictProxy

from tests.servers._strict.form import Form, Policy, Unfit
from tests.servers._strict.reply import Reply
from tests.servers._strict_s3 import access, objects, xml
from tests.servers._strict_s3.call import Call, Signed
from tests.servers._strict_s3.checksums import ALGORITHMS, digest
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.payload import bad_digest
from tests.servers._strict_s3.signature import ALGORITHM, Scope, hmac_of, known_key
from tests.servers._strict_s3.state import Checksum, Store
from tests.servers._strict_s3.tagging import parse_tags

_FREE = {"policy", "x-amz-signature", "file", "submit"}
_CHECKSUM = "x-amz-checksum-"


def post(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    try:
        form = Form.of(call.header("Content-Type") or "", call.body)
    except Unfit as unfit:
        raise _unfit(unfit, 0) from unfit
    if "key" not in form.fields:
        raise Refused("InvalidArgument", "Bucket POST must contain a field named 'key'.")
    signed = _signed(store, form, bucket.region)
    try:
        Policy.of(form.fields["policy"]).check(form, bucket.name, store.now(), _FREE)
    except Unfit as unfit:
        raise _unfit(unfit, len(form.file)) from unfit
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


def _unfit(unfit: Unfit, size: int) -> Refused:
    if unfit.kind == "malformed":
        return Refused("MalformedPOSTRequest", unfit.fact)
    if unfit.kind == "no-file":
        return Refused("InvalidArgument", unfit.fact)
    if unfit.kind == "bad-policy":
        return Refused("InvalidPolicyDocument", f"Invalid Policy: {unfit.fact}")
    if unfit.kind == "against":
        return Refused("AccessDenied", f"Invalid according to Policy: {unfit.fact}")
    if unfit.kind == "too-large":
        return Refused(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=size,
            MaxSizeAllowed=unfit.limit,
        )
    return Refused(
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        ProposedSize=size,
        MinSizeAllowed=unfit.limit,
    )


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
