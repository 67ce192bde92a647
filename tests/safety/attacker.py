"""Exchanges two names as fast as the kernel can, until its input ends: `attacker FIRST SECOND`."""

import ctypes
import json
import os
import select
import sys

_HERE = -100
_EXCHANGE = 2


def main(first: str, second: str) -> None:
    renameat2 = ctypes.CDLL(None).renameat2
    ours, theirs = os.fsencode(first), os.fsencode(second)
    print("begun", flush=True)
    swaps = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(256):
            swaps += renameat2(_HERE, ours, _HERE, theirs, _EXCHANGE) == 0
    print(json.dumps({"swaps": swaps}))


main(*sys.argv[1:])
