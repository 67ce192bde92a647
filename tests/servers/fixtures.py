"""Servers that start with the first test that asks for them and stop with the last test.

Each worker of pytest-xdist has its own: a test is alone with what it made only by its bucket.
"""

from collections.abc import Iterator

import pytest

from tests.servers.azure import AzureServer
from tests.servers.azurite import azurite as run_azurite
from tests.servers.certificates import Certificate, make_certificate
from tests.servers.fake_gcs import fake_gcs as run_fake_gcs
from tests.servers.ftp import FtpServer
from tests.servers.gcs import GcsServer
from tests.servers.moto import moto as run_moto
from tests.servers.proftpd import proftpd as run_proftpd
from tests.servers.pyftpd import pyftpd as run_pyftpd
from tests.servers.rclone import rclone as run_rclone
from tests.servers.redis import RedisServer
from tests.servers.redis import redis as run_redis
from tests.servers.s3 import S3Server
from tests.servers.sftp import SftpServer
from tests.servers.ssh_server import ssh_server as run_ssh_server
from tests.servers.sshd import Sshd
from tests.servers.sshd import sshd as run_sshd
from tests.servers.strict_azure import StrictAzure
from tests.servers.strict_azure import strict_azure as run_strict_azure
from tests.servers.strict_gcs import StrictGcs
from tests.servers.strict_gcs import strict_gcs as run_strict_gcs
from tests.servers.strict_s3 import StrictS3
from tests.servers.strict_s3 import strict_s3 as run_strict_s3
from tests.servers.vsftpd import vsftpd as run_vsftpd

STRICT = (
    "strict_azure",
    "strict_azure_tls",
    "strict_gcs",
    "strict_gcs_tls",
    "strict_s3",
    "strict_s3_tls",
)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """For servers that speak TLS; clients trust its `authority`."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    with run_moto() as server:
        yield server


@pytest.fixture(scope="session")
def moto_tls(certificate: Certificate) -> Iterator[S3Server]:
    with run_moto(certificate) as server:
        yield server


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with run_rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_tls(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[S3Server]:
    with run_rclone(tmp_path_factory.mktemp("rclone-tls"), certificate) as server:
        yield server


@pytest.fixture(scope="session")
def strict_s3() -> Iterator[StrictS3]:
    """Whoever pulls a lever of it takes `levers` too."""
    with run_strict_s3() as server:
        yield server


@pytest.fixture(scope="session")
def strict_s3_tls(certificate: Certificate) -> Iterator[StrictS3]:
    with run_strict_s3(certificate) as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[AzureServer]:
    with run_azurite() as server:
        yield server


@pytest.fixture(scope="session")
def azurite_tls(certificate: Certificate) -> Iterator[AzureServer]:
    """The one that takes bearer tokens."""
    with run_azurite(certificate) as server:
        yield server


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[GcsServer]:
    with run_fake_gcs() as server:
        yield server


@pytest.fixture(scope="session")
def strict_gcs() -> Iterator[StrictGcs]:
    """Whoever pulls a lever of it takes `levers` too."""
    with run_strict_gcs() as server:
        yield server


@pytest.fixture(scope="session")
def strict_gcs_tls(certificate: Certificate) -> Iterator[StrictGcs]:
    with run_strict_gcs(certificate) as server:
        yield server


@pytest.fixture(scope="session")
def strict_azure() -> Iterator[StrictAzure]:
    """Whoever pulls a lever of it takes `levers` too."""
    with run_strict_azure() as server:
        yield server


@pytest.fixture(scope="session")
def strict_azure_tls(certificate: Certificate) -> Iterator[StrictAzure]:
    with run_strict_azure(certificate) as server:
        yield server


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with run_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="session")
def asyncssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """The one that takes passwords."""
    with run_ssh_server(tmp_path_factory.mktemp("asyncssh")) as server:
        yield server


@pytest.fixture(scope="session")
def pyftpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpServer]:
    with run_pyftpd(tmp_path_factory.mktemp("pyftpd")) as server:
        yield server


@pytest.fixture(scope="session")
def pyftpd_tls(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[FtpServer]:
    """AUTH TLS, which it insists on, also for data."""
    folder = tmp_path_factory.mktemp("pyftpd-tls")
    with run_pyftpd(folder, certificate, tls="explicit") as server:
        yield server


@pytest.fixture(scope="session")
def pyftpd_implicit(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[FtpServer]:
    """TLS from the first byte."""
    folder = tmp_path_factory.mktemp("pyftpd-implicit")
    with run_pyftpd(folder, certificate, tls="implicit") as server:
        yield server


@pytest.fixture(scope="session")
def vsftpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpServer]:
    with run_vsftpd(tmp_path_factory.mktemp("vsftpd")) as server:
        yield server


@pytest.fixture(scope="session")
def proftpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FtpServer]:
    """For long tests: `make servers` does not install it."""
    with run_proftpd(tmp_path_factory.mktemp("proftpd")) as server:
        yield server


@pytest.fixture(scope="session")
def vsftpd_tls(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[FtpServer]:
    """The one that insists on data connections that take up the session of the control connection."""
    with run_vsftpd(tmp_path_factory.mktemp("vsftpd-tls"), certificate) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Whoever stops it takes one of its own: `tests.servers.redis.redis()`."""
    with run_redis() as server:
        yield server


@pytest.fixture
def levers(request: pytest.FixtureRequest) -> Iterator[None]:
    """The settings and faults of the strict servers are a test's own, and gone after it."""
    yield
    for name in STRICT:
        if name in request.fixturenames:
            request.getfixturevalue(name).reset()
