"""Processes that share a Redis: as the store of what they read, or for news of changes."""

import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from storeroom.contracts.errors import NotFound
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.cache import Cache
from tests.layers.cache.inside import Delayed, Inside
from tests.servers.process import HERE
from tests.servers.redis import RedisServer
from tests.servers.redis import redis as own_redis

OTHER = """
import asyncio, sys
from storeroom.drivers.local import LocalDriver
from storeroom.layers.cache import Cache

async def main(root, verb, path, *content):
    inner = LocalDriver(root)
    async with Cache(inner, ttl=60, namespace="shared", {options}) as cache:
        await getattr(cache, verb)(path, *content)

asyncio.run(main(*sys.argv[1:]))
"""


class Place:
    """A disk that several caches share, as processes would."""

    def __init__(self, server: RedisServer, namespace: str) -> None:
        self.server = server
        self.namespace = namespace
        self.store = MemoryDriver()
        self.caches: list[Cache] = []

    def cache(self, **options: Any) -> Cache:
        inside = Inside(self.store.twin())
        options = {"ttl": 60, "namespace": self.namespace, "store": "redis"} | options
        if options["store"] == "redis":
            options["url"] = self.server.url
        self.caches.append(Cache(inside, **options))
        return self.caches[-1]

    def joined(self, **options: Any) -> Cache:
        return self.cache(store="memory", invalidate=self.server.url, **options)

    @asynccontextmanager
    async def redis(self) -> AsyncGenerator[Any]:
        async with Redis.from_url(self.server.url, protocol=2) as redis:
            yield redis


@pytest.fixture
async def place(redis_server: RedisServer, tmp_path: Path) -> AsyncGenerator[Place]:
    place = Place(redis_server, str(tmp_path))
    yield place
    for cache in place.caches:
        await cache.aclose()


