"""What a bucket keeps beside the bytes: access, tags, versions, parts, copies of archived files."""

from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from hashlib import md5
from typing import Final

from storeroom.contracts.errors import InvalidArgument
from storeroom.contracts.values import Version, Visible
from storeroom.drivers._http.wire import Failure, Refused, Request
from storeroom.drivers._s3.bodies import restore_body, tagging_body
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.xml import read_grants, read_parts, read_versions
from storeroom.drivers._s3.xml import read_tags as tags_in

__all__ = [
    "change_tags",
    "change_visibility",
    "check_bucket",
    "list_parts",
    "read_tags",
    "read_visibility",
    "restore",
    "versions",
]

_EVERYBODY: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
_READING: Final = frozenset(("READ", "FULL_CONTROL"))


async def check_bucket(service: Service, /) -> None:
    """`Refused` as `NoSuchBucket` where the bucket is not there, for HEAD says no more than 404."""
    try:
        await service.ask(Request("HeadBucket", "HEAD"))
    except Refused as refused:
        if refused.status == 404:
            raise Refused(404, Failure("NoSuchBucket"), refused.headers) from refused


async def read_visibility(service: Service, path: str, /) -> Visible:
    """Whether everybody may read the file."""
    body = await service.ask(Request("GetObjectAcl", "GET", path, (("acl", ""),)))
    for grant in read_grants(body):
        if grant.grantee == _EVERYBODY and grant.permission in _READING:
            return "public"
    return "private"


async def change_visibility(service: Service, path: str, visibility: Visible, /) -> None:
    """Let everybody read the file, or only its owner."""
    acl = "public-read" if visibility == "public" else "private"
    await service.commit(Request("PutObjectAcl", "PUT", path, (("acl", ""),), {"x-amz-acl": acl}))


async def read_tags(service: Service, path: str, /) -> Mapping[str, str]:
    """All tags."""
    return tags_in(await service.ask(Request("GetObjectTagging", "GET", path, (("tagging", ""),))))


async def change_tags(service: Service, path: str, tags: Mapping[str, str], /) -> None:
    """Replace all tags."""
    if not tags:
        await read_tags(service, path)  # removing what a missing file has is no error on S3
        await service.commit(Request("DeleteObjectTagging", "DELETE", path, (("tagging", ""),)))
        return
    content = tagging_body(tags)
    await service.commit(
        Request("PutObjectTagging", "PUT", path, (("tagging", ""),), _xml(content), content)
    )


async def restore(service: Service, path: str, days: int, speed: str, /) -> None:
    """Have an archived file made readable."""
    if days < 1:
        raise InvalidArgument(f"days is at least 1, not {days}", path=path)
    content = restore_body(days, speed)
    await service.commit(
        Request("RestoreObject", "POST", path, (("restore", ""),), _xml(content), content)
    )


async def list_parts(service: Service, path: str, upload: str, /) -> dict[int, str]:
    """The parts of an upload, with their etags."""
    found: dict[int, str] = {}
    marker: int | None = None
    while True:
        query = [("uploadId", upload)]
        if marker is not None:
            query.append(("part-number-marker", str(marker)))
        page = read_parts(await service.ask(Request("ListParts", "GET", path, tuple(query))))
        found |= {part.number: part.etag for part in page.parts}
        marker = page.marker
        if marker is None:
            return found


async def versions(service: Service, path: str, /) -> AsyncGenerator[list[Version]]:
    """The kept versions of one file, newest first, page by page; marks of removals are none."""
    marker: tuple[str, str | None] | None = None
    while True:
        query = [("versions", ""), ("encoding-type", "url"), ("prefix", path)]
        if marker is not None:
            query.append(("key-marker", marker[0]))
            query.append(("version-id-marker", marker[1] or ""))
        body = await service.ask(Request("ListObjectVersions", "GET", None, tuple(query)))
        page = read_versions(body)
        yield [
            Version(path, one.version, one.size, one.modified, one.latest)
            for one in page.versions
            if one.key == path and not one.deleted
        ]
        marker = page.marker
        if marker is None or marker[0] > path:
            return


def _xml(content: bytes) -> dict[str, str]:
    digest = b64encode(md5(content, usedforsecurity=False).digest()).decode()
    return {"content-type": "application/xml", "content-md5": digest}
