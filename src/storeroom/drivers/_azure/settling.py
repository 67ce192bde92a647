"""What a failed condition means after a try whose reply was lost: that try may have been the one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, NoReturn

from storeroom.drivers._azure.failures import EXISTS
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._http.dates import moment
from storeroom.drivers._http.failures import unknown_outcome
from storeroom.drivers._http.wire import Lost, Refused, Request

__all__ = ["Doubtful", "commit", "is_in_doubt", "is_unsettled", "settle"]

_SECOND = timedelta(seconds=1)
_CONDITIONS: Final = frozenset(("if-match", "if-none-match"))


class Doubtful(Refused):
    """Refused as a second time is: an earlier try, whose reply was lost, may have done it."""


async def commit(
    service: AzureService,
    request: Request,
    /,
    *,
    undo: Callable[[Mapping[str, str], bytes], Awaitable[None]] | None = None,
) -> tuple[Mapping[str, str], bytes]:
    """`HttpService.commit`, whose failed conditions are true ones; one that is lost is not to be repeated."""
    began = asyncio.get_running_loop().time()
    try:
        return await service.commit(request, undo=undo)
    except Lost as lost:
        if is_in_doubt(request, lost):
            raise unknown_outcome(request.key or "") from lost
        raise
    except Refused as refused:
        if is_unsettled(request, refused):
            await settle(service, request, refused, began)
        if request.uncertain:
            raise Doubtful(refused.status, refused.failure, refused.headers) from refused
        raise


def is_unsettled(request: Request, refused: Refused, /) -> bool:
    """Whether an earlier try may be why the condition fails now."""
    failed = refused.code in EXISTS or refused.status == 412
    return request.uncertain and failed and not refused.code.startswith("Lease")


def is_in_doubt(request: Request, error: Refused | Lost, /) -> bool:
    """Whether it may have been done though the last try failed too, so that its condition fails from now on."""
    failed = isinstance(error, Lost) or error.status >= 500
    return request.uncertain and failed and not _CONDITIONS.isdisjoint(request.headers)


async def settle(
    service: AzureService, request: Request, error: Refused | Lost, began: float, /
) -> NoReturn:
    """The error, where the file is older than the first try; else nobody can tell."""
    path = request.key or ""
    try:
        headers, _ = await service.answer(Request("head", "HEAD", path))
    except (Refused, Lost):
        raise unknown_outcome(path) from error
    now, modified = moment(headers.get("date")), moment(headers.get("last-modified"))
    ago = timedelta(seconds=asyncio.get_running_loop().time() - began)
    if now is not None and modified is not None and modified < now - ago - _SECOND:
        raise error
    raise unknown_outcome(path) from error
