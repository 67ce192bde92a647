"""Around: its one hook sees every call that may wait, of every verb and every ability."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from storeroom.contracts.abilities import BulkRemove, LocalPath, Origin, PublicUrl, Sweep, VerifyUrl
from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import Folder, ScanOptions, Stat, Version
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around
from tests.layers.calls import ABILITY_CALLS, answer, collected
from tests.layers.everything import METHODS, Everything, filled

T = TypeVar("T")

SYNCHRONOUS = {"public_url", "origin", "local_path"}


class Noting(Around):
    """Notes every call that goes through the hook, and when it is over."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.seen: list[tuple[str, str]] = []
        self.over: list[str] = []

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        self.seen.append((operation, path))
        try:
            return await call()
        finally:
            self.over.append(operation)


@pytest.fixture
async def noting() -> Noting:
    driver = Everything()
    await filled(driver, "a", "b/c")
    await driver.write("a", Body(b"newer"))
    return Noting(driver)


@pytest.mark.parametrize("method", sorted(ABILITY_CALLS.keys() - SYNCHRONOUS))
async def test_the_hook_sees_an_abilitys_call_with_its_path(noting: Noting, method: str) -> None:
    native: Any = noting.ability(METHODS[method])
    assert native is noting
    native.inner_origin = MemoryDriver()
    await answer(lambda: ABILITY_CALLS[method](native, "a", "to"))
    assert noting.seen == [(method, "a")]
    assert noting.over == [method]


async def test_the_hook_sees_calls_about_no_single_path(noting: Noting) -> None:
    await noting.ability(BulkRemove).remove_many(["a", "missing"])
    await noting.ability(Sweep).sweep(timedelta(0))
    url = await noting.temporary_url("a", 60)
    await noting.ability(VerifyUrl).verify_url(url, "GET")
    operations = [("remove_many", ""), ("sweep", ""), ("presign_read", "a"), ("verify_url", "")]
    assert noting.seen == operations


async def test_what_is_synchronous_is_passed_directly(noting: Noting) -> None:
    assert noting.ability(PublicUrl).public_url("a") == "/storage/a"
    assert noting.ability(LocalPath).local_path("a") == "/srv/a"
    assert noting.ability(Origin).origin("a") == (noting.inner, "a")
    assert noting.seen == []


async def test_the_hook_sees_the_verbs(noting: Noting) -> None:
    await noting.write("a", Body(b"x"))
    await noting.stat("a")
    await noting.read("a")
    await noting.remove("a")
    assert [e async for e in noting.scan("b", ScanOptions())]
    verbs = [("write", "a"), ("stat", "a"), ("read", "a"), ("remove", "a"), ("scan", "b")]
    assert noting.seen == verbs


async def test_a_listing_is_in_the_hook_until_its_first_entry(noting: Noting) -> None:
    entries = noting.scan()
    assert noting.seen == []
    first = await anext(entries)
    assert (first.path, noting.over) == ("a", ["scan"])
    rest = [entry async for entry in entries]
    assert [(type(entry), entry.path) for entry in rest] == [(Folder, "b"), (Stat, "b/c")]
    assert noting.over == ["scan"]


async def test_an_empty_listing_goes_through_the_hook(noting: Noting) -> None:
    assert await collected(noting.scan("missing")) == []
    assert noting.over == ["scan"]
    assert await collected(noting.list_versions("b/c")) == []


async def test_a_listing_left_early_is_closed_inside() -> None:
    ended: list[str] = []

    class Inner(Everything):
        async def scan(self, folder: str = "", how: Any = None, /) -> AsyncGenerator[Stat | Folder]:
            try:
                yield Stat("a")
                yield Stat("b")
            finally:
                ended.append("scan")

        async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
            try:
                yield Version("a", "1")
                yield Version("a", "2")
            finally:
                ended.append("versions")

    for items in (Around(Inner()).scan(), Around(Inner()).list_versions("a")):
        await anext(items)
        await items.aclose()
    assert ended == ["scan", "versions"]


async def test_a_listing_that_fails_at_once_fails_in_the_hook() -> None:
    class Inner(MemoryDriver):
        async def scan(self, folder: str = "", how: Any = None, /) -> AsyncGenerator[Stat | Folder]:
            raise Unavailable("not now")
            yield Stat("a")

    noting = Noting(Inner())
    with pytest.raises(Unavailable):
        await noting.files()
    assert noting.over == ["scan"]


async def test_without_a_hook_nothing_changes() -> None:
    driver = MemoryDriver()
    layer = Around(Around(driver))
    await layer.put("a", b"x", metadata={"k": "v"})
    await layer.copy("a", "b/c")
    await layer.append("a", b"y")
    assert await layer.get("a") == b"xy"
    assert await layer.all_files() == driver.all_paths() == ["a", "b/c"]
    assert (await layer.delete_many(["a", "b/c"])).ok
