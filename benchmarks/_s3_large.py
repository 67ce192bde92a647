"""256 MiB up and down: everyone's own way with a stream."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from _harness import Lap
from _s3_contenders import (
    KEYS,
    OBSTORE,
    OURS,
    RAW,
    SHARED,
    driver,
    obstore_store,
    opendal_operator,
)
from _s3_plan import Plan
from _s3_race import Pace, paced
from _s3_raw import Raw
from _s3_servers import BUCKET, Endpoint

MIB = 1 << 20
BIG = "big.bin"
_BLOCK = bytes(range(256)) * (MIB // 256)

Work = Callable[[], Awaitable[object]]


async def large(plan: Plan, place: Endpoint, /) -> dict[str, list[Pace]]:
    """The paces of an upload and a download of one large object; a call is one MiB of it."""
    cells: dict[str, list[Pace]] = {}
    async with AsyncExitStack() as stack:
        if plan.wants("upload"):
            works = await _made(UPLOADS, plan, place, stack)
            cells[f"upload {place.name}"] = await _raced(plan, place, "upload", works)
        if plan.wants("download"):
            await _uploaded(place, plan.mebibytes)
            works = await _made(DOWNLOADS, plan, place, stack)
            cells[f"download {place.name}"] = await _raced(plan, place, "download", works)
    return cells


async def chunks(mebibytes: int) -> AsyncIterator[bytes]:
    """So many MiB, one at a time; a stream of unknown length."""
    for _ in range(mebibytes):
        yield _BLOCK


class Blocks:
    """The same as a file to read from, for who cannot take a stream."""

    def __init__(self, mebibytes: int) -> None:
        self._left = mebibytes * MIB

    def read(self, count: int = -1) -> bytes:
        size = min(self._left, count if count >= 0 else self._left)
        self._left -= size
        return (_BLOCK * (size // MIB + 1))[:size]


class Counted:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, data: bytes) -> int:
        self.count += len(data)
        return len(data)

    def seek(self, offset: int) -> int:
        return offset


Making = Callable[[Endpoint, AsyncExitStack, int], Awaitable[Work]]


async def _our_upload(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    disk = await stack.enter_async_context(driver(place))
    return lambda: disk.put(BIG, chunks(size))


async def _our_summed_upload(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    disk = await stack.enter_async_context(driver(place, "crc32"))
    return lambda: disk.put(BIG, chunks(size))


async def _raw_upload(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    client = await stack.enter_async_context(Raw(place))
    return lambda: client.upload(BIG, chunks(size), size * MIB)


async def _boto_upload(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    client = await _boto(place, stack)
    return lambda: client.upload_fileobj(Blocks(size), BUCKET, BIG)


async def _obstore_upload(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    import obstore

    store = obstore_store(place)
    return lambda: obstore.put_async(store, BIG, chunks(size))


async def _opendal_upload(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    operator = opendal_operator(place)

    async def upload() -> None:
        async with await operator.open(BIG, "wb", chunk=8 * MIB, concurrent=4) as file:
            async for chunk in chunks(size):
                await file.write(chunk)

    return upload


async def _our_download(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    disk = await stack.enter_async_context(driver(place))

    async def download() -> int:
        count = 0
        async for chunk in disk.read_stream(BIG):
            count += len(chunk)
        return count

    return download


async def _raw_download(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    client = await stack.enter_async_context(Raw(place))
    return lambda: client.download(BIG)


async def _boto_download(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    client = await _boto(place, stack)

    async def download() -> int:
        target = Counted()
        await client.download_fileobj(BUCKET, BIG, target)
        return target.count

    return download


async def _boto_stream(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    client = await _boto(place, stack)

    async def download() -> int:
        count = 0
        answer = await client.get_object(Bucket=BUCKET, Key=BIG)
        async for chunk in answer["Body"].iter_chunks(MIB):
            count += len(chunk)
        return count

    return download


async def _obstore_download(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    import obstore

    store = obstore_store(place)

    async def download() -> int:
        count = 0
        async for chunk in (await obstore.get_async(store, BIG)).stream(min_chunk_size=MIB):
            count += len(chunk)
        return count

    return download


async def _opendal_download(place: Endpoint, stack: AsyncExitStack, size: int) -> Work:
    operator = opendal_operator(place)

    async def download() -> int:
        count = 0
        async with await operator.open(BIG, "rb") as file:
            while chunk := await file.read(MIB):
                count += len(chunk)
        return count

    return download


UPLOADS: dict[str, Making] = {
    OURS: _our_upload,
    f"{OURS}, crc32": _our_summed_upload,
    RAW: _raw_upload,
    SHARED: _boto_upload,
    OBSTORE: _obstore_upload,
    "opendal": _opendal_upload,
}
DOWNLOADS: dict[str, Making] = {
    OURS: _our_download,
    RAW: _raw_download,
    SHARED: _boto_download,
    f"{SHARED}, one stream": _boto_stream,
    OBSTORE: _obstore_download,
    "opendal": _opendal_download,
}


async def _boto(place: Endpoint, stack: AsyncExitStack) -> Any:
    import aioboto3

    made = aioboto3.Session().client("s3", endpoint_url=place.url, **KEYS)
    return await stack.enter_async_context(made)


async def _made(
    makings: dict[str, Making], plan: Plan, place: Endpoint, stack: AsyncExitStack
) -> dict[str, Work]:
    works: dict[str, Work] = {}
    for name, make in makings.items():
        try:
            works[name] = await make(place, stack, plan.mebibytes)
        except ImportError:
            continue
    return works


async def _uploaded(place: Endpoint, mebibytes: int) -> None:
    async with Raw(place) as client:
        await client.upload(BIG, chunks(mebibytes), mebibytes * MIB)


async def _raced(plan: Plan, place: Endpoint, kind: str, works: dict[str, Work]) -> list[Pace]:
    for name, work in works.items():
        count = await work()
        if kind == "download" and count != plan.mebibytes * MIB:
            raise AssertionError(f"{name} read {count} of {plan.mebibytes * MIB} bytes")
    laps = {name: Lap(work, plan.mebibytes) for name, work in works.items()}
    paces = await paced(laps, rounds=plan.large_rounds)
    plan.show(f"{kind} {plan.mebibytes} MiB, {place.name}, us per MiB", paces)
    return paces
