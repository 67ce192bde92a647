"""A folder removed with all that is in it, as deep as it goes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from storeroom.contracts.errors import Obstructed
from storeroom.drivers._tree.entry import Entry, ListFolder

__all__ = ["empty"]

_AT_ONCE: Final = 8
_DEEPEST: Final = 1000

Remove = Callable[[str], Awaitable[object]]


async def empty(
    folder: str, /, *, listed: ListFolder, unlink: Remove, rmdir: Remove, at_once: int = _AT_ONCE
) -> bool:
    """Remove all that is in a folder, temporaries and strangers too: whether the folder is there.

    `unlink` and `rmdir` take what is gone already for done. Links are removed, never followed.
    """
    waiting = [(folder, False)]
    found = None
    while waiting:
        at, is_empty = waiting.pop()
        if is_empty:
            await rmdir(at)
            continue
        entries = await listed(at)
        found = entries is not None if found is None else found
        others, folders = _inside(at, entries or ())
        await _each(others, unlink, at_once)
        for path in folders:
            waiting += [(path, True), (path, False)]
    return bool(found)


async def _each(paths: Sequence[str], remove: Remove, at_once: int) -> None:
    """A few at a time; the first failure ends them all."""
    left = iter(paths)

    async def some() -> None:
        for path in left:
            await remove(path)

    workers = [asyncio.create_task(some()) for _ in range(min(at_once, len(paths)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _inside(folder: str, entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """The paths of all that is no folder, and of the folders."""
    named = [entry for entry in entries if entry.name not in (".", "..")]
    paths = [(_below(folder, entry.name), entry.kind == "folder") for entry in named]
    return [path for path, deeper in paths if not deeper], [
        path for path, deeper in paths if deeper
    ]


def _below(folder: str, name: str) -> str:
    """The path of what a server says is in a folder; never of anything elsewhere."""
    if not name or "/" in name or folder.count("/") > _DEEPEST:
        raise Obstructed(f"{name!r} in it is no name; the server is not to be trusted", path=folder)
    return f"{folder}/{name}" if folder else name
