"""Who may do what: the owner all, anyone what an ACL says; a blind key may not list."""

from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Bucket, Version

CANNED = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
)
_PUBLIC = ("public-read", "public-read-write")


def check(call: Call, bucket: Bucket, /) -> None:
    """Refuse an anonymous caller everything but reading what is public."""
    if call.signed.key or (call.key and call.method in ("GET", "HEAD")):
        return
    if call.method in ("GET", "HEAD") and bucket.acl in _PUBLIC:
        return
    raise denied()


def check_read(call: Call, version: Version, /) -> None:
    """Refuse an anonymous caller an object that is not public."""
    if call.signed.key is None and version.facts.acl not in _PUBLIC:
        raise denied()


def check_list(call: Call, /) -> None:
    if call.signed.key and not call.signed.key.may_list:
        raise denied()


def missing(call: Call, refused: Refused, /) -> Refused:
    """404 for who may list the bucket, 403 for who may not know what is in it."""
    key = call.signed.key
    return refused if key and key.may_list else denied()


def asked_acl(call: Call, bucket: Bucket, /) -> str:
    """The canned ACL of the request, which a bucket without ACLs refuses."""
    acl = call.header("x-amz-acl")
    if acl is None:
        return "private"
    if acl not in CANNED:
        raise Refused("InvalidArgument", ArgumentName="x-amz-acl", ArgumentValue=acl)
    if not bucket.has_acls and acl != "bucket-owner-full-control":
        raise no_acls()
    return acl


def no_acls() -> Refused:
    return Refused("AccessControlListNotSupported", "The bucket does not allow ACLs")


def denied() -> Refused:
    return Refused("AccessDenied", "Access Denied")
