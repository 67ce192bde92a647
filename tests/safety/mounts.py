"""File systems of their own, mounted for one test and unmounted after it; these need root."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN: what xfstests' godown does
_NO_LOG_FLUSH = 2


class Mounted:
    """A mounted folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def remount(self, option: str) -> None:
        run("mount", "-o", f"remount,{option}", self.folder)

    def cut_power(self) -> None:
        """From here on nothing reaches the disk, the journal's memory included."""
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)


def run(*command: object) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # where mkfs is, whoever's PATH this is
    name = shutil.which(str(command[0]), path=path) or str(command[0])
    arguments = [str(part) for part in command[1:]]
    subprocess.run([name, *arguments], check=True, capture_output=True)


@contextmanager
def mounted(*how: object, on: Path) -> Generator[Mounted]:
    on.mkdir(exist_ok=True)
    run("mount", *how, on)
    try:
        yield Mounted(on)
    finally:
        unmounted = subprocess.run(["umount", str(on)], check=False, capture_output=True)
        if unmounted.returncode:
            run("umount", "-l", on)


def may_mount(tmp: Path) -> bool:
    try:
        with mounted("-t", "tmpfs", "tmpfs", on=tmp / "tried"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def made_ext4(image: Path, size: int) -> None:
    """An empty ext4 in a file; formatted anew if it is there already."""
    with image.open("wb") as file:
        file.truncate(size)
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,nodiscard", image)
