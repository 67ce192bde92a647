"""Copies at the service: at once, in its own time, from other containers and accounts."""

import asyncio

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import NotFound, PreconditionFailed, Unavailable, Unsupported
from storeroom.contracts.values import WriteOptions
from tests.drivers.azure.container import SMALL_PARTS, Container, operations, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.drivers.test_azure import signature_of
from tests.servers.azure import AsyncBearer

DRESSED = WriteOptions(
    content_type="a/b",
    cache_control="no-store",
    metadata={"Camel": "ü"},
    tags={"t": "1 2"},
    tier="Cool",
)


async def test_a_copy_takes_everything_along(place: Container) -> None:
    driver = place.driver(**SMALL_PARTS)
    data = random_bytes(3 * MIB)
    await driver.write(KEY, streamed(data), DRESSED)
    done = await driver.copy_within(KEY, "copy")
    stat = await driver.stat("copy")
    assert (done.etag, done.size) == (stat.etag, 3 * MIB)
    assert (stat.content_type, stat.cache_control, stat.metadata, stat.tier) == (
        *("a/b", "no-store", {"Camel": "ü"}, "Cool"),
    )
    assert await driver.read_tags("copy") == {"t": "1 2"}
    assert await driver.checksum("copy", "md5") == await driver.checksum(KEY, "md5")
    assert await read(driver, "copy") == data


async def test_a_copy_takes_what_it_is_told_and_keeps_the_md5(place: Container) -> None:
    driver = place.driver()
    await driver.write(KEY, Body(b"foobar"), DRESSED)
    how = WriteOptions(content_type="c/d", metadata={}, tags={}, tier="Hot")
    done = await driver.copy_within(KEY, "copy", how)
    stat = await driver.stat("copy")
    assert done.etag == stat.etag
    assert (stat.content_type, stat.cache_control, stat.tier) == ("c/d", "no-store", "Hot")
    assert not stat.metadata
    assert await driver.read_tags("copy") == {}
    assert await driver.digest("copy", "md5") == "3858f62230ac3c915f300c664312c63f"


@pytest.mark.parametrize("size", [100, 3 * MIB])
async def test_a_neighbour_of_the_account_is_copied_from(place: Container, size: int) -> None:
    there = place.sibling()
    data = random_bytes(size)
    there.put(data, "a b/ü%2F")
    driver = place.driver()
    await driver.copy_from(there.driver(), "a b/ü%2F", KEY)
    assert place.get() == data


async def test_another_account_is_copied_from_by_a_signature(place: Container) -> None:
    there, data = place.neighbour(), random_bytes(MIB)
    origin = there.driver()
    await origin.write("a b/ü%2F", Body(data), DRESSED)
    driver = place.driver()
    place.put(b"old")
    await driver.copy_from(origin, "a b/ü%2F", KEY)
    assert place.get() == data
    stat = await driver.stat(KEY)
    assert (stat.content_type, stat.metadata, stat.tier) == ("a/b", {"Camel": "ü"}, "Cool")
    assert place.hidden() == []


async def test_another_account_that_lets_nobody_in_is_not_copied_from(
    container: Container, secure: Container
) -> None:
    there = secure.neighbour()
    there.put(b"x")
    driver = secure.driver()
    with pytest.raises(Unsupported, match="account_key"):
        await driver.copy_from(there.driver(credential=AsyncBearer(there.server.token)), KEY, "b")
    shut = container.neighbour()
    shut.put(b"x")
    with pytest.raises(NotFound):
        await container.driver().copy_from(shut.driver(anonymous=True), KEY, "b")
    assert container.get("b") is None
    assert container.hidden() == []


async def test_a_copy_that_takes_its_time_is_waited_for(container: Container) -> None:
    driver = container.driver()
    container.put(b"new", "source")
    container.strict.settings(pending_copies=3)
    with container.strict.watching() as wire:
        done = await driver.copy_within("source", KEY)
    assert operations(wire) == ["copy", *["head"] * 4]
    assert container.get() == b"new"
    assert done.etag == (await driver.stat(KEY)).etag


async def test_a_copy_that_fails_in_the_end_leaves_nothing(container: Container) -> None:
    driver = container.driver()
    container.put(b"new", "source")
    container.strict.settings(pending_copies=1, failing_copies=True)
    with pytest.raises(Unavailable, match="gave up"):
        await driver.copy_within("source", KEY)
    assert container.get() is None


