"""Lets one system call of a verb fail, lie, or be the last: `injector KIND ROOT VERB FIRST STEP`.

Each round forks a child, attaches strace to it, and lets it run the verb once. The first round writes
down which calls the verb makes; every further one tampers with one of them: from FIRST on each
STEPth pair of a call and a fault. Prints the counts.
"""

import asyncio
import gc
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError
from storeroom.drivers._local.rules import Durability
from storeroom.drivers.local import LocalDriver
from tests.safety.children import forked
from tests.safety.disks import KINDS

FOUND_BY_NAME = "openat,openat2,mkdirat,renameat,renameat2,rename,unlinkat,linkat,newfstatat,statx"
BY_DESCRIPTOR = "write,writev,pwrite64,pread64,preadv2,fallocate,fchmod,utimensat,fsync,fdatasync,ftruncate,sync_file_range"
MORE = "flock,fsetxattr,fgetxattr,flistxattr,fremovexattr,ioctl,copy_file_range,sendfile,getdents64"
CALLS = f"{FOUND_BY_NAME},{BY_DESCRIPTOR},{MORE},lseek,close,fstat,fcntl"

TAKING_ROOM = {
    "openat",
    "mkdirat",
    "renameat",
    "renameat2",
    "linkat",
    "write",
    "writev",
    "pwrite64",
}
TAKING_ROOM |= {"fallocate", "fsync", "sync_file_range", "fsetxattr", "copy_file_range", "sendfile"}
INTERRUPTED = {"openat", "openat2", "write", "writev", "fsync", "flock", "renameat2"}
LYING = {"write", "writev", "copy_file_range", "sendfile"}
NEVER_FAILING = {"close", "lseek", "fstat", "fcntl"}

OLD, NEW = b"old" * 1000, b"new" * 2000
LARGE = b"n" * (3 << 20)


async def parts() -> AsyncIterator[bytes]:
    for start in range(0, len(LARGE), 1 << 19):
        yield LARGE[start : start + (1 << 19)]


@dataclass(frozen=True, slots=True)
class Verb:
    """What is done; the old and new content of the paths it changes, None where there is no file."""

    run: Callable[[LocalDriver], Awaitable[object]]
    old: dict[str, bytes | None]
    new: dict[str, bytes | None]
    in_place: bool = False
    """What a kill leaves in the file itself is a part, which no verb of the disk shows."""
    durability: Durability = "full"


A: dict[str, bytes | None] = {"a.txt": OLD}
VERBS: dict[str, Verb] = {
    "put": Verb(lambda disk: disk.put("x/y/a.txt", NEW), {"x/y/a.txt": None}, {"x/y/a.txt": NEW}),
    "create": Verb(
        lambda disk: disk.put("new.txt", NEW, overwrite=False, metadata={"a": "b"}),
        {"new.txt": None},
        {"new.txt": NEW},
    ),
    "overwrite": Verb(lambda disk: disk.put("a.txt", NEW), A, {"a.txt": NEW}),
    "overwrite_undurable": Verb(
        lambda disk: disk.put("a.txt", NEW), A, {"a.txt": NEW}, durability="none"
    ),
    "overwrite_in_parts": Verb(
        lambda disk: disk.put("a.txt", parts(), size=len(LARGE)), A, {"a.txt": LARGE}
    ),
    "append": Verb(lambda disk: disk.append("a.txt", NEW), A, {"a.txt": OLD + NEW}, in_place=True),
    "append_in_parts": Verb(
        lambda disk: disk.extend("a.txt", Body(parts)), A, {"a.txt": OLD + LARGE}, in_place=True
    ),
    "append_new": Verb(
        lambda disk: disk.append("x/a.txt", NEW), {"x/a.txt": None}, {"x/a.txt": NEW}
    ),
    "copy": Verb(lambda disk: disk.copy("b.txt", "a.txt"), A, {"a.txt": LARGE}),
    "move": Verb(
        lambda disk: disk.move("a.txt", "x/c.txt"),
        {"a.txt": OLD, "x/c.txt": None},
        {"a.txt": None, "x/c.txt": OLD},
    ),
    "move_over": Verb(
        lambda disk: disk.move("d.txt", "a.txt"),
        {"a.txt": OLD, "d.txt": NEW},
        {"a.txt": NEW, "d.txt": None},
    ),
    "remove": Verb(lambda disk: disk.remove("a.txt"), A, {"a.txt": None}),
    "remove_folder": Verb(
        lambda disk: disk.remove_folder("folder"), {"folder/e.txt": OLD}, {"folder/e.txt": None}
    ),
    "make_folder": Verb(lambda disk: disk.make_folder("x/y"), A, A),
    "set_attributes": Verb(lambda disk: disk.set_attributes("a.txt", metadata={"a": "b"}), A, A),
    "set_visibility": Verb(lambda disk: disk.set_visibility("a.txt", "private"), A, A),
    "change_time": Verb(
        lambda disk: disk.change_time("a.txt", datetime(2001, 1, 1, tzinfo=UTC)), A, A
    ),
    "sweep": Verb(lambda disk: disk.sweep(timedelta(days=1)), A, A),
}


