"""A folder, a proxy before its server, and the two forms of what repeats itself: see tests/safety."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from tests.drivers.sftp.share import Share
from tests.safety.conftest import pytest_collection_modifyitems, pytest_generate_tests
from tests.servers.proxy import Proxy
from tests.servers.sshd import Sshd

__all__ = ["pytest_collection_modifyitems", "pytest_generate_tests"]

_numbers = count()


@pytest.fixture
async def share(sshd: Sshd) -> AsyncIterator[Share]:
    """An empty folder of OpenSSH's server."""
    made = Share(sshd.server, f"share {next(_numbers)}")
    made.path.mkdir()
    yield made
    await made.aclose()


@pytest.fixture(params=["sshd", "asyncssh_server"])
async def each_share(request: pytest.FixtureRequest) -> AsyncIterator[Share]:
    """An empty folder of each server."""
    found: Any = request.getfixturevalue(request.param)
    server = found.server if isinstance(found, Sshd) else found
    made = Share(server, f"share {next(_numbers)}")
    made.path.mkdir()
    yield made
    await made.aclose()


@pytest.fixture
async def proxy(share: Share) -> AsyncIterator[Proxy]:
    """The way to the server on which things go wrong."""
    async with Proxy(share.port) as proxy:
        yield proxy
