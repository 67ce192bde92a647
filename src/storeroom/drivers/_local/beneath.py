"""Opening paths beneath a root: never outside of it, never through a link, also under a race.

On Linux `openat2` (since 5.6) does it in one call; elsewhere every segment is opened from the one
before, without following links. Without directory descriptors (Windows) each segment is checked
before the path is used, which a program swapping folders for links meanwhile could exploit.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Protocol

from storeroom.drivers._local.directory import FOLDER, IS_WINDOWS, Directory

_OPENAT2 = 437
_BENEATH = 0x08 | 0x04 | 0x02  # beneath the root, no symbolic links, no magic links
_IN_CACHE, _NO_MOUNTS = 0x20, 0x01
_ON_DISKS = frozenset(("tmpfs", "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"))
_ANY_FOLDER = FOLDER & ~getattr(os, "O_NOFOLLOW", 0)  # with it a link is "no folder", not a link
_TRIES = 100
_MACHINES = ("x86_64", "aarch64")


class Tree(Protocol):
    """The folders and files under one root."""

    @property
    def root(self) -> Directory:
        """The root itself, held open."""
        ...

    def open(self, path: str, flags: int) -> int:
        """A descriptor of the file at a path."""
        ...

    def directory(self, folder: str) -> Directory:
        """The folder at a path, opened anew; `""` is the root."""
        ...


class Beneath:
    """By `openat2`: the kernel keeps every step beneath the root.

    `answers_at_once` and `reads_at_once` say whether names and bytes that are in memory can be had without
    waiting: not from a server.
    `commits_in_order` says whether one journal holds all names, so that syncing a file after it was
    renamed also brings its name, and whatever led to it, to the disk.
    """

    def __init__(self, root: Directory, *, is_compiled: bool = True) -> None:
        self.root = root
        self.is_compiled = is_compiled
        kind = _file_system(root)
        self.answers_at_once = self.reads_at_once = kind in _ON_DISKS
        self.commits_in_order = kind == "ext4"

    def open(self, path: str, flags: int) -> int:
        return _openat2(self.root.fd or 0, path, flags)

    def directory(self, folder: str) -> Directory:
        if self.answers_at_once:
            fd = _syscall_at_once(
                _OPENAT2, self.root.fd or 0, folder.encode() or b".", _CACHED_FOLDER, _HOW_SIZE
            )
            if fd >= 0:
                return Directory(fd)
        return Directory(_openat2(self.root.fd or 0, folder or ".", _ANY_FOLDER))


class Walked:
    """By a walk: every segment is opened from the one before, and none may be a link."""

    def __init__(self, root: Directory) -> None:
        self.root = root

    def open(self, path: str, flags: int) -> int:
        folder, _, name = path.rpartition("/")
        with self.directory(folder) as parent:
            return parent.open(name, flags)

    def directory(self, folder: str) -> Directory:
        current = self.root.child(".") if self.root.fd is not None else self.root
        for segment in folder.split("/") if folder else ():
            with current:
                current = current.child(segment)
        return current


def made(tree: Tree, folder: str, mode: int, *, sync: bool) -> Directory:
    """The folder, made with its parents where it is missing."""
    for _ in range(_TRIES):
        try:
            return tree.directory(folder)
        except FileNotFoundError:
            pass
        try:
            return _made(tree, folder, mode, sync=sync)
        except FileNotFoundError:  # somebody removed a folder on the way: begin again
            continue
    raise OSError(errno.EBUSY, "the folder is removed again and again")


def nearest(tree: Tree, folder: str) -> tuple[Directory, str]:
    """The folder, or the closest one above it that is there, and its path."""
    while True:
        try:
            return tree.directory(folder), folder
        except FileNotFoundError:
            if not folder:
                raise
            folder = folder.rpartition("/")[0]


def _made(tree: Tree, folder: str, mode: int, *, sync: bool) -> Directory:
    current = tree.directory("")
    for segment in folder.split("/"):
        with current:
            current = _entered(current, segment, mode, sync=sync)
    return current


def _entered(parent: Directory, name: str, mode: int, *, sync: bool) -> Directory:
    try:
        return parent.child(name)
    except FileNotFoundError:
        pass
    try:
        parent.mkdir(name, mode)
    except FileExistsError:
        return parent.child(name)
    child = parent.child(name)
    try:
        child.chmod(mode)
        if sync:
            child.sync()
            parent.sync()
    except BaseException:
        child.close()
        raise
    return child


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def _openat2(root: int, path: str, flags: int) -> int:
    how = _How(flags, 0, _BENEATH)
    name, code = os.fsencode(path), 0
    for _ in range(_TRIES):
        fd: int = _syscall(_OPENAT2, root, name, ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code))


def _file_system(folder: Directory) -> str:
    """What a folder is on, as the kernel lists its mounts."""
    device = folder.identity()[0]
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            if line.split(maxsplit=3)[2] == wanted:
                return line.partition(" - ")[2].split(maxsplit=1)[0]
    return ""


@cache
def _has_openat2() -> bool:
    if sys.platform != "linux" or os.uname().machine not in _MACHINES or sys.maxsize < 1 << 32:
        return False
    root = os.open("/", FOLDER)
    try:
        os.close(_openat2(root, ".", FOLDER))
    except OSError:  # an older kernel, or a sandbox that refuses the call
        return False
    finally:
        os.close(root)
    return True


def opened(path: str) -> Tree:
    """The tree under a folder, by the best means there is; the root itself may be a link."""
    if IS_WINDOWS:
        return opened_checked(path)
    return Beneath(_held(path)) if _has_openat2() else opened_walked(path)


def opened_uncompiled(path: str) -> Tree:
    return Beneath(_held(path), is_compiled=False)


def opened_walked(path: str) -> Tree:
    return Walked(_held(path))


def opened_checked(path: str) -> Tree:
    if not os.path.isdir(path):
        os.stat(path)
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    return Walked(Directory(None, os.path.realpath(path)))


def _held(path: str) -> Directory:
    return Directory(os.open(path, _ANY_FOLDER))


_syscall: Callable[..., int] = (
    ctypes.CDLL(None, use_errno=True).syscall if sys.platform == "linux" else len
)
# The same without letting go of the interpreter's lock, for what never waits.
_syscall_at_once: Callable[..., int] = (
    ctypes.PyDLL(None, use_errno=True).syscall if sys.platform == "linux" else len
)
_HOW_SIZE = ctypes.sizeof(_How)
_CACHED_FOLDER = ctypes.byref(_How(_ANY_FOLDER, 0, _BENEATH | _IN_CACHE | _NO_MOUNTS))
