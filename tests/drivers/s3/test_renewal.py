"""Temporary credentials are renewed while the driver runs: in time, once, and beside the requests."""

import asyncio
import logging
import threading
from datetime import timedelta
from typing import Any

import pytest

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import PermissionDenied
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import KEY, Bucket, read
from tests.drivers.s3.test_addresses import HOUR, fetch
from tests.servers.issuer import Issuer
from tests.servers.keys import RENEWED, TEMPORARY
from tests.servers.strict_s3 import StrictS3

WHOM = {"access_key": None, "secret_key": None}
SHORT = timedelta(seconds=2)


async def until_asked(issuer: Issuer, times: int, driver: S3Driver) -> None:
    """Requests follow one another until the issuer was asked so often."""
    async with asyncio.timeout(10):
        while len(issuer.asked) < times:
            await driver.stat(KEY)
            await asyncio.sleep(0.02)


async def begun(bucket: Bucket, issuer: Issuer, **options: Any) -> tuple[S3Driver, int]:
    """A driver whose credentials end soon, and how often it has asked for some."""
    issuer.give(TEMPORARY, SHORT)
    driver = bucket.driver(**{**WHOM, **options})
    await driver.write(KEY, Body(b"x"))
    return driver, len(issuer.asked)


async def test_new_credentials_are_there_before_the_old_ones_end(
    bucket: Bucket, issuer: Issuer, each_transport: str
) -> None:
    driver, asked = await begun(bucket, issuer, transport=each_transport)
    issuer.give(RENEWED)
    await until_asked(issuer, asked + 1, driver)
    bucket.strict.settings(expired=[TEMPORARY.access])
    with bucket.strict.watching() as wire:
        await asyncio.gather(*(driver.stat(KEY) for _ in range(5)))
        assert await read(driver) == b"x"
    assert bucket.seen(wire) == [*(["HEAD"] * 5), "GET"]  # none was refused and asked again
    assert len(issuer.asked) == asked + 1


async def test_one_asks_and_the_others_go_on(
    bucket: Bucket, issuer: Issuer, each_transport: str
) -> None:
    driver, asked = await begun(bucket, issuer, transport=each_transport)
    issuer.give(RENEWED)
    issuer.open.clear()
    one = asyncio.create_task(until_asked(issuer, asked + 1, driver))
    await threads.run(issuer.was_asked, asked + 1)
    await asyncio.gather(*(driver.stat(KEY) for _ in range(20)))
    issuer.open.set()
    await one
    await asyncio.gather(*(driver.stat(KEY) for _ in range(20)))
    assert len(issuer.asked) == asked + 1


async def test_the_first_requests_ask_once(
    bucket: Bucket, issuer: Issuer, each_transport: str
) -> None:
    driver = bucket.driver(**WHOM, transport=each_transport)
    await asyncio.gather(*(driver.write(f"{n}", Body(b"x")) for n in range(20)))
    assert issuer.asked == ["/container"]


def test_event_loops_side_by_side_ask_once(
    strict_s3: StrictS3, levers: None, issuer: Issuer
) -> None:
    bucket = Bucket(strict_s3, strict_s3.make_bucket())
    driver = bucket.driver(**WHOM)
    together = threading.Barrier(4)
    done: list[str] = []

    def run(number: int) -> None:
        together.wait()
        asyncio.run(driver.write(f"{number}", Body(b"x")))
        done.append(f"{number}")

    running = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert sorted(done) == ["0", "1", "2", "3"]
    assert issuer.asked == ["/container"]
    asyncio.run(driver.aclose())


async def test_the_old_ones_serve_on_while_no_new_ones_come(
    bucket: Bucket, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    driver, asked = await begun(bucket, issuer)
    issuer.refuses = True
    await until_asked(issuer, asked + 1, driver)
    assert "the old credentials serve on, for no new ones come" in caplog.text
    issuer.refuses = False
    issuer.give(RENEWED)
    await until_asked(issuer, asked + 2, driver)
    bucket.strict.settings(expired=[TEMPORARY.access])
    await driver.stat(KEY)
    assert TEMPORARY.secret not in caplog.text


async def test_credentials_that_end_and_are_not_renewed(bucket: Bucket, issuer: Issuer) -> None:
    issuer.give(TEMPORARY, timedelta(seconds=0.5))
    driver = bucket.driver(**WHOM)
    await driver.write(KEY, Body(b"x"))
    issuer.refuses = True
    with pytest.raises(PermissionDenied, match="finds no credentials that work"):
        await until_asked(issuer, 1000, driver)
    issuer.refuses = False
    await driver.stat(KEY)


async def test_credentials_that_the_service_no_longer_takes(
    bucket: Bucket, issuer: Issuer, each_transport: str
) -> None:
    driver = bucket.driver(**WHOM, transport=each_transport)
    await driver.write(KEY, Body(b"x"))
    issuer.give(RENEWED)
    bucket.strict.settings(expired=[TEMPORARY.access])
    await asyncio.gather(*(driver.stat(KEY) for _ in range(5)))
    assert await read(driver) == b"x"


async def test_an_address_that_outlives_its_credentials_is_warned_of(
    bucket: Bucket, issuer: Issuer, each_transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "storeroom")
    driver = bucket.driver(**WHOM, transport=each_transport)
    await driver.write(KEY, Body(b"x"))
    await driver.temporary_url(KEY, HOUR / 2)
    assert caplog.text == ""
    url = await driver.temporary_url(KEY, HOUR * 2)
    assert "a signed URL ends at" in caplog.text
    assert "with the credentials that signed it" in caplog.text
    caplog.clear()
    await driver.temporary_upload_url(KEY, HOUR * 2, max_size=10)
    assert "a signed URL ends at" in caplog.text
    assert (await threads.run(fetch, url))[2] == b"x"
    bucket.strict.settings(expired=[TEMPORARY.access])
    assert (await threads.run(fetch, url))[0] == 400
