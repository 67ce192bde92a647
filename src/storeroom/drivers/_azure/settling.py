"""What a failed condition means after a try whose reply was lost: that try may have been the one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import NoReturn

from storeroom.drivers._azure.failures import EXISTS
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._http.dates import moment
from storeroom.drivers._http.failures import unknown_outcome
from storeroom.drivers._http.wire import Lost, Refused, Request

__all__ = ["Doubtful", "commit", "is_unsettled", "settle"]

_SECOND = timedelta(seconds=1)


class Doubtful(Refused):
    """Refused as a second time is: an earlier try, whose reply was lost, may have done it."""


async def commit(
    service: AzureService,
    request: Request,
    /,
    *,
    undo: Callable[[Mapping[str, str], bytes], Awaitable[None]] | None = None,
) -> tuple[Mapping[str, str], bytes]:
    """`HttpService.commit`, whose failed conditions are true ones."""
    began = asyncio.get_running_loop().time()
    try:
        return await service.commit(request, undo=undo)
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


async def settle(
    service: AzureService, request: Request, refused: Refused, began: float, /
) -> NoReturn:
    """The refusal, where the file is older than the first try; else nobody can tell."""
    path = request.key or ""
    try:
        headers, _ = await service.answer(Request("head", "HEAD", path))
    except (Refused, Lost):
        raise unknown_outcome(path) from refused
    now, modified = moment(headers.get("date")), moment(headers.get("last-modified"))
    ago = timedelta(seconds=asyncio.get_running_loop().time() - began)
    if now is not None and modified is not None and modified < now - ago - _SECOND:
        raise refused
    raise unknown_outcome(path) from refused
