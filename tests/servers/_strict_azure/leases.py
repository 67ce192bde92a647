"""Leases of blobs: https://learn.microsoft.com/rest/api/storageservices/lease-blob"""

import math
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict_azure import conditions
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import Lease, Store

_FOR_EVER = -1


def check(call: Call, lease: Lease, now: datetime, /) -> None:
    """Refuse a writer without the id of the lease that there is, or with one that there is not."""
    said = call.header("x-ms-lease-id")
    if lease.is_locked(now):
        if said is None:
            raise Refused("LeaseIdMissing", "There is currently a lease on the blob.")
        if said.lower() != lease.id:
            raise Refused("LeaseIdMismatchWithBlobOperation")
        return
    if said is not None:
        code = "LeaseLost" if lease.id == said.lower() else "LeaseNotPresentWithBlobOperation"
        raise Refused(code, "There is currently no lease on the blob.")


def check_read(call: Call, lease: Lease, now: datetime, /) -> None:
    """A reader needs no id, but a wrong one is wrong."""
    if call.header("x-ms-lease-id") is not None:
        check(call, lease, now)


def lease(store: Store, call: Call, /) -> Reply:
    """Lease Blob: acquire, renew, change, release, break."""
    container = store.container(call.account, call.bucket)
    entry = container.entry(call.key)
    if entry.current is None:
        raise conditions.absent()
    conditions.check_write(call, entry.current)
    action = _ACTIONS.get((call.header("x-ms-lease-action") or "").lower())
    if action is None:
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-lease-action")
    status, more = action(call, entry.lease, store.now())
    headers = CIMultiDict({"ETag": entry.current.etag, **more})
    headers["Last-Modified"] = http_date(entry.current.modified)
    return Reply(status, headers=headers)


def _acquire(call: Call, lease: Lease, now: datetime) -> tuple[int, dict[str, str]]:
    proposed = (call.header("x-ms-proposed-lease-id") or str(uuid.uuid4())).lower()
    if lease.is_locked(now) and (lease.id != proposed or lease.broken):
        raise Refused("LeaseAlreadyPresent", "There is already a lease present.")
    asked = call.header("x-ms-lease-duration") or ""
    seconds = int(asked) if asked.lstrip("-").isdigit() else 0
    if seconds != _FOR_EVER and not 15 <= seconds <= 60:
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-lease-duration", HeaderValue=asked)
    lease.id, lease.seconds, lease.broken = proposed, seconds, None
    _begin(lease, now)
    return 201, {"x-ms-lease-id": lease.id}


def _renew(call: Call, lease: Lease, now: datetime) -> tuple[int, dict[str, str]]:
    _check_id(call, lease)
    if lease.broken:
        raise Refused("LeaseIdMismatchWithLeaseOperation", "The lease is broken.")
    _begin(lease, now)
    return 200, {"x-ms-lease-id": lease.id}


def _change(call: Call, lease: Lease, now: datetime) -> tuple[int, dict[str, str]]:
    _check_id(call, lease)
    proposed = call.header("x-ms-proposed-lease-id")
    if proposed is None:
        raise Refused("MissingRequiredHeader", HeaderName="x-ms-proposed-lease-id")
    lease.id = proposed.lower()
    return 200, {"x-ms-lease-id": lease.id}


def _release(call: Call, lease: Lease, now: datetime) -> tuple[int, dict[str, str]]:
    _check_id(call, lease)
    lease.id, lease.until, lease.broken = "", None, None
    return 200, {}


def _break(call: Call, lease: Lease, now: datetime) -> tuple[int, dict[str, str]]:
    if not lease.id:
        raise Refused("LeaseNotPresentWithLeaseOperation", "There is currently no lease.")
    left = 0.0
    if lease.is_locked(now) and lease.until:
        left = (lease.until - now).total_seconds()
    asked = call.header("x-ms-lease-break-period")
    if asked is not None:
        left = min(left, float(asked)) if lease.until else float(asked)
    lease.broken = now + timedelta(seconds=left)
    return 202, {"x-ms-lease-time": str(math.ceil(left))}


def _begin(lease: Lease, now: datetime) -> None:
    lease.until = None if lease.seconds == _FOR_EVER else now + timedelta(seconds=lease.seconds)


def _check_id(call: Call, lease: Lease) -> None:
    said = (call.header("x-ms-lease-id") or "").lower()
    if not lease.id:
        raise Refused("LeaseNotPresentWithLeaseOperation", "There is currently no lease.")
    if said != lease.id:
        raise Refused("LeaseIdMismatchWithLeaseOperation")


_ACTIONS: Final[dict[str, Callable[[Call, Lease, datetime], tuple[int, dict[str, str]]]]] = {
    "acquire": _acquire,
    "renew": _renew,
    "change": _change,
    "release": _release,
    "break": _break,
}