@pytest.fixture
def place_of_its_own(redis_server: RedisServer, tmp_path: Path) -> Place:
    """One whose caches the test closes, on loops of its own."""
    return Place(redis_server, str(tmp_path))


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A server that a test may stop."""
    with own_redis() as server:
        yield server


@pytest.fixture
async def own_place(own: RedisServer) -> AsyncGenerator[Place]:
    place = Place(own, "own")
    yield place
    for cache in place.caches:
        await cache.aclose()


def inside(cache: Cache) -> Inside:
    assert isinstance(cache.inner, Inside)
    return cache.inner


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await true():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)


async def test_what_one_read_the_others_find(place: Place) -> None:
    one, two = place.cache(), place.cache()
    await place.store.put("é %2F", b"x", content_type="text/odd", metadata={"k": "é"})
    expected = await place.store.stat("é %2F")
    assert await one.get("é %2F") == b"x"
    async with await two.read("é %2F") as source:
        assert source.stat == expected
        assert await source.read() == b"x"
    assert await two.metadata("é %2F") == expected
    assert inside(two).calls == {}
    assert (two.stats().hits, two.stats().misses) == (2, 0)


async def test_a_change_of_one_is_seen_by_the_others(place: Place) -> None:
    one, two = place.cache(), place.cache()
    await one.put("a", b"old")
    await one.put("f/b", b"old")
    for path in ("a", "f/b"):
        assert await two.get(path) == b"old"
    assert await two.missing("c")
    await one.put("a", b"new")
    await one.put("c", b"new")
    await one.delete_directory("f")
    assert await two.get("a") == b"new"
    assert await two.get("c") == b"new"
    with pytest.raises(NotFound):
        await two.get("f/b")


async def test_a_second_process_writes_while_the_first_reads(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    options = f'store="redis", url="{redis_server.url}"'
    cache = Cache(
        LocalDriver(tmp_path), store="redis", url=redis_server.url, ttl=60, namespace="shared"
    )
    async with cache:
        await cache.put("a", b"old")
        assert await cache.get("a") == b"old"
        await _in_another_process(options, tmp_path, "put", "a", "new")
        assert await cache.get("a") == b"new"
        await _in_another_process(options, tmp_path, "delete", "a")
        assert await cache.missing("a")


async def test_a_second_process_tells_the_first_whose_memory_is_its_own(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    options = f'invalidate="{redis_server.url}"'
    cache = Cache(LocalDriver(tmp_path), ttl=60, namespace="shared", invalidate=redis_server.url)
    async with cache:
        await cache.put("a", b"old")
        assert await cache.get("a") == b"old"
        hits = cache.stats().hits
        assert await cache.get("a") == b"old"
        assert cache.stats().hits == hits + 1
        await _in_another_process(options, tmp_path, "put", "a", "new")
        await until(lambda: _is(cache, "a", b"new"))
        await _in_another_process(options, tmp_path, "delete", "a")
        await until(lambda: cache.missing("a"))


async def test_what_was_read_before_anothers_change_is_not_stored_after_it(place: Place) -> None:
    one, two = place.cache(), place.cache()
    await one.put("a", b"old")
    inside(two).hold("read")
    early = asyncio.create_task(two.get("a"))
    await inside(two).reached.wait()
    await one.put("a", b"new")
    inside(two).release()
    assert await early == b"old"
    assert [await two.get("a"), await one.get("a")] == [b"new", b"new"]


async def test_who_joins_a_reading_from_before_anothers_change_sees_the_change(
    place: Place,
) -> None:
    one, two = place.cache(), place.cache()
    await one.put("a", b"old")
    inside(two).hold("read")
    early = asyncio.create_task(two.get("a"))
    await inside(two).reached.wait()
    await one.put("a", b"new")
    late = asyncio.create_task(two.get("a"))
    await until(lambda: _waiting(two, 2))
    inside(two).release()
    assert [await early, await late] == [b"old", b"new"]


async def test_what_was_read_before_a_folder_was_emptied_is_not_stored_after_it(
    place: Place,
) -> None:
    one, two = place.cache(), place.cache()
    await one.put("f/a", b"old")
    inside(two).hold("read")
    early = asyncio.create_task(two.get("f/a"))
    await inside(two).reached.wait()
    await one.delete_directory("f")
    inside(two).release()
    assert await early == b"old"
    assert await two.missing("f/a")


async def test_nothing_is_stored_while_a_file_is_being_written(place: Place) -> None:
    """So that a writer that is killed between its commit and its news leaves nothing old behind."""
    one, two = place.cache(), place.cache()
    await place.store.put("a", b"old")
    inside(one).hold("write")
    writing = asyncio.create_task(one.put("a", b"new"))
    await inside(one).reached.wait()
    await place.store.put("a", b"not there yet")
    assert await two.get("a") == b"not there yet"
    await place.store.put("a", b"new")
    assert await two.get("a") == b"new"
    inside(one).release()
    await writing
    assert await two.get("a") == b"new"


@pytest.mark.parametrize("ttl", [0, 60])
@pytest.mark.parametrize("seed", range(4))
async def test_a_read_anywhere_that_begins_after_a_write_anywhere_sees_it(
    place: Place, ttl: float, seed: int
) -> None:
    """Each content is its own number: whoever reads gets at least the last one written before."""
    chance = random.Random(seed)
    caches = [place.cache(ttl=ttl) for _ in range(3)]
    for number, cache in enumerate(caches):
        cache._inner = Delayed(place.store, seed * 10 + number)
    written, numbers = dict.fromkeys("ab", 0), dict.fromkeys("ab", 0)
    for path in "ab":
        await place.store.put(path, "0")

    async def write() -> None:
        path = chance.choice("ab")
        number = numbers[path] = numbers[path] + 1
        await chance.choice(caches).put(path, f"{number}")
        written[path] = max(written[path], number)

    async def read() -> None:
        path = chance.choice("ab")
        least = written[path]
        assert int(await chance.choice(caches).get(path)) >= least

    async def several(work: Callable[[], Awaitable[None]], count: int) -> None:
        for _ in range(count):
            await work()

    async with asyncio.TaskGroup() as group:
        group.create_task(several(write, 30))
        for _ in range(6):
            group.create_task(several(read, 30))
    assert sum(cache.stats().hits for cache in caches) > 0


async def test_without_a_ttl_every_read_asks(place: Place) -> None:
    one, two = place.cache(ttl=0), place.cache(ttl=0)
    await place.store.put("a", b"old")
    assert [await one.get("a"), await two.get("a")] == [b"old", b"old"]
    assert (inside(two).calls["read"], inside(two).calls["stat"]) == (0, 1)
    await place.store.put("a", b"new")
    assert [await one.get("a"), await two.get("a")] == [b"new", b"new"]


async def test_two_disks_never_meet_in_one_redis(place: Place) -> None:
    one, two = place.cache(namespace="a"), place.cache(namespace="a:file")
    other = MemoryDriver()
    two.inner.inner._store = other._store  # type: ignore[attr-defined]
    await place.store.put("file:b", b"one")
    await other.put("b", b"two")
    assert await one.get("file:b") == b"one"
    assert await two.get("b") == b"two"
    with pytest.raises(NotFound):
        await two.get("file:b")


async def test_a_damaged_or_foreign_value_is_a_miss(place: Place) -> None:
    cache = place.cache()
    await place.store.put("a", b"right")
    await place.store.put("b", b"other")
    await cache.get("a")
    await cache.get("b")
    async with place.redis() as redis:
        key, other = [await _key(redis, place, path) for path in "ab"]
        good = await redis.get(key)
        cut = [good[:length] for length in range(0, len(good), 7)]
        flipped = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
        foreign = [b"", b"gASVDAAA", b"SRC2" + good[4:], good + b"x", await redis.get(other)]
        for value in (*cut, *flipped, *foreign):
            await redis.set(key, value)
            assert await cache.get("a") == b"right"
        await redis.delete(key)
        await redis.lpush(key, "of another kind")
        assert await cache.get("a") == b"right"
        await cache.put("a", b"new")
        assert await cache.get("a") == b"new"
        await redis.delete(await _epoch(redis, place))
        assert await cache.get("a") == b"new"
        await redis.set(await _epoch(redis, place), "odd")
        assert await cache.get("a") == b"new"


async def test_every_entry_has_an_end(place: Place) -> None:
    cache = place.cache(ttl=60, negative_ttl=5)
    await place.store.put("a", b"x")
    await cache.get("a")
    assert await cache.missing("b")
    async with place.redis() as redis:
        assert 50_000 < await redis.pttl(await _key(redis, place, "a")) <= 60_000
        assert 4_000 < await redis.pttl(await _key(redis, place, "b")) <= 5_000
        await cache.put("a", b"y")
        assert 0 < await redis.pttl(await _key(redis, place, "a")) <= 60_000


async def test_a_value_larger_than_a_few_chunks_comes_back_whole(place: Place) -> None:
    one, two = place.cache(), place.cache()
    data = bytes(range(256)) * 4000
    await place.store.put("a", data)
    assert await one.get("a") == data
    assert await two.get("a") == data
    assert inside(two).calls == {}


async def test_a_cancelled_command_mixes_no_answers(place: Place) -> None:
    cache = place.cache()
    for number in range(30):
        await place.store.put(f"{number}", f"{number}" * 1000)
        await cache.get(f"{number}")
    for turns in range(12):
        reading = asyncio.create_task(cache.get("1"))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        found = await asyncio.gather(*(cache.text(f"{number}") for number in range(30)))
        assert found == [f"{number}" * 1000 for number in range(30)]


async def test_a_redis_that_is_down_breaks_nothing_and_is_told_of_once(
    own_place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    cache = own_place.cache()
    await cache.put("a", b"old")
    await cache.get("a")
    own_place.server.stop()
    caplog.set_level(logging.WARNING, "storeroom")
    for number in range(5):
        await cache.put("a", f"{number}")
        assert await cache.text("a") == f"{number}"
        assert await cache.missing("b")
    assert cache.stats().errors >= 1
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert "does not answer (ConnectionError)" in warnings[0]
    own_place.server.start()
    await until(lambda: _is_hit(cache, "a"))
    assert await cache.get("a") == b"4"


async def test_one_that_is_full_lets_go_of_what_was_changed(own_place: Place) -> None:
    """Without room for a mark, and nothing thrown out to make some, as Redis is by default."""
    one, two = own_place.cache(), own_place.cache()
    for path in ("a", "f/b"):
        await one.put(path, b"old")
        assert await two.get(path) == b"old"
    async with own_place.redis() as redis:
        await redis.config_set("maxmemory", 1)
        await one.put("a", b"new")
        await one.delete_directory("f")
        assert await two.get("a") == b"new"
        assert await two.missing("f/b")
        await redis.config_set("maxmemory", 0)
    await until(lambda: _is_hit(one, "a"))


async def test_more_readers_than_connections_take_turns(place: Place) -> None:
    cache = place.cache()
    await cache.put("a", b"x")
    await cache.get("a")
    assert await asyncio.gather(*(cache.get("a") for _ in range(300))) == [b"x"] * 300
    assert (cache.stats().hits, cache.stats().errors) == (300, 0)
    pool = cache._store._wire._clients.here().redis.connection_pool  # type: ignore[attr-defined]
    assert len(pool._available_connections) <= 64


async def test_an_address_made_for_others_too_changes_nothing(place: Place) -> None:
    url = f"{place.server.url}?decode_responses=true&protocol=3&encoding=utf-16&client_name=x"
    await place.store.put("a", b"\xff\xfe")
    for options in ({"store": "redis", "url": url}, {"invalidate": url}):
        inner = Inside(place.store.twin())
        async with Cache(inner, ttl=60, namespace=f"{place.namespace}2", **options) as cache:  # type: ignore[arg-type]
            assert [await cache.get("a") for _ in range(3)] == [b"\xff\xfe"] * 3
            assert (cache.stats().hits, cache.stats().errors) == (2, 0)


@pytest.mark.parametrize(
    "answer",
    [
        *(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-5\r\n", b"*-1\r\n", b"*2\r\n:1\r\n:2\r\n"),
        *(b"*2\r\n*0\r\n*0\r\n", b"*2\r\n" * 3000),
    ],
)
async def test_what_is_no_redis_breaks_nothing(place: Place, answer: bytes) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            writer.write(answer)
        writer.close()

    await place.store.put("a", b"old")
    async with await asyncio.start_server(odd, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for options in ({"store": "redis", "url": url}, {"invalidate": url}):
            inner = Inside(place.store.twin())
            async with Cache(inner, ttl=60, namespace="x", **options) as cache:  # type: ignore[arg-type]
                assert await cache.get("a") == b"old"
                await cache.put("a", b"new")
                assert await cache.get("a") == b"new"
                if cache._news is not None:
                    assert not cache._news._listeners.here()._task.done()  # type: ignore[union-attr]
                await cache.put("a", b"old")


async def test_a_change_that_could_not_be_told_is_told_when_redis_is_back(
    own_place: Place,
) -> None:
    """The other process's Redis is the same one; to the writer alone it was down."""
    writer, reader = own_place.cache(), own_place.cache()
    await writer.put("a", b"old")
    assert await reader.get("a") == b"old"
    async with own_place.redis() as redis:
        await redis.config_set("maxclients", 1)  # nobody new is let in
        await writer._store._wire._clients.here().redis.connection_pool.disconnect()  # type: ignore[attr-defined]
        await writer.put("a", b"new")
        assert await writer.get("a") == b"new"
        assert writer.stats().errors > 0
        await redis.config_set("maxclients", 100)
    await until(lambda: _is(reader, "a", b"new"))


