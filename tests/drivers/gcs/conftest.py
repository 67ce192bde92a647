"""A bucket, a proxy before it, and the two forms of what repeats itself: see tests/safety."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.drivers.gcs.bucket import Bucket
from tests.safety.conftest import pytest_collection_modifyitems, pytest_generate_tests
from tests.servers.proxy import Proxy
from tests.servers.strict_gcs import StrictGcs

__all__ = ["pytest_collection_modifyitems", "pytest_generate_tests"]

OUTSIDE = (
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "STORAGE_EMULATOR_HOST"),
    *("GCE_METADATA_HOST", "GCE_METADATA_ROOT"),
)


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials of whoever runs the tests."""
    for name in OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))


@pytest.fixture
async def bucket(strict_gcs: StrictGcs, levers: None) -> AsyncIterator[Bucket]:
    """An empty one on the strict server."""
    made = Bucket(strict_gcs, strict_gcs.make_bucket())
    yield made
    await made.aclose()


@pytest.fixture
async def proxy(bucket: Bucket) -> AsyncIterator[Proxy]:
    """The way to the strict server on which things go wrong."""
    async with Proxy(bucket.port) as proxy:
        yield proxy


@pytest.fixture(params=["direct", pytest.param("sdk", marks=pytest.mark.long)])
def transport(request: pytest.FixtureRequest) -> str:
    """Ours, and in the long form the SDK's."""
    return str(request.param)


@pytest.fixture(params=["direct", "sdk"])
def each_transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)
