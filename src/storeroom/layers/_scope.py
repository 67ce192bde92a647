"""A scope: what a path inside a prefix is called outside of it, and back."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import TypeVar

from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidPath, PermissionDenied, StorageError
from storeroom.contracts.paths import check_folder, check_path, inside
from storeroom.contracts.source import Source
from storeroom.contracts.values import Folder, Grant, ScanOptions, Stat, Version

__all__ = ["Scope"]

E = TypeVar("E", bound=Stat | Folder | Version | Grant)


class Scope:
    """Paths under `prefix` as those inside know them; nothing here does I/O."""

    __slots__ = ("_cut", "prefix")

    def __init__(self, prefix: str, /) -> None:
        self.prefix = check_folder(prefix)
        if not self.prefix:
            raise InvalidPath(
                "a scope needs a folder as its prefix, such as 'tenant-1'", path=prefix
            )
        self._cut = len(self.prefix) + 1

    @property
    def size(self) -> int:
        """How many bytes of a path the prefix takes up."""
        return len(self.prefix.encode()) + 1

    @property
    def depth(self) -> int:
        """How many segments of a path the prefix takes up."""
        return self.prefix.count("/") + 1

    def outside(self, path: str, /, *, strict: bool = True) -> str:
        """The path out there; one that the rule refuses, also with the prefix before it, is refused here.

        `.` and `..` are refused under every rule: a URL client may resolve them, and leave the scope.
        """
        full = f"{self.prefix}/{check_path(path, strict=strict)}"
        if not strict and not {".", ".."}.isdisjoint(path.split("/")):
            raise InvalidPath("a scope takes no '.' and '..' segments", path=path)
        try:
            return check_path(full, strict=strict)
        except InvalidPath as error:
            raise InvalidPath(f"with the scope's prefix {error.reason}", path=path) from None

    def outside_folder(self, folder: str, /, *, strict: bool = True) -> str:
        """The folder out there; the root of the scope is the prefix itself."""
        text = check_folder(folder, strict=strict)
        return self.outside(text, strict=strict) if text else self.prefix

    def outside_scan(self, how: ScanOptions, /) -> ScanOptions:
        """The options of a listing out there."""
        return how if how.after is None else replace(how, after=f"{self.prefix}/{how.after}")

    def holds(self, path: str, /) -> bool:
        """Whether a path out there lies in the scope."""
        return inside(self.prefix, path) and len(path) > self._cut

    def inside(self, found: E, /) -> E:
        """What was found out there, under the path it has in here."""
        return replace(found, path=found.path[self._cut :])

    def granted(self, grant: Grant, /) -> Grant:
        """What a URL grants in here; one for a file outside is refused."""
        if not self.holds(grant.path):
            raise PermissionDenied("this address is not for a file in here")
        return self.inside(grant)

    def source(self, source: Source, path: str, /) -> Source:
        """The bytes, whose facts and failures have the path in here."""
        return source.through(lambda chunks: _Chunks(self, path, chunks)).at(path)

    def told(
        self, path: str | None, /, *, body: Body | None = None
    ) -> "AbstractContextManager[None]":
        """A context whose failures have the path in here, `path` where they tell none of the scope.

        What the caller's own `body` raised speaks of another disk, and stays as it is.
        """
        return _Told(self, path, body)

    def retell(self, error: StorageError, path: str | None, /) -> None:
        """Give a failure the path in here."""
        known = error.path is not None and self.holds(error.path)
        error.path = error.path[self._cut :] if known and error.path else path


class _Told(AbstractContextManager[None]):
    __slots__ = ("_body", "_path", "_scope")

    def __init__(self, scope: Scope, path: str | None, body: Body | None) -> None:
        self._scope = scope
        self._path = path
        self._body = body

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        own = self._body is not None and self._body.error is error
        if isinstance(error, StorageError) and not own:
            self._scope.retell(error, self._path)


class _Chunks(AsyncIterator[bytes]):
    """A class, not a generator: dropping it releases the source at once, without a loop."""

    __slots__ = ("_path", "_scope", "_source")

    def __init__(self, scope: Scope, path: str, source: Source) -> None:
        self._scope = scope
        self._path = path
        self._source = source

    async def __anext__(self) -> bytes:
        with self._scope.told(self._path):
            return await anext(self._source)

    async def aclose(self) -> None:
        await self._source.aclose()
