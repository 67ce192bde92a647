"""Copies and renames at the service: bound to the new path, and whole wherever a crash comes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from storeroom.contracts.abilities import Copy, Move, find
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    Corrupted,
    InvalidArgument,
    NotFound,
    StorageError,
    Unsupported,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import PLAIN, WHOLE, ReadOptions, Stat, WriteOptions
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around, Layer
from tests.layers.encryption.vaults import KEY, OTHER, plain, put_stored, stored, vault

T = TypeVar("T")
DATA = plain(50_000)


class Noting(Around):
    """Notes the calls, does something before one of them, or ends as a crash does."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.calls: list[str] = []
        self.crash_at: int | None = None
        self.before: dict[str, Callable[[], Awaitable[Any]]] = {}

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        if self.crash_at == len(self.calls):
            raise ZeroDivisionError
        self.calls.append(operation)
        doing = self.before.pop(operation, None)
        if doing is not None:
            await doing()
        return await call()


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_it_happens_at_the_service(verb: str) -> None:
    memory = MemoryDriver()
    noting = Noting(memory)
    layer = vault(noting)
    await layer.put("a", DATA, metadata={"k": "v"}, content_type="text/odd", tags={"t": "1"})
    before = await stored(memory, "a")
    noting.calls.clear()
    await getattr(layer, verb)("a", "b/c")
    assert "write" not in noting.calls
    assert await stored(memory, "b/c") == before
    assert await layer.get("b/c") == DATA
    stat = await layer.metadata("b/c")
    assert (stat.metadata, stat.content_type, stat.size) == ({"k": "v"}, "text/odd", len(DATA))
    assert await layer.exists("a") == (verb == "copy")


async def test_copies_and_moves_follow_each_other_under_changing_keys() -> None:
    memory = MemoryDriver()
    layer = vault(memory, keys={"1": OTHER})
    await layer.put("a", DATA)
    newer = vault(memory, keys={"2": KEY, "1": OTHER}, current="2")
    await layer.copy("a", "b")
    await newer.rotate("b")
    await newer.move("b", "c/b")
    await newer.copy("c/b", "d")
    path = "d"
    for number in range(6):
        await newer.move(path, f"{number}")
        path = f"{number}"
        assert await newer.get(path) == DATA
    assert len(str((await memory.metadata(path)).metadata)) < 900
    assert await vault(memory, keys={"2": KEY}).get(path) == DATA


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_a_copy_cannot_stand_in_for_another_file(verb: str) -> None:
    memory = MemoryDriver()
    layer = vault(memory)
    await layer.put("a", DATA)
    await layer.put("z", b"other")
    await getattr(layer, verb)("a", "b")
    data, metadata = await stored(memory, "b"), dict((await memory.metadata("b")).metadata or {})
    await put_stored(memory, "z", data, metadata)
    with pytest.raises(Corrupted, match="another path"):
        await layer.get("z")


async def test_a_rename_that_crashes_anywhere_leaves_a_file_that_is_read() -> None:
    for crash_at in range(20):
        memory = MemoryDriver()
        noting = Noting(memory)
        layer = vault(noting)
        await vault(memory).put("a", DATA)
        noting.crash_at = crash_at
        try:
            await layer.ability(Move).rename("a", "b")
        except ZeroDivisionError:
            after = vault(memory)
            (path,) = await after.files()
            assert await after.get(path) == DATA
            await after.move(path, "c")
            assert await after.get("c") == DATA
            continue
        assert crash_at > 3
        return
    raise AssertionError("it never came through")


@pytest.mark.parametrize("moment", ["read", "change_attributes", "rename"])
async def test_a_write_that_comes_between_a_rename_is_moved_and_read(moment: str) -> None:
    memory = MemoryDriver()
    noting = Noting(memory)
    await vault(memory).put("a", b"first")
    noting.before = {moment: lambda: vault(memory).put("a", b"second")}
    await vault(noting).move("a", "b")
    assert await vault(memory).get("b") == b"second"
    assert await vault(memory).files() == ["b"]


