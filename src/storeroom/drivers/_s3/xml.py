"""The XML of S3's replies becomes values.

Names come with or without a namespace, and unknown elements are passed over.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import Element

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._http.dates import iso_moment
from storeroom.drivers._http.listing import Listing
from storeroom.drivers._http.wire import Failure
from storeroom.drivers._http.xml import local, parsed
from storeroom.drivers._s3.replies import (
    Completed,
    Copied,
    Deleted,
    ErrorReply,
    GrantedTo,
    Listed,
    OpenUpload,
    PartListing,
    Removal,
    StoredPart,
    StoredVersion,
    UploadListing,
    VersionListing,
)

__all__ = [
    "read_completed",
    "read_copied",
    "read_deleted",
    "read_error",
    "read_grants",
    "read_listing",
    "read_parts",
    "read_started",
    "read_tags",
    "read_uploads",
    "read_versions",
]

_OWNER = r"(?:<Owner>\s*(?:<(?:ID|DisplayName)>[^<]*</(?:ID|DisplayName)>\s*)*</Owner>\s*)?"
_ENTRY = re.compile(
    r"<Contents>\s*<Key>([^<&\r]*)</Key>\s*<LastModified>([^<&]*)</LastModified>\s*"
    r"<ETag>(?:&quot;|\")([^<&\"]*)(?:&quot;|\")</ETag>\s*"
    r"(?:<Checksum(?:Algorithm|Type)>[^<]*</Checksum(?:Algorithm|Type)>\s*)*"
    rf"<Size>([0-9]+)</Size>\s*{_OWNER}"
    rf"<StorageClass>([^<&]*)</StorageClass>\s*{_OWNER}</Contents>\s*"
)


def read_listing(body: bytes, /) -> Listing:
    """One page of ListObjectsV2, names decoded."""
    usual, rest = _usual_entries(body)
    root, space = _result(rest)
    decoded = _decoder(root, space)
    contents, prefixes, prefix = f"{space}Contents", f"{space}CommonPrefixes", f"{space}Prefix"
    objects = [
        Listed(decoded(key), int(size), iso_moment(modified), f'"{etag}"', tier)
        for key, modified, etag, size, tier in usual
    ]
    folders: list[str] = []
    for element in root:
        if element.tag == contents:
            objects.append(_listed(element, space, decoded))
        elif element.tag == prefixes:
            folders.append(decoded(element.findtext(prefix) or ""))
    return Listing(objects, folders, _next(root, space, "NextContinuationToken"))


def read_versions(body: bytes, /) -> VersionListing:
    """One page of ListObjectVersions, names decoded."""
    root, space = _result(body)
    decoded = _decoder(root, space)
    kinds = {f"{space}Version": False, f"{space}DeleteMarker": True}
    prefixes = f"{space}CommonPrefixes"
    versions: list[StoredVersion] = []
    folders: list[str] = []
    for element in root:
        if element.tag in kinds:
            versions.append(_version(element, space, decoded, deleted=kinds[element.tag]))
        elif element.tag == prefixes:
            folders.append(decoded(element.findtext(f"{space}Prefix") or ""))
    key = _next(root, space, "NextKeyMarker")
    version = root.findtext(f"{space}NextVersionIdMarker") or None
    return VersionListing(versions, folders, None if key is None else (decoded(key), version))


def read_uploads(body: bytes, /) -> UploadListing:
    """One page of ListMultipartUploads, names decoded."""
    root, space = _result(body)
    decoded = _decoder(root, space)
    uploads = [
        OpenUpload(
            decoded(element.findtext(f"{space}Key") or ""),
            element.findtext(f"{space}UploadId") or "",
            iso_moment(element.findtext(f"{space}Initiated")),
        )
        for element in root.findall(f"{space}Upload")
    ]
    key = _next(root, space, "NextKeyMarker")
    upload = root.findtext(f"{space}NextUploadIdMarker") or None
    return UploadListing(uploads, None if key is None else (decoded(key), upload))


def read_parts(body: bytes, /) -> PartListing:
    """One page of ListParts."""
    root, space = _result(body)
    parts = [
        StoredPart(
            _number(element.findtext(f"{space}PartNumber")) or 0,
            _etag(element.findtext(f"{space}ETag")) or "",
            _number(element.findtext(f"{space}Size")),
            iso_moment(element.findtext(f"{space}LastModified")),
        )
        for element in root.findall(f"{space}Part")
    ]
    return PartListing(parts, _number(_next(root, space, "NextPartNumberMarker")))


def read_deleted(body: bytes, /) -> Deleted:
    """What DeleteObjects did, key by key."""
    root, space = _result(body)
    keys = [element.findtext(f"{space}Key") or "" for element in root.findall(f"{space}Deleted")]
    failed = [
        Removal(
            element.findtext(f"{space}Key") or "",
            element.findtext(f"{space}Code") or "",
            element.findtext(f"{space}Message") or "",
            element.findtext(f"{space}VersionId") or None,
        )
        for element in root.findall(f"{space}Error")
    ]
    return Deleted(keys, failed)


def read_copied(body: bytes, /) -> Copied:
    """What CopyObject or UploadPartCopy made."""
    root, space = _result(body)
    return Copied(
        _etag(root.findtext(f"{space}ETag")),
        iso_moment(root.findtext(f"{space}LastModified")),
        _checksums(root, space),
    )


def read_started(body: bytes, /) -> str:
    """The id of the upload that CreateMultipartUpload began."""
    root, space = _result(body, "Result", "InitiateMultipartUpload")
    upload = root.findtext(f"{space}UploadId")
    if not upload:
        raise Corrupted("the service began a multipart upload and gave it no id")
    return upload


def read_completed(body: bytes, /) -> Completed:
    """What CompleteMultipartUpload made."""
    root, space = _result(body)
    return Completed(_etag(root.findtext(f"{space}ETag")), _checksums(root, space))


def read_tags(body: bytes, /) -> dict[str, str]:
    """The tags of an object."""
    root, space = _result(body, "Tagging")
    return {
        tag.findtext(f"{space}Key") or "": tag.findtext(f"{space}Value") or ""
        for tag in root.iter(f"{space}Tag")
    }


def read_grants(body: bytes, /) -> list[GrantedTo]:
    """Who an object's access list allows what."""
    root, space = _result(body, "AccessControlPolicy")
    grants: list[GrantedTo] = []
    for grant in root.iter(f"{space}Grant"):
        uri, account = (grant.findtext(f"{space}Grantee/{space}{name}") for name in ("URI", "ID"))
        grants.append(GrantedTo(uri or account or "", grant.findtext(f"{space}Permission") or ""))
    return grants


