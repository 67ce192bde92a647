"""The objects of a memory disk: a dictionary with its keys in order, safe between threads."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from threading import RLock

from storeroom.contracts.errors import AlreadyExists, NotFound, Obstructed, PreconditionFailed
from storeroom.contracts.paths import inside
from storeroom.contracts.values import Stat, Visible, WriteOptions

__all__ = ["Object", "Store", "parents"]


@dataclass(frozen=True, slots=True)
class Object:
    """One stored file with all that belongs to it."""

    stat: Stat
    content: bytes
    visibility: Visible = "private"
    tags: dict[str, str] = field(default_factory=dict[str, str])


class Store:
    """Files and folders by path; every method is one step that no other thread can split."""

    def __init__(self, *, real_folders: bool) -> None:
        self.lock = RLock()
        self.objects: dict[str, Object] = {}
        self.folders: set[str] = set()
        self.closed = False
        self._real = real_folders
        self._keys: list[str] = []
        self._numbers = count(1)

    def get(self, path: str, /) -> Object:
        """The file at the path, or `NotFound`."""
        found = self.objects.get(path)
        if found is None:
            what = "a folder, not a file" if self.has_folder(path) else "there is no such file"
            raise NotFound(what, path=path)
        return found

    def check(self, path: str, how: WriteOptions, /) -> None:
        """Whether a write may go ahead: the conditions hold and nothing stands in the way."""
        current = self.objects.get(path)
        if how.if_match is not None and (current is None or current.stat.etag != how.if_match):
            raise PreconditionFailed("the file is not the one that if_match names", path=path)
        if not how.overwrite and current is not None:
            raise AlreadyExists("there is a file already", path=path)
        if self._real:
            self._check_folders(path)

    def put(self, path: str, found: Object, /, *, touch: bool = True) -> Stat:
        """Store under the path, with a new etag and time."""
        stat = found.stat.at(path)
        if touch:
            stat = _touched(stat, next(self._numbers), len(found.content))
        if path not in self.objects:
            insort(self._keys, path)
        self.objects[path] = Object(stat, found.content, found.visibility, found.tags)
        if self._real:
            self.folders.update(parents(path))
        return stat

    def pop(self, path: str, /) -> Object | None:
        """Remove the file at the path and return it."""
        found = self.objects.pop(path, None)
        if found is not None:
            del self._keys[bisect_left(self._keys, path)]
        return found

    def clear(self) -> None:
        """Remove everything."""
        self.objects.clear()
        self.folders.clear()
        self._keys.clear()

    def keys(self, prefix: str = "", /, *, after: str = "") -> list[str]:
        """The paths that begin with the prefix and sort behind `after`, in order."""
        start = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        end = bisect_left(self._keys, prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else None
        return self._keys[start:end]

    def has_folder(self, folder: str, /) -> bool:
        """Whether the folder was made or has files under it."""
        if folder == "" or folder in self.folders:
            return True
        start = bisect_left(self._keys, f"{folder}/")
        under = start < len(self._keys) and inside(folder, self._keys[start])
        return under or any(inside(folder, made) for made in self.folders)

    def make_folder(self, folder: str, /) -> None:
        """Make a folder and its parents."""
        if self._real:
            for name in (folder, *parents(folder)):
                if name in self.objects:
                    raise Obstructed("a file stands where a folder is needed", path=name)
        self.folders.update((folder, *parents(folder)) if self._real else (folder,))
        self.folders.discard("")

    def remove_folder(self, folder: str, /) -> bool:
        """Remove a folder with all that is under it: whether it was there."""
        there = folder != "" and self.has_folder(folder)
        for path in self.keys(f"{folder}/" if folder else ""):
            self.pop(path)
        self.folders = {
            made for made in self.folders if made != folder and not inside(folder, made)
        }
        return there

    def _check_folders(self, path: str) -> None:
        if path in self.folders:
            raise Obstructed("a folder stands where a file is to be", path=path)
        for parent in parents(path):
            if parent in self.objects:
                raise Obstructed(f"{parent!r} is a file, so nothing can be in it", path=path)


def parents(path: str, /) -> Iterator[str]:
    """The folders above a path, innermost first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _touched(stat: Stat, number: int, size: int) -> Stat:
    return Stat(
        path=stat.path,
        size=size,
        modified=datetime.now(UTC),
        etag=f"m-{number:x}",
        content_type=stat.content_type,
        cache_control=stat.cache_control,
        content_disposition=stat.content_disposition,
        content_encoding=stat.content_encoding,
        content_language=stat.content_language,
        metadata=stat.metadata,
        tier=stat.tier,
    )
