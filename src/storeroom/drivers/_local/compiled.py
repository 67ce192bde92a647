"""The commonest operations by the compiled part, where there is one; None is "do it the long way".

Reads answer on the loop, from memory or not at all. Writes and removals go to the compiled part's own
threads, and their answers come by one descriptor per event loop.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from storeroom.contracts._crew import Answer
from storeroom.contracts.errors import NotFound
from storeroom.contracts.values import WHOLE, ReadOptions, RemoveOptions, Stat, WriteOptions
from storeroom.drivers._local.beneath import Beneath
from storeroom.drivers._local.directory import Directory
from storeroom.drivers._local.facts import Found, bare_facts, facts
from storeroom.drivers._local.kept import Kept, unpacked
from storeroom.drivers._local.reading import check_conditions
from storeroom.drivers._local.root import Root
from storeroom.drivers._local.rules import Rules
from storeroom.drivers._local.writing import BLOCK, temporary_name

# Not where there was no compiler when it was installed, nor beside Linux.
IS_COMPILED: Final = find_spec("storeroom.drivers._local._native") is not None
if TYPE_CHECKING or IS_COMPILED:
    from storeroom.drivers._local import _native

__all__ = ["IS_COMPILED", "drop", "glance", "grab", "looked_at", "peek", "put"]

_LARGEST = 256 * 1024

_homes: WeakKeyDictionary[asyncio.AbstractEventLoop, "_Home"] = WeakKeyDictionary()


def glance(root: Root, path: str, /) -> Stat | None:
    """The facts of a file, None where telling them may wait; missing is `NotFound`."""
    tree = _at_once(root)
    if tree is None:
        return None
    try:
        answer = _native.glance(tree.root.fd or 0, path)
    except OSError:
        tree.answers_at_once = False
        return None
    if isinstance(answer, tuple):
        return _told(path, *answer)()
    _check_missing(tree, answer)
    return None


def grab(root: Root, path: str, how: ReadOptions, /) -> tuple[Callable[[], Stat], bytes] | None:
    """A file's facts and bytes, None where reading them may wait; missing is `NotFound`."""
    tree = _at_once(root)
    if tree is None or not tree.reads_at_once:
        return None
    stop = -1 if how.stop is None else how.stop
    try:
        answer = _native.grab(tree.root.fd or 0, path, how.start, stop, _LARGEST)
    except OSError:
        tree.reads_at_once = False
        return None
    if isinstance(answer, tuple):
        found, kept, content = answer
        if how is not WHOLE:
            check_conditions(found, how)
        return _told(path, found, kept), content
    _check_missing(tree, answer)
    return None


def peek(root: Root, fd: int, count: int, start: int, /) -> bytes | None:
    """Exactly these bytes of an open file if all are in memory."""
    tree = _at_once(root)
    if tree is None or not tree.reads_at_once:
        return None
    try:
        return _native.peek(fd, count, start)
    except OSError:
        tree.reads_at_once = False
        return None


def looked_at(directory: Directory, names: list[str], /) -> Sequence[Found | None]:
    """What stands at each name in a folder, None where nothing does; never behind a link."""
    if IS_COMPILED and directory.fd is not None:
        return _native.look(directory.fd, names)
    return [directory.find(name) for name in names]


async def put(
    root: Root, rules: Rules, path: str, data: bytes, how: WriteOptions, /
) -> Stat | None:
    """A whole write of a MiB at most."""
    tree, home = _beneath(root), _home()
    if tree is None or home is None or how.if_match is not None or len(data) > BLOCK:
        return None
    kept = Kept.given(how, path)
    folder, _, name = path.rpartition("/")
    found = await home.asked(
        home.port.put,
        tree.root,
        tree.root.fd or 0,
        folder,
        name,
        temporary_name(),
        data,
        kept.packed or None,
        rules.file_mode(how.visibility),
        _flags(rules, tree, how),
    )
    if not isinstance(found, _native.Found):
        return None
    return bare_facts(path, found) if kept.is_empty else facts(path, found, kept)


async def drop(root: Root, rules: Rules, path: str, how: RemoveOptions, /) -> bool | None:
    """A removal: whether a file was there."""
    tree, home = _beneath(root), _home()
    if tree is None or home is None or how.if_match is not None:
        return None
    folder, _, name = path.rpartition("/")
    flags = _native.SYNC if rules.syncs_folders else 0
    answer = await home.asked(home.port.drop, tree.root, tree.root.fd or 0, folder, name, flags)
    return answer if isinstance(answer, bool) else None


class _Home:
    """Where the answers of one event loop arrive."""

    def __init__(self, loop: asyncio.AbstractEventLoop, /) -> None:
        self.port = _native.Port()
        loop.add_reader(self.port.fileno(), _unload, self.port)
        self._new = partial(Answer, loop)

    async def asked(self, send: Callable[..., bool], /, *what: object) -> object:
        answer = self._new()
        if not send(answer, *what):
            return None
        found: object = await answer.awaited(self.port.withdraw)
        if type(found) is int:  # done, and then it could not be brought to the disk
            raise OSError(found, os.strerror(found))
        return found


def _unload(port: "_native.Port") -> None:
    for answer, found in port.collect():
        answer.arrive(found)


def _home() -> _Home | None:
    if not IS_COMPILED:
        return None
    loop = asyncio.get_running_loop()
    home = _homes.get(loop)
    if home is None:
        for other in [other for other in _homes if other.is_closed()]:
            _homes.pop(other, None)  # another thread may do the same
        try:
            home = _homes[loop] = _Home(loop)
        except NotImplementedError:  # a loop that watches no descriptors
            return None
    return home


def _beneath(root: Root) -> Beneath | None:
    tree = root.current
    return tree if isinstance(tree, Beneath) and tree.is_compiled else None


def _at_once(root: Root) -> Beneath | None:
    """The tree, if it is open and its file system answers without waiting."""
    tree = _beneath(root)
    return tree if IS_COMPILED and tree is not None and tree.answers_at_once else None


def _flags(rules: Rules, tree: Beneath, how: WriteOptions) -> int:
    new = 0 if how.overwrite else _native.NEW
    if not rules.syncs_files:
        return new | _native.SWAP
    return new | (_native.ORDERED if tree.commits_in_order else _native.SYNC)


def _told(path: str, found: Found, kept: bytes | None) -> Callable[[], Stat]:
    """The facts, put together when they are asked for."""
    if kept is None:
        return partial(bare_facts, path, found)
    return partial(facts, path, found, unpacked(kept))


def _check_missing(tree: Beneath, answer: object) -> None:
    """Say that there is no file, unless it is the root that is gone."""
    if answer is False and tree.root.is_linked():
        raise NotFound("there is no file here")


def _forked() -> None:
    _homes.clear()
    if IS_COMPILED:
        _native.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
