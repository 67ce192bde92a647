"""Folders: made, removed with all that is in them however deep, and swept of leftovers."""

import contextlib
import errno
import os
import stat
import time
from datetime import timedelta

from storeroom.contracts.errors import Obstructed, StorageError
from storeroom.contracts.paths import is_listable
from storeroom.contracts.values import Visible
from storeroom.drivers._local.beneath import made
from storeroom.drivers._local.directory import READ, Directory
from storeroom.drivers._local.failures import is_missing, is_swapped
from storeroom.drivers._local.locks import CAN_LOCK, acquire, locked
from storeroom.drivers._local.root import Root
from storeroom.drivers._local.rules import Rules
from storeroom.drivers._local.writing import TEMPORARY

_TRIES = 20


def has_folder(root: Root, folder: str) -> bool:
    """Whether the folder is there; the root always is."""
    if not folder:
        return True
    try:
        root.tree().directory(folder).close()
    except OSError as error:
        if not is_missing(error):
            raise
        return False
    return True


def make_folder(root: Root, rules: Rules, folder: str, visibility: Visible | None) -> None:
    """Make it with its parents; its mode is the one asked for, theirs the disk's."""
    above, thorough = folder.rpartition("/")[0], rules.syncs_folders
    tree = root.made()
    made(tree, above, rules.folder_mode(), sync=thorough).close()
    with made(tree, folder, rules.folder_mode(visibility), sync=thorough) as directory:
        if visibility is not None and folder:
            directory.chmod(rules.folder_mode(visibility))


def remove_folder(root: Root, rules: Rules, folder: str) -> bool:
    """Remove it with all that is in it: whether it was there. The root is emptied and stays."""
    above, _, name = folder.rpartition("/")
    try:
        tree = root.tree()
        if not folder:
            with tree.directory("") as top:
                _empty(top)
            return True
        with tree.directory(above) as parent:
            with parent.child(name) as directory:
                _empty_and_remove(directory, parent, name)
            if rules.syncs_folders:
                parent.sync()
            return True
    except OSError as error:
        if isinstance(error, StorageError) or not is_missing(error):
            raise
        return not folder


def sweep(root: Root, older_than: timedelta) -> int:
    """Remove temporary files of this age that no writer holds any more: how many."""
    try:
        tree = root.tree()
    except FileNotFoundError:
        return 0
    before = time.time() - older_than.total_seconds()
    folders, count = [""], 0
    while folders:
        folder = folders.pop()
        try:
            with tree.directory(folder) as directory:
                count += _swept(directory, folder, folders, before)
        except OSError as error:
            if not is_swapped(error) and not isinstance(error, PermissionError):
                raise
    return count


def _empty_and_remove(directory: Directory, parent: Directory, name: str) -> None:
    for _ in range(_TRIES):
        _empty(directory)
        if _rmdir(parent, name):
            return
    raise Obstructed("files are written into it again and again")


def _empty(top: Directory) -> None:
    """Remove all that is in a folder, holding two descriptors however deep it is."""
    current, inner = top, _without_files(top)
    trail: list[tuple[str, tuple[int, int], list[str]]] = []
    while inner or trail:
        if inner:
            name = inner.pop()
            child = _entered(current, name)
            if child is None:
                continue
            trail.append((name, current.identity(), inner))
            if current is not top:
                current.close()
            current, inner = child, _without_files(child)
            continue
        name, identity, inner = trail.pop()
        above = current.parent(identity) if trail else top
        current.close()
        current = above
        _rmdir(current, name)


def _rmdir(parent: Directory, name: str) -> bool:
    """Whether it is gone: not where something was written into it meanwhile."""
    try:
        parent.rmdir(name)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _without_files(directory: Directory) -> list[str]:
    """Unlink what is no folder: the names of the folders."""
    folders: list[str] = []
    names: list[str] = []
    for entry in directory.entries():
        (folders if entry.is_dir(follow_symlinks=False) else names).append(entry.name)
    with locked(directory, shared=True):
        for name in names:
            with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                directory.unlink(name)
    return folders


def _entered(parent: Directory, name: str) -> Directory | None:
    try:
        return parent.child(name)
    except OSError as error:
        if not is_swapped(error):
            raise
        return None


def _swept(directory: Directory, folder: str, folders: list[str], before: float) -> int:
    count = 0
    for entry in list(directory.entries()):
        if entry.is_dir(follow_symlinks=False):
            inner = f"{folder}/{entry.name}" if folder else entry.name
            if is_listable(inner):  # nothing is ever written elsewhere
                folders.append(inner)
        elif entry.name.startswith(TEMPORARY):
            count += _is_swept(directory, entry.name, before)
    return count


def _is_swept(directory: Directory, name: str, before: float) -> bool:
    found = directory.find(name)
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_mtime > before:
        return False
    if not CAN_LOCK:
        directory.unlink(name)  # Windows refuses while a writer has it open
        return True
    fd = directory.open(name, READ)
    try:
        if acquire(fd) is None:
            return False
        directory.unlink(name)
        return True
    finally:
        os.close(fd)
