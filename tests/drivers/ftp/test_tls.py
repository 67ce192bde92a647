"""TLS: asked for by default, checked by default, for commands and data, in the order strict servers want."""

import asyncio
import logging
import ssl
from pathlib import Path

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, Unavailable
from storeroom.drivers.ftp import FTPDriver
from tests.drivers.ftp.place import ELSEWHERE, KEY, MIB, Place, listed, read, way_to
from tests.drivers.s3.bucket import outcome, random_bytes
from tests.servers.certificates import make_certificate
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp
from tests.servers.process import HOST

BIG = random_bytes(3 * MIB)


async def test_files_go_both_ways_under_tls(secure: Place) -> None:
    driver = secure.driver()
    await driver.write(KEY, Body(BIG))
    assert secure.get() == BIG
    assert await read(driver) == BIG
    assert await listed(driver) == [KEY]


async def test_data_connections_take_up_the_session_of_the_control_connection(
    vsftpd_tls: FtpServer,
) -> None:
    """vsftpd with require_ssl_reuse=YES refuses any other; also by way of ranges and many of them."""
    place = Place(vsftpd_tls)
    driver = place.driver()
    await driver.write(KEY, Body(BIG))
    parts = [await driver.get(KEY, start=at, stop=at + 1000) for at in range(0, MIB, MIB // 8)]
    assert parts == [BIG[at : at + 1000] for at in range(0, MIB, MIB // 8)]
    await asyncio.gather(*(read(driver) for _ in range(6)))
    await place.aclose()


async def test_a_certificate_of_an_unknown_authority_is_an_error_of_its_own(secure: Place) -> None:
    driver = secure.driver(verify=True)
    error = await outcome(driver.stat(KEY))
    assert isinstance(error, ConfigError)
    assert "certificate" in str(error)
    assert "verify" in str(error)


async def test_a_certificate_of_another_authority_is_refused(secure: Place, tmp_path: Path) -> None:
    other = make_certificate(tmp_path)
    error = await outcome(secure.driver(verify=str(other.authority)).stat(KEY))
    assert isinstance(error, ConfigError)


async def test_a_certificate_for_another_name_is_refused(narrow_vsftpd_tls: FtpServer) -> None:
    place = Place(narrow_vsftpd_tls)
    async with way_to(narrow_vsftpd_tls):
        error = await outcome(place.driver(ELSEWHERE).stat(KEY))
    assert isinstance(error, ConfigError)
    assert ELSEWHERE in str(error)
    await place.aclose()


async def test_nothing_is_sent_to_a_server_whose_certificate_is_wrong(
    pyftpd_tls: FtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(pyftpd_tls)
    error = await outcome(place.driver(verify=True).write(KEY, Body(BIG)))
    assert isinstance(error, ConfigError)
    assert place.get() is None
    await place.aclose()


async def test_an_unchecked_certificate_is_warned_of(
    secure: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "storeroom"):
        driver = secure.driver(verify=False)
    assert ["not checked" in record.getMessage() for record in caplog.records] == [True]
    await driver.write(KEY, Body(BIG))
    assert await read(driver) == BIG


async def test_tls_is_what_a_disk_has_unless_it_says_otherwise() -> None:
    assert FTPDriver("localhost")._service.account.tls == "explicit"
    assert FTPDriver("localhost")._service.account.port == 21
    assert FTPDriver("localhost", tls="implicit")._service.account.port == 990
    assert FTPDriver("localhost", tls=False)._service.account.port == 21


async def test_a_server_without_tls_gets_no_password(lying: LyingFtp) -> None:
    driver = lying.driver(tls="explicit", username="me", password="secret")
    error = await outcome(driver.stat(KEY))
    assert isinstance(error, ConfigError)
    assert "tls=False" in str(error)
    assert lying.said == ["AUTH TLS"]


async def test_a_server_that_insists_on_tls_says_so(pyftpd_tls: FtpServer) -> None:
    place = Place(pyftpd_tls)
    error = await outcome(place.driver(tls=False).stat(KEY))
    assert error is not None
    assert "tls" in str(error).lower() or "550" in str(error) or "530" in str(error)
    await place.aclose()


async def test_bytes_in_the_clear_before_tls_are_no_replies(lying: LyingFtp) -> None:
    """Who sits between could have said them: they would be taken for the server's own."""
    lying.lies.answers["AUTH"] = b"234 Go on.\r\n230 You are logged in.\r\n"
    error = await outcome(lying.driver(tls="explicit", retries=0).stat(KEY))
    assert isinstance(error, Unavailable)
    assert "in the clear" in str(error)
    assert lying.said == ["AUTH TLS"]


async def test_implicit_tls_to_a_server_in_the_clear_is_unavailable(lying: LyingFtp) -> None:
    error = await outcome(lying.driver(tls="implicit", retries=0).stat(KEY))
    assert isinstance(error, Unavailable)
    assert not lying.asked("USER", "PASS")


async def test_a_server_that_would_send_data_in_the_clear_is_refused(
    pyftpd_tls: FtpServer, certificate: object
) -> None:
    """PROT refused: the control connection is protected, data would not be."""
    made = make_certificate(pyftpd_tls.folder.parent)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(context.load_cert_chain, made.chain, made.key)
    said: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 welcome\r\n")
        while line := await reader.readline():
            said.append(line.strip())
            refused = line.startswith(b"PROT")
            writer.write(
                {b"USER": b"331 ?\r\n", b"PASS": b"230 in\r\n"}.get(line[:4], b"200 ok\r\n")
                if not refused
                else b"536 Not supported.\r\n"
            )
        writer.close()
        over.set()

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    driver = FTPDriver(HOST, port=port, tls="implicit", verify=str(made.authority))
    error = await outcome(driver.stat(KEY))
    assert isinstance(error, ConfigError)
    assert "tls=False" in str(error)
    assert b"PBSZ 0" in said
    await driver.aclose()
    await over.wait()
    server.close()


async def test_the_server_may_open_the_data_connections(vsftpd_tls: FtpServer) -> None:
    """pyftpdlib forgets its side of TLS there, for curl too."""
    place = Place(vsftpd_tls)
    driver = place.driver(passive=False)
    await driver.write(KEY, Body(BIG))
    assert await read(driver) == BIG
    assert await listed(driver) == [KEY]
    await place.aclose()
