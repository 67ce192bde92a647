"""A bucket, a proxy before it, and the two forms of what repeats itself: see tests/safety."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.drivers.s3.bucket import Bucket
from tests.safety.conftest import pytest_collection_modifyitems, pytest_generate_tests
from tests.servers.issuer import Issuer
from tests.servers.issuer import issuer as run_issuer
from tests.servers.proxy import Proxy
from tests.servers.strict_s3 import StrictS3

__all__ = ["pytest_collection_modifyitems", "pytest_generate_tests"]


@pytest.fixture
async def bucket(strict_s3: StrictS3, levers: None) -> AsyncIterator[Bucket]:
    """An empty one on the strict server."""
    made = Bucket(strict_s3, strict_s3.make_bucket())
    yield made
    await made.aclose()


@pytest.fixture
async def proxy(bucket: Bucket) -> AsyncIterator[Proxy]:
    """The way to the strict server on which things go wrong."""
    async with Proxy(bucket.port) as proxy:
        yield proxy


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """The container role of whoever is not given other credentials."""
    with run_issuer() as made:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{made.url}/container")
        yield made


@pytest.fixture(params=["direct", pytest.param("sdk", marks=pytest.mark.long)])
def transport(request: pytest.FixtureRequest) -> str:
    """Ours, and in the long form the SDK's."""
    return str(request.param)


@pytest.fixture(params=["direct", "sdk"])
def each_transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)