@pytest.mark.parametrize("moment", ["read", "copy_within"])
async def test_a_write_that_comes_between_a_copy_is_copied_and_read(moment: str) -> None:
    memory = MemoryDriver()
    noting = Noting(memory)
    await vault(memory).put("a", b"first")
    noting.before = {moment: lambda: vault(memory).put("a", b"second")}
    await vault(noting).copy("a", "b")
    assert await vault(memory).get("b") == b"second"


@pytest.mark.parametrize(
    ("first", "moment"),
    [
        ("rotate", "change_attributes"),
        ("rewrite", "write"),
        ("describe", "change_attributes"),
        ("move", "change_attributes"),
    ],
)
async def test_changes_of_the_metadata_of_one_file_come_one_after_the_other(
    first: str, moment: str
) -> None:
    class Unmoved(Noting):
        """Its etags stay as they are when only the metadata changes: a local disk, S3."""

        async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
            return await super().change_attributes(path, replace(how, if_match=None))

        async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
            return await super().write(path, body, replace(how, if_match=None))

    memory = MemoryDriver()
    noting = Unmoved(memory)
    await vault(memory, keys={"old": OTHER}).put("a", DATA)
    layer = vault(noting, keys={"new": KEY, "old": OTHER}, current="new")
    calls = {
        "rotate": partial(layer.rotate, "a"),
        "rewrite": partial(layer.rotate, "a", rewrite=True),
        "move": partial(layer.rename, "a", "b"),
        "describe": partial(layer.change_attributes, "a", WriteOptions(metadata={"k": "v"})),
    }
    second = calls["rotate" if first == "describe" else "describe"]
    running: list[asyncio.Future[Any]] = []

    async def meanwhile() -> None:
        running.append(asyncio.ensure_future(second()))
        for _ in range(20):
            await asyncio.sleep(0)

    noting.before[moment] = meanwhile
    await calls[first]()
    (told,) = await asyncio.gather(*running, return_exceptions=True)
    if first == "move":
        assert isinstance(told, NotFound)
        assert await layer.get("b") == DATA
        return
    assert (await layer.metadata("a")).metadata == {"k": "v"}
    assert await vault(memory, keys={"new": KEY}).get("a") == DATA


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_conditions_are_for_the_target(verb: str) -> None:
    layer = vault()
    await layer.put("a", DATA)
    await layer.put("b", b"there")
    with pytest.raises(AlreadyExists):
        await getattr(layer, verb)("a", "b", overwrite=False)
    assert (await layer.get("a"), await layer.get("b")) == (DATA, b"there")
    with pytest.raises(NotFound) as caught:
        await getattr(layer, verb)("missing", "b")
    assert caught.value.path == "missing"
    await getattr(layer, verb)("a", "b")
    assert await layer.get("b") == DATA


async def test_a_copy_takes_what_the_options_say() -> None:
    layer = vault()
    await layer.put("a", DATA, metadata={"k": "1"}, content_type="a/a")
    native = layer.ability(Copy)
    await native.copy_within("a", "b", WriteOptions(metadata={"k": "2"}, content_type="b/b"))
    stat = await layer.metadata("b")
    assert (stat.metadata, stat.content_type) == ({"k": "2"}, "b/b")
    assert await layer.get("b") == DATA
    await layer.ability(Move).rename("b", "c", WriteOptions(metadata={"k": "3"}))
    assert (await layer.metadata("c")).metadata == {"k": "3"}
    assert await layer.get("c") == DATA


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_without_metadata_the_bytes_pass_through_here(verb: str) -> None:
    class Bare(Layer):
        keeps = frozenset((Copy, Move))

        def described(self, inside: Any, /) -> Any:
            return type(inside)("bare", keeps=frozenset())

    memory = MemoryDriver()
    layer = vault(Bare(memory))
    await layer.put("a", DATA)
    assert (find(layer, Copy), find(layer, Move)) == (None, None)
    with pytest.raises(Unsupported):
        await layer.copy_within("a", "b")
    with pytest.raises(Unsupported):
        await layer.rename("a", "b")
    assert await layer.files() == ["a"]
    before = await stored(memory, "a")
    await getattr(layer, verb)("a", "b")
    assert await layer.get("b") == DATA
    assert await stored(memory, "b") != before


