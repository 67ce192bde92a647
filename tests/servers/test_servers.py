"""Every server starts, keeps what it is given, and is gone afterwards."""

import sys

import pytest

from tests.servers.gcs import GcsServer
from tests.servers.moto import moto_process, moto_server
from tests.servers.process import DidNotStart, Process, is_listening
from tests.servers.s3 import S3Server
from tests.servers.strict_gcs import strict_gcs_process, strict_gcs_server


@pytest.mark.parametrize("name", ["moto", "moto_tls", "rclone", "rclone_tls"])
def test_a_server_keeps_an_object(name: str, request: pytest.FixtureRequest) -> None:
    server: S3Server = request.getfixturevalue(name)
    bucket, client = server.make_bucket(), server.client()
    client.put_object(Bucket=bucket, Key="a b/ü%2F+.txt", Body=b"kept")
    assert client.get_object(Bucket=bucket, Key="a b/ü%2F+.txt")["Body"].read() == b"kept"
    assert server.url.startswith("https") is name.endswith("_tls")


@pytest.mark.parametrize("name", ["fake_gcs", "strict_gcs", "strict_gcs_tls"])
def test_a_server_of_google_s_keeps_an_object(name: str, request: pytest.FixtureRequest) -> None:
    server: GcsServer = request.getfixturevalue(name)
    blob = server.client().bucket(server.make_bucket()).blob("a b/ü%2F+.txt")
    blob.upload_from_string(b"kept")
    assert blob.download_as_bytes() == b"kept"
    assert server.url.startswith("https") is name.endswith("_tls")


def test_a_strict_server_that_came_back_knows_its_account() -> None:
    with strict_gcs_process() as process:
        client = strict_gcs_server(process).client()
        process.stop()
        process.start()
        server = strict_gcs_server(process)
        client.bucket(server.make_bucket()).blob("x").upload_from_string(b"")


def test_every_bucket_is_a_new_one(moto: S3Server) -> None:
    assert moto.make_bucket() != moto.make_bucket()


def test_a_server_comes_back_on_its_port_and_is_gone_after_its_block() -> None:
    with moto_process() as process:
        port, first = process.port, process.pid
        process.stop()
        assert not is_listening(port)
        process.start()
        assert (process.port, process.pid) != (port, first)
        assert process.port == port
        moto_server(process).make_bucket()
    assert process.pid is None
    assert not is_listening(port)


def test_a_server_that_does_not_start_says_what_it_said() -> None:
    code = "import sys; sys.exit('no room today')"
    with pytest.raises(DidNotStart, match="ended with 1 and said:\nno room today"):
        Process(lambda port: [sys.executable, "-c", code]).start()


def test_a_server_that_never_listens_is_ended() -> None:
    process = Process(
        lambda port: [sys.executable, "-c", "import time; time.sleep(60)"], within=0.2
    )
    with pytest.raises(DidNotStart, match=r"not ready within 0\.2 s"):
        process.start()
    assert process.pid is None