async def test_joined_memories_hear_of_changes(place: Place) -> None:
    one, two = place.joined(), place.joined()
    await one.put("a", b"old")
    await one.put("f/b", b"old")
    for cache in (one, two):
        for path in ("a", "f/b"):
            assert await cache.get(path) == b"old"
    assert await two.missing("c")
    await one.put("a", b"new")
    await one.put("c", b"new")
    await one.delete_directory("f")
    await until(lambda: _is(two, "a", b"new"))
    await until(lambda: _is(two, "c", b"new"))
    await until(lambda: two.missing("f/b"))
    assert await _is_hit(one, "a") or await _is_hit(one, "a")


async def test_a_reading_that_news_overtake_is_not_stored(place: Place) -> None:
    one, two = place.joined(), place.joined()
    await one.put("a", b"old")
    inside(two).hold("read")
    early = asyncio.create_task(two.get("a"))
    await inside(two).reached.wait()
    heard = asyncio.Event()
    drop = two._flights.drop
    two._flights.drop = lambda change: (drop(change), heard.set())  # type: ignore[assignment, func-returns-value]
    await one.put("a", b"new")
    await heard.wait()
    inside(two).release()
    assert await early == b"old"
    assert await two.get("a") == b"new"


async def test_news_nobody_understands_are_about_everything(place: Place) -> None:
    cache = place.joined()
    await place.store.put("a", b"x")
    await cache.get("a")
    async with place.redis() as redis:
        [channel] = [
            name
            for name in await redis.pubsub_channels()
            if name.decode() == cache._news.channel  # type: ignore[union-attr]
        ]
        for said in (b"", b"{}", b"[]", b'{"from": 1, "paths": "a", "folder": null}', b"\xff"):
            assert await cache.get("a") == b"x"
            assert cache.stats().entries == 1
            await redis.publish(channel, said)
            await until(lambda: _are(cache, 0))


