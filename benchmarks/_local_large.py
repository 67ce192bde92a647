"""Large files: streams in and out in chunks, and copies."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiofiles
from _harness import Lap, Timing, raced, timed
from _local_plan import Place, Plan

from storeroom.drivers.local import LocalDriver

KIB = 1 << 10
MIB = 1 << 20

WRITES = {
    "storeroom": "atomic",
    "storeroom, size told": "atomic",
    "synchronous loop": "in place",
    "asyncio.to_thread": "in place",
    "aiofiles": "in place",
    "obstore": "atomic",
    "opendal": "in place",
    "litestar-storages": "in place",
    "shutil.copyfile": "in place",
    "fsspec in threads": "in place",
}

Works = dict[str, Callable[[], Awaitable[object]]]


async def large(plan: Plan, place: Place, /) -> dict[str, list[Timing]]:
    """The timings of reading, writing and copying one large file; a call is one MiB of it."""
    root = os.path.join(place.folder, "large")
    os.makedirs(root, exist_ok=True)
    cells: dict[str, list[Timing]] = {}
    if plan.wants("read") or plan.wants("copy"):
        _make(f"{root}/source", plan.mebibytes)
    if plan.wants("read"):
        for chunk in (64 * KIB, MIB):
            cells[f"read {chunk // KIB}"] = await _read(plan, root, chunk)
    for kind, cell, works in (
        ("write", "write 64", partial(_writers, mebibytes=plan.mebibytes)),
        ("copy", "copy", _copiers),
    ):
        if plan.wants(kind):
            cells[cell] = await _made(plan, root, cell, works(root))
    shutil.rmtree(root)
    return cells


async def _read(plan: Plan, root: str, chunk: int) -> list[Timing]:
    total = plan.mebibytes * MIB
    laps: dict[str, Lap] = {}
    for name, read in _readers(root, chunk).items():
        laps[name] = Lap(read, plan.mebibytes)
        if (count := await read()) != total:
            raise AssertionError(f"{name} read {count} of {total} bytes")
    timings = await raced(laps, rounds=plan.large_rounds)
    plan.show(f"read {plan.mebibytes} MiB in {chunk // KIB} KiB chunks, us per MiB", timings)
    return timings


async def _made(plan: Plan, root: str, cell: str, works: Works) -> list[Timing]:
    """Every lap makes a new file, with nothing left to be written back from the lap before."""
    target = Path(root, "target")

    def prepare() -> None:
        target.unlink(missing_ok=True)
        os.sync()

    laps = {name: Lap(work, plan.mebibytes, prepare) for name, work in works.items()}
    for name, lap in laps.items():
        await timed(lap)
        if target.stat().st_size != plan.mebibytes * MIB:
            raise AssertionError(f"{name} made {target.stat().st_size} bytes")
    timings = await raced(laps, rounds=plan.large_rounds)
    what = "write in 64 KiB chunks" if cell == "write 64" else "copy"
    title = f'{what}, {plan.mebibytes} MiB, durability "none", us per MiB'
    plan.show(title, timings, notes=WRITES)
    target.unlink()
    return timings


def _readers(root: str, chunk: int) -> Works:
    path = f"{root}/source"
    disk = LocalDriver(root)

    async def ours() -> int:
        total = 0
        async for part in disk.read_stream("source", chunk_size=chunk):
            total += len(part)
        return total

    async def synchronous() -> int:
        total = 0
        with open(path, "rb", buffering=0) as file:
            while part := file.read(chunk):
                total += len(part)
        return total

    async def threaded() -> int:
        total = 0
        with await asyncio.to_thread(open, path, "rb", buffering=0) as file:
            while part := await asyncio.to_thread(file.read, chunk):
                total += len(part)
        return total

    async def naive() -> int:
        total = 0
        async with aiofiles.open(path, "rb") as file:
            while part := await file.read(chunk):
                total += len(part)
        return total

    return {
        "storeroom": ours,
        "synchronous loop": synchronous,
        "asyncio.to_thread": threaded,
        "aiofiles": naive,
        **_installed(_obstore_reader, _opendal_reader, _litestar_reader, root=root, chunk=chunk),
    }


def _writers(root: str, *, mebibytes: int) -> Works:
    target = f"{root}/target"
    disk = LocalDriver(root, durability="none")
    total = mebibytes * MIB

    async def chunks() -> AsyncGenerator[bytes]:
        chunk = bytes(range(256)) * (64 * KIB // 256)
        for _ in range(total // len(chunk)):
            yield chunk

    async def ours() -> None:
        await disk.put("target", chunks())

    async def sized() -> None:
        await disk.put("target", chunks(), size=total)

    async def synchronous() -> None:
        with open(target, "wb", buffering=0) as file:
            async for chunk in chunks():
                file.write(chunk)

    async def threaded() -> None:
        with await asyncio.to_thread(open, target, "wb", buffering=0) as file:
            async for chunk in chunks():
                await asyncio.to_thread(file.write, chunk)

    async def naive() -> None:
        async with aiofiles.open(target, "wb") as file:
            async for chunk in chunks():
                await file.write(chunk)

    return {
        "storeroom": ours,
        "storeroom, size told": sized,
        "synchronous loop": synchronous,
        "asyncio.to_thread": threaded,
        "aiofiles": naive,
        **_installed(_obstore_writer, _opendal_writer, _litestar_writer, root=root, chunks=chunks),
    }


def _copiers(root: str) -> Works:
    """obstore is not here: its copy is a hard link."""
    source, target = f"{root}/source", f"{root}/target"
    disk = LocalDriver(root, durability="none")
    return {
        "storeroom": lambda: disk.copy("source", "target"),
        "shutil.copyfile": lambda: asyncio.to_thread(shutil.copyfile, source, target),
        **_installed(_opendal_copier, root=root),
    }


def _installed(*makers: Callable[..., Mapping[str, Any]], **arguments: object) -> Works:
    works: Works = {}
    for make in makers:
        try:
            works |= make(**arguments)
        except ImportError:
            continue
    return works


def _obstore_reader(root: str, chunk: int) -> Works:
    from obstore.store import LocalStore

    store = LocalStore(root)

    async def read() -> int:
        total = 0
        async for part in (await store.get_async("source")).stream(min_chunk_size=chunk):
            total += len(part)
        return total

    return {"obstore": read}


def _opendal_reader(root: str, chunk: int) -> Works:
    from opendal import AsyncOperator

    operator = AsyncOperator("fs", root=root)

    async def read() -> int:
        total = 0
        async with await operator.open("source", "rb") as file:
            while part := await file.read(chunk):
                total += len(part)
        return total

    return {"opendal": read}


def _litestar_reader(root: str, chunk: int) -> Works:
    from litestar_storages.backends.filesystem import FileSystemConfig, FileSystemStorage

    storage = FileSystemStorage(FileSystemConfig(Path(root)))

    async def read() -> int:
        total = 0
        async for part in storage.get("source"):
            total += len(part)
        return total

    return {"litestar-storages": read} if chunk == 64 * KIB else {}


def _obstore_writer(root: str, chunks: Callable[[], AsyncGenerator[bytes]]) -> Works:
    from obstore.store import LocalStore

    store = LocalStore(root)
    return {"obstore": lambda: store.put_async("target", chunks())}


def _opendal_writer(root: str, chunks: Callable[[], AsyncGenerator[bytes]]) -> Works:
    from opendal import AsyncOperator

    operator = AsyncOperator("fs", root=root)

    async def write() -> None:
        async with await operator.open("target", "wb") as file:
            async for chunk in chunks():
                await file.write(chunk)

    return {"opendal": write}


def _litestar_writer(root: str, chunks: Callable[[], AsyncGenerator[bytes]]) -> Works:
    from litestar_storages.backends.filesystem import FileSystemConfig, FileSystemStorage

    storage = FileSystemStorage(FileSystemConfig(Path(root)))
    return {"litestar-storages": lambda: storage.put("target", chunks())}


def _opendal_copier(root: str) -> Works:
    from opendal import AsyncOperator

    operator = AsyncOperator("fs", root=root)
    return {"opendal": lambda: operator.copy("source", "target")}


def _make(path: str, mebibytes: int) -> None:
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        file.writelines(block for _ in range(mebibytes))
    os.sync()
