"""What was overwritten and removed on a memory disk, kept as services with versions do."""

from collections.abc import AsyncGenerator

from storeroom.contracts.abilities import Versions
from storeroom.contracts.errors import NotFound
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions, Stat, Version
from storeroom.drivers._memory.store import Object, Store
from storeroom.drivers.memory import MemoryDriver

__all__ = ["History", "Kept"]


class Kept(Store):
    """A store that keeps what its files were before; a version's id is its etag."""

    def __init__(self, *, real_folders: bool) -> None:
        super().__init__(real_folders=real_folders)
        self.former: dict[str, list[Object]] = {}

    def put(self, path: str, found: Object, /, *, touch: bool = True) -> Stat:
        before = self.objects.get(path)
        stat = super().put(path, found, touch=touch)
        if before is not None and before.stat.etag != stat.etag:
            self.former.setdefault(path, []).append(before)
        return stat

    def pop(self, path: str, /) -> Object | None:
        found = super().pop(path)
        if found is not None:
            self.former.setdefault(path, []).append(found)
        return found

    def clear(self) -> None:
        super().clear()
        self.former.clear()

    def versions(self, path: str, /) -> list[Object]:
        """The current and the former objects of a path, newest first."""
        current = self.objects.get(path)
        return [*([] if current is None else [current]), *reversed(self.former.get(path, []))]

    def version(self, path: str, version: str, /) -> Object:
        """One of them, or `NotFound`."""
        for found in self.versions(path):
            if found.stat.etag == version:
                return found
        raise NotFound(f"there is no version {version!r} of this file", path=path)


class History(MemoryDriver, Versions):
    """A memory disk over a store that keeps versions."""

    _store: Kept

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        with self._locked("list_versions", path):
            found = self._store.versions(path)
            current = self._store.objects.get(path)
        for one in found:
            stat = one.stat
            yield Version(path, stat.etag or "", stat.size, stat.modified, one is current)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        with self._locked("read_version", path):
            found = self._store.version(path, version)
        return Source(found.stat, found.content[how.start : how.stop])

    async def restore_version(self, path: str, version: str, /) -> Stat:
        with self._locked("restore_version", path) as store:
            return store.put(path, self._store.version(path, version))

    async def remove_version(self, path: str, version: str, /) -> None:
        with self._locked("remove_version", path) as store:
            found = self._store.version(path, version)
            if found is store.objects.get(path):
                store.pop(path)
            self._store.former[path].remove(found)
