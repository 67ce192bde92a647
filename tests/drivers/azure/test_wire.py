"""What goes over the wire, and what does not: the traps that Azure's clients fall into."""

import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidPath, Unsupported
from storeroom.contracts.values import ReadOptions, WriteOptions
from storeroom.drivers._azure.blocks import MOST_BLOCKS
from storeroom.drivers._azure.uploading import Rules
from storeroom.drivers.azure import AzureDriver
from tests.drivers.azure.container import SMALL_PARTS, Container, asked, files, operations, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.servers.strict_azure import StrictAzure

CHANGED = [
    *("a/../b", "../other/b", "..", "a/..", "./a", "a/./b", ".", "a/."),
    *("a.", "a./b", "a...", "a\\b", "a/..\\b", "\\", "x" * 1025),
]
VERBS: dict[str, Callable[[AzureDriver, str], Awaitable[object]]] = {
    "stat": lambda driver, path: driver.stat(path),
    "read": lambda driver, path: driver.read(path),
    "write": lambda driver, path: driver.write(path, Body(b"x")),
    "remove": lambda driver, path: driver.remove(path),
    "extend": lambda driver, path: driver.extend(path, Body(b"x")),
    "copy to": lambda driver, path: driver.copy_within("a", path),
    "copy from": lambda driver, path: driver.copy_within(path, "a"),
    "move": lambda driver, path: driver.rename(path, "a"),
    "attributes": lambda driver, path: driver.change_attributes(
        path, WriteOptions(content_type="a/b")
    ),
    "read tags": lambda driver, path: driver.read_tags(path),
    "change tags": lambda driver, path: driver.change_tags(path, {"a": "b"}),
    "tier": lambda driver, path: driver.change_tier(path, "Cool"),
    "lease": lambda driver, path: driver.acquire_lease(path, timedelta(seconds=20)),
    "digest": lambda driver, path: driver.digest(path, "md5"),
    "version": lambda driver, path: driver.read_version(path, "1"),
    "signed": lambda driver, path: driver.temporary_url(path, 60),
}


async def test_keys_and_signatures_need_no_sdk(strict_azure: StrictAzure) -> None:
    code = (
        "import asyncio, sys\n"
        "from storeroom.drivers.azure import AzureDriver\n"
        "async def main():\n"
        f"    async with AzureDriver({strict_azure.make_container()!r},\n"
        f"        endpoint_url={strict_azure.url!r}, account_key={strict_azure.key!r}) as disk:\n"
        "        await disk.put('a', b'x')\n"
        "        assert await disk.get('a') == b'x'\n"
        "        await disk.append('log', b'y')\n"
        "        await disk.copy('a', 'b')\n"
        "        await disk.move('b', 'c')\n"
        "        assert await disk.all_files() == ['a', 'c', 'log']\n"
        "        assert (await disk.delete_many(['a', 'c'])).ok\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('azure', 'msal')])\n"
    )
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("verb", VERBS)
async def test_names_that_the_service_would_change_are_refused_before_anything_is_sent(
    container: Container, verb: str
) -> None:
    driver = container.driver(paths="service")
    with container.strict.watching() as wire:
        for path in CHANGED:
            with pytest.raises(InvalidPath):
                await VERBS[verb](driver, path)
    assert wire.requests == []


async def test_paths_leave_the_driver_as_they_are(container: Container) -> None:
    driver = container.driver(paths="service")
    names = ["a//b", "/abs", "a/", "new\nline", "ta\tb", "\x01", "..a", "a..b/c", "%2e%2e/x", "~"]
    for name in names:
        await driver.write(name, Body(name.encode()))
    for name in names:
        assert await read(driver, name) == name.encode(), name
    assert set(await files(driver)) >= {name for name in names if not name.endswith("/")}
    report = await driver.delete_many(names)
    assert report.ok, report.failed
    assert await files(driver) == []


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (0, ["put"]),
        (MIB - 1, ["put"]),
        (MIB, ["put"]),
        (MIB + 1, ["block", "block", "commit"]),
        (3 * MIB, ["block", "block", "block", "commit"]),
    ],
)
async def test_a_stream_is_one_put_until_it_is_more_than_a_block(
    container: Container, size: int, wanted: list[str]
) -> None:
    driver = container.driver(**SMALL_PARTS)
    with container.strict.watching() as wire:
        await driver.write(KEY, streamed(random_bytes(size)))
    assert operations(wire) == wanted
    assert container.get() == random_bytes(size)


async def test_blocks_are_all_of_one_size_but_the_last(container: Container) -> None:
    driver = container.driver(**SMALL_PARTS)
    data = random_bytes(3 * MIB + 17)
    with container.strict.watching() as wire:
        await driver.write(KEY, streamed(data, piece=77_777))
    sizes = sorted(int(seen.headers["content-length"]) for seen in asked(wire, "block"))
    assert sizes == [17, MIB, MIB, MIB]
    assert container.get() == data


