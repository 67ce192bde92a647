"""Removals: one, 256 at once, and all under a folder."""

from collections.abc import Mapping, Sequence
from typing import Final

from storeroom.contracts.errors import StorageError
from storeroom.drivers._azure.batch import Part, batch_body, read_parts
from storeroom.drivers._azure.failures import RETRIED
from storeroom.drivers._azure.headers import is_folder
from storeroom.drivers._azure.listing import page_of
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.settling import commit
from storeroom.drivers._http.chunks import number
from storeroom.drivers._http.failures import Table
from storeroom.drivers._http.many import each_alone
from storeroom.drivers._http.wire import Failure, Refused, Request

__all__ = ["is_marked", "remove", "remove_many", "remove_under", "remove_version"]

_AT_ONCE: Final = 256
_ALL: Final = {"x-ms-delete-snapshots": "include"}


async def remove(
    service: AzureService, path: str, conditions: Mapping[str, str] | None = None, /
) -> bool | None:
    """Remove one blob: whether it was there, None where a try whose reply was lost may have done it."""
    request = Request("delete", "DELETE", path, (), {**_ALL, **(conditions or {})})
    try:
        await commit(service, request)
    except Refused as refused:
        if refused.code != "BlobNotFound":
            raise
        return None if request.uncertain else False
    return True


async def remove_version(service: AzureService, path: str, version: str, /) -> None:
    """Remove one version for good."""
    await commit(service, Request("delete", "DELETE", path, (("versionid", version),)))


async def remove_many(
    service: AzureService, keys: Sequence[str], table: Table, /
) -> dict[str, bool | StorageError | None]:
    """What became of each key."""
    answers: dict[str, bool | StorageError | None] = {}
    for start in range(0, len(keys), _AT_ONCE):
        answers.update(await _together(service, keys[start : start + _AT_ONCE], table))
    return answers


async def remove_under(service: AzureService, folder: str, table: Table, /) -> bool:
    """Remove every blob under a folder, and the marks of folders: whether there was any."""
    marks: list[str] = [folder] if await is_marked(service, folder) else []
    found = bool(marks)
    token: str | None = None
    while True:
        blobs, _, token = await page_of(service, f"{folder}/", token=token)
        inside = [blob for blob in blobs if blob.key.startswith(f"{folder}/")]
        marks += [blob.key for blob in inside if blob.is_folder]
        found = found or bool(inside)
        keys = [blob.key for blob in inside if not blob.is_folder]
        for error in (await remove_many(service, keys, table)).values():
            if isinstance(error, StorageError):
                raise error
        if token is None:
            break
    for mark in sorted(marks, reverse=True):  # where folders are real they have to be empty
        await remove(service, mark)
    return found


async def is_marked(service: AzureService, folder: str, /) -> bool:
    """Whether a blob of the folder's own name marks it."""
    try:
        headers, _ = await service.answer(Request("head", "HEAD", folder))
    except Refused as refused:
        if refused.status == 404 and refused.code != "ContainerNotFound":
            return False
        raise
    return is_folder(headers, number(headers.get("content-length")))


async def _together(
    service: AzureService, keys: Sequence[str], table: Table
) -> dict[str, bool | StorageError | None]:
    if len(keys) < 2:
        return await each_alone(keys, lambda key: remove(service, key), table)
    content_type, body = await batch_body(service, keys, _ALL)
    query = (("restype", "container"), ("comp", "batch"))
    headers = {"content-type": content_type}
    request = Request("batch", "POST", None, query, headers, body)
    reply, answer = await service.commit(request)
    parts = read_parts(reply.get("content-type", ""), answer)
    told = {key: parts.get(number) for number, key in enumerate(keys)}
    # Sent again, the body still had the old token and date in it.
    renewed = bool(request.mended)
    answers = {
        key: _answer(key, part, table, uncertain=request.uncertain)
        for key, part in told.items()
        if part is not None and not _passes(part, renewed=renewed)
    }

    async def again(key: str) -> bool | None:
        there = await remove(service, key)
        return there or (None if request.uncertain or _is_silent(told[key]) else there)

    left = [key for key in told if key not in answers]
    return {**answers, **await each_alone(left, again, table)}


def _passes(part: Part, *, renewed: bool) -> bool:
    """Whether the failure may be gone at the next try."""
    if part.status in (401, 403):
        return renewed
    return part.status >= 500 or part.code in RETRIED


def _is_silent(part: Part | None) -> bool:
    """Whether the file may have been removed, though nothing said so."""
    return part is None or part.status >= 500


def _answer(key: str, part: Part, table: Table, *, uncertain: bool) -> bool | StorageError | None:
    if part.status < 300:
        return True
    if part.code == "BlobNotFound":
        return None if uncertain else False
    refused = Refused(part.status, Failure(part.code, part.message), part.headers)
    error = table(refused)
    if error is None:
        raise refused
    error.located(operation="remove_many", path=key)
    return error
