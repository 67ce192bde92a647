"""A driver of your own: files in one SQLite database. Six verbs are all there is to it.

It holds each file in memory while it is written and read, so it is for small ones; `test_custom_driver.py`
proves that it keeps the contract.
"""

import asyncio
import json
import os
import sqlite3
import threading
import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from storeroom import (
    AlreadyExists,
    Closed,
    Disk,
    NotFound,
    NotModified,
    Obstructed,
    PreconditionFailed,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import translating
from storeroom.contracts.paths import check_folder, check_path, is_listable
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
    WriteOptions,
)

T = TypeVar("T")

PAGE = 500
TABLE = """CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER, modified TEXT, etag TEXT, type TEXT, metadata TEXT, body BLOB
)"""
FACTS = "path, size, modified, etag, type, metadata"


class SqliteDriver:
    """Files in the database `file`, which the first verb makes."""

    traits = Traits("sqlite", ordered=True, keeps=frozenset(("content_type", "metadata")))

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self._file = os.fspath(file)
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._closed = False

    async def stat(self, path: str, /) -> Stat:
        path = check_path(path)
        return await self._run("stat", path, lambda database: found(database, path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        path = check_path(path)
        stat, data = await self._run("read", path, lambda database: part(database, path, how))
        return Source(stat, data, chunk_size=how.chunk_size)

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        body, path = Body.checked(body), check_path(path)
        if not how.carried and (how.tags or how.tier or how.visibility):
            raise Unsupported("a database keeps no tags, tier or visibility", path=path)
        with translating(kind_of, "write", path, body=body):
            data = await body.content()
        return await self._run("write", path, lambda database: store(database, path, data, how))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool:
        path = check_path(path)
        return await self._run("remove", path, lambda database: remove(database, path, how))

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        folder = check_folder(folder)
        prefix = f"{folder}/" if folder else ""
        last, position = "", how.after or ""
        while page := await self._run(
            "scan", folder, partial(listed, prefix=prefix + how.starting, after=position)
        ):
            for stat in page:
                if not is_listable(stat.path):
                    if how.strangers == "refuse":
                        raise Obstructed(f"the name {stat.path!r} would be left behind")
                    continue
                for parent in new_folders(prefix, last, stat.path, deep=how.deep):
                    if f"{parent}/" > (how.after or ""):
                        yield Folder(parent)
                if how.deep or "/" not in stat.path[len(prefix) :]:
                    yield stat
                last = stat.path
            position = page[-1].path

    async def aclose(self) -> None:
        self._closed = True
        await threads.run(self._forget)

    async def _run(self, verb: str, path: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """One transaction in a worker thread, its errors turned into kinds."""
        with translating(kind_of, verb, path):
            return await threads.run(self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            if self._closed:
                raise Closed("this database was closed; open it again")
            if self._database is None:
                self._database = sqlite3.connect(
                    self._file, check_same_thread=False, isolation_level=None, timeout=30
                )
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute(TABLE)
            self._database.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._database)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            return result

    def _forget(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
            self._database = None


def found(database: sqlite3.Connection, path: str) -> Stat:
    row = database.execute(f"SELECT {FACTS} FROM files WHERE path = ?", (path,)).fetchone()
    if row is None:
        raise NotFound("there is no such file", path=path)
    return stat_of(row)


def part(database: sqlite3.Connection, path: str, how: ReadOptions) -> tuple[Stat, bytes]:
    stat = found(database, path)
    if how.if_match is not None and how.if_match != stat.etag:
        raise PreconditionFailed("the file is not the one that if_match names", path=path)
    if how.if_none_match is not None and how.if_none_match == stat.etag:
        raise NotModified("the file is still the one that if_none_match names", path=path)
    size = stat.size or 0
    start = min(how.start, size)
    stop = size if how.stop is None else min(how.stop, size)
    query = "SELECT substr(body, ?, ?) FROM files WHERE path = ?"
    return stat, database.execute(query, (start + 1, stop - start, path)).fetchone()[0]


def store(database: sqlite3.Connection, path: str, data: bytes, how: WriteOptions) -> Stat:
    old = etag_of(database, path)
    if how.if_match is not None and how.if_match != old:
        raise PreconditionFailed("the file is not the one that if_match names", path=path)
    if not how.overwrite and old is not None:
        raise AlreadyExists("there is a file already", path=path)
    metadata = json.dumps(dict(how.metadata or {}))
    now = datetime.now(UTC).isoformat()
    row = (path, len(data), now, uuid.uuid4().hex, how.content_type, metadata)
    database.execute("REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, data))
    return stat_of(row)


def remove(database: sqlite3.Connection, path: str, how: RemoveOptions) -> bool:
    old = etag_of(database, path)
    if how.if_match is not None and old is not None and how.if_match != old:
        raise PreconditionFailed("the file is not the one that if_match names", path=path)
    return database.execute("DELETE FROM files WHERE path = ?", (path,)).rowcount > 0


def listed(database: sqlite3.Connection, prefix: str, after: str) -> list[Stat]:
    """A page of the files whose path begins with `prefix`, behind `after`."""
    query = f"SELECT {FACTS} FROM files WHERE path >= ? AND path > ? ORDER BY path LIMIT {PAGE}"
    rows = database.execute(query, (prefix, after)).fetchall()
    return [stat_of(row) for row in rows if row[0].startswith(prefix)]


def new_folders(prefix: str, last: str, path: str, *, deep: bool) -> list[str]:
    """The folders that `path` is in below `prefix`, but for those that `last` was in, too."""
    segments = path[len(prefix) :].split("/")[:-1]
    folders = [prefix + "/".join(segments[: count + 1]) for count in range(len(segments))]
    return [f for f in folders[: None if deep else 1] if not last.startswith(f"{f}/")]


def etag_of(database: sqlite3.Connection, path: str) -> str | None:
    row = database.execute("SELECT etag FROM files WHERE path = ?", (path,)).fetchone()
    return row[0] if row else None


def stat_of(row: tuple[Any, ...]) -> Stat:
    path, size, modified, etag, kind, metadata = row
    return Stat(
        path,
        size=size,
        modified=datetime.fromisoformat(modified),
        etag=etag,
        content_type=kind,
        metadata=json.loads(metadata),
    )


def kind_of(error: Exception) -> StorageError | None:
    return Unavailable(str(error)) if isinstance(error, sqlite3.Error) else None


async def main() -> None:
    async with Disk(
        SqliteDriver("files.db"), name="database", signing_key="a secret of 16 bytes or more"
    ) as disk:
        await disk.put("notes/a.txt", "by SQLite")  # every word people type, from six verbs
        await disk.append("notes/a.txt", "and more")
        await disk.copy("notes/a.txt", "notes/b.txt")
        print(await disk.all_files(), (await disk.text("notes/b.txt")).splitlines())
        print(await disk.checksum("notes/a.txt"), await disk.mime_type("notes/a.txt"))
        print(await disk.scoped("notes").files(), await disk.temporary_url("notes/a.txt", 60))
        print("deleted:", await disk.delete_directory("notes"))


if __name__ == "__main__":
    asyncio.run(main())
