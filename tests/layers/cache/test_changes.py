"""Whatever changes a file is seen by every read that begins later, and nothing old is stored after it."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storeroom.contracts.abilities import Sweep
from storeroom.contracts.body import Body
from storeroom.contracts.errors import NotFound, StorageError, Unavailable
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around
from storeroom.layers.cache import Cache
from storeroom.layers.retry import Retry
from storeroom.testing._suite.frame import failing
from tests.layers.cache.inside import Delayed, Inside
from tests.layers.everything import METHODS, Everything, fates

NOW = datetime.now(UTC)

# Each call that changes the file "f/a", by its method.
CHANGES: dict[str, Callable[[Any], Any]] = {
    "write": lambda cache: cache.write("f/a", Body(b"new")),
    "remove": lambda cache: cache.remove("f/a"),
    "copy_within": lambda cache: cache.copy_within("b", "f/a"),
    "copy_from": lambda cache: cache.copy_from(cache.origin_inside, "b", "f/a"),
    "rename": lambda cache: cache.rename("f/a", "c"),
    "rename onto": lambda cache: cache.rename("b", "f/a"),
    "remove_many": lambda cache: cache.remove_many(["b", "f/a"]),
    "extend": lambda cache: cache.extend("f/a", Body(b"more")),
    "change_visibility": lambda cache: cache.change_visibility("f/a", "public"),
    "make_folder": lambda cache: cache.make_folder("f/a"),
    "remove_folder": lambda cache: cache.remove_folder("f"),
    "remove_folder of all": lambda cache: cache.remove_folder(""),
    "complete_parts": lambda cache: cache.complete_parts("f/a", "upload-0", {1: "part-1"}),
    "change_attributes": lambda cache: cache.change_attributes(
        "f/a", WriteOptions(content_type="text/x")
    ),
    "change_time": lambda cache: cache.change_time("f/a", NOW),
    "change_tags": lambda cache: cache.change_tags("f/a", {"k": "v"}),
    "change_tier": lambda cache: cache.change_tier("f/a", "cold"),
    "restore_version": lambda cache: cache.restore_version("f/a", "m-1"),
    "remove_version": lambda cache: cache.remove_version("f/a", "m-1"),
}
READS = {
    *("public_url", "presign_read", "presign_write", "presign_post", "verify_url", "origin"),
    *("read_visibility", "has_folder", "digest", "start_parts", "write_part", "presign_part"),
    *("list_parts", "abort_parts", "sweep", "read_tags", "list_versions", "read_version"),
    *("acquire_lease", "renew_lease", "release_lease", "local_path"),
}


def test_every_method_of_every_ability_is_thought_of() -> None:
    changing = {name.partition(" ")[0] for name in CHANGES} - {"write", "remove"}
    assert changing | READS == set(METHODS)


def test_what_becomes_of_every_ability() -> None:
    inner = Everything()
    assert fates(Cache(inner), inner) == {
        "kept": {
            *("PublicUrl", "PresignRead", "PresignWrite", "PresignPost", "VerifyUrl"),
            *("Origin", "Checksum", "Sweep", "Leases", "LocalPath"),
        },
        "adapted": {
            *("Copy", "CopyFrom", "Move", "BulkRemove", "Append", "Visibility", "Folders"),
            *("Multipart", "Attributes", "Times", "Tags", "Tiers", "Versions"),
        },
    }
    assert Cache(inner).traits == inner.traits


@pytest.fixture
async def driver() -> Everything:
    driver = Everything()
    await driver.put("b", b"other")
    await driver.put("f/a", b"older")
    driver.former["f/a", "m-1"] = b"older"
    await driver.put("f/a", b"old", metadata={"k": "v"})
    await driver.start_parts("f/a")
    await driver.write_part("f/a", "upload-0", 1, Body(b"parts"))
    return driver


@pytest.fixture
async def inside(driver: Everything) -> Inside:
    return Inside(driver)


@pytest.fixture
async def cache(inside: Inside) -> Cache:
    cache = Cache(inside, ttl=60)
    cache.origin_inside = inside.origin("b")[0]  # type: ignore[attr-defined]
    await cache.get("f/a")
    await cache.get("b")
    await cache.missing("c")
    return cache


async def same_as_inside(cache: Cache, inside: Inside) -> None:
    for path in ("f/a", "b", "c"):
        try:
            expected = await inside.inner.stat(path)
        except NotFound:
            assert await cache.missing(path)
            continue
        assert await cache.stat(path) == expected
        async with await inside.inner.read(path) as now, await cache.read(path) as source:
            assert source.stat == expected
            assert await source.read() == await now.read()


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_is_seen_at_once(cache: Cache, inside: Inside, name: str) -> None:
    await CHANGES[name](cache)
    await same_as_inside(cache, inside)


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_whose_reply_is_lost_is_seen(
    cache: Cache, inside: Inside, name: str
) -> None:
    inside.fail(Unavailable("the reply was lost"))
    with pytest.raises(Unavailable):
        await CHANGES[name](cache)
    await same_as_inside(cache, inside)


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_that_is_cancelled_is_seen(cache: Cache, inside: Inside, name: str) -> None:
    inside.hold(name.partition(" ")[0])
    changing = asyncio.ensure_future(CHANGES[name](cache))
    await inside.reached.wait()
    changing.cancel()
    await asyncio.wait([changing])
    inside.release()
    await same_as_inside(cache, inside)


@pytest.mark.parametrize("name", CHANGES)
async def test_what_was_read_before_a_change_is_not_stored_after_it(
    cache: Cache, inside: Inside, name: str
) -> None:
    await cache.write("f/a", Body(b"old again"))
    inside.hold("read")
    early = asyncio.create_task(cache.get("f/a"))
    await inside.reached.wait()
    await CHANGES[name](cache)
    late = asyncio.create_task(_got(cache, "f/a"))
    await asyncio.sleep(0)
    inside.release()
    assert await early == b"old again"
    assert await late == await _got(inside, "f/a")
    await same_as_inside(cache, inside)


async def test_facts_asked_for_before_a_change_are_not_stored_after_it(
    cache: Cache, inside: Inside
) -> None:
    await cache.remove("f/a")
    inside.hold("stat")
    early = asyncio.create_task(cache.missing("f/a"))
    await inside.reached.wait()
    await cache.put("f/a", b"there")
    inside.release()
    assert await early
    assert await cache.exists("f/a")
    assert await cache.size("f/a") == 5


async def test_a_body_that_fails_changes_nothing(cache: Cache, inside: Inside) -> None:
    with pytest.raises(ZeroDivisionError):
        await cache.write("f/a", failing(b"n", error=ZeroDivisionError()))
    assert await cache.get("f/a") == b"old"
    await same_as_inside(cache, inside)


async def test_what_is_no_body_is_refused_before_anything_is_forgotten(cache: Cache) -> None:
    before = cache.stats().entries
    with pytest.raises(TypeError, match="put"):
        await cache.write("f/a", b"x")  # type: ignore[arg-type]
    assert cache.stats().entries == before


@pytest.mark.parametrize("ttl", [0, 60])
@pytest.mark.parametrize("seed", range(10))
async def test_a_read_that_begins_after_a_write_sees_it(ttl: float, seed: int) -> None:
    """Each content is its own number: whoever reads gets at least the last one written before."""
    chance = random.Random(seed)
    store = MemoryDriver()
    cache = Cache(Delayed(store, seed), ttl=ttl, max_entries=2)
    written = dict.fromkeys("abc", 0)
    for path in "abc":
        await store.put(path, "0")

    async def write() -> None:
        path = chance.choice("abc")
        around = ttl == 0 and chance.random() < 0.5
        number = numbers[path] = numbers[path] + 1
        await (store if around else cache).put(path, f"{number}")
        written[path] = max(written[path], number)

    async def read() -> None:
        path = chance.choice("abc")
        least = written[path]
        if chance.random() < 0.2:
            (await cache.stat(path)).at("x")
        assert int(await cache.get(path)) >= least

    async def several(work: Callable[[], Any], count: int) -> None:
        for _ in range(count):
            await work()
            await asyncio.sleep(0)

    numbers = dict(written)
    async with asyncio.TaskGroup() as group:
        group.create_task(several(write, 60))
        for _ in range(6):
            group.create_task(several(read, 60))
    for path in "abc":
        assert await cache.get(path) == await store.get(path)


async def test_it_stands_under_and_over_other_layers(driver: Everything) -> None:
    cache = Around(Cache(Retry(driver, base=0), ttl=60))
    assert await cache.get("f/a") == b"old"
    await cache.put("f/a", b"new")
    assert await cache.get("f/a") == b"new"
    assert cache.layer(Cache).stats().misses == 2
    scoped = cache.scoped("f")
    await scoped.put("a", b"newer")
    assert await cache.get("f/a") == b"newer"
    assert await cache.ability(Sweep).sweep(timedelta(0)) == 1


async def _got(files: Any, path: str) -> object:
    try:
        return await files.get(path)
    except StorageError as error:
        return type(error)
