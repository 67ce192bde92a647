"""What is Azure's own: folders' marks, append blobs, tiers, versions, leases, attributes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    InvalidArgument,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    Unsupported,
)
from storeroom.contracts.values import Folder, Stat, WriteOptions
from storeroom.drivers._azure.listing import HIDDEN
from storeroom.drivers._azure.metadata import decoded_name, encoded_name
from tests.drivers.azure.container import SMALL_PARTS, Container, operations, read
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed
from tests.servers.azure import AzureServer

MARK = {"hdi_isfolder": "true"}
SHORT = timedelta(seconds=15)


async def test_a_blob_that_marks_a_folder_is_a_folder_and_no_file(place: Container) -> None:
    driver = place.driver()
    place.put(b"", "a", metadata={"Hdi_isfolder": "TRUE"})
    place.put(b"", "a/b", metadata=MARK)
    for name in ("a-/x", "a.txt", "a/b/c", "z"):
        place.put(b"x", name)
    assert await driver.all_files() == ["a-/x", "a.txt", "a/b/c", "z"]
    entries = [entry async for entry in driver.scan()]
    assert sorted(e.path for e in entries if isinstance(e, Folder)) == ["a", "a-", "a/b"]
    assert await driver.directories() == ["a", "a-"]
    assert await driver.directories("a") == ["a/b"]
    for path in ("a", "a/b"):
        assert await driver.directory_exists(path)
        assert not await driver.exists(path)
        for verb in (driver.stat, driver.read, driver.get):
            with pytest.raises(NotFound):
                await verb(path)
        with pytest.raises(NotFound):
            await driver.copy(path, "copy")
    assert await driver.delete_directory("a")
    assert await driver.all_files() == ["a-/x", "a.txt", "z"]
    assert not await driver.directory_exists("a")


async def test_a_folder_that_is_only_marked_is_there_and_goes(place: Container) -> None:
    driver = place.driver()
    place.put(b"", "only", metadata=MARK)
    assert await driver.directory_exists("only")
    assert await driver.delete_directory("only")
    assert not await driver.directory_exists("only")
    assert not await driver.delete_directory("only")


async def test_a_file_with_bytes_is_no_mark_whatever_its_metadata(place: Container) -> None:
    place.put(b"x", "a", metadata=MARK)
    assert await place.driver().get("a") == b"x"


async def test_a_folder_we_make_is_one_to_azures_file_systems(place: Container) -> None:
    await place.driver().make_directory("a/b")
    found = place.server.container(place.name).get_blob_client("a/b/").get_blob_properties()
    assert (found.metadata, found.size) == (MARK, 0)


@pytest.mark.parametrize(
    "name",
    [
        *("plain", "_x", "with-dash", "a b", "1st", "dotted.name", "ünï", "🦔", "Ab_Cd", "_x0041_"),
        *("x_x002D_y", "_x005F_", "a_xZZZZ_", "-", "a_x0001F994_b", "_", "_xD800_"),
    ],
)
def test_any_name_of_metadata_is_an_identifier_and_itself_again(name: str) -> None:
    written = encoded_name(name)
    assert written.isidentifier()
    assert written.isascii()
    assert decoded_name(written) == name


async def test_metadata_keeps_capitals_and_refuses_two_that_differ_in_them_only(
    place: Container,
) -> None:
    driver = place.driver()
    pairs = {"Camel": "1", "with-Dash": " outer  inner ", "ünï": "=?x?=", "no": ""}
    await driver.write(KEY, Body(b"x"), WriteOptions(metadata=pairs))
    assert (await driver.stat(KEY)).metadata == pairs
    with pytest.raises(InvalidArgument, match="capitals"):
        await driver.write(KEY, Body(b"y"), WriteOptions(metadata={"a": "1", "A": "2"}))
    assert await read(driver) == b"x"


async def test_an_append_to_a_new_file_makes_one_that_grows_in_place(container: Container) -> None:
    driver = container.driver()
    await driver.append(KEY, b"one,")
    with container.strict.watching() as wire:
        await driver.append(KEY, b"two,")
    assert operations(wire) == ["head", "head", "append"]
    stat = await driver.extend(KEY, streamed(b"three"))
    assert stat.size == 13
    assert stat.etag == (await driver.stat(KEY)).etag
    assert container.get() == b"one,two,three"


async def test_a_file_of_one_request_gets_blocks_when_it_is_long(container: Container) -> None:
    driver = container.driver(**SMALL_PARTS)
    how = WriteOptions(content_type="a/b", metadata={"a": "b"}, tags={"c": "d"}, tier="Cool")
    await driver.write(KEY, Body(random_bytes(MIB)), how)
    for _ in range(2):
        with container.strict.watching() as wire:
            await driver.extend(KEY, Body(b"more"))
    assert operations(wire) == ["head", "get tags", "get blocks", "block", "commit"]
    assert container.get() == random_bytes(MIB) + b"more" * 2
    stat = await driver.stat(KEY)
    assert (stat.content_type, stat.metadata, stat.tier) == ("a/b", {"a": "b"}, "Cool")
    assert await driver.read_tags(KEY) == {"c": "d"}


async def test_a_large_append_comes_in_one_step_or_not_at_all(place: Container) -> None:
    driver = place.driver(**SMALL_PARTS)
    old, more = random_bytes(2 * MIB), random_bytes(5 * MIB, "more")
    await driver.write(KEY, streamed(old))
    await driver.extend(KEY, streamed(more))
    assert place.get() == old + more
    await driver.extend("new", streamed(more))
    assert place.get("new") == more
    await driver.append("log", b"x")
    with pytest.raises(Unsupported, match="at most"):
        await driver.extend("log", streamed(more))
    assert place.get("log") == b"x"


async def test_an_append_over_the_limit_of_a_small_log_rewrites_it(place: Container) -> None:
    driver = place.driver()
    more = random_bytes(5 * MIB)
    await driver.append("log", b"x")
    await driver.append("log", more)
    assert place.get("log") == b"x" + more


async def test_whole_bytes_replace_a_file_that_grows(place: Container) -> None:
    driver = place.driver(**SMALL_PARTS)
    await driver.append(KEY, b"a log")
    await driver.put(KEY, random_bytes(3 * MIB))
    assert place.get() == random_bytes(3 * MIB)
    await driver.append("other", b"a log")
    with pytest.raises(Unsupported, match="remove it"):
        await driver.write("other", streamed(random_bytes(3 * MIB)))
    assert place.get("other") == b"a log"


async def test_appends_of_several_processes_lose_nothing(place: Container) -> None:
    drivers = [place.driver() for _ in range(4)]
    lines = [b"line %03d\n" % number for number in range(24)]
    await asyncio.gather(
        *(drivers[n % 4].extend("log", streamed(line)) for n, line in enumerate(lines))
    )
    assert sorted((place.get("log") or b"").splitlines(keepends=True)) == lines
    place.put(random_bytes(MIB), "blocks")
    await asyncio.gather(
        *(drivers[n % 4].extend("blocks", streamed(line)) for n, line in enumerate(lines[:8]))
    )
    found = (place.get("blocks") or b"")[MIB:]
    assert sorted(found.splitlines(keepends=True)) == lines[:8]


async def test_an_append_has_conditions(place: Container) -> None:
    driver = place.driver()
    with pytest.raises(PreconditionFailed):
        await driver.extend(KEY, Body(b"x"), WriteOptions(if_match='"0x1"'))
    stat = await driver.extend(KEY, Body(b"x"), WriteOptions(overwrite=False))
    with pytest.raises(AlreadyExists):
        await driver.extend(KEY, Body(b"y"), WriteOptions(overwrite=False))
    await driver.extend(KEY, Body(b"y"), WriteOptions(if_match=stat.etag))
    with pytest.raises(PreconditionFailed):
        await driver.extend(KEY, Body(b"z"), WriteOptions(if_match=stat.etag))
    assert place.get() == b"xy"


async def test_an_archived_file_says_how_to_read_it(container: Container) -> None:
    driver = container.driver()
    await driver.put(KEY, b"x", tier="Archive")
    assert (await driver.stat(KEY)).tier == "Archive"
    for verb in (driver.get, lambda path: driver.copy_within(path, "copy")):
        with pytest.raises(Unsupported, match="rehydrate"):
            await verb(KEY)
    await driver.rehydrate(KEY, "Cool", speed="High")
    container.strict.rehydrate()
    assert (await driver.stat(KEY)).tier == "Cool"
    assert await driver.get(KEY) == b"x"


async def test_a_tier_of_the_disk_is_that_of_every_write(container: Container) -> None:
    driver = container.driver(tier="Cool", **SMALL_PARTS)
    await driver.put("a", b"x")
    await driver.write("b", streamed(random_bytes(2 * MIB)))
    await driver.put("c", b"x", tier="Hot")
    await driver.append("d", b"x")
    await driver.copy("c", "e")
    tiers = [(await driver.stat(name)).tier for name in "abcde"]
    assert tiers == ["Cool", "Cool", "Hot", "Cool", "Cool"]
    with pytest.raises(Unsupported, match="tier"):
        await driver.put("f", b"x", tier="Lukewarm")


async def test_versions_of_other_files_are_not_listed(container: Container) -> None:
    driver = container.driver()
    for name in ("a", "a/b", "ab"):
        await driver.put(name, b"1")
        await driver.put(name, b"2")
    found = [version async for version in driver.list_versions("a")]
    assert [(version.latest, version.size, version.path) for version in found] == [
        (True, 1, "a"),
        (False, 1, "a"),
    ]
    for version in ("2020-01-01T00:00:00.0000000Z", "nonsense"):
        with pytest.raises(NotFound):
            await driver.read_version("a", version)
        with pytest.raises(NotFound):
            await driver.restore_version("a", version)


async def test_an_account_without_versions_says_so(container: Container) -> None:
    there = container.neighbour()
    driver = there.driver()
    await driver.put("a", b"1")
    with pytest.raises(Unsupported, match="no versions"):
        [version async for version in driver.list_versions("a")]
    assert [version async for version in driver.list_versions("missing")] == []


async def test_a_lease_keeps_others_from_writing(place: Container) -> None:
    driver = place.driver()
    await driver.put(KEY, b"x")
    lease = await driver.acquire_lease(KEY, timedelta.max)
    for verb in (driver.put(KEY, b"y"), driver.delete(KEY), driver.copy("a", KEY)):
        await driver.put("a", b"a")
        with pytest.raises(PreconditionFailed, match="lease"):
            await verb
    with pytest.raises(PreconditionFailed):
        await driver.renew_lease(KEY, "01234567-89ab-cdef-0123-456789abcdef")
    await driver.renew_lease(KEY, lease)
    await driver.release_lease(KEY, lease)
    with pytest.raises(PreconditionFailed):
        await driver.renew_lease(KEY, "01234567-89ab-cdef-0123-456789abcdef")
    await driver.put(KEY, b"y")
    with pytest.raises(NotFound):
        await driver.acquire_lease("missing", SHORT)


@pytest.mark.parametrize("seconds", [0, 1, 14, 61, 3600])
async def test_a_lease_that_is_too_short_or_long_is_refused(
    container: Container, seconds: int
) -> None:
    with pytest.raises(InvalidArgument, match="15 to 60 seconds"):
        await container.driver().acquire_lease(KEY, timedelta(seconds=seconds))


async def test_attributes_change_and_the_md5_stays(place: Container) -> None:
    driver = place.driver()
    before = WriteOptions("a/b", "no-store", "inline", "x", "de", metadata={"a": "b"})
    await driver.write(KEY, Body(b"foobar"), before)
    etag = (await driver.stat(KEY)).etag
    change = WriteOptions(content_type="c/d", metadata={"E": "f"}, tags={"t": "1"}, tier="Cool")
    stat = await driver.change_attributes(KEY, change)
    assert (stat.content_type, stat.cache_control, stat.content_disposition) == (
        *("c/d", "no-store", "inline"),
    )
    assert (stat.content_encoding, stat.content_language) == ("x", "de")
    assert (stat.metadata, stat.tier) == ({"E": "f"}, "Cool")
    assert await driver.read_tags(KEY) == {"t": "1"}
    assert await driver.digest(KEY, "md5") == "3858f62230ac3c915f300c664312c63f"
    with pytest.raises(PreconditionFailed):
        await driver.change_attributes(KEY, WriteOptions(content_type="g/h", if_match=etag))
    assert (await driver.stat(KEY)).content_type == "c/d"


async def test_a_visibility_is_the_containers(place: Container) -> None:
    driver = place.driver()
    with pytest.raises(Unsupported, match="container as a whole"):
        await driver.put(KEY, b"x", visibility="public")
    assert not await driver.exists(KEY)
    with pytest.raises(Unsupported):
        await driver.set_visibility(KEY, "public")


async def test_snapshots_go_with_their_file(azurite: AzureServer) -> None:
    place = Container(azurite, azurite.make_container())
    driver = place.driver()
    for name in ("a", "b", "c"):
        place.put(b"x", name)
        azurite.container(place.name).get_blob_client(name).create_snapshot()
    assert await driver.delete("a")
    assert (await driver.delete_many(["b", "c"])).done == {"b": True, "c": True}
    await place.aclose()


async def test_a_listing_tells_what_is_known(place: Container) -> None:
    driver = place.driver()
    await driver.put(KEY, b"x", content_type="a/b", tier="Cool", metadata={"a": "b"})
    (entry,) = [entry async for entry in driver.scan() if isinstance(entry, Stat)]
    stat = await driver.stat(KEY)
    assert (entry.size, entry.etag, entry.modified) == (1, stat.etag, stat.modified)
    assert (entry.content_type, entry.tier) == ("a/b", "Cool")
    assert abs(datetime.now(UTC) - (entry.modified or datetime.max)) < timedelta(minutes=1)


@pytest.mark.parametrize("change", [WriteOptions(tags={"t": "2"}), WriteOptions(tier="Cool")])
async def test_tags_and_tiers_change_of_the_file_that_is_named_only(
    place: Container, change: WriteOptions
) -> None:
    driver = place.driver()
    await driver.write(KEY, Body(b"x"), WriteOptions(tags={"t": "1"}, tier="Hot"))
    with pytest.raises(PreconditionFailed):
        await driver.change_attributes(KEY, replace(change, if_match='"0x0"'))
    assert await driver.read_tags(KEY) == {"t": "1"}
    etag = (await driver.stat(KEY)).etag
    assert (await driver.change_attributes(KEY, replace(change, if_match=etag))).path == KEY
    assert (await driver.stat(KEY)).tier == (change.tier or "Hot")


async def test_no_version_at_all_is_not_the_file_itself(container: Container) -> None:
    driver = container.driver()
    await driver.put(KEY, b"x")
    for verb in (driver.remove_version, driver.read_version, driver.restore_version):
        with pytest.raises(NotFound, match="no such version"):
            await verb(KEY, "")
    assert container.get() == b"x"


async def test_a_lease_lasts_as_long_as_its_block(place: Container) -> None:
    driver = place.driver()
    await driver.put(KEY, b"x")
    async with driver.lease(KEY, duration=SHORT) as lease:
        await driver.renew_lease(KEY, lease)
        with pytest.raises(PreconditionFailed, match="lease"):
            await driver.put(KEY, b"y")
    await driver.put(KEY, b"y")
    with pytest.raises(ZeroDivisionError):
        async with driver.lease(KEY):
            raise ZeroDivisionError
    await driver.put(KEY, b"z")


async def test_a_lease_is_given_back_by_who_is_cancelled(container: Container) -> None:
    driver = container.driver()
    await driver.put(KEY, b"x")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), driver.lease(KEY, duration=timedelta.max):
            await asyncio.sleep(60)
    await driver.put(KEY, b"y")


async def test_copies_under_way_are_nobodys_files(container: Container) -> None:
    hidden = f"{HIDDEN}0123"
    container.put(b"x", hidden)
    container.put(b"x", "a")
    driver = container.driver(paths="service")
    assert await driver.all_files() == ["a"]
    assert await driver.files() == ["a"]
    for path in (hidden, f"b/{hidden}/c"):
        with pytest.raises(InvalidPath, match="storeroom's own"):
            await driver.put(path, b"y")
    assert container.get(hidden) == b"x"