def test_a_move_needs_metadata_that_changes_in_place() -> None:
    class Fixed(Layer):
        keeps = frozenset((Copy, Move))

    layer = vault(Fixed(MemoryDriver()))
    assert (find(layer, Copy), find(layer, Move)) == (layer, None)
    layer = vault(Fixed(MemoryDriver()), bind="none")
    assert (find(layer, Copy), find(layer, Move)) == (layer, layer)


async def test_unbound_files_are_copied_and_moved_as_they_are() -> None:
    noting = Noting(MemoryDriver())
    layer = vault(noting, bind=None)
    await layer.put("a", DATA)
    noting.calls.clear()
    await layer.copy("a", "b")
    await layer.move("b", "c")
    assert noting.calls == ["copy_within", "rename"]
    assert await layer.get("c") == DATA


@pytest.mark.parametrize("verb", ["copy_within", "rename"])
async def test_other_metadata_leaves_an_unbound_file_its_lock(verb: str) -> None:
    memory = MemoryDriver()
    await vault(memory, key=OTHER, bind="none").put("a", DATA)
    await vault(memory, previous=OTHER, bind="none").rotate("a")
    layer = vault(memory, bind="none")
    await getattr(layer, verb)("a", "b", WriteOptions(metadata={"k": "v"}))
    assert await layer.get("b") == DATA
    assert (await layer.metadata("b")).metadata == {"k": "v"}


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_where_metadata_has_no_room_for_a_lock_the_bytes_pass_through_here(verb: str) -> None:
    class Narrow(MemoryDriver):
        async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
            _check_room(how)
            return await super().change_attributes(path, how)

        async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
            _check_room(how)
            return await super().copy_within(path, to, how)

    layer = vault(Narrow())
    await layer.put("a", DATA, metadata={"k": "v"})
    await getattr(layer, verb)("a", "b")
    assert await layer.get("b") == DATA
    assert (await layer.metadata("b")).metadata == {"k": "v"}


def _check_room(how: WriteOptions) -> None:
    if any(len(value) > 100 for value in (how.metadata or {}).values()):
        raise InvalidArgument("the metadata is larger than what the service takes")


async def test_a_rename_that_is_refused_gives_the_file_no_lock_for_that_path() -> None:
    memory = MemoryDriver()
    layer = vault(memory)
    await layer.put("a", DATA)
    await layer.put("b", b"other")
    with pytest.raises(AlreadyExists):
        await layer.move("a", "b", overwrite=False)
    metadata = dict((await memory.stat("a")).metadata or {})
    await put_stored(memory, "b", await stored(memory, "a"), metadata)
    with pytest.raises(Corrupted, match="another path"):
        await layer.get("b")


async def test_a_file_is_locked_for_its_new_path_where_reads_tell_no_metadata() -> None:
    class Silent(Noting):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            source = await super().read(path, how)
            return Source(replace(source.stat, metadata=None), source, size=source.size)

    memory = MemoryDriver()
    await vault(memory).put("z", b"first")
    await vault(memory).move("z", "a")
    await vault(Silent(memory)).ability(Move).rename("a", "b")
    assert await vault(memory).get("b") == b"first"


async def test_a_local_folder_moves_and_copies_in_place(tmp_path: Path) -> None:
    driver = LocalDriver(tmp_path, durability="none")
    async with vault(driver) as layer:
        await layer.put("a/b", DATA, metadata={"k": "v"})
        inode = (tmp_path / "a" / "b").stat().st_ino
        await layer.move("a/b", "c")
        assert (tmp_path / "c").stat().st_ino == inode
        await layer.copy("c", "d")
        for path in ("c", "d"):
            assert await layer.get(path) == DATA
            assert (await layer.metadata(path)).metadata == {"k": "v"}


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_cancelled_anywhere_nothing_is_lost(verb: str) -> None:
    for turns in range(12):
        memory = MemoryDriver()

        class Slow(Noting):
            async def around(self, operation: str, path: str, call: Any, /) -> Any:
                await asyncio.sleep(0)
                answer = await call()
                await asyncio.sleep(0)
                return answer

        layer = vault(Slow(memory))
        await vault(memory).put("a", DATA)
        task = asyncio.create_task(getattr(layer, verb)("a", "b"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        found = await vault(memory).files()
        assert found
        for path in found:
            assert await vault(memory).get(path) == DATA
    assert issubclass(Corrupted, StorageError)
