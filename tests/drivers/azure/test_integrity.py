"""Bytes that change or go missing on their way are found out, and two files never mix."""

from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, NotFound, StorageError, Unavailable
from storeroom.contracts.values import ReadOptions, Stat
from tests.drivers.azure.container import SMALL_PARTS, Container, asked, read
from tests.drivers.s3.bucket import KEY, MIB, each, outcome, random_bytes, streamed
from tests.servers.azure import AzureServer
from tests.servers.azure_wire import AZURE
from tests.servers.interposer import Interposer
from tests.servers.strict_azure import AzureFault

SIZES = {"tiny": 1, "small": 300, "a piece": 300_000, "large": 8 * MIB}
SUMMED: dict[str, Any] = {**SMALL_PARTS, "checksum": "md5"}
BIG, OTHER = random_bytes(8 * MIB), random_bytes(8 * MIB, "other")


@pytest.mark.parametrize("options", [{}, SUMMED], ids=["at once", "in blocks"])
async def test_a_byte_flipped_on_its_way_down_is_corrupted(
    container: Container, options: dict[str, Any]
) -> None:
    driver = container.driver(**options)

    async def one(name: str) -> None:
        data = BIG[: SIZES[name]]
        await driver.write(name, streamed(data))
        container.fail(AzureFault("flip", operation="get", path=f"{name}$"))
        with pytest.raises(Corrupted, match="not those whose checksum the service keeps"):
            await read(driver, name)
        assert await read(driver, name) == data

    await each(SIZES, one)


async def test_who_does_not_want_to_know_gets_the_bytes_as_they_come(container: Container) -> None:
    driver = container.driver(verify_content=False)
    await driver.write(KEY, Body(BIG))
    container.fail(AzureFault("flip", operation="get"))
    assert sum(one != other for one, other in zip(await read(driver), BIG, strict=True)) == 1


@pytest.mark.parametrize("times", [1, 100])
async def test_a_byte_flipped_on_its_way_up_is_never_stored(
    container: Container, times: int
) -> None:
    driver = container.driver(**SUMMED)

    async def one(name: str) -> None:
        container.put(b"old", name)
        container.fail(AzureFault("flip-upload", method="PUT", path=f"{name}$", times=times))
        told = await outcome(driver.write(name, Body(BIG[: SIZES[name]])))
        assert isinstance(told, (Stat, Corrupted)), repr(told)
        assert container.get(name) == (BIG[: SIZES[name]] if isinstance(told, Stat) else b"old")
        if times > 1:
            assert isinstance(told, Corrupted), repr(told)

    await each(SIZES, one)


@pytest.mark.parametrize("operation", ["block", "append"])
async def test_a_byte_flipped_in_an_append_changes_nothing(
    container: Container, operation: str
) -> None:
    driver = container.driver(**SMALL_PARTS)
    await (
        driver.write(KEY, streamed(BIG)) if operation == "block" else driver.extend(KEY, Body(b"x"))
    )
    before = container.get()
    container.fail(AzureFault("flip-upload", operation=operation, times=10))
    with pytest.raises(Corrupted):
        await driver.extend(KEY, Body(b"more"))
    assert container.get() == before


@pytest.mark.parametrize("after", [0, 1, 3 * MIB, 8 * MIB - 1])
async def test_a_short_body_goes_on_where_it_stopped(container: Container, after: int) -> None:
    driver = container.driver()
    etag = (await driver.write(KEY, Body(BIG))).etag
    container.fail(AzureFault("cut", operation="get", after=after))
    with container.strict.watching() as wire:
        assert await read(driver) == BIG
    first, second = asked(wire, "get")
    assert {"range", "if-match"}.isdisjoint(first.headers)
    assert second.headers["if-match"] == etag
    assert second.headers.get("range") == (f"bytes={after}-{len(BIG) - 1}" if after else None)
    assert second.status == (206 if after else 200)


@pytest.mark.parametrize("stop", [None, 7 * MIB])
async def test_a_short_part_of_a_body_goes_on_where_it_stopped(
    container: Container, stop: int | None
) -> None:
    driver = container.driver()
    await driver.write(KEY, Body(BIG))
    container.fail(AzureFault("cut", operation="get", after=2 * MIB))
    with container.strict.watching() as wire:
        async with await driver.read(KEY, ReadOptions(MIB, stop)) as source:
            assert await source.read() == BIG[MIB:stop]
    second = asked(wire, "get")[1]
    assert second.headers["range"] == f"bytes={3 * MIB}-{(stop or len(BIG)) - 1}"


@pytest.mark.parametrize("change", ["overwritten", "of another size", "removed"])
async def test_a_file_that_changes_while_it_is_read_is_an_error_and_no_mix(
    container: Container, change: str
) -> None:
    container.put(BIG)
    driver = container.driver()
    container.fail(AzureFault("cut", operation="get", after=3 * MIB))
    async with await driver.read(KEY) as source:
        got = await source.read(MIB)
        if change == "removed":
            container.remove()
        else:
            container.put(OTHER if change == "overwritten" else OTHER[:-1])
        error = await outcome(source.read())
    assert got == BIG[:MIB]
    assert isinstance(error, NotFound if change == "removed" else Unavailable), repr(error)
    assert change == "removed" or "the file changed before the rest was read" in str(error)
    assert error.path == KEY


async def test_what_goes_wrong_before_azurite_goes_as_well(azurite: AzureServer) -> None:
    container = Container(azurite, azurite.make_container())
    async with Interposer(container.port, AZURE) as between:
        driver = container.driver(between.port, **SUMMED)
        for fault, kind in (
            (AzureFault("answer", code="ServerBusy", operation="block"), Stat),
            (AzureFault("close", operation="commit"), Stat),
            (AzureFault("lose", operation="block"), Stat),
            (AzureFault("lose", operation="commit"), Stat),
            (AzureFault("flip-upload", operation="block"), StorageError),
            (AzureFault("cut-upload", operation="block", after=1000), Stat),
        ):
            container.put(b"old")
            between.fail(fault)
            told = await outcome(driver.write(KEY, streamed(BIG)))
            assert isinstance(told, kind), (fault, told)
            assert container.get() == (BIG if kind is Stat else b"old"), fault
        await driver.write(KEY, streamed(BIG))
        for fault in (
            AzureFault("cut", operation="get", after=3 * MIB),
            AzureFault("answer", code="InternalError", operation="get"),
            AzureFault("close", operation="get"),
        ):
            between.fail(fault)
            assert await read(driver) == BIG
        between.fail(AzureFault("flip", operation="get"))
        assert isinstance(await outcome(read(driver)), Corrupted)
        between.fail(AzureFault("lose", operation="append"))
        await driver.append("log", b"one")
        assert container.get("log") == b"one"
        await container.aclose()
