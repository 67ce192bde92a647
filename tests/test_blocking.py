"""The watch over the tests sees a blocking call of `storeroom`'s own, and nobody else's."""

import asyncio
import time
from pathlib import Path

import pytest
from blockbuster import BlockingError

import storeroom
import storeroom.testing

OURS, KIT = (Path(str(kind.__file__)) for kind in (storeroom, storeroom.testing))


def sleeping(file: Path) -> object:
    """A function that blocks, as if it were written in that file."""
    names: dict[str, object] = {"time": time}
    exec(compile("def sleep():\n    time.sleep(0)", str(file), "exec"), names)
    return names["sleep"]


async def test_a_blocking_call_on_a_loop_is_told() -> None:
    with pytest.raises(BlockingError, match="sleep"):
        sleeping(OURS)()


@pytest.mark.parametrize("file", [KIT, Path(__file__)])
async def test_the_kit_and_the_tests_may_block(file: Path) -> None:
    sleeping(file)()


async def test_a_worker_thread_may_block() -> None:
    await asyncio.to_thread(sleeping(OURS))
