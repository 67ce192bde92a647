"""Whatever fails, no password is in a message, a log or a repr, also where the server says it."""

import asyncio
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import Place, listed, read
from tests.drivers.s3.bucket import outcome
from tests.servers.ftp import PASSWORD, FtpServer
from tests.servers.lying_ftp import LyingFtp

SECRET = "Tr0ub4dor & 3 ü"
VERBS = ("USER", "PASS", "FEAT", "MLST", "EPSV", "STOR", "RNFR", "RNTO", "RETR", "MLSD", "DELE")


async def failures(driver: FTPDriver) -> list[StorageError]:
    verbs = (
        driver.stat("a"),
        read(driver, "a"),
        driver.write("a", Body(b"new")),
        driver.rename("a", "b"),
        driver.remove("a"),
        listed(driver),
    )
    found = await asyncio.gather(*map(outcome, verbs))
    return [error for error in found if isinstance(error, StorageError)]


def told(error: BaseException | None) -> Iterator[str]:
    """Everything that an error and those behind it say."""
    while error is not None:
        yield f"{error} {error!r} {error.args!r} {vars(error)!r}"
        yield "".join(traceback.format_exception_only(error))
        error = error.__cause__ or error.__context__


def check(texts: Iterator[str] | list[str]) -> None:
    for text in texts:
        for secret in (SECRET, PASSWORD):
            for form in (secret, repr(secret)[1:-1]):
                assert form not in text


def everything(driver: FTPDriver, caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [f"{record.getMessage()} {record.args!r}" for record in caplog.records]
    service = driver._service
    held = [repr(vars(driver)), repr(driver), repr(service), repr(service.account)]
    return [*held, repr(service.server), *records]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("said", [f"550 No: {SECRET}", f"421 {SECRET}", f"5zz {SECRET}"])
async def test_a_server_that_says_the_password_is_not_repeated(
    lying: LyingFtp, verb: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    lying.files["/a"] = b"x"
    driver = lying.driver(username="me", password=SECRET, retries=0)
    lying.lies.answers[verb] = said
    errors = await failures(driver)
    check(text for error in errors for text in told(error))
    check(everything(driver, caplog))


async def test_a_wrong_password_is_not_told(
    pyftpd: FtpServer, pyftpd_tls: FtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for server in (pyftpd, pyftpd_tls):
        place = Place(server)
        driver = place.driver(password=SECRET, retries=0)
        errors = await failures(driver)
        assert len(errors) == 6
        check(text for error in errors for text in told(error))
        check(everything(driver, caplog))
        await place.aclose()


@pytest.mark.parametrize("options", [{"tls": "explicit"}, {"tls": "implicit"}, {"port": 1}])
async def test_a_connection_that_fails_tells_no_password(
    lying: LyingFtp, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    driver = lying.driver(username="me", password=SECRET, retries=0, **options)
    errors = await failures(driver)
    assert len(errors) == 6
    check(text for error in errors for text in told(error))
    check(everything(driver, caplog))
    assert not [line for line in lying.said if SECRET in line]


async def test_all_that_goes_well_tells_no_password(
    pyftpd: FtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = Place(pyftpd)
    driver = place.driver()
    await driver.write("a", Body(b"x"))
    assert await read(driver, "a") == b"x"
    check(everything(driver, caplog))
    await place.aclose()
