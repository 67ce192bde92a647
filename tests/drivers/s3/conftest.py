"""A bucket, a proxy before it, and the two forms of what repeats itself: see tests/safety."""

from collections.abc import AsyncIterator

import pytest

from tests.drivers.s3.bucket import Bucket
from tests.safety.conftest import pytest_collection_modifyitems, pytest_generate_tests
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


@pytest.fixture(params=["direct", "sdk"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)
