"""Removals: one, a hundred at once, all under a folder."""

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from storeroom.contracts.errors import StorageError
from storeroom.drivers._gcs import batch
from storeroom.drivers._gcs.bucket import Bucket
from storeroom.drivers._gcs.conditions import Query
from storeroom.drivers._gcs.failures import FAILURES, NO_BUCKET, RETRIED
from storeroom.drivers._gcs.listing import page_of
from storeroom.drivers._http.listing import keys_under
from storeroom.drivers._http.wire import Refused, Request

__all__ = ["remove", "remove_many", "remove_under"]

_AT_ONCE: Final = 100
_PASSING: Final = frozenset((408, 429, 500, 502, 503, 504))


async def remove(bucket: Bucket, path: str, query: Query = (), /) -> bool | None:
    """Remove one key: whether it was there, None where an earlier try may have removed it."""
    request = Request("delete", "DELETE", path, query)
    try:
        await bucket.service.commit(request)
    except Refused as refused:
        if refused.status != 404:
            await _check_removed(bucket, request, refused)
            return None
        await bucket.check_there(refused)
        if refused.code == NO_BUCKET:
            raise
        return None if request.uncertain else False
    return True


async def remove_many(
    bucket: Bucket, keys: Sequence[str], /
) -> dict[str, bool | StorageError | None]:
    """What became of each key."""
    answers: dict[str, bool | StorageError | None] = {}
    for start in range(0, len(keys), _AT_ONCE):
        answers.update(await _removed(bucket, keys[start : start + _AT_ONCE]))
    return answers


async def remove_under(bucket: Bucket, folder: str, /) -> bool:
    """Remove every key under a folder, and its placeholder: whether there was any."""
    found = False
    async with aclosing(keys_under(partial(page_of, bucket.service), folder)) as pages:
        async for keys in pages:
            found = found or bool(keys)
            for error in (await remove_many(bucket, keys)).values():
                if isinstance(error, StorageError):
                    raise error
    return found


async def _check_removed(bucket: Bucket, request: Request, refused: Refused) -> None:
    """A condition that fails at a further try may fail because the earlier one removed the file."""
    if refused.status != 412 or not request.uncertain:
        raise refused
    try:
        await bucket.resource(request.key or "")
    except Refused as found:
        if found.status == 404 and found.code != NO_BUCKET:
            return
        raise
    raise refused


async def _removed(bucket: Bucket, keys: Sequence[str]) -> dict[str, bool | StorageError | None]:
    """Of up to a hundred keys; those whose removal fails in passing are tried again."""
    answers: dict[str, bool | StorageError | None] = {}
    left, tried, attempt = list(keys), False, 0
    while left:
        attempt += 1
        passing: dict[str, Refused] = {}
        found, uncertain = await batch.removed(bucket.service, left)
        for key, refused in found.items():
            if refused is not None and _is_passing(refused):
                passing[key] = refused
            else:
                answers[key] = _answer(key, refused, sure=not (uncertain or tried))
        left, tried = list(passing), True
        if left:
            try:
                await bucket.service.anew(passing[left[0]], attempt)
            except Refused:
                return answers | {key: _error(key, refused) for key, refused in passing.items()}
    return answers


def _is_passing(refused: Refused) -> bool:
    return refused.status in _PASSING or refused.code in RETRIED


def _answer(key: str, refused: Refused | None, *, sure: bool) -> bool | StorageError | None:
    if refused is None:
        return True
    if refused.status == 404 and refused.code != NO_BUCKET:
        return False if sure else None
    return _error(key, refused)


def _error(key: str, refused: Refused) -> StorageError | None:
    error = FAILURES.kind_of(refused)
    if error is not None:
        error.located(operation="remove_many", path=key)
    return error
