"""Buckets themselves."""

import re
from dataclasses import replace

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, iso_date
from tests.servers._strict_s3 import xml
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Bucket, Store
from tests.servers.keys import REGION

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def create(store: Store, call: Call, /) -> Reply:
    """Without `x-amz-object-ownership` a bucket has no ACLs, as at Amazon since 2023."""
    if not _NAME.fullmatch(call.bucket):
        raise Refused("InvalidBucketName", "The specified bucket is not valid.")
    if call.bucket in store.buckets:
        raise Refused(
            "BucketAlreadyOwnedByYou", "Your previous request to create the bucket succeeded."
        )
    region = REGION
    if call.body:
        asked = xml.parse(call.body, "CreateBucketConfiguration")
        region = asked.findtext("LocationConstraint") or REGION
    ownership = call.header("x-amz-object-ownership") or "BucketOwnerEnforced"
    bucket = Bucket(call.bucket, region, has_acls=ownership != "BucketOwnerEnforced")
    bucket.acl = call.header("x-amz-acl") or "private"
    store.buckets[call.bucket] = bucket
    return Reply(headers=CIMultiDict({"Location": f"/{call.bucket}"}))


def delete(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    if bucket.keys:
        raise Refused("BucketNotEmpty", "The bucket you tried to delete is not empty")
    del store.buckets[call.bucket]
    return Reply(204)


def head(store: Store, call: Call, /) -> Reply:
    region = store.bucket(call.bucket).region
    return Reply(headers=CIMultiDict({"x-amz-bucket-region": region}))


def location(store: Store, call: Call, /) -> Reply:
    region = store.bucket(call.bucket).region
    text = "" if region == REGION else region
    reply = Reply.xml(b"")
    body = xml.document("LocationConstraint", [text])
    return replace(reply, body=body)


def get_versioning(store: Store, call: Call, /) -> Reply:
    state = store.bucket(call.bucket).versioning
    told = [xml.tag("Status", state)] if state else []
    return Reply.xml(xml.document("VersioningConfiguration", told))


def put_versioning(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    state = xml.parse(call.body, "VersioningConfiguration").findtext("Status")
    if state not in ("Enabled", "Suspended"):
        raise xml.malformed()
    bucket.versioning = state
    return Reply()


def list_all(store: Store, call: Call, /) -> Reply:
    if call.signed.key is None:
        raise Refused("AccessDenied", "Access Denied")
    listed = [
        xml.node("Bucket", (xml.tag("Name", name), xml.tag("CreationDate", iso_date(store.now()))))
        for name in sorted(store.buckets)
    ]
    owner = xml.node("Owner", [xml.tag("ID", "storeroom-tests-owner")])
    return Reply.xml(xml.document("ListAllMyBucketsResult", [owner, xml.node("Buckets", listed)]))
