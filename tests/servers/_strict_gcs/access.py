"""Who asks, and who may do what: whom the server knows all, anyone what is public."""

from tests.servers._strict_gcs import signature
from tests.servers._strict_gcs.call import Call, Caller
from tests.servers._strict_gcs.errors import Refused
from tests.servers._strict_gcs.state import Bucket, Store, Version
from tests.servers.google_keys import EMAIL, STRANGER, STRANGER_TOKEN, TOKEN

PERMISSIONS = {
    "list": "storage.objects.list",
    "insert": "storage.objects.create",
    "start": "storage.objects.create",
    "xml-put": "storage.objects.create",
    "xml-start": "storage.objects.create",
    "delete": "storage.objects.delete",
    "xml-delete": "storage.objects.delete",
    "patch": "storage.objects.update",
    "update": "storage.objects.update",
}
# A session, the issuers of tokens and the parts of a batch are let in by other means.
OPEN = ("chunk", "query", "abort", "token", "exchange", "metadata", "batch", "xml-form", "")
_READS = ("get", "media", "xml-get", "xml-head")
_FIXED = {TOKEN: EMAIL, STRANGER_TOKEN: STRANGER}


def caller(store: Store, call: Call, /) -> Caller:
    """Who asks: by a bearer token, a signed URL, or nobody."""
    if call.operation in ("token", "exchange", "metadata"):
        return Caller()
    header = call.header("Authorization")
    if call.is_xml and "X-Goog-Algorithm" in call.query:
        if header:
            raise Refused(400, "Only one auth mechanism allowed.")
        return Caller(signature.verify(store, call))
    if header is None:
        return Caller()
    kind, _, token = header.partition(" ")
    if kind != "Bearer" or not token:
        raise _no_credentials()
    return Caller(_email(store, token))


def _email(store: Store, token: str) -> str:
    if token in store.settings.expired:
        raise _no_credentials()
    if token in _FIXED:
        return _FIXED[token]
    issued = store.tokens.get(token)
    if issued is None or issued.until <= store.now():
        raise _no_credentials()
    return issued.email


def check(store: Store, call: Call, /) -> None:
    """Refuse who may not; reading what is public, or may be, is judged where it is read."""
    if call.operation == "list" and not store.settings.lists:
        raise denied(call)
    if call.operation in OPEN or is_known(call.caller):
        return
    public = call.bucket in store.buckets and store.buckets[call.bucket].is_public
    if call.operation in _READS or (call.operation == "list" and public):
        return
    raise denied(call)


def check_read(call: Call, bucket: Bucket, version: Version | None, /) -> None:
    """Refuse a stranger what is not public, and whether it is there at all."""
    if is_known(call.caller) or bucket.is_public:
        return
    entries = version.facts.acl if version and not bucket.is_uniform else {}
    is_public = "allUsers" in entries or ("allAuthenticatedUsers" in entries and call.caller.email)
    if not is_public:
        raise denied(call)


def is_known(who: Caller, /) -> bool:
    return who.email is not None and who.email != STRANGER


def denied(call: Call, /) -> Refused:
    """401 for nobody and 403 for a stranger."""
    permission = PERMISSIONS.get(call.operation, "storage.objects.get")
    what = "bucket" if permission.endswith("list") else "object"
    who = call.caller.email or "Anonymous caller"
    message = (
        f"{who} does not have {permission} access to the Google Cloud Storage {what}. "
        f"Permission '{permission}' denied on resource (or it may not exist)."
    )
    if call.caller.email is None:
        # https://cloud.google.com/storage/docs/xml-api/reference-status: XML says 403 to both.
        status = 403 if call.is_xml else 401
        reason = "required" if status == 401 else None
        headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'}
        return Refused(
            status,
            message,
            reason=reason,
            details=message,
            location="Authorization",
            headers=headers,
        )
    return Refused(403, message, details=message)


def _no_credentials() -> Refused:
    headers = {
        "WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
    }
    return Refused(401, "Invalid Credentials", location="Authorization", headers=headers)
