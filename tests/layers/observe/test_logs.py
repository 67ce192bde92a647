"""Logs: one structured record for each call, and no secret in any."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from storeroom import AlreadyExists, MemoryDriver, NotFound, PermissionDenied, Unavailable
from storeroom.contracts.abilities import BulkRemove
from storeroom.layers.observe import Observe
from storeroom.testing import Faults
from tests.layers.calls import ABILITY_CALLS, answer
from tests.layers.everything import METHODS, Everything, filled

SECRET = "s3cr3t"


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "storeroom.observe")


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {
        name.removeprefix("storage_"): value
        for name, value in vars(record).items()
        if name.startswith("storage_") and value is not None
    }


async def test_it_says_nothing_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    disk = Observe(MemoryDriver())
    await disk.put("a", b"")
    assert await disk.missing("b")
    assert caplog.records == []


async def test_a_call_is_one_record_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    disk = Observe(MemoryDriver(), name="media", log="info")
    await disk.put("a b%2F.txt", b"12345")
    (record,) = caplog.records
    told = fields(record)
    assert 0 < told.pop("seconds") < 60
    assert told == {
        "operation": "write",
        "verb": "put",
        "path": "a b%2F.txt",
        "disk": "media",
        "size": 5,
    }
    assert (record.name, record.levelno) == ("storeroom.observe", logging.INFO)
    assert record.getMessage().startswith("write 'a b%2F.txt' on disk 'media': done in 0.")


async def test_each_kind_of_call_has_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    disk = Observe(MemoryDriver(), log="DEBUG")
    await disk.put("a", b"12")
    await disk.get("a")
    await disk.copy("a", "b")
    await disk.delete("b")
    await disk.files()
    records = [fields(record) for record in caplog.records]
    assert [record["operation"] for record in records] == [
        *("write", "read", "copy_within", "remove", "scan"),
    ]
    assert records[1]["size"] == 2
    assert records[1]["first_byte"] > 0
    assert (records[2]["path"], records[2]["to"]) == ("a", "b")
    assert records[3]["existed"] is True
    assert records[4]["entries"] == 1
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


async def test_failures_are_warnings_but_answers_are_not(caplog: pytest.LogCaptureFixture) -> None:
    faulty = Faults(MemoryDriver()).fail("get", Unavailable)
    disk = Observe(faulty, log="info")
    await disk.put("a", b"")
    with pytest.raises(Unavailable):
        await disk.get("a")
    with pytest.raises(NotFound):
        await disk.get("b")
    with pytest.raises(AlreadyExists):
        await disk.put("a", b"", overwrite=False)
    assert [(record.levelname, fields(record).get("error")) for record in caplog.records] == [
        ("INFO", None),
        ("WARNING", "Unavailable"),
        ("INFO", "NotFound"),
        ("INFO", "AlreadyExists"),
    ]


async def test_a_path_that_is_not_removed_among_many_is_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Refusing(MemoryDriver):
        async def remove_many(self, paths: Sequence[str], /) -> Any:
            return {path: NotFound() if path == "b" else PermissionDenied() for path in paths}

    for driver in (MemoryDriver(), Refusing()):
        await Observe(driver, log="info").ability(BulkRemove).remove_many(["b", "c", "d"])
    done, failed = caplog.records
    assert (done.levelname, fields(done).get("failures")) == ("INFO", None)
    assert "done" in done.getMessage()
    assert failed.levelname == "WARNING"
    assert fields(failed)["error"] == "PermissionDenied"
    assert fields(failed)["failures"] == 3
    assert "PermissionDenied" in failed.getMessage()


async def test_a_cancelled_call_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(MemoryDriver):
        async def stat(self, path: str, /) -> Any:
            await asyncio.Event().wait()

    asking = asyncio.create_task(Observe(Stuck(), log="info").exists("a"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (record,) = caplog.records
    assert (record.levelname, fields(record)["error"]) == ("INFO", "CancelledError")


async def test_a_level_that_is_off_costs_no_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "storeroom.observe")
    disk = Observe(MemoryDriver(), log="info")
    await disk.put("a", b"")
    assert caplog.records == []


@pytest.mark.parametrize("method", [*ABILITY_CALLS, "verify_url"])
async def test_no_record_holds_what_grants_something(
    caplog: pytest.LogCaptureFixture, method: str
) -> None:
    class Granting(Everything):
        async def acquire_lease(self, path: str, duration: Any, /) -> str:
            return SECRET

        async def presign_read(self, grant: Any, /) -> str:
            return f"https://x/?signature={SECRET}"

        async def start_parts(self, path: str, how: Any = None, /) -> str:
            return SECRET

        async def stat(self, path: str, /) -> Any:
            raise Unavailable(f"GET https://x/?signature={SECRET}")

    disk = Observe(Granting(), log="debug")
    await filled(disk, "a")
    native: Any = disk.ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    if method == "verify_url":
        await answer(lambda: native.verify_url(f"/storage/a?signature={SECRET}", "GET"))
    else:
        await answer(lambda: ABILITY_CALLS[method](native, "a", "to"))
    await answer(lambda: disk.size("a"))
    told = [repr(vars(record)) + record.getMessage() for record in caplog.records]
    assert len(told) >= 2
    assert not [text for text in told if SECRET in text]
