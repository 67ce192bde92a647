"""Files on an FTP server, by default under TLS."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeVar

from storeroom.contracts.abilities import (
    Append,
    Checksum,
    Folders,
    Move,
    PublicUrl,
    Sweep,
    Times,
    Visibility,
    has,
)
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    ConfigError,
    InvalidArgument,
    InvalidPath,
    PermissionDenied,
    Unsupported,
    translating,
)
from storeroom.contracts.extras import extra
from storeroom.contracts.paths import quoted
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    RemoveOptions,
    ScanOptions,
    Stat,
    Traits,
    Visible,
    WriteOptions,
    check_visibility,
)
from storeroom.drivers._tree.clearing import empty
from storeroom.drivers._tree.entry import Entry
from storeroom.drivers._tree.modes import modes_of
from storeroom.drivers._tree.rule import PathRule
from storeroom.drivers._tree.strangers import Strangers
from storeroom.drivers._tree.temporaries import leftovers
from storeroom.drivers._tree.walk import Walk
from storeroom.files import Files

with extra("ftp", "aioftp"):
    from storeroom.drivers._ftp import changing, hashing, listing, looking
    from storeroom.drivers._ftp.account import Security
    from storeroom.drivers._ftp.appending import extended
    from storeroom.drivers._ftp.keeping import check_kept, check_plain
    from storeroom.drivers._ftp.reading import opened
    from storeroom.drivers._ftp.service import Service
    from storeroom.drivers._ftp.settings import account_of
    from storeroom.drivers._ftp.spelling import spelled
    from storeroom.drivers._ftp.straight import Straight
    from storeroom.drivers._ftp.uploading import stored

__all__ = ["FTPDriver"]

A = TypeVar("A")

_SEGMENT_BYTES: Final = 255


class FTPDriver(
    Files,
    PublicUrl,
    Move,
    Append,
    Visibility,
    Folders,
    Checksum,
    Sweep,
    Times,
):
    """Files below `root` on the server `host`; a relative root is below the login's own folder.

    `tls` is "explicit" (AUTH TLS, port 21), "implicit" (port 990) or False, which sends the password
    and all files in the clear. `verify` is False, or a file of authorities. Without a `username` the
    login is anonymous.

    Up to `pool_size` connections are opened as they are needed, and kept; readers may have all but
    one, and so may writers. `timeout` is the longest silence in seconds, `retries` are further tries
    where a connection is lost. `passive=False` has the server open the data connections;
    `pipelining=False` waits for each reply before the next command, for servers that lose commands.

    A write goes to another name first, is compared in size and renamed over its target. `visibility`
    is what files are given unless a write says another; None leaves it to the server. `permissions`
    overrides the modes, 0644/0600 and 0755/0700. `url` is what public addresses begin with.
    """

    def __init__(
        self,
        host: str,
        /,
        *,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        root: str = "",
        tls: Security = "explicit",
        verify: bool | str = True,
        passive: bool = True,
        pipelining: bool = True,
        timeout: float = 60.0,
        pool_size: int = 4,
        retries: int = 3,
        encoding: str = "utf-8",
        url: str | None = None,
        visibility: Visible | None = None,
        permissions: Mapping[str, Mapping[str, int]] | None = None,
        paths: Literal["strict", "service"] = "strict",
    ) -> None:
        if visibility is not None:
            check_visibility(visibility)
        if paths not in ("strict", "service"):
            raise ConfigError(f"paths is 'strict' or 'service', not {paths!r}")
        account = account_of(
            host,
            port=port,
            username=username,
            password=password,
            root=root,
            tls=tls,
            verify=verify,
            passive=passive,
            pipelining=pipelining,
            timeout=timeout,
            encoding=encoding,
        )
        self.retries = retries
        self._service = Service(account, pool_size=pool_size, retries=retries)
        self._failed = self._service.failed
        self._files, self._folders = modes_of(permissions)
        self._visibility: Visible | None = visibility
        self._address = None if url is None else url.rstrip("/")
        self._rule = PathRule(
            strict=paths == "strict", segment_bytes=_SEGMENT_BYTES, outer_spaces=False
        )
        self._strangers = Strangers(self._rule)
        self._traits = Traits(
            "ftp",
            folders="real",
            atomic=False,
            atomic_append=False,
            ordered=True,
            conditions=frozenset(),
            keeps=frozenset(("visibility",)),
            segment_bytes=_SEGMENT_BYTES,
            outer_spaces=False,
            strict_paths=paths == "strict",
        )

    def __repr__(self) -> str:
        return f"FTPDriver({self._service.account.host!r})"

    @property
    def place(self) -> str:
        """Where its files are, whatever their public addresses; nothing secret."""
        account = self._service.account
        return f"ftp://{account.username}@{account.origin}/{account.root}"

    @property
    def traits(self) -> Traits:
        return self._traits

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """Itself, but for what the server turned out to lack."""
        if not has(type(self), kind) or kind in self._lacking():
            return None
        return self  # type: ignore[return-value]

    async def stat(self, path: str, /) -> Stat:
        path = self._path(path)
        with translating(self._failed, "stat", path):
            return await self._service.run(lambda control: looking.file_at(control, path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        path = self._path(path)
        with translating(self._failed, "read", path):
            return await opened(self._service, path, how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._path(path)
        with translating(self._failed, "write", path, body=body):
            check_kept(how)
            return await stored(self._service, path, body, self._mode(how))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:
        path = self._path(path)
        with translating(self._failed, "remove", path):
            check_kept(WriteOptions(if_match=how.if_match))
            return await changing.remove(self._service, path)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        folder = self._folder(folder)
        at_once = self._service.pool_size
        walk = Walk(Straight(self._listed), folder, how, self._strangers, at_once=at_once)
        async with aclosing(walk.pages()) as pages:
            while True:
                with translating(self._failed, "scan", folder):
                    page = await anext(pages, None)
                if page is None:
                    return
                for entry in page:
                    yield entry

    async def aclose(self) -> None:
        await self._service.aclose()

    def public_url(self, path: str, /) -> str:
        path = self._path(path)
        if self._address is None:
            raise Unsupported("this disk has no url", operation="public_url", path=path)
        return f"{self._address}/{quoted(path)}"

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        path, to = self._path(path), self._path(to)
        with translating(self._failed, "move", path):
            check_plain(how)
            return await changing.rename(self._service, path, to)

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._path(path)
        with translating(self._failed, "extend", path, body=body):
            check_kept(how)
            return await extended(self._service, path, body, self._mode(how))

    async def read_visibility(self, path: str, /) -> Visible:
        path = self._path(path)
        with translating(self._failed, "read_visibility", path):
            return self._files.seen_as(await changing.mode_of(self._service, path))

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        path = self._path(path)
        check_visibility(visibility)
        with translating(self._failed, "change_visibility", path):
            await changing.change_mode(self._service, path, self._files.of(visibility))

    async def has_folder(self, folder: str, /) -> bool:
        folder = self._folder(folder)
        with translating(self._failed, "has_folder", folder):
            if not folder:
                return await self._service.is_open()
            return await self._service.run(lambda control: listing.has_folder(control, folder))

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        folder = self._folder(folder)
        if visibility is not None:
            check_visibility(visibility)
        mode = None if visibility is None else self._folders.of(visibility)
        with translating(self._failed, "make_folder", folder):
            if folder:
                await changing.make_folder(self._service, folder, mode)

    async def remove_folder(self, folder: str, /) -> bool:
        folder = self._folder(folder)
        if not folder:
            raise InvalidPath("this names the root, the whole disk; name a folder on it")
        with translating(self._failed, "remove_folder", folder):
            if not await self._service.run(lambda control: listing.has_folder(control, folder)):
                return False
            await empty(
                folder,
                listed=self._entered,
                unlink=self._unlink,
                rmdir=self._rmdir,
                at_once=self._service.pool_size,
            )
            await self._rmdir(folder)
        return True

    async def digest(self, path: str, algorithm: str, /) -> str:
        path = self._path(path)
        with translating(self._failed, "digest", path):
            return await self._service.run(lambda control: hashing.digest(control, path, algorithm))

    async def sweep(self, older_than: timedelta, /) -> int:
        """Remove temporary files, where this login may, that were begun longer ago than this."""
        before, count = datetime.now(UTC) - older_than, 0
        with translating(self._failed, "sweep"):
            listed = Straight(self._swept_through)
            async with aclosing(leftovers(listed, self._rule, before)) as paths:
                async for path in paths:
                    count += await self._swept(path)
        return count

    async def change_time(self, path: str, modified: datetime, /) -> None:
        path = self._path(path)
        if modified.tzinfo is None:
            raise InvalidArgument("a time needs its zone; say modified.astimezone()", path=path)
        with translating(self._failed, "change_time", path):
            await changing.change_time(self._service, path, modified)

    def _path(self, path: str) -> str:
        path = self._rule.path(path)
        spelled(path, self._service.account.encoding, path=path)
        return path

    def _folder(self, folder: str) -> str:
        folder = self._rule.folder(folder)
        spelled(folder, self._service.account.encoding, path=folder)
        return folder

    async def _listed(self, folder: str) -> Sequence[Entry] | None:
        return await self._service.run(lambda control: listing.listed(control, folder))

    async def _swept_through(self, folder: str) -> Sequence[Entry] | None:
        # So a folder that may not be read is known by its kind.
        with translating(self._failed, "sweep"):
            return await self._listed(folder)

    async def _swept(self, path: str) -> bool:
        try:
            return bool(await changing.remove(self._service, path))
        except PermissionDenied:
            return False

    async def _entered(self, folder: str) -> Sequence[Entry] | None:
        """What is in a folder that is to be emptied; a link to one goes, and is never followed.

        MLSD of some servers tells a link to a folder as a folder, and its content is elsewhere.
        """
        if await changing.unlinked(self._service, folder):
            return None
        await changing.check_beneath(self._service, folder)
        return await self._listed(folder)

    async def _unlink(self, path: str) -> None:
        await changing.remove(self._service, path)

    async def _rmdir(self, folder: str) -> None:
        await changing.remove_empty(self._service, folder)

    def _mode(self, how: WriteOptions) -> int | None:
        """The bits for a new file; a copy's visibility is left out where the server has none."""
        visible = self._visibility if how.visibility is None else how.visibility
        if visible is None or (how.carried and self._service.server.chmod is False):
            return None
        return self._files.of(visible)

    def _lacking(self) -> set[Callable[..., Any]]:
        lacks: set[Callable[..., Any]] = set()
        if self._address is None:
            lacks.add(PublicUrl)
        if self._service.server.chmod is False:
            lacks.add(Visibility)
        return lacks
