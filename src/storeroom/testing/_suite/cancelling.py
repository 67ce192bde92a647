"""Cancellation at every await, and big bodies."""

import asyncio
import functools
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import ReadOptions
from storeroom.files import Files
from storeroom.testing._suite.frame import (
    Suite,
    chunks_of,
    content,
    files_in,
    snapshot,
    streamed,
    write,
)

__all__ = ["Bodies", "Cancelling", "Interrupted"]

OLD, NEW, MORE = b"old " * 50, b"new " * 70_000, b"more " * 60_000
Work = Callable[[], Coroutine[Any, Any, object]]


class Cancelling(Suite, level="heavy"):
    """A cancelled verb leaves old or new, whole, and nothing that works on behind its back."""

    async def test_write_over_a_file(self, store: StorageDriver) -> None:
        await self._cancelled(store, {"f/a": OLD}, lambda: _write(store), [{"f/a": NEW}])

    async def test_write_of_a_new_file(self, store: StorageDriver) -> None:
        await self._cancelled(store, {}, lambda: _write(store), [{"f/a": NEW}])

    async def test_write_of_a_small_file(self, store: StorageDriver) -> None:
        await self._cancelled(
            store, {"f/a": OLD}, lambda: write(store, "f/a", b"small"), [{"f/a": b"small"}]
        )

    async def test_remove(self, store: StorageDriver) -> None:
        await self._cancelled(store, {"f/a": OLD}, lambda: store.remove("f/a"), [{}])

    async def test_read_and_scan(self, store: StorageDriver) -> None:
        await self._cancelled(store, {"f/a": OLD, "b": NEW}, lambda: snapshot(store), [])

    async def test_copy_over_a_file(self, disk: Files) -> None:
        before = {"a": NEW, "f/b": OLD}
        await self._cancelled(
            disk.driver, before, lambda: disk.copy("a", "f/b"), [{"a": NEW, "f/b": NEW}]
        )

    async def test_move_over_a_file(self, disk: Files) -> None:
        before = {"a": NEW, "f/b": OLD}
        await self._cancelled(
            disk.driver,
            before,
            lambda: disk.move("a", "f/b"),
            [{"a": NEW, "f/b": NEW}, {"f/b": NEW}],
        )

    async def test_move_to_a_new_place(self, disk: Files) -> None:
        after = [{"a": NEW, "f/b": NEW}, {"f/b": NEW}]
        await self._cancelled(disk.driver, {"a": NEW}, lambda: disk.move("a", "f/b"), after)

    async def test_append_to_a_file(self, disk: Files) -> None:
        await self._cancelled(
            disk.driver,
            {"f/a": OLD},
            lambda: disk.append("f/a", chunks_of([MORE, MORE])),
            [{"f/a": OLD + MORE + MORE}],
        )

    async def test_append_of_a_line(self, disk: Files) -> None:
        await self._cancelled(
            disk.driver,
            {"f/a": OLD},
            lambda: disk.append("f/a", "a line"),
            [{"f/a": OLD + b"\na line"}],
        )

    async def test_prepend_to_a_file(self, disk: Files) -> None:
        await self._cancelled(
            disk.driver,
            {"f/a": OLD},
            lambda: disk.prepend("f/a", chunks_of([MORE, MORE])),
            [{"f/a": MORE + MORE + OLD}],
        )

    async def test_a_writer(self, disk: Files) -> None:
        async def work() -> None:
            async with disk.open_writer("f/a") as writer:
                await writer.write(MORE)
                await writer.write(MORE)

        await self._cancelled(disk.driver, {"f/a": OLD}, work, [{"f/a": MORE + MORE}])

    async def _cancelled(
        self,
        store: StorageDriver,
        before: dict[str, bytes],
        work: Work,
        after: list[dict[str, bytes]],
    ) -> None:
        for late in (False, True):
            async for interrupted in _at_every_await(
                work, lambda: self._arranged(store, before), late=late
            ):
                found = await snapshot(store)
                assert found in (before, *after), (
                    interrupted,
                    {p: len(d) for p, d in found.items()},
                )
                await write(store, "f/a later", b"goes on")
                assert await snapshot(store) == {**found, "f/a later": b"goes on"}
                await write(store, "f/a", b"goes on")
                assert await content(store, "f/a") == b"goes on"

    async def _arranged(self, store: StorageDriver, before: dict[str, bytes]) -> None:
        for path in await files_in(store):
            await store.remove(path)
        await self.seed(store, before)


