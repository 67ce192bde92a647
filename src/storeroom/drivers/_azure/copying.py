"""Copies that the service makes by itself, and those from another account.

Inside an account they are done at once. From another one, and out of the archive, they take their time,
and while they do the target is empty: such a copy goes to a hidden name first.
https://learn.microsoft.com/rest/api/storageservices/copy-blob
"""

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Final

from storeroom.contracts.errors import Unavailable, Unsupported
from storeroom.contracts.values import PLAIN, Stat, WriteOptions
from storeroom.drivers._azure.client import Client
from storeroom.drivers._azure.container import Container
from storeroom.drivers._azure.headers import conditions_of, describing, explicit_tier
from storeroom.drivers._azure.keeping import HEADERS, carried_tags, dress
from storeroom.drivers._azure.listing import HIDDEN
from storeroom.drivers._azure.removing import remove
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.settling import commit
from storeroom.drivers._http.canonical import encoded_path
from storeroom.drivers._http.failures import unknown_outcome
from storeroom.drivers._http.reading import looked_at
from storeroom.drivers._http.wire import Refused, Request

__all__ = ["copied"]

_ARCHIVE: Final = "Archive"
_FIRST: Final = 0.2
_SLOWEST: Final = 5.0
_log = logging.getLogger("storeroom")


async def copied(
    source: tuple[Container, Client],
    path: str,
    address: str,
    target: tuple[Container, Client],
    to: str,
    how: WriteOptions,
    version: str | None = None,
    /,
) -> tuple[Stat, Stat]:
    """Copy at the service: the facts of the copy, and those of its source.

    `address` is where the target's service finds the source, and what lets it in there.
    """
    (origin, asking), (container, client) = source, target
    describing(how)  # refuses before anything is done what cannot be kept
    headers = await looked_at(origin.reading, path, version)
    stat = origin.stat_in(path, headers)
    if stat.tier == _ARCHIVE and how.tier is None:
        raise Unsupported(
            "the file is in the archive tier; make it readable first: rehydrate(path)"
        )
    options = WriteOptions(
        metadata=how.metadata,
        tags=how.tags if how.tags is not None else await carried_tags(asking, path, headers),
        tier=how.tier or _tier(container, headers),
    )
    said = {**describing(options), **conditions_of(how)}
    pinned = {} if stat.etag is None else {"x-ms-source-if-match": stat.etag}
    copying = _Copying(container.service)
    thaws = stat.tier == _ARCHIVE and how.tier != _ARCHIVE
    if origin.service.target.account == container.service.target.account and not thaws:
        etag = await copying.run(address, to, {**said, **pinned})
    else:
        first = {**pinned, **describing(WriteOptions(tier=how.tier if thaws else None))}
        etag = await copying.by_a_hidden_name(address, to, first, said)
    if etag is not None:  # else something else is there by now, which is not ours to dress
        done = replace(stat, etag=etag)
        etag = await _dressed(client, to, how, done, headers.get("content-md5"))
    return Stat(to, stat.size, etag=etag), stat


class _Copying:
    """Copies into one container."""

    def __init__(self, service: AzureService) -> None:
        self._service = service

    async def by_a_hidden_name(
        self, address: str, to: str, first: Mapping[str, str], said: Mapping[str, str]
    ) -> str | None:
        """Copy what takes its time, and then to its place in one step: the new etag."""
        place, access = self._service.target.place, self._service.access
        hidden = f"{HIDDEN}{secrets.token_hex(16)}"
        try:
            await self.run(address, hidden, first)
            near = place.origin + access.address(encoded_path(place.path(hidden)), "")
            return await self.run(near, to, said)
        finally:
            await self._cleared(remove(self._service, hidden), hidden)

    async def run(self, address: str, to: str, said: Mapping[str, str]) -> str | None:
        """Copy, and wait until it is done: the new etag."""
        headers = {**said, "x-ms-copy-source": address}
        request = Request("copy", "PUT", to, (), headers)

        async def undo(reply: Mapping[str, str], _: bytes) -> None:
            if reply.get("x-ms-copy-status") == "pending":
                await self._given_up(to, reply.get("x-ms-copy-id", ""))

        try:
            reply, _ = await commit(self._service, request, undo=undo)
        except Refused as refused:
            if refused.code == "PendingCopyOperation" and request.uncertain:
                raise unknown_outcome(to) from refused
            raise
        if reply.get("x-ms-copy-status") != "pending":
            return reply.get("etag")
        return await self._awaited(to, reply.get("x-ms-copy-id", ""))

    async def _awaited(self, to: str, copy: str) -> str | None:
        """Ask how far it is, less and less often."""
        pause = _FIRST
        try:
            while True:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _SLOWEST)
                reply, _ = await self._service.answer(Request("head", "HEAD", to))
                if reply.get("x-ms-copy-id") != copy:
                    return None  # something else was stored there since
                if reply.get("x-ms-copy-status") == "success":
                    return reply.get("etag")
                if reply.get("x-ms-copy-status") != "pending":
                    raise Unavailable(
                        "the service gave up copying the file; copy it again", path=to
                    )
        except BaseException:
            await self._cleared(self._given_up(to, copy), to)
            raise

    async def _given_up(self, to: str, copy: str) -> None:
        """End the copy, and remove the empty blob that it leaves."""
        query = (("comp", "copy"), ("copyid", copy))
        try:
            await self._service.ask(
                Request("abort copy", "PUT", to, query, {"x-ms-copy-action": "abort"})
            )
        except Refused as refused:
            if refused.code != "NoPendingCopyOperation":
                raise
        reply, _ = await self._service.answer(Request("head", "HEAD", to))
        if reply.get("x-ms-copy-id") == copy and reply.get("x-ms-copy-status") != "success":
            await remove(self._service, to, {"if-match": reply.get("etag", "*")})

    async def _cleared(self, work: Coroutine[Any, Any, object], path: str) -> None:
        """Leave nothing behind, also when cancelled."""
        clearing = asyncio.create_task(work)
        await self._service.ended(clearing)
        if clearing.cancelled() or clearing.exception() is not None:
            _log.warning("a copy that was given up is left behind at %r", path)


async def _dressed(
    client: Client, to: str, how: WriteOptions, done: Stat, md5: str | None
) -> str | None:
    """Set what a copy cannot be told: its etag; None where something else is there by now."""
    changes = replace(PLAIN, **{name: getattr(how, name) for name in HEADERS})
    if how.metadata is not None and not how.metadata:
        changes = replace(changes, metadata={})
    try:
        return await dress(client, to, changes, done, md5)
    except Refused as refused:
        if refused.status != 412:
            raise
        return None


def _tier(container: Container, headers: Mapping[str, str]) -> str | None:
    """The tier of every write, or that of the source, where it is not just the account's."""
    if headers.get("x-ms-blob-type") != "BlockBlob":
        return None
    return container.tier or explicit_tier(headers)
