"""A driver that is closed on one event loop while others run."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed
from tests.drivers.s3.bucket import KEY, Bucket, outcome, read
from tests.servers.strict_s3 import Fault, StrictS3

T = TypeVar("T")


class Elsewhere:
    """A loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def stop(self) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.stop()


@pytest.fixture
def place(strict_s3: StrictS3, levers: None) -> Bucket:
    return Bucket(strict_s3, strict_s3.make_bucket())


def connections(port: int) -> int:
    """How many established connections there are to the port, of this process or of others."""
    wanted = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(words[2].endswith(wanted) and words[3] == "01" for words in lines)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux tells its connections")
def test_closing_elsewhere_closes_the_connections_of_all_loops(
    place: Bucket, elsewhere: Elsewhere, each_transport: str
) -> None:
    driver = place.driver(transport=each_transport)
    before = connections(place.port)
    elsewhere.run(driver.write(KEY, Body(b"x")))
    assert connections(place.port) == before + 1
    asyncio.run(driver.aclose())
    assert connections(place.port) == before
    with pytest.raises(Closed):
        elsewhere.run(driver.stat(KEY))
    with pytest.raises(Closed):
        asyncio.run(driver.stat(KEY))


def test_what_is_under_way_elsewhere_ends(
    place: Bucket, elsewhere: Elsewhere, each_transport: str
) -> None:
    driver = place.driver(transport=each_transport)
    elsewhere.run(driver.write(KEY, Body(b"x")))
    place.fail(Fault("stall", method="GET"))
    reading = asyncio.run_coroutine_threadsafe(outcome(read(driver)), elsewhere.loop)
    while place.strict.faults_left():
        pass
    asyncio.run(driver.aclose())
    assert isinstance(reading.result(5), Closed)
