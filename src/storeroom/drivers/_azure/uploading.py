"""Bytes going in: one request, or blocks side by side that become the file in one step."""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import md5
from typing import Final, Literal

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable
from storeroom.drivers._azure.blocks import MOST_BLOCKS, Blocks, Overtaken, fed, md5_header
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.settling import commit
from storeroom.drivers._http.parts import parts_of, rejoined, send_all
from storeroom.drivers._http.wire import Content, Refused, Request, size_of

__all__ = ["Checksum", "Rules", "put", "stored"]

Checksum = Literal["md5", "none"] | None

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Rules:
    """How one driver uploads; MD5 guards what goes at once, or blocks and the whole too, or nothing."""

    part_size: int
    threshold: int
    concurrency: int
    checksum: Checksum = None

    @property
    def sums_blocks(self) -> bool:
        """Whether what goes up in blocks has MD5s."""
        return self.checksum == "md5"

    def size_of_parts(self, size: int | None, /) -> int:
        """Uniform parts, so large that those of a known size are not too many."""
        least = -(-(size or 0) // MOST_BLOCKS)
        return max(self.part_size, -(-least // _MIB) * _MIB)


async def stored(
    service: AzureService,
    path: str,
    body: Body,
    headers: Mapping[str, str],
    conditions: Mapping[str, str],
    rules: Rules,
    /,
) -> tuple[Mapping[str, str], int]:
    """Store the body: the headers of the reply, and how many bytes there were."""
    if body.size is not None and body.size <= rules.threshold:
        content = await body.content()
        return await put(service, path, content, headers, conditions, rules), len(content)
    attempt = 0
    while True:
        attempt += 1
        try:
            return await _stored(service, path, body, headers, conditions, rules)
        except Overtaken as overtaken:
            if not body.replayable:
                raise _overtaken(path) from overtaken
            await service.anew(overtaken, attempt)
        except Refused as refused:
            if refused.code != "InvalidBlobType" or body.whole is None:
                raise
            return await put(service, path, body.whole, headers, conditions, rules), len(body.whole)


async def put(
    service: AzureService,
    path: str,
    content: Content,
    headers: Mapping[str, str],
    conditions: Mapping[str, str],
    rules: Rules,
    /,
) -> Mapping[str, str]:
    """Store it in one request; the service checks the MD5, and keeps it."""
    said = {"x-ms-blob-type": "BlockBlob", **headers, **conditions}
    if rules.checksum != "none":
        said["content-md5"] = await md5_header(content)
    return (await commit(service, Request("put", "PUT", path, (), said, content)))[0]


async def _stored(
    service: AzureService,
    path: str,
    body: Body,
    headers: Mapping[str, str],
    conditions: Mapping[str, str],
    rules: Rules,
) -> tuple[Mapping[str, str], int]:
    """Store it in blocks, unless one of them turns out to be all."""
    size = rules.size_of_parts(body.size)
    async with aclosing(parts_of(body, size)) as parts:
        first = await anext(parts, b"")
        second = await anext(parts, None) if size_of(first) == size else None
        if second is None:
            return await put(service, path, first, headers, conditions, rules), size_of(first)
        held = [second, first]
        del first, second  # or they would stay in memory until the end
        return await _in_blocks(service, path, rejoined(held, parts), headers, conditions, rules)


async def _in_blocks(
    service: AzureService,
    path: str,
    parts: AsyncIterator[Content],
    headers: Mapping[str, str],
    conditions: Mapping[str, str],
    rules: Rules,
) -> tuple[Mapping[str, str], int]:
    summed = rules.sums_blocks
    blocks, whole = Blocks(service, path, summed=summed), md5(usedforsecurity=False)

    async def hashed() -> AsyncGenerator[Content]:
        async for part in parts:
            if summed:
                await threads.run(fed, whole, part)
            yield part

    async with aclosing(hashed()) as checked:
        size = await send_all(
            checked, blocks.stage, concurrency=rules.concurrency, most=MOST_BLOCKS
        )
    if summed:  # the service keeps it for readers, and does not compare it: each block has its own
        headers = {**headers, "x-ms-blob-content-md5": b64encode(whole.digest()).decode()}
    return await blocks.commit(blocks.ids, headers, conditions), size


def _overtaken(path: str) -> Unavailable:
    return Unavailable(
        "something else was stored at the same path meanwhile, which threw the blocks of this upload "
        "away; store it again",
        path=path,
    )
