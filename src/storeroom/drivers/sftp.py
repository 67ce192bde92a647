"""Files on a server that is reached by SSH: SFTP, over one connection for many requests at once."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeVar

from storeroom.contracts.abilities import (
    Append,
    Copy,
    CopyFrom,
    Folders,
    Move,
    Origin,
    PublicUrl,
    Sweep,
    Times,
    Visibility,
    has,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidArgument, InvalidPath, Unsupported, translating
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
from storeroom.drivers._tree.strangers import Strangers
from storeroom.drivers._tree.walk import Walk
from storeroom.files import Files

with extra("sftp", "asyncssh"):
    from storeroom.drivers._sftp import settings
    from storeroom.drivers._sftp.appending import extended
    from storeroom.drivers._sftp.facts import stat_of
    from storeroom.drivers._sftp.failures import Refused, changing, reading
    from storeroom.drivers._sftp.folders import Folding
    from storeroom.drivers._sftp.listing import Listing
    from storeroom.drivers._sftp.place import Root
    from storeroom.drivers._sftp.reading import opened
    from storeroom.drivers._sftp.storing import Storing

__all__ = ["SFTPDriver"]

A = TypeVar("A")

_AT_ONCE: Final = 8
_LAST_SECOND: Final = 2**32 - 1


class SFTPDriver(
    Files,
    PublicUrl,
    Copy,
    CopyFrom,
    Origin,
    Move,
    Append,
    Visibility,
    Folders,
    Sweep,
    Times,
):
    """The folder `root` on `host`, which the first write makes; relative to where `username` comes in.

    Logins: `password`, `private_key` (a path, or the key itself, opened by `passphrase`), `agent`
    (True, or the path of its socket; then no key of `~/.ssh` is offered). The server must show a key that is in `known_hosts` (the
    user's file when None) or is `host_key`, a public key or its "SHA256:..." fingerprint;
    `verify=False` takes any and warns. `ciphers` are offered in this order, the fastest first.

    Each event loop has up to `connections`, with many requests under way on each. `retries` are
    further tries after one is lost, `timeout` the longest silence in seconds. `durability="file"` has
    the server bring each file to its disk before the write is done, where it can.

    `visibility` is that of files, `directory_visibility` (as `visibility`) that of the folders made;
    `permissions` overrides their modes, 0644/0600 and 0755/0700. Without any the server decides.
    `url` is what public addresses begin with.

    A link inside the root is refused, never followed; SFTP cannot open beneath a folder, so a program
    on the server that swaps a folder for a link at that moment could win. A server without
    `posix-rename` replaces in two steps, between which there is no file (`traits.atomic` is False once that
    is known); one without hard links
    makes `overwrite=False` `Unsupported`. Etags are made of time and size.
    """

    def __init__(
        self,
        host: str,
        /,
        *,
        port: int = 22,
        username: str | None = None,
        password: str | None = None,
        private_key: str | None = None,
        passphrase: str | None = None,
        agent: bool | str = False,
        root: str = "",
        known_hosts: str | None = None,
        host_key: str | None = None,
        verify: bool = True,
        ciphers: list[str] | None = None,
        url: str | None = None,
        visibility: Visible | None = None,
        directory_visibility: Visible | None = None,
        permissions: Mapping[str, Mapping[str, int]] | None = None,
        durability: Literal["none", "file"] = "file",
        connections: int = 1,
        retries: int = 3,
        timeout: float = 60.0,
        paths: Literal["strict", "service"] = "strict",
    ) -> None:
        login = settings.login_of(
            host,
            port=port,
            username=username,
            password=password,
            private_key=private_key,
            passphrase=passphrase,
            agent=agent,
            known_hosts=known_hosts,
            host_key=host_key,
            verify=verify,
            ciphers=ciphers,
            timeout=timeout,
        )
        self.retries = retries
        self._rule = settings.path_rule_of(paths)
        self._rules = settings.rules_of(visibility, directory_visibility, permissions, durability)
        self._service = settings.service_of(login, connections, retries)
        self._root = Root.of(root)
        self._listing = Listing(self._service, self._root)
        self._folding = Folding(self._service, self._root, self._rules, self._listing)
        self._storing = Storing(self._service, self._root, self._rules, self._folding)
        self._strangers = Strangers(self._rule)
        self._address = None if url is None else url.rstrip("/")
        self._neighbours = (host, port, login)

    def __repr__(self) -> str:
        return f"SFTPDriver({self._neighbours[0]!r}, root={self._root.folder!r})"

    @property
    def place(self) -> str:
        """Where its files are, whatever their public addresses; nothing secret."""
        host, port, login = self._neighbours
        return f"sftp://{login.user()}@{host}:{port}/{self._root.folder}"

    @property
    def traits(self) -> Traits:
        traits = settings.STRICT if self._rule.strict else settings.LOOSE
        return traits if self._service.is_atomic else replace(traits, atomic=False)

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """Itself; but without `url` no file has a public address."""
        if not has(type(self), kind) or (self._address is None and kind is PublicUrl):
            return None
        return self  # type: ignore[return-value]

    async def stat(self, path: str, /) -> Stat:
        path = self._rule.path(path)
        with translating(reading, "stat", path):
            way = await self._service.call(lambda session: self._root.way(session, path))
            return stat_of(path, way.file())

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        path = self._rule.path(path)
        with translating(reading, "read", path):
            return await opened(self._service, self._root, path, how)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._rule.path(path)
        with translating(changing, "write", path, body=body):
            return await self._changed(path, self._storing.write(path, body, how))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool:
        path = self._rule.path(path)
        with translating(changing, "remove", path):
            return await self._changed(path, self._storing.remove(path, how))

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        folder = self._rule.folder(folder)
        walk = Walk(self._listing.of, folder, how, self._strangers, at_once=_AT_ONCE)
        async with aclosing(walk.pages()) as pages:
            while True:
                with translating(reading, "scan", folder):
                    page = await anext(pages, None)
                if page is None:
                    return
                for entry in page:
                    yield entry

    async def aclose(self) -> None:
        await self._service.aclose()

    def public_url(self, path: str, /) -> str:
        path = self._rule.path(path)
        if self._address is None:
            raise Unsupported("this disk has no url", operation="public_url", path=path)
        return f"{self._address}/{quoted(path)}"

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        return self, path

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        return await self.copy_from(self, path, to, how)

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        to = self._rule.path(to)
        if not isinstance(source, SFTPDriver) or source._neighbours != self._neighbours:
            raise Unsupported("the other disk is not of this server and user", path=to)
        path = source._rule.path(path)
        with translating(changing, "copy", path):
            return await self._changed(to, self._storing.copy(source._root, path, to, how))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        path, to = self._rule.path(path), self._rule.path(to)
        with translating(changing, "rename", path):
            return await self._changed(to, self._storing.rename(path, to, how))

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), self._rule.path(path)
        with translating(changing, "extend", path, body=body):
            return await self._changed(path, extended(self._storing, path, body, how))

    async def read_visibility(self, path: str, /) -> Visible:
        path = self._rule.path(path)
        with translating(reading, "read_visibility", path):
            way = await self._service.call(lambda session: self._root.way(session, path))
            mode = way.file().mode
            if mode is None:
                raise Unsupported("this server tells no modes")
            return self._rules.files.seen_as(mode)

    async def change_visibility(self, path: str, visibility: Visible, /) -> None:
        path = self._rule.path(path)
        check_visibility(visibility)
        with translating(reading, "change_visibility", path):
            mode = self._rules.files.of(visibility)
            await self._changed(path, self._storing.set(path, mode=mode))

    async def has_folder(self, folder: str, /) -> bool:
        folder = self._rule.folder(folder)
        with translating(reading, "has_folder", folder):
            return await self._folding.has(folder)

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        folder = self._rule.folder(folder)
        if visibility is not None:
            check_visibility(visibility)
        with translating(changing, "make_folder", folder):
            making = self._service.settled(self._folding.make(folder, visibility))
            await self._changed(folder, making)

    async def remove_folder(self, folder: str, /) -> bool:
        folder = self._rule.folder(folder)
        if not folder:
            raise InvalidPath("this names the root, the whole disk; name a folder on it")
        with translating(changing, "remove_folder", folder):
            return await self._changed(folder, self._folding.remove(folder))

    async def sweep(self, older_than: timedelta, /) -> int:
        with translating(changing, "sweep"):
            return await self._folding.sweep(self._rule, older_than)

    async def change_time(self, path: str, modified: datetime, /) -> None:
        path = self._rule.path(path)
        if modified.tzinfo is None:
            raise InvalidArgument("a time needs its zone; say modified.astimezone()", path=path)
        seconds = int((modified - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() // 1)
        if not 0 <= seconds <= _LAST_SECOND:
            raise InvalidArgument("SFTP has no times before 1970 or after 2105", path=path)
        with translating(reading, "change_time", path):
            await self._changed(path, self._storing.set(path, modified=seconds))

    async def _changed(self, path: str, work: Awaitable[A]) -> A:
        """What the work gives; where the server fails without a reason, one is looked for."""
        try:
            return await work
        except Refused as refused:
            if refused.is_vague:
                await self._folding.check_writable(path)
            raise
