"""Several programs on one folder: one winner, nothing lost, nothing torn, also when one is killed."""

import asyncio
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from storeroom.drivers.local import LocalDriver

OPENERS = {"LocalDriver": "opened", "Uncompiled": "opened_uncompiled", "Walked": "opened_walked"}
PROGRAM = """
import asyncio, os, sys
from storeroom.contracts.body import Body
from storeroom.contracts.errors import AlreadyExists, PreconditionFailed
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._local import beneath
from storeroom.drivers.local import LocalDriver

class Driver(LocalDriver):
    _opener = staticmethod(beneath.{opener})

async def main(disk, me):
{body}

asyncio.run(main(Driver({root!r}), int(sys.argv[1])))
"""


def program(kind: type[LocalDriver], root: Path, body: str) -> list[str]:
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    code = PROGRAM.format(opener=OPENERS[kind.__name__], body=lines, root=str(root))
    return [sys.executable, "-c", code]


def run_four(command: list[str]) -> list[str]:
    running = [
        subprocess.Popen([*command, str(me)], stdout=subprocess.PIPE, text=True) for me in range(4)
    ]
    outputs = [one.communicate()[0] for one in running]
    assert [one.returncode for one in running] == [0] * 4
    return outputs


def test_of_several_creators_exactly_one_wins(kind: type[LocalDriver], root: Path) -> None:
    body = """
won = 0
for n in range(100):
    try:
        await disk.put(f"{n % 7}/{n}", b"%d" % me, overwrite=False)
        won += 1
    except AlreadyExists:
        pass
print(won)
"""
    assert sum(int(won) for won in run_four(program(kind, root, body))) == 100


def test_no_counted_step_is_lost_with_if_match(kind: type[LocalDriver], root: Path) -> None:
    body = """
for n in range(50):
    while True:
        stat = await disk.stat("counter")
        try:
            count = int(await disk.get("counter", if_match=stat.etag))
            await disk.put("counter", b"%d" % (count + 1), if_match=stat.etag)
            break
        except PreconditionFailed:
            continue
"""
    asyncio.run(LocalDriver(root).put("counter", b"0"))
    run_four(program(kind, root, body))
    assert (root / "counter").read_bytes() == b"200"


def test_appends_of_several_programs_are_all_there_and_whole(
    kind: type[LocalDriver], root: Path
) -> None:
    body = """
async def long():
    yield b"%d" % me * (1 << 20)
    yield b"%d" % me * 10 + b"\\n"

for n in range(10):
    await disk.append("log", b"%d" % me * 1000 + b"\\n")
    await disk.extend("log", Body(long))
"""
    run_four(program(kind, root, body))
    lines = (root / "log").read_bytes().splitlines()
    assert all(line == line[:1] * len(line) for line in lines)
    assert sorted(len(line) for line in lines) == [1000] * 40 + [(1 << 20) + 10] * 40


def test_a_reader_sees_old_or_new_while_another_program_overwrites(
    kind: type[LocalDriver], root: Path
) -> None:
    body = """
for n in range(60):
    await disk.put("a", bytes([65 + n % 26]) * (1 << 21))
"""
    asyncio.run(LocalDriver(root).put("a", b"0" * (1 << 21)))
    writer = subprocess.Popen([*program(kind, root, body), "0"])

    async def read_on() -> None:
        disk = kind(root)
        while writer.poll() is None:
            content = await disk.get("a")
            assert content == content[:1] * (1 << 21)

    asyncio.run(read_on())
    assert writer.returncode == 0


def test_killed_at_any_moment_the_file_is_whole_and_what_is_left_is_swept(
    kind: type[LocalDriver], root: Path
) -> None:
    body = """
async def streamed(letter):
    for _ in range(3):
        yield letter * (1 << 20)

print("ready", flush=True)
n = 0
while True:
    letter = bytes([65 + n % 26])
    await disk.put("a", letter * 300_000)
    await disk.put("b", streamed(letter))
    n += 1
"""
    chance = random.Random(1)
    for _ in range(12):
        writer = subprocess.Popen([*program(kind, root, body), "0"], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))  # any moment is the point
        writer.kill()
        writer.wait()
        writer.stdout.close()
        for name, size in (("a", 300_000), ("b", 3 << 20)):
            content = (root / name).read_bytes() if (root / name).exists() else b""
            assert content in (b"", content[:1] * size)

    async def clean() -> None:
        disk = kind(root)
        assert set(await disk.all_files()) <= {"a", "b"}
        await disk.sweep(timedelta())
        await disk.put("a", b"still fine")

    asyncio.run(clean())
    assert {found.name for found in root.iterdir()} <= {"a", "b"}
