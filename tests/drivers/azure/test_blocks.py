"""Uploads to one path at the same time, and blocks that others left there."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import WriteOptions
from tests.drivers.azure.container import SMALL_PARTS, Container, asked
from tests.drivers.s3.bucket import KEY, MIB, outcome, random_bytes, streamed

BIG = random_bytes(3 * MIB)


def waiting(data: bytes, gate: asyncio.Event) -> Body:
    async def chunks() -> AsyncIterator[bytes]:
        yield data[: 2 * MIB]
        await gate.wait()
        yield data[2 * MIB :]

    return Body(chunks)


async def test_blocks_are_seen_by_nobody_until_all_are_there(place: Container) -> None:
    driver, gate = place.driver(**SMALL_PARTS), asyncio.Event()
    work = asyncio.create_task(driver.write(KEY, waiting(BIG, gate)))
    await asyncio.sleep(0.2)
    assert place.get() is None
    assert await driver.all_files() == []
    assert not await driver.exists(KEY)
    gate.set()
    await work
    assert place.get() == BIG


async def test_a_write_that_comes_between_is_told_and_not_mixed(place: Container) -> None:
    """It throws the blocks of the other away: https://learn.microsoft.com/rest/api/storageservices/put-blob"""
    driver, gate = place.driver(**SMALL_PARTS), asyncio.Event()
    work = asyncio.create_task(driver.write(KEY, waiting(BIG, gate)))
    await asyncio.sleep(0.2)
    await driver.put(KEY, b"another")
    gate.set()
    told = await outcome(work)
    if isinstance(told, Unavailable):
        assert "meanwhile" in str(told)
        assert told.retryable
        assert place.get() == b"another"
    else:  # Azurite keeps the blocks
        assert place.get() == BIG


async def test_what_can_be_read_again_is_stored_again(container: Container) -> None:
    """Its blocks are thrown away by another writer, until there is none."""
    driver, other = container.driver(**SMALL_PARTS), container.driver()
    times = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal times
        times += 1
        yield BIG[: 2 * MIB]
        await asyncio.sleep(0.1)
        if times < 3:
            await other.put(KEY, b"another")
        yield BIG[2 * MIB :]

    await driver.write(KEY, Body(chunks, replayable=True))
    assert times == 3
    assert container.get() == BIG


@pytest.mark.parametrize("how", [WriteOptions(), WriteOptions(overwrite=False)], ids=str)
async def test_uploads_to_one_path_at_once_leave_one_of_them_whole(
    place: Container, how: WriteOptions
) -> None:
    driver = place.driver(**SMALL_PARTS)
    bodies = [random_bytes(2 * MIB + number, f"{number}") for number in range(5)]
    told = await asyncio.gather(*(outcome(driver.write(KEY, streamed(b), how)) for b in bodies))
    stored = [data for data, answer in zip(bodies, told, strict=True) if answer.path == KEY]
    assert place.get() in stored


@pytest.mark.parametrize("length", [16, 36, 64])
async def test_blocks_that_others_left_are_no_obstacle(place: Container, length: int) -> None:
    """All blocks of a blob have names of one length, those of unfinished uploads too."""
    blob = place.server.container(place.name).get_blob_client(KEY)
    for number in range(2):
        blob.stage_block(f"{number:0{length}}", b"left")
    driver = place.driver(**SMALL_PARTS)
    await driver.write(KEY, streamed(BIG))
    assert place.get() == BIG
    await driver.extend(KEY, Body(b"!"))
    assert place.get() == BIG + b"!"


async def test_names_too_short_to_be_anybodys_own_are_an_error(container: Container) -> None:
    blob = container.server.container(container.name).get_blob_client(KEY)
    blob.stage_block("1", b"left")
    driver = container.driver(**SMALL_PARTS)
    told = await outcome(driver.write(KEY, streamed(BIG)))
    assert isinstance(told, Unavailable), told
    assert "unfinished upload" in str(told)
    await driver.put(KEY, b"small")
    await driver.write(KEY, streamed(BIG))
    assert container.get() == BIG


async def test_every_upload_names_its_blocks_anew(container: Container) -> None:
    driver = container.driver(**SMALL_PARTS)
    with container.strict.watching() as wire:
        for _ in range(2):
            await driver.write(KEY, streamed(BIG))
    names = {seen.query for seen in asked(wire, "block")}
    assert len(names) == 6
    assert container.strict.staged(container.name) == []