async def test_who_cannot_listen_asks_and_lets_go_of_what_it_held(own_place: Place) -> None:
    cache = own_place.joined()
    await own_place.store.put("a", b"old")
    await cache.get("a")
    assert await _is_hit(cache, "a")
    own_place.server.stop()
    await until(lambda: _believes(cache, believed=False))
    await own_place.store.put("a", b"new")
    assert await cache.get("a") == b"new"
    own_place.server.start()
    await until(lambda: _believes(cache, believed=True))
    assert cache.stats().entries == 0
    await cache.get("a")
    assert await _is_hit(cache, "a")


def test_a_loop_that_stood_still_is_not_believed(
    place_of_its_own: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of_its_own
    cache = place.joined()
    loop = asyncio.new_event_loop()

    async def get() -> bytes:
        return await cache.get("a")

    async def put() -> None:
        await place.store.put("a", b"old")

    loop.run_until_complete(put())
    assert [loop.run_until_complete(get()) for _ in range(3)] == [b"old"] * 3
    assert cache.stats().hits == 2
    asyncio.run(place.store.put("a", b"new"))
    later = time.monotonic() + 11
    for name in ("memory", "fills"):
        monkeypatch.setattr(f"storeroom.layers._cache.{name}.monotonic", lambda: later)
    assert loop.run_until_complete(get()) == b"new"
    loop.run_until_complete(cache.aclose())
    loop.close()


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
async def test_a_forked_process_tells_the_one_that_it_comes_from(
    place: Place, tmp_path: Path
) -> None:
    inner = LocalDriver(tmp_path, durability="none")
    async with Cache(inner, ttl=60, namespace="fork", invalidate=place.server.url) as cache:
        await cache.put("a", b"old")
        assert await cache.get("a") == b"old"
        child = os.fork()
        if not child:
            try:
                asyncio.run(cache.put("a", b"new"))
            finally:
                os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        await until(lambda: _is(cache, "a", b"new"))


async def test_a_change_that_is_cancelled_while_it_is_told_is_told(place: Place) -> None:
    one, two = place.joined(), place.joined()
    await one.put("a", b"old")
    assert await two.get("a") == b"old"
    news = one._news
    assert news is not None
    task = asyncio.create_task(_cancelled_in(news, "_tell", one.put("a", b"new")))
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: _is(two, "a", b"new"))


