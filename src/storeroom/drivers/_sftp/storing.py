"""Storing, copying and moving files of one disk."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from storeroom.contracts.body import Body
from storeroom.contracts.errors import AlreadyExists, NotFound, Unavailable, Unsupported
from storeroom.contracts.values import RemoveOptions, Stat, WriteOptions
from storeroom.drivers._sftp.facts import stat_of
from storeroom.drivers._sftp.failures import GONE, Refused
from storeroom.drivers._sftp.folders import Folding
from storeroom.drivers._sftp.place import Root, Way
from storeroom.drivers._sftp.placing import Placing, check_creating
from storeroom.drivers._sftp.rules import Rules, check_bare, check_kept
from storeroom.drivers._sftp.service import Service
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.uploading import Upload
from storeroom.drivers._sftp.wire import Facts, attributes
from storeroom.drivers._tree.temporaries import temporary_beside

__all__ = ["Storing"]

Fill = Callable[[Upload, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Storing:
    """What becomes of the files of one disk."""

    service: Service
    root: Root
    rules: Rules
    folding: Folding

    async def write(self, path: str, body: Body, how: WriteOptions) -> Stat:
        """Store a body."""
        check_kept(how)

        async def fill(upload: Upload, size: int) -> None:
            await poured(body, upload, size)

        return await self._stored(path, fill, how, self.rules.file_mode(how.visibility))

    async def copy(self, root: Root, path: str, to: str, how: WriteOptions) -> Stat:
        """Copy a file that lies on the same server, which does it; `Unsupported` where it cannot."""
        check_kept(how)

        async def looked(session: Session) -> Facts:
            facts = (await root.way(session, path)).file()
            if not session.offers("copy-data"):
                raise Unsupported("this server copies no files", path=path)
            return facts

        async def fill(upload: Upload, size: int) -> None:
            await upload.fill(root.at(path))

        facts = await self.service.call(looked)
        if root == self.root and path == to:
            return stat_of(path, facts)
        mode = self.rules.file_mode(how.visibility)
        if how.visibility is None and facts.mode is not None:
            mode = facts.mode & 0o777
        return await self._stored(to, fill, how, mode)

    async def rename(self, path: str, to: str, how: WriteOptions) -> Stat:
        """Move a file in one step."""
        check_bare(how)
        facts = (await self.service.call(lambda session: self.root.way(session, path))).file()
        if path == to:
            return stat_of(path, facts)
        way = await self._target(to, how)
        gone = NotFound(GONE, path=path)
        placing = Placing(self.root, path, to, how, facts, gone)
        await self.service.settled(self._placed(placing, way))
        return stat_of(to, facts)

    async def remove(self, path: str, how: RemoveOptions) -> bool:
        """Remove a file: whether one was there."""
        check_kept(WriteOptions(if_match=how.if_match))
        tried = False

        async def work(session: Session) -> bool:
            nonlocal tried
            way = await self.root.way(session, path)
            if not way.is_file:
                return tried and way.facts is None  # by a try of which no reply came
            again, tried = tried, True
            try:
                await session.remove(self.root.at(path))
            except Refused as refused:
                if not refused.is_missing:
                    raise
                return again
            return True

        return await self.service.settled(self.service.call(work))

    async def set(self, path: str, *, mode: int | None = None, modified: int | None = None) -> None:
        """Change facts of a file."""

        async def work(session: Session) -> None:
            (await self.root.way(session, path)).file()
            await session.set(self.root.at(path), attributes(mode=mode, modified=modified))

        await self.service.settled(self.service.call(work))

    async def _stored(self, path: str, fill: Fill, how: WriteOptions, mode: int | None) -> Stat:
        way = await self._target(path, how)
        async with self.upload(path, way, mode) as upload:
            await fill(upload, await self.begun(upload))
            facts = await upload.finish()
            gone = Unavailable("its temporary file was removed meanwhile; try again")
            placing = Placing(self.root, upload.path, path, how, facts, gone)
            await self.service.settled(self._placed(placing, way))
            upload.is_placed = True
        return stat_of(path, facts)

    async def _placed(self, placing: Placing, way: Way) -> None:
        folder = placing.to.rpartition("/")[0]
        if way.nearest != folder:
            await self.folding.make(folder)
        await placing.done(self.service)

    async def begun(self, upload: Upload) -> int:
        """The temporary is there, and with it the root: how many bytes to send at once."""
        return await self.folding.rooted(upload.path, upload.begin)

    async def _target(self, path: str, how: WriteOptions) -> Way:
        """The way to where a file may be put under these conditions."""

        async def looked(session: Session) -> Way:
            way = await self.root.way(session, path)
            if way.target() is not None and not how.overwrite:
                raise AlreadyExists("a file is here already", path=path)
            check_creating(session, how)
            return way

        return await self.service.call(looked)

    def upload(self, path: str, way: Way, mode: int | None) -> Upload:
        """One to a temporary as far down the way as there are folders."""
        name = path.rpartition("/")[2]
        temporary = temporary_beside(f"{way.nearest}/{name}" if way.nearest else name)
        return Upload(self.service, self.root, temporary, mode=mode, syncs=self.rules.syncs)


async def poured(body: Body, upload: Upload, size: int) -> None:
    """Send a whole body."""
    if body.whole is not None and len(body.whole) <= size:
        if body.whole:
            await upload.add([body.whole])
        return
    async with aclosing(body.parts(size)) as parts:
        async for pieces in parts:
            await upload.add(pieces)
