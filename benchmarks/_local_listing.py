"""Many files listed with their facts: in one folder, and in a hundred."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from _harness import Lap, Timing, raced
from _local_plan import Place, Plan

from storeroom.drivers.local import LocalDriver

FOLDERS = {"list": 1, "list tree": 100}

Lister = Callable[[str], AsyncIterator[object]]


async def listing(plan: Plan, place: Place, /) -> dict[str, list[Timing]]:
    """The timings of whole listings by entry, and of the way to the first entry by listing."""
    cells: dict[str, list[Timing]] = {}
    for cell, folders in FOLDERS.items():
        root = os.path.join(place.folder, cell.replace(" ", "-"))
        _make(root, plan.entries, folders)
        firsts: dict[str, list[float]] = {}
        laps = {
            name: Lap(
                partial(_counted, lister, root, plan, firsts.setdefault(name, [])), plan.entries
            )
            for name, lister in _listers(root).items()
        }
        cells[cell] = await raced(laps, rounds=plan.large_rounds)
        cells[f"{cell}, first entry"] = [
            Timing(name, median(found) * 1e6, 0, median(found) / median(firsts["storeroom"]))
            for name, found in firsts.items()
        ]
        where = "one folder" if folders == 1 else f"{folders} folders"
        plan.show(f"list {plan.entries:,} files in {where}, us per file", cells[cell])
        plan.show("the same: us to the first entry", cells[f"{cell}, first entry"])
    return cells


async def _counted(lister: Lister, root: str, plan: Plan, firsts: list[float]) -> None:
    begin, count = time.perf_counter(), 0
    async for found in lister(root):
        if not count:
            firsts.append(time.perf_counter() - begin)
        count += 1 if not isinstance(found, list) else len(found)
    if count != plan.entries:
        raise AssertionError(f"{count} of {plan.entries} entries were listed")


def _listers(root: str) -> dict[str, Lister]:
    disk = LocalDriver(root)

    async def ours(root: str) -> AsyncIterator[object]:
        async for entry in disk.entries(recursive=True):
            if hasattr(entry, "size"):
                yield entry

    async def threaded(root: str) -> AsyncIterator[object]:
        yield await asyncio.to_thread(lambda: list(_walked(root)))

    return {
        "storeroom": ours,
        "scandir + stat": threaded,
        **_installed(_obstore, _fsspec, _litestar),
    }


def _walked(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(entry.path)
            else:
                yield entry.path, entry.stat(follow_symlinks=False)


def _installed(*makers: Callable[[], dict[str, Lister]]) -> dict[str, Lister]:
    listers: dict[str, Lister] = {}
    for make in makers:
        try:
            listers |= make()
        except ImportError:
            continue
    return listers


def _obstore() -> dict[str, Lister]:
    from obstore.store import LocalStore

    async def found(root: str) -> AsyncIterator[object]:
        async for batch in LocalStore(root).list():
            yield list(batch)

    return {"obstore": found}


def _fsspec() -> dict[str, Lister]:
    from fsspec.implementations.local import LocalFileSystem

    files: Any = LocalFileSystem(skip_instance_cache=True)

    async def found(root: str) -> AsyncIterator[object]:
        yield list((await asyncio.to_thread(files.find, root, detail=True)).items())

    return {"fsspec in threads": found}


def _litestar() -> dict[str, Lister]:
    from litestar_storages.backends.filesystem import FileSystemConfig, FileSystemStorage

    def found(root: str) -> AsyncIterator[object]:
        return FileSystemStorage(FileSystemConfig(Path(root))).list()

    return {"litestar-storages": found}


def _make(root: str, entries: int, folders: int) -> None:
    for number in range(folders):
        folder = os.path.join(root, f"folder-{number:03}")
        os.makedirs(folder)
        for one in range(entries // folders):
            os.close(os.open(f"{folder}/invoice {one:06}.pdf", os.O_WRONLY | os.O_CREAT, 0o644))
