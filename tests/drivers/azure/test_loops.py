"""One driver, several event loops: each has its connections, and the SDK serves them all."""

import asyncio
import os
import sys

import pytest

from storeroom.contracts.body import Body
from tests.drivers.azure.container import Container, read
from tests.drivers.s3.bucket import KEY


async def test_loops_side_by_side_share_a_driver(container: Container) -> None:
    driver = container.driver()

    async def work(number: int) -> bytes:
        await driver.write(f"{number}", Body(b"%d" % number))
        await driver.change_tags(f"{number}", {"a": f"{number}"})
        assert await driver.read_tags(f"{number}") == {"a": f"{number}"}
        await driver.append("log", b".")
        return await read(driver, f"{number}")

    found = await asyncio.gather(
        *(asyncio.to_thread(lambda n=n: asyncio.run(work(n))) for n in range(6)), work(6)
    )
    assert found == [b"%d" % number for number in range(7)]
    assert container.get("log") == b"." * 7


def test_a_driver_outlives_the_loops_it_was_used_on(container: Container) -> None:
    driver = container.driver()
    for number in range(3):
        asyncio.run(driver.put(KEY, b"%d" % number))
        assert asyncio.run(driver.read_tags(KEY)) == {}
    assert container.get() == b"2"
    asyncio.run(driver.aclose())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_connections_of_its_own(container: Container) -> None:
    driver = container.driver()
    asyncio.run(driver.put(KEY, b"parent"))
    child = os.fork()
    if not child:
        found = b""
        try:
            found = asyncio.run(driver.get(KEY))
        finally:
            os._exit(0 if found == b"parent" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert asyncio.run(driver.get(KEY)) == b"parent"
