"""Rotation: a new key opens everything, nothing is lost on the way, and it goes on where it stopped."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.abilities import Attributes, Folders, Tags, Tiers, Visibility
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    Corrupted,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    ScanOptions,
    Stat,
    WriteOptions,
)
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.layers import Layer
from storeroom.layers.encryption import Encryption, Rotated
from tests.layers.encryption.vaults import HEADER, KEY, OTHER, plain, put_stored, stored, vault
from tests.servers.s3 import S3Server

OLD = {"old": OTHER}
BOTH: dict[str, Any] = {"keys": {"new": KEY, "old": OTHER}, "current": "new"}
NEW: dict[str, Any] = {"keys": {"new": KEY}}
ENTRY = "storeroomkey"


class NoAttributes(Layer):
    """A service that changes nothing in place."""

    keeps = frozenset((Folders, Visibility, Tags, Tiers))


class Overtaken(MemoryDriver):
    """Somebody else writes just before each of the next changes."""

    def __init__(self, writer: Any = None) -> None:
        super().__init__()
        self.before: list[Any] = []

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        await self._overtake()
        return await super().write(path, body, how)

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        await self._overtake()
        return await super().change_attributes(path, how)

    async def _overtake(self) -> None:
        if self.before:
            waiting = self.before
            self.before = []
            await waiting.pop(0)()
            self.before = waiting


async def many(memory: MemoryDriver, count: int = 20) -> list[str]:
    layer = vault(memory, keys=OLD)
    paths = [f"folder {number % 3}/{number:02}" for number in range(count)]
    for path in paths:
        await layer.put(path, path.encode())
    return sorted(paths)


async def told(rotating: AsyncGenerator[Rotated]) -> list[Rotated]:
    async with aclosing(rotating):
        return [one async for one in rotating]


@pytest.mark.parametrize("size", [0, 5, 100_000])
async def test_a_rotated_file_needs_the_new_key_only(size: int) -> None:
    memory = MemoryDriver()
    await vault(memory, keys=OLD).put("a", plain(size), metadata={"k": "v"}, content_type="a/b")
    before = await stored(memory, "a")
    layer = vault(memory, **BOTH)
    assert await layer.rotate("a") == Rotated("a", "new", changed=True)
    assert await layer.rotate("a") == Rotated("a", "new", changed=False)
    assert await stored(memory, "a") == before  # only the metadata changed
    newest = vault(memory, **NEW)
    assert await newest.get("a") == plain(size)
    stat = await newest.metadata("a")
    assert (stat.metadata, stat.content_type, stat.size) == ({"k": "v"}, "a/b", size)
    assert ENTRY in dict((await memory.metadata("a")).metadata or {})


async def test_the_header_still_opens_with_the_old_key_until_it_is_rewritten() -> None:
    memory = MemoryDriver()
    await vault(memory, keys=OLD).put("a", b"x")
    layer = vault(memory, **BOTH)
    await layer.rotate("a")
    data = await stored(memory, "a")
    await put_stored(memory, "lost", data)  # a tool that takes no metadata along
    assert await vault(memory, keys=OLD, bind=None).get("lost") == b"x"
    assert (await layer.rotate("a", rewrite=True)).changed
    assert not (await layer.rotate("a", rewrite=True)).changed
    assert (await memory.metadata("a")).metadata == {}
    assert (await stored(memory, "a"))[HEADER:] != data[HEADER:]  # a new key of its own, too
    await put_stored(memory, "lost", await stored(memory, "a"))
    with pytest.raises(PermissionDenied):
        await vault(memory, keys=OLD, bind=None).get("lost")
    assert await vault(memory, **NEW).get("a") == b"x"


async def test_where_nothing_changes_in_place_the_file_is_written_anew() -> None:
    memory = MemoryDriver()
    await vault(memory, keys=OLD).put(
        "a",
        plain(100_000),
        metadata={"k": "v"},
        tags={"t": "1"},
        visibility="public",
        tier="cold",
        cache_control="no-store",
    )
    layer = vault(NoAttributes(memory), **BOTH)
    assert (await layer.rotate("a")).changed
    assert not (await layer.rotate("a")).changed
    newest = vault(memory, **NEW)
    assert await newest.get("a") == plain(100_000)
    stat = await newest.metadata("a")
    assert (stat.metadata, stat.tier, stat.cache_control) == ({"k": "v"}, "cold", "no-store")
    assert await newest.visibility("a") == "public"
    assert await newest.ability(Tags).read_tags("a") == {"t": "1"}


@pytest.mark.parametrize("rewrite", [False, True])
async def test_a_write_that_comes_between_is_not_lost(*, rewrite: bool) -> None:
    memory = Overtaken()
    old = vault(memory, keys=OLD)
    await old.put("a", b"first", metadata={"k": "1"})
    memory.before = [lambda: old.put("a", b"second", metadata={"k": "2"})]
    layer = vault(memory, **BOTH)
    assert (await layer.rotate("a", rewrite=rewrite)).changed
    assert await vault(memory, **NEW).get("a") == b"second"
    assert (await layer.metadata("a")).metadata == {"k": "2"}


async def test_a_file_that_is_always_overtaken_says_so() -> None:
    memory = Overtaken()
    old = vault(memory, keys=OLD)
    await old.put("a", b"0")
    memory.before = [lambda n=n: old.put("a", b"%d" % n) for n in range(1, 9)]
    with pytest.raises(Unavailable, match="again and again"):
        await vault(memory, **BOTH).rotate("a")
    assert await old.get("a") in (b"4", b"5")


async def test_an_entry_of_an_overwritten_file_does_no_harm() -> None:
    memory = MemoryDriver()
    old = vault(memory, keys=OLD)
    await old.put("a", b"first")
    await vault(memory, **BOTH).rotate("a")
    entry = dict((await memory.metadata("a")).metadata or {})
    await old.put("a", b"second")
    # As on a service without conditions: the change of the metadata comes behind the write.
    await memory.ability(Attributes).change_attributes("a", WriteOptions(metadata=entry))
    assert await old.get("a") == b"second"
    assert (await vault(memory, **BOTH).rotate("a")).changed
    assert await vault(memory, **NEW).get("a") == b"second"


async def test_users_change_their_metadata_and_the_lock_stays() -> None:
    memory = MemoryDriver()
    await vault(memory, keys=OLD).put("a", b"x", metadata={"k": "1"})
    layer = vault(memory, **BOTH)
    await layer.rotate("a")
    await layer.set_attributes("a", metadata={"k": "2"})
    await layer.set_attributes("a", content_type="text/odd")
    newest = vault(memory, **NEW)
    assert await newest.get("a") == b"x"
    assert (await newest.metadata("a")).metadata == {"k": "2"}
    await layer.set_attributes("a", metadata={})
    assert await newest.get("a") == b"x"
    assert (await newest.metadata("a")).metadata == {}


async def test_the_name_of_the_entry_is_not_for_users() -> None:
    layer = vault()
    for name in (ENTRY, "StoreroomKey"):  # services tell no capitals from small letters
        with pytest.raises(InvalidArgument, match="storeroomkey"):
            await layer.put("a", b"x", metadata={name: "mine"})
    await layer.put("a", b"x")
    with pytest.raises(InvalidArgument, match="storeroomkey"):
        await layer.set_attributes("a", metadata={ENTRY: "mine"})
    how = WriteOptions(metadata={ENTRY: "of the disk it is copied from", "k": "v"}, carried=True)
    await layer.write("b", Body(b"x"), how)
    assert (await layer.metadata("b")).metadata == {"k": "v"}


async def test_a_whole_disk_is_rotated_in_order() -> None:
    memory = MemoryDriver()
    paths = await many(memory)
    layer = vault(memory, **BOTH)
    assert await layer.key_ids() == {"old": 20}
    assert await told(layer.rotate_all()) == [Rotated(path, "new", changed=True) for path in paths]
    assert await layer.key_ids() == {"new": 20}
    assert {one.changed for one in await told(layer.rotate_all())} == {False}
    newest = vault(memory, **NEW)
    assert [await newest.get(path) for path in paths] == [path.encode() for path in paths]


@pytest.mark.parametrize("concurrency", [1, 3, 100])
@pytest.mark.parametrize("rewrite", [False, True])
async def test_it_goes_on_where_it_stopped(concurrency: int, *, rewrite: bool) -> None:
    memory = MemoryDriver()
    paths, done, last = await many(memory), [], None
    options: dict[str, Any] = {"concurrency": concurrency, "rewrite": rewrite}
    while True:
        rotating = vault(memory, **BOTH).rotate_all(after=last, **options)
        async with aclosing(rotating):
            async for one in rotating:
                assert one.error is None
                done.append(one.path)
                last = one.path
                if len(done) % 7 == 0:
                    break  # as if it crashed
            else:
                break
    assert done == paths
    assert await vault(memory, **NEW).key_ids() == {"new": 20}


async def test_a_folder_of_a_disk_that_lists_in_no_order() -> None:
    class Shuffled(Layer):
        keeps = frozenset((Attributes,))

        def described(self, inside: Any, /) -> Any:
            return type(inside)("shuffled", ordered=False, keeps=inside.keeps)

        async def scan(
            self, folder: str = "", how: ScanOptions = DEEP, /
        ) -> AsyncGenerator[Stat | Folder]:
            for entry in reversed([entry async for entry in self.inner.scan(folder, how)]):
                yield entry

    memory = MemoryDriver()
    paths = [path for path in await many(memory) if path.startswith("folder 1/")]
    layer = vault(Shuffled(memory), **BOTH)
    done = await told(layer.rotate_all("folder 1"))
    assert [one.path for one in done] == paths
    again = await told(layer.rotate_all("folder 1", after=paths[2]))
    assert [one.path for one in again] == paths[3:]
    assert await layer.key_ids() == {"new": len(paths), "old": 20 - len(paths)}


async def test_files_that_cannot_be_rotated_are_told_and_stay() -> None:
    memory = MemoryDriver()
    await vault(memory, keys={"lost": bytes(32)}).put("a", b"x")
    await memory.put("b", b"no file of this layer")
    await vault(memory, keys=OLD).put("c", b"x")
    layer = vault(memory, **BOTH)
    a, b, c = await told(layer.rotate_all())
    assert (type(a.error), type(b.error), c.error) == (PermissionDenied, Corrupted, None)
    assert "'lost'" in str(a.error)
    assert (a.changed, b.changed, c.changed) == (False, False, True)
    assert await layer.key_ids() == {"lost": 1, None: 1, "new": 1}


async def test_a_key_is_counted_also_for_files_that_cannot_be_read() -> None:
    memory = MemoryDriver()
    await vault(memory, keys=OLD).put("a", b"x")
    await memory.copy("a", "moved by another tool")
    await memory.copy("a", "damaged lock")
    await memory.change_attributes("damaged lock", WriteOptions(metadata={ENTRY: "damaged"}))
    await memory.put("b", b"no file of this layer")
    layer = vault(memory, **BOTH)
    assert await layer.key_ids() == {"old": 3, None: 1}
    assert (await layer.rotate("a")).changed
    await memory.copy("a", "moved after a rotation")
    assert await layer.key_ids() == {"old": 2, "new": 2, None: 1}


async def test_a_failure_that_ends_a_rotation_is_the_only_one_told() -> None:
    class Broken(MemoryDriver):
        async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
            raise RuntimeError("a bug")

    memory = Broken()
    await many(memory)
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    with pytest.raises(RuntimeError, match="a bug"):
        await told(vault(memory, **BOTH).rotate_all())
    await asyncio.sleep(0)
    gc.collect()
    assert unheard == []


async def test_what_is_wrong_is_said_at_once() -> None:
    layer = vault(**BOTH)
    with pytest.raises(NotFound) as caught:
        await layer.rotate("missing")
    assert caught.value.path == "missing"
    with pytest.raises(InvalidArgument, match="concurrency"):
        await told(layer.rotate_all(concurrency=0))


@pytest.mark.parametrize("rewrite", [False, True])
async def test_a_rotation_that_is_cancelled_anywhere_leaves_a_file_that_is_read(
    *,
    rewrite: bool,
) -> None:
    class Slow(MemoryDriver):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            await asyncio.sleep(0)
            return await super().read(path, how)

        async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
            await asyncio.sleep(0)
            stat = await super().change_attributes(path, how)
            await asyncio.sleep(0)
            return stat

    for turns in range(30):
        memory = Slow()
        await vault(memory, keys=OLD).put("a", plain(70_000))
        layer = vault(memory, **BOTH)
        task = asyncio.create_task(layer.rotate("a", rewrite=rewrite))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert await layer.get("a") == plain(70_000)
        assert await layer.key_ids() in ({"old": 1}, {"new": 1})


@pytest.mark.parametrize("rewrite", [False, True])
async def test_on_a_local_folder(tmp_path: Path, *, rewrite: bool) -> None:
    driver = LocalDriver(tmp_path, durability="none")
    await vault(driver, keys=OLD).put(
        "a/b", plain(100_000), metadata={"k": "v"}, visibility="private"
    )
    layer = vault(driver, **BOTH)
    async with layer:
        assert [one.changed for one in await told(layer.rotate_all(rewrite=rewrite))] == [True]
        assert await vault(driver, **NEW).get("a/b") == plain(100_000)
        assert (await layer.metadata("a/b")).metadata == {"k": "v"}
        assert await layer.visibility("a/b") == "private"


async def test_metadata_that_has_no_room_is_left_and_the_file_written_anew() -> None:
    class Full(MemoryDriver):
        async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
            raise Unsupported("no extended attributes here", path=path)

    memory = Full()
    await vault(memory, keys=OLD).put("a", b"x")
    assert (await vault(memory, **BOTH).rotate("a")).changed
    assert await vault(memory, **NEW).get("a") == b"x"
    assert isinstance(vault(memory, **NEW), Encryption)


async def test_on_s3(strict_s3: S3Server) -> None:
    bucket = strict_s3.make_bucket()
    driver = S3Driver(
        bucket,
        endpoint_url=strict_s3.url,
        region=strict_s3.region,
        access_key=strict_s3.access_key,
        secret_key=strict_s3.secret_key,
        provider="aws",
        path_style=True,
    )
    old = vault(driver, keys=OLD)
    paths = [f"a/{number} é.bin" for number in range(5)]
    for path in paths:
        await old.put(path, plain(40_000), metadata={"k": "v"}, content_type="text/odd")
    before = await stored(driver, paths[0])
    layer = vault(driver, **BOTH)
    async with layer:
        done = await told(layer.rotate_all(after=paths[1]))
        assert [one.path for one in done] == paths[2:]
        assert await layer.key_ids() == {"old": 2, "new": 3}
        assert {one.error for one in await told(layer.rotate_all())} == {None}
        assert await stored(driver, paths[0]) == before
        newest = vault(driver, **NEW)
        for path in paths:
            assert await newest.get(path, start=30_000, stop=30_009) == plain(40_000)[30_000:30_009]
            stat = await newest.metadata(path)
            assert (stat.metadata, stat.content_type) == ({"k": "v"}, "text/odd")
        await newest.copy(paths[0], "copy")
        await newest.move(paths[1], "moved")
        assert await newest.get("copy") == await newest.get("moved") == plain(40_000)
        assert (await layer.rotate("copy", rewrite=True)).changed
        assert await newest.get("copy") == plain(40_000)
