"""A record of calls, in people's words."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Self, TypeVar

from storeroom.contracts.abilities import within
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError
from storeroom.contracts.values import PLAIN, Grant, Stat, WriteOptions
from storeroom.files import Call, calling
from storeroom.layers import Around
from storeroom.testing.words import ACROSS, MANY, PEOPLE

__all__ = ["Called", "Recorder"]

T = TypeVar("T")

_TOLD_APART = frozenset(("copy_within", "rename", "remove_many", "verify_url"))


class Called(tuple[str, ...]):
    """One call: `("put", "a.txt")`, and with a target `("copy", "a.txt", "b.txt")`."""

    __slots__ = ()

    def __new__(cls, verb: str, path: str, to: str | None = None, /) -> Self:
        return super().__new__(cls, (verb, path) if to is None else (verb, path, to))

    @property
    def verb(self) -> str:
        """What people typed."""
        return self[0]

    @property
    def path(self) -> str:
        """The path on the disk; of a listing, the folder."""
        return self[1]

    @property
    def to(self) -> str | None:
        """Where `copy` and `move` went on the same disk."""
        return self[2] if len(self) > 2 else None


@dataclass(slots=True)
class _Under:
    """What is recorded of one call by people: by path where each counts, else under ""."""

    is_target: bool
    made: dict[str, Called] = field(default_factory=dict[str, Called])


class Recorder(Around):
    """Writes down the verbs that people call, one record a call, however many requests it takes.

    Closing it closes nothing: what an application did is looked at after it has closed its disks.
    A copy to another disk is ("copy", path) here and ("put", path) there.
    """

    def __init__(self, inner: StorageDriver, /) -> None:
        super().__init__(inner)
        self.calls: list[Called] = []
        self._lock = RLock()
        self._under: dict[Call, _Under] = {}

    async def around(self, operation: str, path: str, call: Callable[[], Awaitable[T]], /) -> T:
        if operation not in _TOLD_APART:
            self._note(operation, path)
        return await call()

    async def aclose(self) -> None:
        """Nothing; see the class."""

    async def verify_url(self, url: str, method: str, /) -> Grant:
        self._note("verify_url", url)
        return await super().verify_url(url, method)

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        self._note("copy_within", path, to)
        return await super().copy_within(path, to, how)

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        self._note("rename", path, to)
        return await super().rename(path, to, how)

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        for path in paths:
            self._note("remove_many", path)
        return await super().remove_many(paths)

    def public_url(self, path: str, /) -> str:
        self._note("public_url", path)
        return super().public_url(path)

    def local_path(self, path: str, /) -> str:
        self._note("local_path", path)
        return super().local_path(path)

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        if calling.get() is not None:
            self._note("origin", path)
        return super().origin(path)

    def _note(self, operation: str, path: str, to: str | None = None) -> None:
        call = calling.get()
        with self._lock:
            if call is None:
                self.calls.append(Called(PEOPLE.get(operation, operation), path, to))
                return
            under = self._under.get(call)
            if under is None:
                is_target = call.verb in ACROSS and not _stands_on(call.owner, self)
                under = self._under[call] = _Under(is_target)
            self._note_under(under, call, operation, path, to)

    def _note_under(
        self, under: _Under, call: Call, operation: str, path: str, to: str | None
    ) -> None:
        key = path if under.is_target or call.verb in MANY else ""
        made = under.made.get(key)
        if made is None:
            there = "make_directory" if operation == "make_folder" else "put"
            under.made[key] = Called(there if under.is_target else call.verb, path, to)
            self.calls.append(under.made[key])
        elif operation in ("write", "copy_from") and call.verb in ("copy", "move") and not key:
            self._complete(under, made, path)

    def _complete(self, under: _Under, made: Called, to: str) -> None:
        """Give a copy that went through here its target, once that is known."""
        for at, one in enumerate(self.calls):
            if one is made and made.to is None:
                under.made[""] = self.calls[at] = Called(made.verb, made.path, to)


def _stands_on(upper: object | None, lower: object) -> bool:
    while upper is not None and upper is not lower:
        upper = within(upper)
    return upper is lower