def read_error(body: bytes, /) -> Failure:
    """What an error reply says, whatever it is: not every error is XML, or S3's."""
    try:
        root = parsed(body)
    except Corrupted:
        return Failure()
    return _failure(root) if local(root) == "Error" else Failure()


def _failure(root: Element) -> Failure:
    said = {local(child): child.text or "" for child in root}
    told = {name: said.pop(name, "") for name in ("Code", "Message", "RequestId")}
    return Failure(told["Code"], told["Message"], told["RequestId"] or None, said)


def _result(body: bytes, *endings: str) -> tuple[Element, str]:
    """The root of a reply and the namespace before its names: `{http://...}` or nothing."""
    root = parsed(body)
    name = local(root)
    if name == "Error":
        raise ErrorReply(_failure(root))
    # moto answers `ListPartsResponse`, rclone `InitiateMultipartUpload`.
    if not name.endswith(endings or ("Result", "Response")):
        raise Corrupted(f"the service answered <{name[:40]}>; is the endpoint an S3 service?")
    return root, root.tag[: -len(name)]


def _usual_entries(body: bytes) -> tuple[list[tuple[str, ...]], bytes]:
    """The texts of the objects written as S3 writes them, and the document without those.

    They are nearly all of a page, and a parser that knows no more takes three times as long and
    leaves six objects each for the garbage collector.
    """
    start = body.find(b"<Contents>")
    head = body[: max(start, 0)]
    opened = head.count(b"<") - 2 * head.count(b"</") - head.count(b"/>") - head.count(b"<?")
    if opened != 1 or b"<!" in head:
        return [], body
    try:
        text = body[start:].decode()
    except UnicodeDecodeError:
        return [], body
    found: list[tuple[str, ...]] = []
    at, entry = 0, _ENTRY.match
    while (match := entry(text, at)) is not None:
        found.append(match.groups())
        at = match.end()
    return found, head + text[at:].encode()


def _listed(element: Element, space: str, decoded: Callable[[str], str]) -> Listed:
    text = {child.tag.removeprefix(space): child.text for child in element}.get
    return Listed(
        decoded(text("Key") or ""),
        _number(text("Size")),
        iso_moment(text("LastModified")),
        _etag(text("ETag")),
        text("StorageClass"),
    )


def _decoder(root: Element, space: str) -> Callable[[str], str]:
    """How names are read: the service says whether it encoded them as it was asked to."""
    return _unquoted if root.findtext(f"{space}EncodingType") == "url" else str


def _unquoted(name: str) -> str:
    if "%" in name or "+" in name:
        return unquote_to_bytes(name.replace("+", " ")).decode(errors="surrogateescape")
    return name


def _version(
    element: Element, space: str, decoded: Callable[[str], str], *, deleted: bool
) -> StoredVersion:
    text = {child.tag.removeprefix(space): child.text for child in element}.get
    return StoredVersion(
        decoded(text("Key") or ""),
        text("VersionId") or "",
        text("IsLatest") == "true",
        deleted,
        _number(text("Size")),
        iso_moment(text("LastModified")),
        _etag(text("ETag")),
        text("StorageClass"),
    )


def _next(root: Element, space: str, name: str) -> str | None:
    if root.findtext(f"{space}IsTruncated") != "true":
        return None
    marker = root.findtext(f"{space}{name}")
    if not marker:
        raise Corrupted(f"the service cut its listing short and left out {name}")
    return marker


def _checksums(root: Element, space: str) -> dict[str, str]:
    start = f"{space}Checksum"
    return {
        child.tag.removeprefix(start): child.text
        for child in root
        if child.text and child.tag.startswith(start) and child.tag != f"{start}Type"
    }


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _etag(text: str | None) -> str | None:
    """As the `ETag` header has it: some services leave the quotes out of their XML."""
    if not text or text[0] == '"' or text.startswith("W/"):
        return text or None
    return f'"{text}"'
