"""Encrypted files in memory against plain ones, and the layer against nothing but the cipher."""

import os
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from _harness import Lap
from _layers_sink import OURS, Sink, drained, put, random_block
from _plan import Plan
from _race import Pace, paced
from _stub import MIB

from storeroom.drivers.local import LocalDriver

PLAIN = "the same disk without it"
CIPHER = "cryptography.cobblestone"
_MEMORY = "/dev/shm"


async def encryption(plan: Plan, /) -> dict[str, list[Pace]]:
    """Put, get and CPU."""
    from storeroom.layers.encryption import Encryption

    count, key = plan.mebibytes, os.urandom(32)
    paces: dict[str, list[Pace]] = {}
    with TemporaryDirectory(dir=_MEMORY if Path(_MEMORY).is_dir() else None) as folder:
        plain = LocalDriver(f"{folder}/plain", durability="none")
        sealed = Encryption(LocalDriver(f"{folder}/sealed", durability="none"), key=key)
        disks = {OURS: sealed, PLAIN: plain}
        for disk in disks.values():
            await put(disk, random_block(), count)
            if await drained(disk) != count * MIB:
                raise AssertionError(f"{disk} does not give what was put")
        puts = {n: Lap(partial(put, disk, random_block(), count)) for n, disk in disks.items()}
        gets = {name: Lap(partial(drained, disk)) for name, disk in disks.items()}
        for verb, laps in {"put": puts, "get": gets}.items():
            cell = f"encryption {verb}"
            paces[cell] = await paced(laps, rounds=plan.large_rounds)
            plan.show(f"{verb} {count} MiB, encrypted, tmpfs", paces[cell])
        for disk in disks.values():
            await disk.aclose()
    into_nothing = Encryption(Sink(), key=key)
    await put(into_nothing, random_block(), 1)
    await _ciphered(key, 1)
    laps = {
        OURS: Lap(partial(put, into_nothing, random_block(), count)),
        CIPHER: Lap(partial(_ciphered, key, count)),
    }
    paces["encryption cpu"] = await paced(laps, rounds=plan.large_rounds)
    plan.show(f"encrypt {count} MiB into nothing", paces["encryption cpu"])
    return paces


async def _ciphered(key: bytes, count: int) -> None:
    """The loop that does nothing but encrypt, and stops the event loop meanwhile."""
    from cryptography.cobblestone import Cobblestone256Encryptor

    encryptor = Cobblestone256Encryptor(key, b"bench")
    for _ in range(count):
        encryptor.update(random_block())
    encryptor.finalize()
