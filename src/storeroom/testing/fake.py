"""A fake in a disk's place: what it can and how it answers is the faked disk's, its files are not."""

import atexit
import shutil
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Unavailable
from storeroom.contracts.values import Grant
from storeroom.disk import Disk
from storeroom.testing.assertions import Assertions
from storeroom.testing.calls import Called, Recorder
from storeroom.testing.faults import Faults, Kind
from storeroom.testing.likeness import Likeness, likeness
from storeroom.testing.pose import verifying

if TYPE_CHECKING:
    from storeroom.manager import StorageManager
    from storeroom.manager.shelf import Shelf

__all__ = ["FakeDisk", "clear", "fake"]


class FakeDisk(Assertions, Disk):
    """A disk for a test: with assertions, the calls made so far, and faults on order.

    The verbs work as on any disk. `calls` is the live list of what was called, by anybody, in people's
    words: `("put", "avatars/42.png") in disk.calls`; `disk.calls.clear()` after setting the scene.
    In a `with` block it goes at the end; without one the pytest plugin takes it away after the test.
    """

    def __init__(self, like: Likeness, recorder: Recorder, place: "_Place", /) -> None:
        super().__init__(recorder, name=place.name)
        self.calls: list[Called] = recorder.calls
        self._like = like
        self._place = place

    def fail(
        self,
        verb: str,
        kind: Kind = Unavailable,
        /,
        *,
        times: int | None = 1,
        after: int = 0,
        path: str = "*",
    ) -> Self:
        """Raise `kind` from a verb, `times` in a row (None: for ever), `after` so many good calls.

        The verb is the one that people type, or a driver's: "write" is whatever stores, "read"
        whatever reads. `path` is a pattern whose `*` also crosses `/`. Nothing of a failing call
        happens. Layers of the disk's configuration meet the failure before the caller does.
        """
        self._faults.fail(verb, kind, times=times, after=after, path=self._below(path))
        return self

    def truncate(
        self, verb: str, /, *, at: int, times: int | None = 1, after: int = 0, path: str = "*"
    ) -> Self:
        """End the bytes of "get", "put" or another verb after `at` of them: `Corrupted`."""
        self._faults.truncate(verb, at=at, times=times, after=after, path=self._below(path))
        return self

    def latency(self, seconds: float, /) -> Self:
        """Wait before every request to the service from now on."""
        self._faults.latency(seconds)
        return self

    def failure_rate(self, rate: float, kind: Kind = Unavailable, /, *, seed: int = 0) -> Self:
        """Fail this part of all requests, from 0 to 1; the same `seed` fails the same ones."""
        self._faults.failure_rate(rate, kind, seed=seed)
        return self

    def quota(self, size: int | None, /) -> Self:
        """Hold at most `size` bytes, None for no limit: `QuotaExceeded`."""
        self._faults.quota(size)
        return self

    def heal(self) -> Self:
        """Forget every fault."""
        self._faults.heal()
        return self

    async def verify_temporary_url(self, url: str, /, *, method: str = "GET") -> Grant:
        """What a URL signed by this fake allows, also where the real service would check it."""
        token = verifying.set(True)
        try:
            return await super().verify_temporary_url(url, method=method)
        finally:
            verifying.reset(token)

    async def aclose(self) -> None:
        """Nothing: it goes when the test ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._place.put_back()

    @property
    def _faults(self) -> Faults:
        return self._like.faults

    @property
    def _looked_at(self) -> StorageDriver:
        return self._like.top

    def _below(self, pattern: str) -> str:
        """A pattern of this disk's paths as the driver under its prefixes has them."""
        layer: object = self._like.top
        prefixes: list[str] = []
        while layer is not self._faults:
            prefixes.append(getattr(layer, "prefix", ""))
            layer = getattr(layer, "inner", self._faults)
        return "/".join((*(prefix for prefix in reversed(prefixes) if prefix), pattern))


def fake(
    manager: "StorageManager",
    name: str | None = None,
    /,
    *,
    driver: str | None = None,
    url: str | None = None,
) -> FakeDisk:
    """Put an empty fake in front of a disk, the default one without a name.

    It has the abilities, the folders and the addresses of the disk, and the layers of its
    configuration, but for `retries`. What is not configured is taken for the service of its name, or
    of `driver`; any other name for a plain disk in memory. `url` is what its addresses begin with.
    """
    shelf = _shelf(manager)
    name = name or shelf.default()
    like = likeness(manager, name, driver=driver, url=url)
    recorder = Recorder(like.top)
    place = _Place(shelf, name, recorder, shelf.give(recorder, name), like.folder)
    with _lock:
        _places.append(place)
    return FakeDisk(like, recorder, place)


def clear(manager: "StorageManager", /) -> None:
    """Remove the folders of all fakes that are in front of no disk of the manager any more."""
    shelf = _shelf(manager)
    given = {id(driver) for driver in shelf.saved().given.values()}
    with _lock:
        gone = [p for p in _places if p.shelf is shelf and id(p.driver) not in given]
    for place in gone:
        place.remove()


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where a fake was put, what was there before, and the folder to remove with it."""

    shelf: "Shelf"
    name: str
    driver: StorageDriver
    before: StorageDriver | None
    folder: str | None

    def put_back(self) -> None:
        self.shelf.give_back(self.name, self.before)
        self.remove()

    def remove(self) -> None:
        with _lock:
            if self in _places:
                _places.remove(self)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _shelf(manager: "StorageManager") -> "Shelf":
    return manager._shelf  # pyright: ignore[reportPrivateUsage]  # the kit stands in for its disks


_lock = Lock()
_places: list[_Place] = []


@atexit.register
def _clear_all() -> None:
    for place in _places.copy():
        place.remove()
