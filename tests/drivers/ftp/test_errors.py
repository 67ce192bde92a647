"""Servers have few codes and many words; what went wrong is an error of its kind all the same."""

import asyncio
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    ConfigError,
    InvalidArgument,
    InvalidPath,
    NotFound,
    Obstructed,
    PermissionDenied,
    QuotaExceeded,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import ReadOptions, WriteOptions
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import MIB, Place, listed, read
from tests.drivers.s3.bucket import outcome, random_bytes
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp

PLAIN = ("EPSV", "REST STREAM")


async def test_what_is_missing_is_not_found(place: Place) -> None:
    driver = place.driver()
    place.put(b"x", "folder/file")
    for path in ("missing", "missing/too", "folder", "folder/missing", "folder/file/below"):
        for work in (driver.stat(path), read(driver, path), driver.rename(path, "new")):
            assert isinstance(await outcome(work), NotFound), path
    assert await driver.remove("missing") is False
    assert await driver.remove("folder/missing") is False


async def test_a_folder_in_the_way_and_a_file_in_the_way_are_obstructed(place: Place) -> None:
    driver = place.driver()
    place.put(b"x", "folder/file")
    for work in (
        driver.write("folder", Body(b"x")),
        driver.write("folder/file/below", Body(b"x")),
        driver.write("folder/file/far/below", Body(b"x")),
        driver.extend("folder", Body(b"x")),
        driver.extend("folder/file/below", Body(b"x")),
        driver.rename("folder/file", "folder"),
        driver.rename("folder/file", "folder/file/below"),
        driver.make_folder("folder/file"),
        driver.make_folder("folder/file/below"),
        driver.remove("folder"),
    ):
        assert isinstance(await outcome(work), Obstructed)
    assert place.get("folder/file") == b"x"
    assert place.left_over() == []


async def test_a_root_that_is_a_file_is_told_as_such(place: Place) -> None:
    place.put(b"x", "file")
    driver = place.server.driver(f"{place.name}/file")
    error = await outcome(driver.write("a", Body(b"x")))
    assert isinstance(await outcome(driver.read("a")), NotFound)
    assert await listed(driver) == []
    await driver.aclose()
    assert isinstance(error, Obstructed)
    assert error.reason == "the root is a file, so no folder can be there"


async def test_what_may_not_be_read_is_denied(lying: LyingFtp) -> None:
    """A server that says only 550: the file is there, so it is the permission."""
    for features in (lying.lies.features, PLAIN):
        lying.lies.features = features
        lying.files["/a"] = b"x"
        driver = lying.driver()
        lying.lies.answers["RETR"] = "550 Failed to open file."
        assert isinstance(await outcome(read(driver, "a")), PermissionDenied)
        assert isinstance(await outcome(read(driver, "missing")), NotFound)
        lying.lies.answers.clear()
        assert await read(driver, "a") == b"x"


async def test_what_may_not_be_written_is_denied(lying: LyingFtp) -> None:
    driver = lying.driver()
    lying.files["/a"] = b"old"
    for verb in ("STOR", "RNTO", "RNFR"):
        lying.lies.answers = {verb: "550 Permission denied."}
        error = await outcome(driver.write("a", Body(b"new")))
        assert isinstance(error, PermissionDenied), verb
        assert lying.files == {"/a": b"old"}
    lying.lies.answers = {"STOR": "553 Could not create file."}
    assert isinstance(await outcome(driver.write("a", Body(b"new"))), PermissionDenied)
    lying.lies.answers = {"DELE": "550 Delete operation failed."}
    assert isinstance(await outcome(driver.remove("a")), PermissionDenied)
    lying.lies.answers = {"MKD": "550 Create directory operation failed."}
    assert isinstance(await outcome(driver.make_folder("f")), PermissionDenied)
    assert isinstance(await outcome(driver.write("f/a", Body(b"new"))), PermissionDenied)
    lying.lies.answers = {"RMD": "550 Remove directory operation failed."}
    lying.folders.add("/f")
    assert isinstance(await outcome(driver.remove_folder("f")), PermissionDenied)


async def test_what_may_not_be_looked_at_is_denied_and_not_absent(lying: LyingFtp) -> None:
    driver = lying.driver()
    lying.lies.answers = {"MLST": "550 Permission denied."}
    assert isinstance(await outcome(driver.stat("a")), PermissionDenied)
    assert isinstance(await outcome(driver.exists("a")), PermissionDenied)
    assert isinstance(await outcome(driver.has_folder("a")), PermissionDenied)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("452 Insufficient storage space.", QuotaExceeded),
        ("552 Quota exceeded.", QuotaExceeded),
        ("550 Disk quota exceeded", QuotaExceeded),
        ("550 No space left on device", QuotaExceeded),
        ("451 Disk full.", QuotaExceeded),
        ("426 No space left on device; transfer aborted.", QuotaExceeded),
        ("532 Need account for storing files.", PermissionDenied),
        ("553 File name too long", InvalidPath),
        ("451 Local error in processing.", Unavailable),
        ("425 Can't open data connection.", Unavailable),
        ("534 Policy requires SSL.", PermissionDenied),
        ("999 What?", StorageError),
    ],
)
async def test_a_refusal_has_the_kind_of_its_words(
    lying: LyingFtp, reply: str, kind: type[StorageError]
) -> None:
    driver = lying.driver(retries=1)
    lying.lies.answers["RNFR"] = reply
    error = await outcome(driver.write("a", Body(b"x")))
    assert type(error) is kind, error
    assert reply[4:] in str(error)
    assert lying.files == {}