@pytest.mark.parametrize("tib", [0.01, 0.5, 1, 5, 190])
def test_blocks_grow_with_the_size_announced(tib: float) -> None:
    size = int(tib * (1 << 40)) + 1
    rules = Rules(8 * MIB, 8 * MIB, 4)
    assert -(-size // rules.size_of_parts(size)) <= MOST_BLOCKS
    assert rules.size_of_parts(size) % MIB == 0
    assert rules.size_of_parts(None) == 8 * MIB


@pytest.mark.parametrize("size", [100, 2 * MIB])
async def test_the_md5_of_all_is_kept(container: Container, size: int) -> None:
    driver = container.driver(checksum="md5", **SMALL_PARTS)
    await driver.write(KEY, streamed(random_bytes(size)))
    with container.strict.watching() as wire:
        found = await driver.checksum(KEY, "md5")
    assert operations(wire) == ["head"]
    async with await driver.read(KEY) as source:
        assert found == await driver.checksum(KEY, "md5")
        assert await source.read() == random_bytes(size)
    with pytest.raises(Unsupported):
        await driver.digest(KEY, "sha256")


@pytest.mark.parametrize(
    ("checksum", "summed"), [(None, {"put"}), ("md5", {"put", "block"}), ("none", set[str]())]
)
async def test_what_goes_at_once_has_an_md5_and_blocks_have_one_on_demand(
    container: Container, checksum: Any, summed: set[str]
) -> None:
    driver = container.driver(checksum=checksum, **SMALL_PARTS)
    with container.strict.watching() as wire:
        await driver.write("small", Body(b"x"))
        await driver.write("large", streamed(random_bytes(2 * MIB)))
    had = {seen.operation for seen in wire.requests if "content-md5" in seen.headers}
    assert had == summed
    kept = {seen.operation for seen in wire.requests if "x-ms-blob-content-md5" in seen.headers}
    assert kept == ({"commit"} if checksum == "md5" else set())


async def test_memory_is_that_of_the_blocks_in_flight(container: Container) -> None:
    driver = container.driver(part_size=4 * MIB, multipart_threshold=4 * MIB, concurrency=2)
    piece = bytes(MIB)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield piece

    await driver.write("warm", streamed(piece))
    tracemalloc.start()
    try:
        await driver.write(KEY, Body(chunks))
        up = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        async with await driver.read(KEY) as source:
            assert sum([len(chunk) async for chunk in source]) == 60 * MIB
        down = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert up < 20 * MIB
    assert down < 8 * MIB


async def test_large_files_come_in_ranges_side_by_side(container: Container) -> None:
    driver = container.driver(download_concurrency=3, **SMALL_PARTS)
    data = random_bytes(8 * MIB)
    await driver.write(KEY, streamed(data))
    with container.strict.watching() as wire:
        assert await read(driver) == data
    ranges = [seen.headers.get("range") for seen in asked(wire, "get")]
    assert ranges == [None, *(f"bytes={n * MIB}-{(n + 1) * MIB - 1}" for n in range(1, 8))]


async def test_a_range_of_an_empty_file_is_empty(place: Container) -> None:
    driver = place.driver()
    await driver.write("empty", Body(b""))
    async with await driver.read("empty", ReadOptions(start=0, stop=10)) as source:
        assert await source.read() == b""
        assert source.stat.size == 0


async def test_bulk_removal_takes_256_names_a_request(container: Container) -> None:
    driver = container.driver()
    paths = [f"f/{number} &<é>" for number in range(600)]
    with container.strict.watching() as wire:
        answers = await driver.remove_many(paths)
    assert answers == dict.fromkeys(paths, False)
    assert [seen.operation for seen in wire.requests if "comp=batch" in seen.query] == ["batch"] * 3


async def test_a_listing_says_once_what_spans_pages(container: Container) -> None:
    container.strict.settings(page=3)
    driver = container.driver()
    names = [f"{folder}/{number}" for folder in ("a", "a-", "b") for number in range(5)]
    for name in names:
        container.put(b"x", name)
    assert sorted(await files(driver)) == sorted(names)
    assert await driver.directories() == ["a", "a-", "b"]
    assert await driver.all_directories() == ["a", "a-", "b"]
    assert await driver.delete_directory("a")
    assert await driver.directories() == ["a-", "b"]


async def test_one_interface_version_is_spoken_by_all_requests(container: Container) -> None:
    driver = container.driver(**SMALL_PARTS)
    with container.strict.watching() as wire:
        await driver.write(KEY, streamed(random_bytes(2 * MIB)))
        await driver.change_tags(KEY, {"a": "b"})
        await driver.change_attributes(KEY, WriteOptions(content_type="a/b"))
    assert {seen.headers["x-ms-version"] for seen in wire.requests} == {"2024-11-04"}
