"""Replies that come oddly, once too often or at a bad moment: each is taken for what it is, or not at all."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed, NotFound, QuotaExceeded, StorageError, Unavailable
from storeroom.contracts.values import Stat
from storeroom.drivers._ftp.hearing import Hearing
from storeroom.drivers._ftp.replies import Reply
from tests.drivers.ftp.place import MIB, listed, read
from tests.drivers.s3.bucket import outcome, random_bytes, streamed
from tests.servers.certificates import Certificate
from tests.servers.lying_ftp import LyingFtp

BIG = random_bytes(MIB)


@pytest.fixture(params=[False, True], ids=["clear", "tls"])
async def lying(
    request: pytest.FixtureRequest, certificate: Certificate
) -> AsyncIterator[LyingFtp]:
    """In the clear and under TLS, which takes other ways."""
    async with LyingFtp(certificate=certificate if request.param else None) as server:
        yield server


ODD: dict[bytes, Reply] = {
    b"211-Features:\r\n MLST\r\n211 End\r\n": Reply(211, ("Features:", " MLST", "End")),
    b"211-a\n211-b\n211 c\n": Reply(211, ("a", "b", "c")),
    b"230-one\r\n230two\r\n  230 three\r\n550 four\r\n230 five\r\n": Reply(
        230, ("one", "230two", "  230 three", "550 four", "five")
    ),
    b"230-\r\n\r\n230 \r\n": Reply(230, ("", "", "")),
    b"230-a\r\n230\r\n": Reply(230, ("a", "230")),
    b"230\r\n": Reply(230, ("",)),
    b"230 a-b\n": Reply(230, ("a-b",)),
}


@pytest.mark.parametrize("said", ODD)
def test_odd_forms_of_replies_are_understood_in_whatever_pieces_they_come(said: bytes) -> None:
    """RFC 959, section 4.2: only the first number and a space end a reply of many lines."""
    follows = b"200 next\r\n"
    for at in range(len(said)):
        hearing = Hearing("utf-8")
        hearing.add(said[:at])
        assert hearing.reply("") is None
        hearing.add(said[at:] + follows)
        assert hearing.reply("") == ODD[said]
        assert hearing.reply("") == Reply(200, ("next",))
        assert not hearing


@pytest.mark.parametrize("size", [100, MIB])
async def test_a_transfer_may_begin_more_than_once(lying: LyingFtp, size: int) -> None:
    lying.lies.begins = 2
    driver = lying.driver(retries=0)
    await driver.write("a", Body(BIG[:size]))
    assert await read(driver, "a") == BIG[:size]
    assert await listed(driver) == ["a"]
    await driver.extend("a", Body(b"more"))
    assert lying.files == {"/a": BIG[:size] + b"more"}
    assert lying.connections == 1


@pytest.mark.parametrize("verb", ["STOR", "MLST", "RNFR", "EPSV", "SITE"])
async def test_a_reply_that_is_said_twice_is_not_the_answer_to_the_next_command(
    lying: LyingFtp, verb: str
) -> None:
    """What is not done is never told as done."""
    lying.files["/a"] = b"old"
    lying.lies.twice = {verb}
    lying.lies.answers["RNTO"] = "550 No."
    error = await outcome(lying.driver(retries=1, visibility="public").write("a", Body(b"new")))
    assert isinstance(error, StorageError)
    assert lying.files["/a"] == b"old"


@pytest.mark.parametrize("verb", ["RETR", "MLST", "DELE", "NOOP"])
async def test_a_connection_with_a_reply_too_many_serves_nobody_else(
    lying: LyingFtp, verb: str
) -> None:
    lying.files.update({"/a": b"x", "/b": b"yz"})
    driver = lying.driver()
    await driver.stat("a")
    for control in next(iter(driver._service._pools._clients.values()))._idle:
        control.doubted = True
    lying.lies.twice = {verb}
    for _ in range(2):
        for work, right in (
            (read(driver, "a"), b"x"),
            (driver.remove("c"), False),
            (driver.stat("b"), Stat("b", 2)),
            (driver.stat("c"), NotFound("")),
        ):
            found = await outcome(work)
            if not isinstance(found, Unavailable):
                assert _known(found) == _known(right)


def _known(answer: object) -> object:
    if isinstance(answer, StorageError):
        return type(answer)
    return answer.size if isinstance(answer, Stat) else answer


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("size", [100, 64 << 10, MIB])
async def test_an_upload_that_the_server_stops_has_the_servers_reason(
    lying: LyingFtp,
    size: int,
    resets: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    lying.lies.stops, lying.lies.resets = "552 Quota exceeded.", resets
    driver = lying.driver(retries=0)
    for body in (Body(BIG[:size]), streamed(BIG[:size]), streamed(BIG * 8)):
        error = await outcome(driver.write("a", body))
        assert isinstance(error, QuotaExceeded), error
    assert lying.files == {}


@pytest.mark.parametrize("size", [0, 100, MIB])
async def test_a_data_connection_that_is_reset_when_all_is_there_is_no_harm(
    lying: LyingFtp, size: int
) -> None:
    """There is no rest to ask for, and some servers would refuse to begin at the very end."""
    lying.files["/a"] = BIG[:size]
    lying.lies.resets = True
    lying.lies.lacks = {"REST"}
    driver = lying.driver(retries=0)
    for _ in range(2):
        assert await read(driver, "a") == BIG[:size]
    assert len(lying.asked("RETR")) == 2


async def test_a_passing_refusal_of_epsv_is_not_for_ever(lying: LyingFtp) -> None:
    lying.lies.answers["EPSV"] = "425 No port is free."
    lying.lies.lacks = {"PASV"}
    driver = lying.driver(retries=0)
    assert isinstance(await outcome(driver.write("a", Body(b"x"))), StorageError)
    lying.lies.answers.clear()
    await driver.write("a", Body(b"x"))
    assert lying.files == {"/a": b"x"}


@pytest.mark.parametrize("verb", ["USER", "PASS", "FEAT", "TYPE"])
async def test_a_server_that_leaves_at_any_step_of_a_login_costs_a_retry(
    lying: LyingFtp, verb: str
) -> None:
    lying.files["/a"] = BIG
    for work in (
        lambda driver: read(driver, "a"),
        lambda driver: driver.write("b", Body(BIG)),
        lambda driver: driver.write("b", streamed(BIG)),
        lambda driver: driver.stat("a"),
        lambda driver: driver.extend("c", Body(b"x")),
        listed,
    ):
        lying.lies.leaving = [verb]
        answer = await outcome(work(lying.driver(retries=1)))
        assert not isinstance(answer, StorageError), answer


async def test_a_server_that_is_full_does_not_keep_a_body_that_reads_for_ever(
    lying: LyingFtp,
) -> None:
    """It may have one connection more than others, where the server gives it one."""
    lying.files["/a"] = BIG * 8
    lying.lies.most = 2
    driver = lying.driver(timeout=0.5, retries=0)

    async def chunks():
        yield BIG
        async with await driver.read("a") as source:
            yield await source.read()

    async with await driver.read("a") as held:
        await held.read(1)
        error = await outcome(driver.write("b", Body(chunks)))
    assert isinstance(error, StorageError)
    assert lying.connections < 10
    await driver.write("b", Body(chunks))
    assert lying.files["/b"] == BIG * 9


async def test_who_gets_a_connection_while_all_is_closed_hears_it(lying: LyingFtp) -> None:
    lying.files["/a"] = b"x"
    driver = lying.driver()
    await driver.stat("a")
    for control in next(iter(driver._service._pools._clients.values()))._idle:
        control.doubted = True
    closing: list[asyncio.Task[None]] = []
    lying.lies.after["NOOP"] = lambda: closing.append(asyncio.create_task(driver.aclose()))
    assert isinstance(await outcome(driver.stat("a")), Closed)
    await asyncio.gather(*closing)
    await lying.deserted()
