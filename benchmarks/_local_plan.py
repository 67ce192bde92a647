"""What is measured, where, and how often."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from _harness import Timing

KINDS = ("get", "exists", "metadata", "put", "delete", "read", "write", "copy", "list", "cold")
MEMORY = "/dev/shm"


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a run: the kinds of work, rounds for small files, and the sizes of the large."""

    kinds: tuple[str, ...]
    rounds: int = 15
    large_rounds: int = 5
    mebibytes: int = 1024
    entries: int = 100_000
    cold_files: int = 2000
    prints: bool = True

    def wants(self, kind: str, /) -> bool:
        return kind in self.kinds

    def show(
        self, title: str, timings: list[Timing], /, *, notes: Mapping[str, str] | None = None
    ) -> None:
        """Print one cell: microseconds per call, and how many times faster we are."""
        if not self.prints:
            return
        print(f"\n{title}\n  {'':26} {'wall us':>12} {'cpu us':>12} {'we are':>8}")
        for t in timings:
            note = (notes or {}).get(t.name, "")
            print(f"  {t.name:26} {t.wall:12.1f} {t.cpu:12.1f} {t.ratio:7.2f}x  {note}", flush=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to measure in: on the machine's `disk`, on a `fresh` ext4, or in `memory`."""

    name: str
    folder: str
    file_system: str

    def __str__(self) -> str:
        return self.file_system


@contextmanager
def places(folder: str | None, /) -> Iterator[list[Place]]:
    """A folder on the disk, one on a fresh ext4 and one in memory where may be; removed at the end."""
    with ExitStack() as stack:
        disk = stack.enter_context(TemporaryDirectory(dir=folder, prefix="storeroom-bench-"))
        found = [Place("disk", disk, file_system(disk))]
        if file_system(MEMORY) == "tmpfs":
            memory = stack.enter_context(TemporaryDirectory(dir=MEMORY, prefix="storeroom-bench-"))
            fresh = stack.enter_context(_fresh(f"{memory}/image"))
            if fresh is not None:
                found.append(Place("fresh", fresh, "fresh ext4"))
            found.append(Place("memory", memory, "tmpfs"))
        yield found


@contextmanager
def _fresh(image: str) -> Iterator[str | None]:
    """A new ext4 with its journal, in memory: where the state of the disk cannot show."""
    with TemporaryDirectory(prefix="storeroom-bench-") as folder:
        with open(image, "wb") as file:
            file.truncate(4 << 30)
        made = _done("mkfs.ext4", "-q", "-F", "-N", "400000", image)
        mounted = made and _done("mount", "-o", "loop", image, folder)
        try:
            yield folder if mounted else None
        finally:
            if mounted:
                _done("umount", "--lazy", folder)  # a dropped driver may still hold its root


def _done(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def file_system(folder: str, /) -> str:
    """The kind of file system a folder is on, as `/proc/mounts` names it."""
    best, kind = "", "unknown"
    try:
        with open("/proc/mounts", encoding="utf-8") as mounts:
            for line in mounts:
                _, point, found, *_ = line.split()
                if (os.path.realpath(folder) + "/").startswith(point.rstrip("/") + "/"):
                    best, kind = max((best, kind), (point, found), key=lambda pair: len(pair[0]))
    except FileNotFoundError:
        pass
    return kind
