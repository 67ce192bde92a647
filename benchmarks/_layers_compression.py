"""Compressing into nothing, against nothing but zstandard."""

from functools import partial

from _harness import Lap
from _layers_sink import OURS, Sink, put, text_block
from _plan import Plan
from _race import Pace, paced
from _stub import MIB

ZSTANDARD = "zstandard, the same frames"
LEVEL = 3


async def compression(plan: Plan, /) -> dict[str, list[Pace]]:
    """Put, at the same level and in frames of the same size."""
    from storeroom.layers.compression import Compression

    count = plan.mebibytes
    packed = Compression(Sink(), level=LEVEL, frame_size=MIB)
    await put(packed, text_block(), 1)
    await _compressed(1)
    laps = {
        OURS: Lap(partial(put, packed, text_block(), count)),
        ZSTANDARD: Lap(partial(_compressed, count)),
    }
    paces = await paced(laps, rounds=plan.large_rounds)
    plan.show(f"compress {count} MiB of text into nothing", paces)
    return {"compression put": paces}


async def _compressed(count: int) -> None:
    """The loop that does nothing but compress, and stops the event loop meanwhile."""
    from zstandard import ZstdCompressor

    compressor = ZstdCompressor(level=LEVEL)
    size = 0
    for _ in range(count):
        size += len(compressor.compress(text_block()))