async def test_a_copy_that_is_cancelled_is_aborted(container: Container) -> None:
    driver = container.driver()
    container.put(b"new", "source")
    container.strict.settings(pending_copies=-1)
    with container.strict.watching() as wire, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await driver.copy_within("source", KEY)
    assert operations(wire)[-3:] == ["abort copy", "head", "delete"]
    container.strict.finish_copies()
    assert container.get() is None
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("outcome", ["done", "failed", "cancelled"])
async def test_a_copy_from_afar_shows_itself_when_it_is_whole(
    container: Container, outcome: str
) -> None:
    there = container.neighbour()
    there.put(b"new")
    container.put(b"old")
    container.strict.settings(
        pending_copies=-1 if outcome == "cancelled" else 2, failing_copies=outcome == "failed"
    )
    driver = container.driver()
    work = asyncio.create_task(driver.copy_from(there.driver(), KEY, KEY))
    await asyncio.sleep(0.3)
    assert container.get() == b"old"
    if outcome == "cancelled":
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()
    elif outcome == "failed":
        with pytest.raises(Unavailable):
            await work
    else:
        container.strict.settings(pending_copies=0)
        await work
    assert container.get() == (b"new" if outcome == "done" else b"old")
    assert container.hidden() == []


async def test_a_copy_is_of_the_file_that_was_seen(container: Container) -> None:
    driver = container.driver()
    container.put(b"old", "source")
    stat = await driver.stat("source")
    container.put(b"new", "source")
    with pytest.raises(PreconditionFailed):
        await driver.copy_within("source", KEY, WriteOptions(if_match=stat.etag))
    assert container.get() is None


async def test_a_move_takes_along_what_belongs_to_the_file(place: Container) -> None:
    driver = place.driver()
    await driver.write("a", Body(b"x"), DRESSED)
    await driver.move("a", "b/c")
    stat = await driver.stat("b/c")
    assert (stat.content_type, stat.metadata, stat.tier) == ("a/b", {"Camel": "ü"}, "Cool")
    assert await driver.read_tags("b/c") == {"t": "1 2"}
    assert await driver.all_files() == ["b/c"]
    await driver.append("log", b"1")
    await driver.move("log", "old log")
    await driver.append("old log", b"2")
    assert await driver.get("old log") == b"12"


async def test_a_copy_out_of_the_archive_shows_itself_when_it_is_whole(
    container: Container,
) -> None:
    """It takes hours, in which the file of before is there."""
    driver = container.driver()
    await driver.write("source", Body(b"new"), WriteOptions(tags={"t": "1"}, tier="Archive"))
    container.put(b"old")
    container.strict.settings(pending_copies=2)
    work = asyncio.create_task(driver.copy_within("source", KEY, WriteOptions(tier="Hot")))
    await asyncio.sleep(0.3)
    assert container.get() == b"old"
    container.strict.settings(pending_copies=0)
    await work
    assert container.get() == b"new"
    assert await driver.read_tags(KEY) == {"t": "1"}
    assert container.hidden() == []


async def test_what_is_stored_there_during_a_copy_is_not_dressed(container: Container) -> None:
    driver = container.driver()
    container.put(b"new", "source")
    container.strict.settings(pending_copies=-1)
    how = WriteOptions(content_type="a/b")
    work = asyncio.create_task(driver.copy_within("source", KEY, how))
    await asyncio.sleep(0.3)
    container.strict.finish_copies()
    container.put(b"another's")
    assert (await work).etag is None
    assert (await driver.stat(KEY)).content_type != "a/b"


async def test_who_comes_with_a_signature_copies_from_who_has_the_key(container: Container) -> None:
    there = container.sibling()
    there.put(b"x", "a b/ü%2F")
    driver = container.driver(sas_token=signature_of(container.server, container.name))
    await driver.copy_from(there.driver(), "a b/ü%2F", KEY)
    assert container.get() == b"x"


async def test_who_comes_with_a_signature_is_not_let_in_by_anothers_token(
    secure: Container,
) -> None:
    there = secure.sibling()
    there.put(b"x")
    driver = secure.driver(sas_token=signature_of(secure.server, secure.name))
    with pytest.raises(Unsupported, match="sas_token"):
        await driver.copy_from(there.driver(credential=AsyncBearer(there.server.token)), KEY, "b")