@pytest.mark.parametrize(
    "reply",
    ["426 No space left on device.", "451 Quota exceeded.", "452 Sorry.", "552 Aborted."],
)
@pytest.mark.parametrize("body", [b"x", random_bytes(MIB)], ids=["short", "long"])
async def test_a_disk_that_is_full_says_so_at_once(
    lying: LyingFtp, reply: str, body: bytes
) -> None:
    """Whatever the code is: with one for what passes, another try would only cost as much again."""
    lying.files["/a"] = b"old"
    lying.lies.stops = reply
    error = await outcome(lying.driver(retries=3).write("a", Body(body)))
    assert isinstance(error, QuotaExceeded)
    assert len(lying.asked("STOR")) == 1
    assert lying.files == {"/a": b"old"}


@pytest.mark.parametrize("verb", ["STOR", "MKD"])
async def test_a_disk_that_is_full_is_no_lack_of_permission(lying: LyingFtp, verb: str) -> None:
    driver = lying.driver()
    lying.lies.answers[verb] = "550 No space left on device."
    for path in ("a", "f/a"):
        if verb == "STOR" or "/" in path:
            assert isinstance(await outcome(driver.write(path, Body(b"x"))), QuotaExceeded)


async def test_what_passes_is_tried_again(lying: LyingFtp) -> None:
    driver = lying.driver(retries=2)
    lying.files["/a"] = b"x"
    await driver.stat("a")
    lying.lies.answers["RETR"] = "450 File busy."
    lying.lies.after["EPSV"] = lambda: (
        lying.lies.answers.clear() if len(lying.asked("RETR")) == 2 else None
    )
    assert await read(driver, "a") == b"x"
    assert len(lying.asked("RETR")) == 3


async def test_a_wrong_password_is_denied_at_once(pyftpd: FtpServer) -> None:
    place = Place(pyftpd)
    error = await outcome(place.driver(password="wrong").stat("a"))
    assert isinstance(error, PermissionDenied)
    assert "username and password" in str(error)
    error = await outcome(place.driver(username="nobody", password="wrong").stat("a"))
    assert isinstance(error, PermissionDenied)
    await place.aclose()


async def test_a_server_that_wants_an_account_is_denied(lying: LyingFtp) -> None:
    lying.lies.answers["PASS"] = "333 What else?"
    assert isinstance(await outcome(lying.driver().stat("a")), PermissionDenied)


async def test_conditions_and_data_that_ftp_cannot_keep_are_unsupported(lying: LyingFtp) -> None:
    driver = lying.driver()
    body = Body(b"x")
    for how in (
        WriteOptions(overwrite=False),
        WriteOptions(if_match="x"),
        WriteOptions(metadata={"a": "b"}),
        WriteOptions(tags={"a": "b"}),
        WriteOptions(tier="COLD"),
    ):
        assert isinstance(await outcome(driver.write("a", body, how)), Unsupported)
        assert isinstance(await outcome(driver.extend("a", body, how)), Unsupported)
        assert isinstance(await outcome(driver.rename("a", "b", how)), Unsupported)
    for condition in (ReadOptions(if_match="x"), ReadOptions(if_none_match="x")):
        assert isinstance(await outcome(driver.read("a", condition)), Unsupported)
    assert lying.connections == 0


@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("", {}),
        ("ftp://example.com", {}),
        ("me@example.com", {}),
        ("a b", {}),
        ("h", {"tls": "yes"}),
        ("h", {"tls": True}),
        ("h", {"root": "../up"}),
        ("h", {"root": "a\nb"}),
        ("h", {"username": "me"}),
        ("h", {"username": "me\r\nDELE x", "password": "p"}),
        ("h", {"username": "me", "password": "p\r\nDELE x"}),
        ("h", {"encoding": "no such"}),
        ("h", {"paths": "any"}),
        ("h", {"permissions": {"files": {}}}),
        ("h", {"permissions": {"file": {"public": "0644"}}}),
        ("h", {"visibility": "secret"}),
    ],
)
def test_options_that_cannot_be_meant_are_refused_at_once(
    host: str, options: dict[str, Any]
) -> None:
    with pytest.raises((ConfigError, InvalidArgument)):
        FTPDriver(host, **options)


async def test_an_unknown_authority_file_is_an_error(lying: LyingFtp) -> None:
    driver = lying.driver(tls="explicit", verify="/no/such/file.pem")
    error = await outcome(driver.stat("a"))
    assert isinstance(error, ConfigError)
    assert "verify" in str(error)


async def test_a_failure_of_one_verb_leaves_the_connection_to_the_next(lying: LyingFtp) -> None:
    driver = lying.driver()
    for _ in range(3):
        await asyncio.gather(outcome(driver.stat("missing")), outcome(read(driver, "missing")))
        await outcome(driver.write("x" * 300, Body(b"x")))
        await outcome(driver.remove("missing"))
    assert lying.connections <= 2
