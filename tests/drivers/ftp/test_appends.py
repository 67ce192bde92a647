"""Adding to a file: all of it or nothing; where it is a part, or nobody knows, that is told, and it is never added twice."""

from collections.abc import Callable

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    PermissionDenied,
    QuotaExceeded,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.values import WriteOptions
from tests.drivers.ftp.place import MIB, Place, read
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.lying_ftp import LyingFtp

MORE = random_bytes(300_000)
BIG = random_bytes(2 * MIB)
BODIES: dict[str, Callable[[], Body]] = {
    "whole": lambda: Body(MORE),
    "streamed": lambda: streamed(BIG),
    "replayable": lambda: _replayable(BIG),
}
PRIVATE = WriteOptions(visibility="private")


def _replayable(data: bytes) -> Body:
    async def chunks():
        yield data

    return Body(chunks, replayable=True)


@pytest.mark.parametrize("body", [lambda: Body(b"x"), lambda: Body(b""), lambda: streamed(BIG)])
async def test_an_append_may_be_the_first_that_a_disk_sees(
    place: Place, body: Callable[[], Body]
) -> None:
    driver = place.server.driver(f"{place.name}/new/root")
    stat = await driver.extend("a", body())
    assert stat.size == len(await read(driver, "a"))
    await driver.aclose()


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("421 Leaving.", Unavailable),
        ("426 Data connection broke.", Unavailable),
        ("426 No space left on device; transfer aborted.", QuotaExceeded),
        ("451 Local error.", Unavailable),
        ("452 Insufficient storage space.", QuotaExceeded),
        ("552 Quota exceeded.", QuotaExceeded),
    ],
)
async def test_an_append_that_a_server_takes_in_part_is_told_and_not_made_again(
    lying: LyingFtp, body: str, reply: str, kind: type[StorageError]
) -> None:
    lying.files["/a"] = b"old"
    _taking(lying, b"part", reply)
    error = await outcome(lying.driver(retries=3).extend("a", BODIES[body]()))
    assert type(error) is kind, error
    assert not error.retryable
    assert "a part of what was to be added" in error.reason
    assert len(lying.asked("APPE")) == 1
    assert lying.files == {"/a": b"oldpart"}


async def test_an_append_of_which_a_full_server_took_nothing_is_only_that(lying: LyingFtp) -> None:
    lying.files["/a"] = b"old"
    _taking(lying, b"", "552 Quota exceeded.")
    error = await outcome(lying.driver().extend("a", Body(MORE)))
    assert isinstance(error, QuotaExceeded)
    assert "part" not in error.reason
    assert lying.files == {"/a": b"old"}


@pytest.mark.parametrize("body", BODIES)
async def test_an_append_after_which_nobody_answers_is_not_made_again(
    lying: LyingFtp, body: str
) -> None:
    lying.files["/a"] = b"old"
    lying.lies.losing = ["APPE"]

    def end() -> None:
        lying.lies.most = 0
        for session in lying.sessions:
            session._writer.transport.abort()

    lying.lies.after["APPE"] = end
    driver = lying.driver(retries=1)
    error = await outcome(driver.extend("a", BODIES[body]()))
    assert isinstance(error, Unavailable)
    assert not error.retryable
    assert "outcome is unknown" in error.reason
    assert len(lying.asked("APPE")) == 1


async def test_an_append_whose_temporary_cannot_be_removed_is_made_once(lying: LyingFtp) -> None:
    lying.files["/a"] = b"old"
    lying.lies.losing = ["DELE"] * 9
    assert (await lying.driver().extend("a", _replayable(BIG))).size == 3 + len(BIG)
    assert len(lying.asked("APPE")) == 1
    assert lying.files["/a"] == b"old" + BIG


async def test_an_append_whose_temporary_cannot_be_read_to_its_end_is_told(lying: LyingFtp) -> None:
    lying.files["/a"] = b"old"
    lying.lies.sends = lambda data: data[: len(data) // 2]
    error = await outcome(lying.driver(retries=1).extend("a", _replayable(BIG)))
    assert isinstance(error, Unavailable)
    assert not error.retryable
    assert len(lying.asked("APPE")) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [("500 Unknown SITE command.", Unsupported), ("550 Permission denied.", PermissionDenied)],
)
@pytest.mark.parametrize("content", [b"secret", b""])
async def test_a_new_file_that_cannot_have_its_visibility_does_not_stay(
    lying: LyingFtp, reply: str, kind: type[StorageError], content: bytes
) -> None:
    lying.lies.answers["SITE"] = reply
    error = await outcome(lying.driver().extend("a", Body(content), PRIVATE))
    assert isinstance(error, kind)
    assert lying.files == {}


async def test_a_new_file_without_its_visibility_stays_where_others_added_to_it(
    lying: LyingFtp,
) -> None:
    lying.lies.answers["SITE"] = "500 Unknown SITE command."
    lying.lies.after["APPE"] = lambda: lying.files.update({"/a": b"ours theirs"})
    error = await outcome(lying.driver().extend("a", Body(b"ours"), PRIVATE))
    assert type(error) is StorageError
    assert "was added" in error.reason
    assert lying.files == {"/a": b"ours theirs"}


def _taking(lying: LyingFtp, part: bytes, reply: str) -> None:
    """Of what is added next, this part arrives."""

    def stop() -> None:
        lying.lies.stops = reply
        lying.files["/a"] += part

    lying.lies.before["APPE"] = stop
