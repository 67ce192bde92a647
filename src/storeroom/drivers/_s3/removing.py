"""Removals: one, a thousand at once, all under a folder, and what crashes left."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from hashlib import md5

from storeroom.contracts.errors import StorageError
from storeroom.drivers._http.listing import keys_under
from storeroom.drivers._http.many import each_alone
from storeroom.drivers._http.wire import Failure, Refused, Request
from storeroom.drivers._s3.bodies import delete_body, is_writable
from storeroom.drivers._s3.failures import FAILURES
from storeroom.drivers._s3.listing import page_of
from storeroom.drivers._s3.replies import Removal, UploadListing
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.uploading import abort
from storeroom.drivers._s3.xml import read_deleted, read_uploads

__all__ = ["remove", "remove_many", "remove_under", "sweep"]


async def remove(
    service: Service,
    path: str,
    headers: Mapping[str, str],
    query: tuple[tuple[str, str], ...] = (),
    /,
) -> None:
    """Remove one key, or one version of it; a missing one is no error."""
    request = Request("DeleteObject", "DELETE", path, query, dict(headers))
    try:
        await service.commit(request)
    except Refused as refused:
        if refused.status != 404 or refused.code == "NoSuchBucket":
            raise


async def remove_many(
    service: Service, keys: Sequence[str], bulk: int, /
) -> dict[str, StorageError | None]:
    """What became of each key."""
    together = [key for key in keys if bulk and is_writable(key)]
    answers: dict[str, StorageError | None] = {}
    for start in range(0, len(together), bulk or 1):
        answers.update(await _removed(service, together[start : start + bulk]))
    alone = [key for key in keys if key not in answers]
    answers.update(await each_alone(alone, lambda key: remove(service, key, {}), FAILURES.kind_of))
    return answers


async def remove_under(service: Service, folder: str, bulk: int, /) -> bool:
    """Remove every key under a folder, and its placeholder: whether there was any."""
    found = False
    async with aclosing(keys_under(partial(page_of, service), folder)) as pages:
        async for keys in pages:
            found = found or bool(keys)
            for error in (await remove_many(service, keys, bulk)).values():
                if error is not None:
                    raise error
    return found


async def sweep(service: Service, before: datetime, /) -> int:
    """Throw away the parts of uploads that were begun before a moment: how many."""
    swept = 0
    marker: tuple[str, str | None] | None = None
    while True:
        page = await _open_uploads(service, marker)
        for found in page.uploads:
            if found.started is not None and found.started < before:
                await abort(service, found.key, found.upload)
                swept += 1
        marker = page.marker
        if marker is None:
            return swept


async def _open_uploads(service: Service, marker: tuple[str, str | None] | None) -> UploadListing:
    query = [("uploads", ""), ("encoding-type", "url")]
    if marker is not None:
        query.append(("key-marker", marker[0]))
        query.append(("upload-id-marker", marker[1] or ""))
    try:
        body = await service.ask(Request("ListMultipartUploads", "GET", None, tuple(query)))
    except Refused as refused:
        if refused.code != "NoSuchUpload":  # rclone says so where there are none
            raise
        return UploadListing([], None)
    return read_uploads(body)


async def _removed(service: Service, keys: Sequence[str]) -> dict[str, StorageError | None]:
    content = delete_body(keys, quiet=True)
    digest = b64encode(md5(content, usedforsecurity=False).digest()).decode()
    headers = {"content-md5": digest, "content-type": "application/xml"}
    _, body = await service.commit(
        Request("DeleteObjects", "POST", None, (("delete", ""),), headers, content)
    )
    answers: dict[str, StorageError | None] = dict.fromkeys(keys)
    for removal in read_deleted(body).failed:
        if removal.code not in ("NoSuchKey", "NoSuchVersion"):
            answers[removal.key] = _error(removal)
    return answers


def _error(removal: Removal) -> StorageError | None:
    error = FAILURES.kind_of(Refused(400, Failure(removal.code, removal.message), {}))
    if error is not None:
        error.located(operation="remove_many", path=removal.key)
    return error
