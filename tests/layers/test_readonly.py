"""ReadOnly: everything can be read, and nothing of the disk is changed by whatever is refused."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.abilities import (
    Folders,
    LocalPath,
    Origin,
    Tags,
    VerifyUrl,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.errors import PermissionDenied, Unsupported
from storeroom.contracts.values import Grant
from storeroom.disk import Disk
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers.readonly import ReadOnly
from tests.layers.everything import METHODS, Everything, filled

UNTIL = datetime.now(UTC) + timedelta(hours=1)

CHANGING: dict[str, Callable[[Any], Any]] = {
    "put": lambda files: files.put("new", b"x"),
    "put over": lambda files: files.put("a", b"x"),
    "put_json": lambda files: files.put_json("new", {}),
    "write_stream": lambda files: files.write_stream("new", [b"x"]),
    "put_file": lambda files: files.put_file("", b"x"),
    "put_file_as": lambda files: files.put_file_as("", b"x", "new"),
    "upload_from": lambda files: files.upload_from(__file__, "new"),
    "append": lambda files: files.append("a", "x"),
    "append new": lambda files: files.append("new", b"x"),
    "prepend": lambda files: files.prepend("a", "x"),
    "set_visibility": lambda files: files.set_visibility("a", "public"),
    "set_attributes": lambda files: files.set_attributes("a", content_type="text/x"),
    "delete": lambda files: files.delete("a"),
    "delete missing": lambda files: files.delete("missing"),
    "copy": lambda files: files.copy("a", "new"),
    "move": lambda files: files.move("a", "new"),
    "make_directory": lambda files: files.make_directory("new"),
    "delete_directory": lambda files: files.delete_directory("folder"),
    "copy_directory": lambda files: files.copy_directory("folder", "new"),
    "move_directory": lambda files: files.move_directory("folder", "new"),
    "temporary_upload_url": lambda files: files.temporary_upload_url("new", 60),
}
REFUSED_HALVES: dict[str, Callable[[Any], Any]] = {
    "change_visibility": lambda native: native.change_visibility("a", "public"),
    "make_folder": lambda native: native.make_folder("new"),
    "remove_folder": lambda native: native.remove_folder("folder"),
    "change_tags": lambda native: native.change_tags("a", {}),
    "restore_version": lambda native: native.restore_version("a", "m-1"),
    "remove_version": lambda native: native.remove_version("a", "m-1"),
}
READING_HALVES = {"read_visibility", "has_folder", "read_tags", "list_versions", "read_version"}


@pytest.fixture
async def driver() -> Everything:
    driver = Everything()
    await filled(driver, "a", "folder/é %2F", "folder/b/c")
    await driver.put("a", b"newer", tags={"k": "v"})
    return driver


@pytest.fixture(params=["layer", "view", "disk", "disk's view"])
def files(request: pytest.FixtureRequest, driver: Everything) -> Any:
    return {
        "layer": lambda: ReadOnly(driver),
        "view": driver.read_only,
        "disk": lambda: Disk(ReadOnly(driver), signing_key="0123456789abcdef"),
        "disk's view": Disk(driver, signing_key="0123456789abcdef").read_only,
    }[request.param]()


@pytest.mark.parametrize("verb", CHANGING)
async def test_a_verb_that_changes_is_denied_and_changes_nothing(
    files: Any, driver: Everything, verb: str
) -> None:
    before = driver.whole()
    with pytest.raises(PermissionDenied, match="read-only"):
        await CHANGING[verb](files)
    with pytest.raises(PermissionError):
        await CHANGING[verb](files)
    assert driver.whole() == before


async def test_the_services_own_verbs_are_denied_too(driver: Everything) -> None:
    before, layer = driver.whole(), ReadOnly(driver)
    for call in (layer.write("a", Body(b"x")), layer.remove("a"), layer.remove("missing")):
        with pytest.raises(PermissionDenied, match="read-only"):
            await call
    assert driver.whole() == before


@pytest.mark.parametrize("method", REFUSED_HALVES)
async def test_the_changing_half_of_an_ability_is_denied(driver: Everything, method: str) -> None:
    before = driver.whole()
    with pytest.raises(PermissionDenied, match="read-only"):
        await REFUSED_HALVES[method](ReadOnly(driver).ability(METHODS[method]))
    assert driver.whole() == before


def test_every_method_of_an_adapted_ability_is_one_half_or_the_other() -> None:
    adapted = {name for name, kind in METHODS.items() if kind in ReadOnly.adapts}
    assert adapted == REFUSED_HALVES.keys() | READING_HALVES | {"verify_url"}


async def test_the_reading_half_answers_as_inside(driver: Everything) -> None:
    layer = ReadOnly(driver)
    assert await layer.ability(Visibility).read_visibility("a") == "private"
    assert await layer.ability(Folders).has_folder("folder/b")
    assert await layer.ability(Tags).read_tags("a") == {"k": "v"}
    (former,) = [version async for version in layer.ability(Versions).list_versions("a")]
    assert await (await layer.ability(Versions).read_version("a", former.id)).read() == b"a"
    assert layer.ability(Origin).origin("a") == (driver, "a")


async def test_all_that_reads_still_reads(files: Any) -> None:
    assert await files.get("a") == b"newer"
    assert await files.all_files() == ["a", "folder/b/c", "folder/é %2F"]
    assert await files.checksum("a", "md5")
    assert await files.visibility("a") == "private"
    assert await files.directory_exists("folder")
    assert files.url("a") == "/storage/a"
    assert (await files.verify_temporary_url(await files.temporary_url("a", 60))).path == "a"
    assert not files.driver.traits.writable


async def test_a_url_that_writes_is_no_longer_valid(driver: Everything) -> None:
    upload = await driver.presign_write(Grant("a", "PUT", UNTIL))
    native = ReadOnly(driver).ability(VerifyUrl)
    with pytest.raises(PermissionDenied, match="read-only"):
        await native.verify_url(upload.url, "PUT")
    url = await driver.presign_read(Grant("a", "GET", UNTIL))
    assert (await native.verify_url(url, "HEAD")).path == "a"


async def test_the_content_is_not_even_asked_for(files: Any) -> None:
    asked: list[str] = []

    async def chunks() -> AsyncGenerator[bytes]:
        asked.append("chunk")
        yield b"x"

    content = chunks()
    for call in (
        files.put("new", content),
        files.put_file("", content),
        files.append("a", content),
    ):
        with pytest.raises(PermissionDenied):
            await call
    with pytest.raises(PermissionDenied):
        await files.driver.write("new", Body(chunks))
    assert asked == []


async def test_moving_away_is_refused_before_a_copy_is_made(files: Any, driver: Everything) -> None:
    other, before = MemoryDriver(), driver.whole()
    with pytest.raises(PermissionDenied):
        await files.move("a", "new", disk=other)
    with pytest.raises(PermissionDenied):
        await files.move_directory("folder", "new", disk=other)
    assert other.count() == 0
    assert driver.whole() == before


async def test_copying_away_is_allowed_and_copying_in_is_not(
    files: Any, driver: Everything
) -> None:
    other = MemoryDriver()
    assert await files.copy("a", "new", disk=other) == "new"
    assert await other.get("new") == b"newer"
    with pytest.raises(PermissionDenied):
        await other.copy("new", "back", disk=files)
    with pytest.raises(PermissionDenied):
        await other.copy_directory("", "back", disk=files)
    assert not await driver.exists("back")


async def test_verbs_over_many_report_each_refusal(files: Any, driver: Everything) -> None:
    before = driver.whole()
    stored = await files.put_many({"new": b"x", "a": b"x"})
    removed = await files.delete_many(["a", "missing"])
    assert {type(error) for error in stored.failed.values()} == {PermissionDenied}
    assert set(removed.failed) == {"a", "missing"}
    assert {type(error) for error in removed.failed.values()} == {PermissionDenied}
    assert driver.whole() == before


async def test_a_writer_is_denied(files: Any) -> None:
    with pytest.raises(PermissionDenied):
        async with files.open_writer("new") as writer:
            await writer.write(b"x")


async def test_a_local_path_is_never_given_away(tmp_path: Path) -> None:
    driver = LocalDriver(tmp_path)
    view = driver.scoped("t").read_only().scoped("x").read_only()
    assert not view.supports(LocalPath)
    with pytest.raises(Unsupported, match="the layer ReadOnly hides LocalPath"):
        view.path("a")
    await driver.aclose()
