"""Tags and ACLs of an object, and attributes in one answer."""

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict_s3 import access, facts, objects, xml
from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.state import Store, Version

_GROUPS = "http://acs.amazonaws.com/groups/global"
_OWNER = "storeroom-tests-owner"


def get_tags(store: Store, call: Call, /) -> Reply:
    version = _version(store, call)
    tags = [
        xml.node("Tag", (xml.tag("Key", key), xml.tag("Value", value)))
        for key, value in version.facts.tags.items()
    ]
    return Reply.xml(xml.document("Tagging", [xml.node("TagSet", tags)]))


def put_tags(store: Store, call: Call, /) -> Reply:
    version = _version(store, call)
    version.facts.tags = parse_tags(call.body)
    return Reply()


def parse_tags(body: bytes, /) -> dict[str, str]:
    """The tags of a Tagging document."""
    root = xml.parse(body, "Tagging")
    pairs = [(tag.findtext("Key"), tag.findtext("Value")) for tag in root.iterfind("TagSet/Tag")]
    if root.find("TagSet") is None or any(key is None for key, _ in pairs):
        raise xml.malformed()
    return facts.checked_tags([(key or "", value or "") for key, value in pairs])


def delete_tags(store: Store, call: Call, /) -> Reply:
    _version(store, call).facts.tags = {}
    return Reply(204)


def get_acl(store: Store, call: Call, /) -> Reply:
    acl = _version(store, call).facts.acl
    grants = [_grant("CanonicalUser", xml.tag("ID", _OWNER), "FULL_CONTROL")]
    if acl.startswith("public-read"):
        grants.append(_grant("Group", xml.tag("URI", f"{_GROUPS}/AllUsers"), "READ"))
    if acl == "public-read-write":
        grants.append(_grant("Group", xml.tag("URI", f"{_GROUPS}/AllUsers"), "WRITE"))
    if acl == "authenticated-read":
        grants.append(_grant("Group", xml.tag("URI", f"{_GROUPS}/AuthenticatedUsers"), "READ"))
    owner = xml.node("Owner", [xml.tag("ID", _OWNER)])
    listed = xml.node("AccessControlList", grants)
    return Reply.xml(xml.document("AccessControlPolicy", (owner, listed)))


def _grant(kind: str, grantee: str, permission: str) -> str:
    space = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="{kind}"'
    return xml.node(
        "Grant", (f"<Grantee {space}>{grantee}</Grantee>", xml.tag("Permission", permission))
    )


def put_acl(store: Store, call: Call, /) -> Reply:
    bucket = store.bucket(call.bucket)
    version = _version(store, call)
    if not bucket.has_acls:
        raise access.no_acls()
    if call.header("x-amz-acl") is not None:
        version.facts.acl = access.asked_acl(call, bucket)
        return Reply()
    policy = xml.parse(call.body, "AccessControlPolicy")
    uris = [uri.text or "" for uri in policy.iter("URI")]
    version.facts.acl = "public-read" if f"{_GROUPS}/AllUsers" in uris else "private"
    return Reply()


def get_attributes(store: Store, call: Call, /) -> Reply:
    """GET ?attributes: what `x-amz-object-attributes` asks for."""
    version = _version(store, call)
    asked = {name.strip() for name in (call.header("x-amz-object-attributes") or "").split(",")}
    checksum = version.stored_checksum()
    shown = {
        "ETag": xml.tag("ETag", version.etag),
        "Checksum": xml.node(
            "Checksum",
            (
                xml.tag(f"Checksum{checksum.algorithm.upper()}", checksum.value),
                xml.tag("ChecksumType", checksum.kind),
            ),
        ),
        "ObjectParts": _parts(version),
        "StorageClass": xml.tag("StorageClass", version.facts.storage_class),
        "ObjectSize": xml.tag("ObjectSize", len(version.data)),
    }
    body = xml.document(
        "GetObjectAttributesResponse", [text for name, text in shown.items() if name in asked]
    )
    headers = {"Content-Type": "application/xml", "Last-Modified": http_date(version.modified)}
    return Reply(200, body, CIMultiDict(headers))


def _parts(version: Version) -> str:
    if not version.parts:
        return ""
    return xml.node("ObjectParts", [xml.tag("TotalPartsCount", len(version.parts))])


def _version(store: Store, call: Call) -> Version:
    return objects.found(call, store.bucket(call.bucket), call.query.get("versionId"))
