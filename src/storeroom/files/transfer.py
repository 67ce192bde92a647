"""Files to and from this machine's file system."""

import os
import secrets
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Unpack

import aiofiles

from storeroom.contracts import threads
from storeroom.contracts.body import Progress
from storeroom.contracts.errors import (
    AlreadyExists,
    InvalidPath,
    Obstructed,
    StorageError,
    Unsupported,
    from_os_error,
    translating,
)
from storeroom.contracts.paths import RESERVED, check_path
from storeroom.contracts.source import Source
from storeroom.contracts.values import Report, ScanOptions, Stat
from storeroom.files._bounded import each
from storeroom.files._verb import checked_folder, verb
from storeroom.files.content import PutOptions
from storeroom.files.reading import Reading
from storeroom.files.writing import Writing

__all__ = ["Transfer"]

_PIECE = 1 << 20


class Transfer(Writing, Reading):
    """The verbs between a disk and local files; see `Files`."""

    __slots__ = ()

    @verb
    async def upload_from(
        self,
        local: str | os.PathLike[str],
        path: str | os.PathLike[str],
        /,
        **options: Unpack[PutOptions],
    ) -> str:
        """Store a local file under the path, as a stream, and return the path."""
        return await self.put(path, Path(local), **options)

    @verb
    async def upload_directory(
        self,
        local: str | os.PathLike[str],
        folder: str | os.PathLike[str] = "",
        /,
        *,
        concurrency: int = 8,
        progress: Progress | None = None,
    ) -> Report[str]:
        """Store every file under a local folder; the report has the local path of each.

        Symbolic links are not followed: they are in the report as `Unsupported`.
        """
        driver = await self._ready()
        target = checked_folder(driver, folder)
        root = os.fspath(local)

        async def upload(relative: str) -> str:
            source = Path(root, relative)
            if await threads.run(source.is_symlink):
                raise Unsupported("a symbolic link, which is not followed; store its target")
            name = relative.replace(os.sep, "/")
            return await self.put(f"{target}/{name}" if target else name, source)

        return await each(
            _local_files(root), str, upload, concurrency=concurrency, progress=progress
        )

    @verb
    async def download_to(
        self,
        path: str | os.PathLike[str],
        local: str | os.PathLike[str],
        /,
        *,
        overwrite: bool = True,
        progress: Progress | None = None,
    ) -> Path:
        """Write a file to a local path, all of it or nothing, and return that path.

        Missing local folders are made. `progress` is called with bytes done and total.
        """
        target = Path(local)
        async with self.read_stream(path) as source:
            with translating(_local_failure, "download_to", os.fspath(path)):
                await _saved(source, target, overwrite=overwrite, progress=progress)
        return target

    @verb
    async def download_directory(
        self,
        folder: str | os.PathLike[str],
        local: str | os.PathLike[str],
        /,
        *,
        concurrency: int = 8,
        overwrite: bool = True,
        progress: Progress | None = None,
    ) -> Report[Path]:
        """Write every file under a folder into a local folder; `progress` counts files.

        Names from the service are checked again: none can leave the local folder.
        """
        driver = await self._ready()
        source = checked_folder(driver, folder)

        async def download(path: str) -> Path:
            relative = check_path(path[len(source) + 1 :] if source else path)
            target = await threads.run(_contained, Path(local), relative)
            return await self.download_to(path, target, overwrite=overwrite)

        async def paths() -> AsyncGenerator[str]:
            async with aclosing(driver.scan(source, ScanOptions())) as entries:
                async for entry in entries:
                    if isinstance(entry, Stat):
                        yield entry.path

        return await each(paths(), str, download, concurrency=concurrency, progress=progress)


async def _saved(
    source: Source, target: Path, *, overwrite: bool, progress: Progress | None
) -> None:
    """A temporary file beside the target, renamed when it is complete."""
    temporary = target.with_name(f"{RESERVED}tmp-{secrets.token_hex(8)}")
    await threads.run(_prepare, target, overwrite=overwrite)
    try:
        async with aiofiles.open(temporary, "xb", buffering=0, executor=threads.pool()) as file:
            await _filled(file, source, progress)
            await threads.run(os.fsync, file.fileno())
        await threads.run(_commit, temporary, target, overwrite=overwrite)
    except BaseException:
        await threads.run(temporary.unlink, missing_ok=True)
        raise


async def _filled(file: Any, source: Source, progress: Progress | None) -> None:
    done = 0
    while piece := await source.read(_PIECE):
        view = memoryview(piece)
        while view:
            view = view[await file.write(view) :]
        done += len(piece)
        if progress is not None:
            progress(done, source.size)


def _prepare(target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise Obstructed(f"the local path {os.fspath(target)!r} is a folder; name a file in it")
    if not overwrite and target.exists():
        raise AlreadyExists(f"the local file {os.fspath(target)!r} exists")
    target.parent.mkdir(parents=True, exist_ok=True)


def _commit(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
        return
    os.link(temporary, target)
    temporary.unlink()


def _contained(root: Path, relative: str) -> Path:
    """The local path, if no symbolic link on the way leads out of the folder."""
    target = root / relative
    for parent in (target, *target.parents):
        if parent == root:
            return target
        if parent.is_symlink():
            raise InvalidPath(f"the local path {os.fspath(parent)!r} is a symbolic link")
    raise InvalidPath("the name leads out of the local folder", path=relative)


def _local_failure(error: Exception) -> StorageError | None:
    if not isinstance(error, OSError):
        return None
    failure = from_os_error(error)
    failure.reason = f"the local file {error.filename!r}: {error.strerror}"
    return failure


async def _local_files(root: str) -> AsyncGenerator[str]:
    with translating(_local_failure, "upload_directory"):
        folders = await threads.run(_page, root, "")
    waiting = [folders]
    while waiting:
        files, subfolders = waiting.pop()
        for name in files:
            yield name
        for name in subfolders:
            with translating(_local_failure, "upload_directory"):
                waiting.append(await threads.run(_page, root, name))


def _page(root: str, folder: str) -> tuple[list[str], list[str]]:
    """The names of files (and links) and of folders in one local folder, relative to the root."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(os.path.join(root, folder)) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            name = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif entry.is_symlink() or stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                files.append(name)
    return files, folders