class Bodies(Suite, level="heavy"):
    """Bodies of many pieces."""

    async def test_a_big_body_of_unknown_size_arrives_whole(self, store: StorageDriver) -> None:
        sent, got = hashlib.sha256(), hashlib.sha256()

        async def chunks() -> AsyncIterator[bytes]:
            for number in range(70):
                chunk = bytes([number]) * 250_007
                sent.update(chunk)
                yield chunk

        await store.write("big/a", Body(chunks))
        assert (await store.stat("big/a")).size == 70 * 250_007
        async with await store.read("big/a") as source:
            async for chunk in source:
                got.update(chunk)
        assert got.digest() == sent.digest()

    async def test_a_big_body_of_known_size_arrives_whole(self, store: StorageDriver) -> None:
        data = hashlib.shake_256(b"seed").digest(9_000_001)
        await store.write("a", Body(data))
        assert await content(store, "a") == data

    async def test_a_range_in_the_middle_of_a_big_file(self, store: StorageDriver) -> None:
        data = hashlib.shake_256(b"seed").digest(9_000_001)
        await store.write("a", Body(data))
        for start, stop in ((4_000_000, 4_000_010), (1_000_000, 7_500_000), (8_999_999, None)):
            assert await content(store, "a", ReadOptions(start, stop)) == data[start:stop]

    async def test_a_big_source_is_left_in_the_middle(self, store: StorageDriver) -> None:
        await store.write("a", Body(bytes(9_000_001)))
        for _ in range(5):
            async with await store.read("a") as source:
                assert len(await source.read(1_500_000)) == 1_500_000
        assert await store.remove("a") is not False

    async def test_chunks_of_a_big_file_have_exactly_the_size_asked_for(self, disk: Files) -> None:
        data = hashlib.shake_256(b"seed").digest(3_000_001)
        await disk.put("a", data)
        chunks = [chunk async for chunk in disk.read_stream("a", chunk_size=65_537)]
        assert {len(chunk) for chunk in chunks[:-1]} == {65_537}
        assert b"".join(chunks) == data

    async def test_big_bodies_at_once_do_not_mix(self, store: StorageDriver) -> None:
        pieces = {f"f/{number}": bytes([number]) * 700_000 for number in range(6)}
        await asyncio.gather(*(store.write(p, streamed(d, d, d)) for p, d in pieces.items()))
        for path, data in pieces.items():
            assert await content(store, path) == data * 3

    async def test_big_files_are_copied_and_moved_whole(self, disk: Files) -> None:
        data = hashlib.shake_256(b"seed").digest(5_000_001)
        await disk.put("a", data)
        await disk.copy("a", "b")
        await disk.move("a", "c")
        assert await snapshot(disk.driver) == {"b": data, "c": data}

    async def test_a_big_append_arrives_whole(self, disk: Files) -> None:
        data = hashlib.shake_256(b"seed").digest(3_000_001)
        await disk.put("a", data)
        await disk.append("a", chunks_of([data, b"!"]))
        await disk.prepend("a", chunks_of([b">", data]))
        assert await disk.get("a") == b">" + data + data + data + b"!"


async def _at_every_await(
    work: Work, arrange: Callable[[], Awaitable[None]], /, *, late: bool
) -> AsyncIterator[int]:
    """Run the work again and again, cancelled one await later each time, until it gets through."""
    at, reached = 0, True
    while reached:
        await arrange()
        interrupted = Interrupted(work(), at, late=late)
        task = asyncio.create_task(interrupted)
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
        reached = interrupted.reached
        yield at
        at += 1 + at // 20


class Interrupted(Coroutine[Any, Any, object]):
    """A coroutine whose task is cancelled at one of its awaits: when it begins, or as it ends."""

    def __init__(self, work: Coroutine[Any, Any, object], at: int, /, *, late: bool) -> None:
        self._work = work
        self._left = at
        self._late = late
        self.reached = False

    def send(self, value: Any, /) -> Any:
        return self._seen(self._work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._seen(self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, object]:
        return self._work.__await__()

    def _seen(self, waiting: Any) -> Any:
        if self._left == 0:
            self.reached = True
            self._cancel(waiting)
        self._left -= 1
        return waiting

    def _cancel(self, waiting: Any) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        if self._late and asyncio.isfuture(waiting):
            waiting.add_done_callback(functools.partial(_cancel, task))
        else:
            task.cancel()


def _cancel(task: "asyncio.Task[object]", _: object) -> None:
    task.cancel()


async def _write(store: StorageDriver) -> None:
    half = len(NEW) // 2
    await store.write("f/a", streamed(NEW[:half], NEW[half:]))