async def test_a_folder_whose_removal_is_cancelled_while_it_is_told_is_forgotten(
    place: Place, tmp_path: Path
) -> None:
    one, two = (
        Cache(
            Inside(LocalDriver(tmp_path)),
            ttl=60,
            store="redis",
            url=place.server.url,
            namespace="f",
        )
        for _ in range(2)
    )
    place.caches += (one, two)
    inside(one).hold("remove_folder")
    task = asyncio.create_task(_cancelled_in(one._store, "_settled", one.remove_folder("f")))
    await inside(one).reached.wait()
    file = tmp_path / "f" / "a"
    file.parent.mkdir()
    file.write_bytes(b"late")
    assert await two.get("f/a") == b"late"
    file.unlink()
    inside(one).release()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: two.missing("f/a"))


async def test_what_was_stored_without_a_ttl_is_not_believed_with_one(place: Place) -> None:
    asks, believes = place.cache(ttl=0), place.cache()
    await asks.put("a", b"old")
    assert await asks.get("a") == b"old"
    await place.store.put("a", b"new")
    assert await believes.get("a") == b"new"


async def test_it_is_made_while_redis_is_down(
    own_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.layers._cache.news._WITHIN", 60)  # for one that is there
    own_place.server.stop()
    cache, joined = own_place.cache(), own_place.joined()
    await cache.put("a", b"x")
    assert [await cache.get("a"), await joined.get("a")] == [b"x", b"x"]
    await joined.put("a", b"y")
    assert await joined.get("a") == b"y"


async def test_a_redis_that_never_answers_costs_each_reader_little(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storeroom.layers._cache.wire._PATIENCE", 0.2)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        inner = Inside(place.store)
        cache = Cache(inner, store="redis", url=f"redis://127.0.0.1:{port}", namespace="x", ttl=60)
        await place.store.put("a", b"x")
        assert await cache.get("a") == b"x"
        begun = time.monotonic()
        errors = cache.stats().errors
        assert [await cache.get("a") for _ in range(20)] == [b"x"] * 20
        assert cache.stats().errors <= errors + 1 + (time.monotonic() - begun) / 0.05
        errors = cache.stats().errors
        cache._store._wire._again = time.monotonic()  # type: ignore[attr-defined]
        assert await asyncio.gather(*(cache.get("a") for _ in range(20))) == [b"x"] * 20
        assert cache.stats().errors == errors + 1  # one tried
        await cache.aclose()


async def _cancelled_in(part: Any, method: str, work: Any) -> None:
    """Do the work, and cancel it when it comes to this method the first time."""
    task = asyncio.current_task()
    assert task is not None
    called = getattr(part, method)

    async def cancelling(*given: Any) -> Any:
        setattr(part, method, called)
        task.cancel()
        await asyncio.sleep(0)
        return await called(*given)

    setattr(part, method, cancelling)
    await work


async def _in_another_process(options: str, root: Path, *words: str) -> None:
    code = OTHER.replace("{options}", options)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code, str(root), *words, cwd=HERE
    )
    assert await process.wait() == 0


async def _waiting(cache: Cache, count: int) -> bool:
    flights = [one for loops in cache._flights._running.values() for one in loops.values()]
    return [flight.waiting for flight in flights] == [count]


async def _is(cache: Cache, path: str, content: bytes) -> bool:
    return await cache.get(path) == content


async def _is_hit(cache: Cache, path: str) -> bool:
    before = cache.stats().hits
    await cache.get(path)
    return cache.stats().hits == before + 1


async def _are(cache: Cache, entries: int) -> bool:
    return cache.stats().entries == entries


async def _believes(cache: Cache, *, believed: bool) -> bool:
    return cache._store.is_believed is believed


async def _key(redis: Any, place: Place, path: str) -> bytes:
    prefix = place.caches[0]._store._prefix  # type: ignore[attr-defined]
    keys = [key async for key in redis.scan_iter(f"{prefix}file:{path}")]
    return keys[0]


async def _epoch(redis: Any, place: Place) -> bytes:
    return f"{place.caches[0]._store._prefix}epoch".encode()  # type: ignore[attr-defined]
