"""A container, a proxy before it, and the two forms of what repeats itself: see tests/safety."""

from collections.abc import AsyncIterator

import pytest

from tests.drivers.azure.container import Container
from tests.safety.conftest import pytest_collection_modifyitems, pytest_generate_tests
from tests.servers.azure import AzureServer
from tests.servers.proxy import Proxy
from tests.servers.strict_azure import StrictAzure

__all__ = ["pytest_collection_modifyitems", "pytest_generate_tests"]


@pytest.fixture
async def container(strict_azure: StrictAzure, levers: None) -> AsyncIterator[Container]:
    """An empty one on the strict server."""
    made = Container(strict_azure, strict_azure.make_container())
    yield made
    await made.aclose()


@pytest.fixture
async def secure(strict_azure_tls: StrictAzure, levers: None) -> AsyncIterator[Container]:
    """An empty one on the strict server that speaks TLS, and takes tokens."""
    made = Container(strict_azure_tls, strict_azure_tls.make_container())
    yield made
    await made.aclose()


@pytest.fixture(params=["strict_azure", "azurite"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Container]:
    """An empty one on each server."""
    server: AzureServer = request.getfixturevalue(request.param)
    made = Container(server, server.make_container())
    yield made
    await made.aclose()


@pytest.fixture
async def proxy(container: Container) -> AsyncIterator[Proxy]:
    """The way to the strict server on which things go wrong."""
    async with Proxy(container.port) as proxy:
        yield proxy