class Fault(NamedTuple):
    call: str
    number: int
    what: str

    @property
    def kills(self) -> bool:
        return self.what == "signal=KILL"


@dataclass(slots=True)
class Counts:
    """Rounds whose fault took place; what became of the verb; what must not be."""

    faults: int = 0
    kills: int = 0
    errors: int = 0
    unharmed: int = 0
    orphans: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Told(NamedTuple):
    """What the child says at its end."""

    error: str | None
    is_typed: bool
    leaked: list[str]
    is_usable: bool


def prepare(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    (root / "folder").mkdir(parents=True)
    for name, data in {"a": OLD, "b": LARGE, "d": NEW, "folder/e": OLD}.items():
        (root / f"{name}.txt").write_bytes(data)


def descriptors(root: Path) -> list[str]:
    """Open files of the disk, without one of its root."""
    gc.collect()
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    left = sorted(name for name in found if name.startswith(str(root)))
    with suppress(ValueError):
        left.remove(str(root))
    return left


async def attempted(kind: str, root: Path, verb: Verb, line: socket.socket) -> Told:
    disk = KINDS[kind](root, durability=verb.durability)
    line.sendall(b"x")
    line.recv(1)  # until strace is attached
    error, is_typed = None, True
    try:
        await verb.run(disk)
    except StorageError as failure:
        error = repr(failure)
    except Exception as failure:  # noqa: BLE001 - one that is none of ours is what we look for
        error, is_typed = repr(failure), False
    line.sendall(b"x")
    line.recv(1)  # until strace has let go
    leaked = descriptors(root)
    try:
        await disk.put("again.txt", NEW)
        is_usable = await disk.get("again.txt") == NEW
    except StorageError:
        is_usable = False
    return Told(error, is_typed, leaked, is_usable)


def connected(run: Callable[[socket.socket], object]) -> tuple[int, socket.socket]:
    """A child, and the line to it."""
    ours, theirs = socket.socketpair()
    child = forked(lambda: run(theirs))
    theirs.close()
    return child, ours


class Injector:
    def __init__(self, kind: str, root: Path, verb: str) -> None:
        self.kind = kind
        self.root = root
        self.name = verb
        self.verb = VERBS[verb]
        self.trace = root.with_name(f"{root.name}.trace")
        self.counts = Counts()

    def run(self, first: int, step: int) -> Counts:
        for fault in list(self._faults(self._traced()))[first::step]:
            self._judge(fault, self._round(fault))
        return self.counts

    def _traced(self) -> Counter[str]:
        """How often the verb makes each call, of the thread that makes it most often."""
        told = self._round(None)
        if told is None or told.error or not told.is_usable or told.leaked:
            self.counts.wrong.append(f"without any fault: {told}")
        made: Counter[tuple[str, str]] = Counter()
        for line in self.trace.read_text().splitlines():
            if found := re.match(r"(\d+)\s+(\w+)\(", line):
                made[found[1], found[2]] += 1
        most: Counter[str] = Counter()
        for (_, call), count in made.items():
            most[call] = max(most[call], count)
        return most

    def _faults(self, made: Counter[str]) -> Iterator[Fault]:
        for call, count in sorted(made.items()):
            whats = ["signal=KILL"]
            whats += ["error=EIO"] if call not in NEVER_FAILING else []
            whats += ["error=ENOSPC"] if call in TAKING_ROOM else []
            whats += ["error=EINTR"] if call in INTERRUPTED else []
            whats += ["retval=1"] if call in LYING else []
            for number in range(1, count + 1):
                yield from (Fault(call, number, what) for what in whats)

    def _round(self, fault: Fault | None) -> Told | None:
        """What the child said; None where it was killed."""
        prepare(self.root)
        child, line = connected(self._child)
        with line:
            line.recv(1)
            tracer = self._attached(child, fault)
            line.sendall(b"x")
            if line.recv(1):
                tracer.terminate()
            tracer.communicate()
            with suppress(BrokenPipeError):
                line.sendall(b"x")
            said = b"".join(iter(lambda: line.recv(1 << 16), b""))
        os.waitpid(child, 0)
        return Told(*json.loads(said)) if said else None

    def _attached(self, child: int, fault: Fault | None) -> "subprocess.Popen[bytes]":
        command = ["strace", "-f", "-o", str(self.trace), "-e", f"trace={CALLS}"]
        if fault is not None:
            command += ["-e", f"inject={fault.call}:{fault.what}:when={fault.number}"]
        command += ["-p", str(child)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if b"attached" not in line:
            raise RuntimeError(f"strace: {line.decode()}")
        return tracer

    def _child(self, line: socket.socket) -> None:
        told = asyncio.run(attempted(self.kind, self.root, self.verb, line))
        line.sendall(json.dumps(told).encode())

    def _judge(self, fault: Fault, told: Told | None) -> None:
        counts = self.counts
        took_place = "(INJECTED)" in self.trace.read_text() or (fault.kills and told is None)
        if not took_place:
            return
        counts.faults += 1
        counts.kills += told is None
        counts.errors += told is not None and told.error is not None
        counts.unharmed += told is not None and told.error is None
        counts.calls[fault.call] = counts.calls.get(fault.call, 0) + 1
        for problem in self._problems(fault, told):
            counts.wrong.append(f"{self.name}, {fault}: {problem} ({told})")

    def _problems(self, fault: Fault, told: Told | None) -> Iterator[str]:
        there = {path: self._content(path) for path in self.verb.old}
        is_whole = there in (self.verb.old, self.verb.new)
        if not is_whole:
            yield f"neither old nor new: { {path: len(data or b'') for path, data in there.items()} }"
        left = len(list(self.root.rglob(".storeroom-*")))
        self.counts.orphans += left
        if told is None:
            if fault.kills and left:
                yield from self._unswept()
            return
        if told.error is None and there != self.verb.new:
            yield "no error, and not the new content"
        if not told.is_typed:
            yield "not a typed error"
        if told.leaked:
            yield "a descriptor leaked"
        if not told.is_usable and fault.what != "retval=1":
            yield "of no use afterwards"
        if left and fault.call != "unlinkat":
            yield "a temporary file is left"

    def _unswept(self) -> Iterator[str]:
        os.waitpid(forked(lambda: asyncio.run(self._sweep())), 0)
        if list(self.root.rglob(".storeroom-*")):
            yield "not swept"

    async def _sweep(self) -> None:
        await KINDS[self.kind](self.root).sweep(timedelta())

    def _content(self, path: str) -> bytes | None:
        file = self.root / path
        if self.verb.in_place and file.exists():
            file = self.root.with_name("read")
            os.waitpid(forked(lambda: asyncio.run(self._read(path, file))), 0)
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return None

    async def _read(self, path: str, to: Path) -> None:
        """What the disk itself says the file is."""
        to.write_bytes(await KINDS[self.kind](self.root).get(path))  # noqa: ASYNC240 - nothing waits here


def main(kind: str, root: str, verb: str, first: str, step: str) -> None:
    counts = Injector(kind, Path(root), verb).run(int(first), int(step))
    print(json.dumps(asdict(counts)))


if __name__ == "__main__":
    main(*sys.argv[1:])
