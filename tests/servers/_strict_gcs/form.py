"""The form a browser posts to the XML API, under a policy of version 4.

https://cloud.google.com/storage/docs/xml-api/post-object-forms
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from multidict import CIMultiDict, CIMultiDictProxy

from tests.servers._strict import xml
from tests.servers._strict.form import Form, Policy, Unfit
from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs import insert, signature
from tests.servers._strict_gcs.call import Call, Caller
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Store

_FREE = ("policy", "x-goog-signature", "file")
_NEEDED = ("policy", "x-goog-algorithm", "x-goog-credential", "x-goog-date", "x-goog-signature")
_CODES = {
    "malformed": "MalformedPOSTRequest",
    "no-file": "InvalidArgument",
    "bad-policy": "InvalidPolicyDocument",
    "against": "InvalidPolicyDocument",
    "too-large": "EntityTooLarge",
    "too-small": "EntityTooSmall",
}


def post(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    try:
        form = Form.of(call.header("Content-Type") or "", call.body)
        email = _signer(store, form)
        Policy.of(form.fields["policy"]).check(form, bucket.name, store.now(), _FREE)
    except Unfit as unfit:
        code = _CODES[unfit.kind]
        raise Refused(400, f"{code}: {unfit.fact}", code=code, details=unfit.fact) from unfit
    if "key" not in form.fields:
        raise invalid("The form must have a field 'key'.")
    key = form.fields["key"].replace("${filename}", form.file_name)
    headers = CIMultiDict({name: value for name, value in form.fields.items() if name != "key"})
    if "acl" in headers:
        headers["x-goog-acl"] = headers.pop("acl")
    target = replace(
        call,
        operation="xml-put",
        place={"bucket": bucket.name, "key": key},
        headers=CIMultiDictProxy(headers),
        caller=Caller(email),
        body=form.file,
    )
    return _answer(form.fields, target, insert.put(store, target))


def _signer(store: Store, form: Form) -> str:
    missing = [name for name in _NEEDED if name not in form.fields]
    if len(missing) == len(_NEEDED):
        raise Refused(403, "Access denied.", details="Anonymous caller may not create objects.")
    if missing:
        raise invalid(f"The form must have a field '{missing[0]}'.")
    if form.fields["x-goog-algorithm"] != signature.ALGORITHM:
        raise invalid(f"x-goog-algorithm must be {signature.ALGORITHM}.")
    scope = signature.Scope.of(form.fields["x-goog-credential"])
    signature.moment(form.fields["x-goog-date"], scope)
    signature.check_signature(store, scope, form.fields["policy"], form.fields["x-goog-signature"])
    return scope.email


def _answer(fields: Mapping[str, str], call: Call, reply: Reply) -> Reply:
    etag = reply.headers["ETag"]
    redirect = fields.get("success_action_redirect")
    if redirect:
        query = urlencode({"bucket": call.bucket, "key": call.key, "etag": etag})
        join = "&" if "?" in redirect else "?"
        reply.headers["Location"] = f"{redirect}{join}{query}"
        return replace(reply, status=303)
    status = fields.get("success_action_status", "204")
    if status != "201":
        return replace(reply, status=200 if status == "200" else 204)
    told = (
        xml.tag("Bucket", call.bucket),
        xml.tag("Key", call.key),
        xml.tag("Location", f"/{call.bucket}/{call.key}"),
        xml.tag("ETag", etag),
    )
    reply.headers["Content-Type"] = "application/xml; charset=UTF-8"
    return replace(reply, status=201, body=xml.document("PostResponse", told))
