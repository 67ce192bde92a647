"""What is measured, where, and how often."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
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

    def show(self, title: str, timings: list[Timing], /) -> None:
        """Print one cell: microseconds per call, and how many times faster we are."""
        if not self.prints:
            return
        print(f"\n{title}\n  {'':26} {'wall us':>12} {'cpu us':>12} {'we are':>8}")
        for t in timings:
            print(f"  {t.name:26} {t.wall:12.1f} {t.cpu:12.1f} {t.ratio:7.2f}x", flush=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to measure in: `disk`, or `memory` where there is a tmpfs."""

    name: str
    folder: str
    file_system: str

    @property
    def is_disk(self) -> bool:
        return self.name == "disk"

    def __str__(self) -> str:
        return self.file_system


@contextmanager
def places(folder: str | None, /) -> Iterator[tuple[Place, Place | None]]:
    """A folder on a disk, and one in memory where this system has it; both removed at the end."""
    with TemporaryDirectory(dir=folder, prefix="storeroom-bench-") as disk:
        on_disk = Place("disk", disk, file_system(disk))
        if file_system(MEMORY) != "tmpfs":
            yield on_disk, None
            return
        with TemporaryDirectory(dir=MEMORY, prefix="storeroom-bench-") as memory:
            yield on_disk, Place("memory", memory, "tmpfs")


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


def machine() -> dict[str, object]:
    """Where and when the figures were taken."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except FileNotFoundError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    answer = subprocess.run(
        ["git", "-C", os.path.dirname(__file__), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()
