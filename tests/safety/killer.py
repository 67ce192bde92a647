"""Kills a process in the middle of one verb, again and again: `killer KIND ROOT WORK ROUNDS`.

Each round forks a child that does one kind of work over and over and tells of every step that is
done. It is killed at a random moment; what is there then must be what the steps told of have made,
or that and the step under way, whole. Prints the counts.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from storeroom.contracts.body import Body
from storeroom.contracts.errors import NotFound
from storeroom.drivers._local.rules import Durability
from storeroom.drivers.local import LocalDriver
from tests.safety.children import forked
from tests.safety.disks import KINDS

DURABILITIES: tuple[Durability, ...] = ("none", "none", "file", "full")
NAMES = ("b.txt", "c.txt", "a.txt")
Found = Literal["old", "new", "part", "wrong"]


def content(number: int, size: int) -> bytes:
    return b"%08d" % number + bytes([65 + number % 26]) * (size - 8)


async def parts(data: bytes) -> AsyncIterator[bytes]:
    step = max(1, len(data) // 3)
    for start in range(0, len(data), step):
        yield data[start : start + step]


class Work:
    """What is done over and over: `step` number n, from 0, makes version n of a file."""

    size: ClassVar[int] = 100_000

    def prepare(self, root: Path) -> None:
        (root / "a.txt").write_bytes(self.version(-1))

    async def step(self, disk: LocalDriver, number: int) -> None:
        raise NotImplementedError

    def found(self, root: Path, done: int) -> Found:
        """What is there after so many steps that were told of."""
        there = (root / "a.txt").read_bytes()
        if there == self.version(done - 1):
            return "old"
        return "new" if there == self.version(done) else "wrong"

    def version(self, number: int) -> bytes:
        return content(number + 1, self.size)


class Put(Work):
    """New files, each in a new folder."""

    def prepare(self, root: Path) -> None:
        return None

    async def step(self, disk: LocalDriver, number: int) -> None:
        await disk.put(f"{number}/a.txt", self.version(number))

    def found(self, root: Path, done: int) -> Found:
        for number in range(done):
            if (root / f"{number}/a.txt").read_bytes() != self.version(number):
                return "wrong"
        last = root / f"{done}/a.txt"
        if not last.exists():
            return "old"
        return "new" if last.read_bytes() == self.version(done) else "wrong"


class Overwrite(Work):
    async def step(self, disk: LocalDriver, number: int) -> None:
        await disk.put("a.txt", self.version(number))


class OverwriteInParts(Work):
    size = 3 << 20

    async def step(self, disk: LocalDriver, number: int) -> None:
        await disk.put("a.txt", parts(self.version(number)))


class Copy(Work):
    """One of two files over a third."""

    size = 2 << 20

    def prepare(self, root: Path) -> None:
        for number in (-1, 0, 1):
            (root / NAMES[number]).write_bytes(self.version(number))

    async def step(self, disk: LocalDriver, number: int) -> None:
        await disk.copy(NAMES[number % 2], NAMES[-1])

    def version(self, number: int) -> bytes:
        return content(-1 if number < 0 else number % 2, self.size)

    def found(self, root: Path, done: int) -> Found:
        if any((root / NAMES[n]).read_bytes() != self.version(n) for n in (0, 1)):
            return "wrong"
        return super().found(root, done)


class Move(Work):
    """One file, from folder to folder."""

    def prepare(self, root: Path) -> None:
        (root / "0").mkdir()
        (root / "0/a.txt").write_bytes(self.version(0))

    async def step(self, disk: LocalDriver, number: int) -> None:
        await disk.move(f"{number}/a.txt", f"{number + 1}/a.txt")

    def found(self, root: Path, done: int) -> Found:
        there = [path for path in root.rglob("*") if path.is_file()]
        if len(there) != 1 or there[0].read_bytes() != self.version(0):
            return "wrong"
        moved = int(there[0].parent.name) - done
        return ("old", "new")[moved] if moved in (0, 1) else "wrong"


class MoveOver(Work):
    """Files that are there, one after the other onto another."""

    size = 3000
    sources = 300

    def prepare(self, root: Path) -> None:
        super().prepare(root)
        for number in range(self.sources):
            (root / f"{number}.txt").write_bytes(self.version(number))

    async def step(self, disk: LocalDriver, number: int) -> None:
        if number < self.sources:
            await disk.move(f"{number}.txt", "a.txt")

    def found(self, root: Path, done: int) -> Found:
        done = min(done, self.sources)
        there = super().found(root, done)
        is_left = (root / f"{done}.txt").exists() or done == self.sources
        return there if (there == "old") is is_left or done == self.sources else "wrong"


class Append(Work):
    """Records, one after the other."""

    size = 4000

    def prepare(self, root: Path) -> None:
        (root / "a.txt").write_bytes(b"")

    async def step(self, disk: LocalDriver, number: int) -> None:
        await disk.append("a.txt", self.version(number))

    def found(self, root: Path, done: int) -> Found:
        there = root.with_name("read").read_bytes()
        whole = b"".join(map(self.version, range(done)))
        added, last = there[len(whole) :], self.version(done)
        if not there.startswith(whole) or not last.startswith(added):
            return "wrong"
        return "old" if not added else "new" if added == last else "part"


class AppendMore(Append):
    """Records of nearly a MiB, each in one call."""

    size = 1_000_000


class AppendInParts(Append):
    size = 3 << 20

    async def step(self, disk: LocalDriver, number: int) -> None:
        data = self.version(number)
        await disk.extend("a.txt", Body(lambda: parts(data)))


WORK: dict[str, Callable[[], Work]] = {
    "put": Put,
    "overwrite": Overwrite,
    "overwrite_in_parts": OverwriteInParts,
    "move": Move,
    "move_over": MoveOver,
    "copy": Copy,
    "append": Append,
    "append_more": AppendMore,
    "append_in_parts": AppendInParts,
}


@dataclass(slots=True)
class Counts:
    kills: int = 0
    steps: int = 0
    old: int = 0
    new: int = 0
    part: int = 0
    orphans: int = 0
    unswept: int = 0
    wrong: int = 0
    rounds: list[str] = field(default_factory=list)


def temporaries(root: Path) -> int:
    return len(list(root.rglob(".storeroom-*")))


class Killer:
    """Runs rounds of one work in a folder of their own."""

    def __init__(self, kind: str, root: Path, work: str, seed: int) -> None:
        self.kind = kind
        self.root = root
        self.name = work
        self.chance = random.Random(seed)
        self.counts = Counts()

    def round(self, number: int) -> None:
        root, work, counts = self.root, WORK[self.name](), self.counts
        root.mkdir()
        work.prepare(root)
        done = self._killed(work, DURABILITIES[number % len(DURABILITIES)])
        counts.kills += 1
        counts.steps += done
        found = self._found(work, done)
        if left := temporaries(root):
            counts.orphans += left
            os.waitpid(forked(self._sweep), 0)
            counts.unswept += temporaries(root)
            if self._found(work, done) != found:
                found = "wrong"
        setattr(counts, found, getattr(counts, found) + 1)
        if found == "wrong":
            counts.rounds.append(f"round {number}, {done} done")
        shutil.rmtree(root)

    def _found(self, work: Work, done: int) -> Found:
        os.waitpid(forked(self._read), 0)
        try:
            return work.found(self.root, done)
        except OSError:
            return "wrong"

    def _killed(self, work: Work, durability: Durability) -> int:
        """Steps that the child told of before it was killed."""
        told, tell = os.pipe()
        child = forked(lambda: asyncio.run(self._work(work, durability, tell)))
        os.close(tell)
        try:
            done = len(os.read(told, 1)) - 1  # the first byte says that it has begun
            time.sleep(self.chance.uniform(0, 0.008))  # any moment is the point
            os.kill(child, signal.SIGKILL)
            if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
                raise RuntimeError("the child ended before it was killed")
            while more := os.read(told, 1 << 16):
                done += len(more)
            return done
        finally:
            os.close(told)

    async def _work(self, work: Work, durability: Durability, tell: int) -> None:
        disk = KINDS[self.kind](self.root, durability=durability)
        await disk.exists("a.txt")
        os.write(tell, b"x")
        for number in range(1_000_000):
            await work.step(disk, number)
            os.write(tell, b"x")

    def _read(self) -> None:
        """What the disk itself says the file is."""
        read = KINDS[self.kind](self.root).get("a.txt")
        with suppress(NotFound):
            self.root.with_name("read").write_bytes(asyncio.run(read))

    def _sweep(self) -> None:
        asyncio.run(KINDS[self.kind](self.root).sweep(timedelta()))


def main(kind: str, root: str, work: str, rounds: str) -> None:
    killer = Killer(kind, Path(root), work, seed=1)
    for number in range(int(rounds)):
        killer.round(number)
    print(json.dumps(asdict(killer.counts)))


if __name__ == "__main__":
    main(*sys.argv[1:])
