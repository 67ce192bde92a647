"""A folder on each server, a server that lies, and the two forms of what repeats itself."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.drivers.ftp.place import Place
from tests.safety.conftest import pytest_collection_modifyitems, pytest_generate_tests
from tests.servers.certificates import Certificate
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp
from tests.servers.process import free_port, is_listening
from tests.servers.vsftpd import vsftpd as run_vsftpd

__all__ = ["pytest_collection_modifyitems", "pytest_generate_tests"]

SERVERS = ("pyftpd", "vsftpd")
SECURE = ("pyftpd_tls", "pyftpd_implicit", "vsftpd_tls")


@pytest.fixture
async def lying() -> AsyncIterator[LyingFtp]:
    """A server in the test's own loop, which does as it is told."""
    async with LyingFtp() as server:
        yield server


@pytest.fixture(params=SERVERS)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """An empty folder of each server, in the clear."""
    made = Place(request.getfixturevalue(request.param))
    yield made
    await made.aclose()


@pytest.fixture(params=SECURE)
async def secure(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """An empty folder of each server that speaks TLS."""
    made = Place(request.getfixturevalue(request.param))
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def narrow_vsftpd_tls(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[FtpServer]:
    """One whose data connections go through few ports, which `way_to` can know beforehand."""
    folder = tmp_path_factory.mktemp("narrow")
    with run_vsftpd(folder, certificate, passive=free_ports()) as server:
        yield server


def free_ports(count: int = 16) -> range:
    """So many ports in a row that nobody listens on now."""
    while True:
        found = range(first := free_port(), first + count)
        if found.stop < 65536 and not any(map(is_listening, found)):
            return found
