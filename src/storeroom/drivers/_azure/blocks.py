"""Blocks: staged one by one, seen by nobody, and made a blob by a list of them in one step.

What is staged and never listed is gone a week after the last block.
https://learn.microsoft.com/rest/api/storageservices/put-block
"""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import md5
from typing import TYPE_CHECKING, Final

from storeroom.contracts import threads
from storeroom.contracts.body import Piece
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.settling import is_in_doubt, is_unsettled, settle
from storeroom.drivers._azure.xml import block_list, read_blocks, read_names
from storeroom.drivers._http.failures import unknown_outcome
from storeroom.drivers._http.wire import Content, Lost, Refused, Request, size_of

if TYPE_CHECKING:
    from hashlib import _Hash as Hash  # pyright: ignore[reportPrivateUsage]

__all__ = ["MOST_BLOCKS", "Blocks", "Overtaken", "committed", "fed", "md5_header"]

MOST_BLOCKS: Final = 50_000
"""How many blocks a blob takes."""

_ON_THE_LOOP: Final = 256 << 10
_LOST: Final = "InvalidBlockList"
# As long as the names that Microsoft's own clients give, and still unlike any other's when shorter.
_LENGTH: Final = 48
_SHORTEST: Final = 16


class Overtaken(Refused):
    """Another write to the same path threw the blocks away: begin anew."""


class Blocks:
    """The blocks of one upload; no other upload to the same path has blocks of these names.

    With `summed` each block goes with its MD5, which the service checks.
    """

    def __init__(self, service: AzureService, path: str, *, summed: bool) -> None:
        self._service = service
        self._path = path
        self._summed = summed
        self._length = _LENGTH
        self._token = secrets.token_hex(32)
        self._count = 0
        self._naming = asyncio.Lock()

    @property
    def ids(self) -> list[str]:
        """The names of all blocks that were staged, in their order."""
        return [self._id(number) for number in range(1, self._count + 1)]

    async def stage(self, number: int, content: Content, /) -> None:
        """Send the block of this number, from 1."""
        self._count = max(self._count, number)
        headers = {"content-md5": await md5_header(content)} if self._summed else {}
        length = self._length
        try:
            await self._staged(number, content, headers)
        except Refused as refused:
            if refused.code != "InvalidBlobOrBlock" or not await self._renamed(length):
                raise
            await self._staged(number, content, headers)

    async def _staged(self, number: int, content: Content, headers: Mapping[str, str]) -> None:
        query = (("comp", "block"), ("blockid", self._id(number)))
        request = Request("block", "PUT", self._path, query, dict(headers), content)
        await self._service.ask(request)

    def _id(self, number: int) -> str:
        digits = f"{number:05}"
        return b64encode(f"{self._token[: self._length - len(digits)]}{digits}".encode()).decode()

    async def _renamed(self, length: int) -> bool:
        """Whether the names may be as long as those of others' blocks: all of a blob have one length."""
        async with self._naming:
            if self._length == length:
                query = (("comp", "blocklist"), ("blocklisttype", "all"))
                body = await self._service.ask(Request("get blocks", "GET", self._path, query))
                lengths = {len(name) // 4 * 3 - name.count("=") for name in read_names(body)}
                self._length = lengths.pop() if len(lengths) == 1 else length
            return self._length != length and self._length >= _SHORTEST

    async def commit(
        self, ids: Sequence[str], headers: Mapping[str, str], conditions: Mapping[str, str], /
    ) -> Mapping[str, str]:
        """Make these blocks the file: the headers of the reply; looks when it was lost."""
        said = {"content-type": "application/xml", **headers, **conditions}
        query = (("comp", "blocklist"),)
        request = Request("commit", "PUT", self._path, query, said, block_list(ids))
        began = asyncio.get_running_loop().time()
        try:
            return (await self._service.commit(request))[0]
        except Lost as lost:
            if is_in_doubt(request, lost):
                return await self._looked(ids, request, lost, began)
            raise
        except Refused as refused:
            if is_in_doubt(request, refused):
                return await self._looked(ids, request, refused, began)
            if is_unsettled(request, refused) or (request.uncertain and refused.code == _LOST):
                return await self._looked(ids, request, refused, began)
            if refused.code == _LOST:
                raise Overtaken(refused.status, refused.failure, refused.headers) from refused
            raise

    async def _looked(
        self, ids: Sequence[str], request: Request, error: Refused | Lost, began: float
    ) -> Mapping[str, str]:
        """Whether an earlier try, whose reply was lost, made the file of these very blocks."""
        try:
            headers, blocks = await committed(self._service, self._path)
        except (Refused, Lost):
            raise unknown_outcome(self._path) from error
        if [name for name, _ in blocks] != list(ids):
            await settle(self._service, request, error, began)
        return headers


async def committed(
    service: AzureService, path: str, /
) -> tuple[Mapping[str, str], list[tuple[str, int]]]:
    """Headers and blocks of a blob; one that was stored in one request has none."""
    query = (("comp", "blocklist"), ("blocklisttype", "committed"))
    headers, body = await service.answer(Request("get blocks", "GET", path, query))
    return headers, read_blocks(body)


async def md5_header(content: Content, /) -> str:
    """The MD5 of a body, as headers have it."""
    if size_of(content) <= _ON_THE_LOOP:
        return _md5(content)
    return await threads.run(_md5, content)


def fed(running: "Hash", content: Content, /) -> None:
    """Count a part in; for a worker thread."""
    for piece in _pieces(content):
        running.update(piece)


def _md5(content: Content) -> str:
    running = md5(usedforsecurity=False)
    fed(running, content)
    return b64encode(running.digest()).decode()


def _pieces(content: Content) -> Sequence[Piece]:
    return (content,) if isinstance(content, bytes) else content
