"""The kernel's own word on what was done in a folder (inotify): opening and reading are told too."""

import ctypes
import os
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

OPENED = 0x20
_EVERYTHING = 0xFFF
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """What happened in the watched folders since the last look."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def events(self) -> list[tuple[str, int]]:
        """Names and masks; an empty name is the folder itself."""
        found: list[tuple[str, int]] = []
        while data := self._read():
            while data:
                _, mask, _, size = _EVENT.unpack_from(data)
                name = data[_EVENT.size : _EVENT.size + size].rstrip(b"\0")
                found.append((os.fsdecode(name), mask))
                data = data[_EVENT.size + size :]
        return found

    def opened(self) -> set[str]:
        return {name for name, mask in self.events() if mask & OPENED}

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return b""


@contextmanager
def watching(*folders: Path) -> Generator[Watch]:
    fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert fd >= 0
    try:
        for folder in folders:
            assert _libc.inotify_add_watch(fd, os.fsencode(folder), _EVERYTHING) >= 0
        yield Watch(fd)
    finally:
        os.close(fd)
