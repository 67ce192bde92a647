"""Who runs against the local disk: each the way its own documentation says, doing the same work."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiofiles
import aiofiles.os
from _harness import PathWork

from storeroom.drivers.local import LocalDriver

SIZE = 4096
DATA = os.urandom(SIZE)
PACKAGES = ("aiofiles", "obstore", "opendal", "fsspec", "litestar-storages")

BLOCKING = {"litestar-storages": ("exists", "metadata", "delete")}


@dataclass(frozen=True, slots=True)
class Contender:
    """A name, what it does about 4 KiB files in a root, and how its writes hold."""

    name: str
    root: str
    writes: str
    verbs: Mapping[str, PathWork]


Making = Callable[[str], Contender]


def storeroom(root: str) -> Contender:
    """Our own: atomic writes, and a `get` that brings the file's facts along."""
    plain, durable = LocalDriver(root, durability="none"), LocalDriver(root)

    async def put(path: str) -> None:
        await plain.put(path, DATA)

    async def put_durably(path: str) -> None:
        await durable.put(path, DATA)

    return Contender(
        "storeroom",
        root,
        "atomic",
        {
            "get": plain.get,
            "exists": plain.exists,
            "metadata": plain.metadata,
            "put none": put,
            "put file": put_durably,
            "delete": plain.delete,
        },
    )


def naive_aiofiles(root: str) -> Contender:
    """What most programs do: aiofiles, writing in place."""

    async def get(path: str) -> bytes:
        async with aiofiles.open(f"{root}/{path}", "rb") as file:
            return await file.read()

    async def exists(path: str) -> bool:
        return await aiofiles.os.path.exists(f"{root}/{path}")

    async def metadata(path: str) -> os.stat_result:
        return await aiofiles.os.stat(f"{root}/{path}")

    async def put(path: str) -> None:
        async with aiofiles.open(f"{root}/{path}", "wb") as file:
            await file.write(DATA)

    async def put_durably(path: str) -> None:
        async with aiofiles.open(f"{root}/{path}", "wb") as file:
            await file.write(DATA)
            await file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())

    async def delete(path: str) -> None:
        await aiofiles.os.remove(f"{root}/{path}")

    return Contender(
        "aiofiles",
        root,
        "in place",
        {
            "get": get,
            "exists": exists,
            "metadata": metadata,
            "put none": put,
            "put file": put_durably,
            "delete": delete,
        },
    )


def threaded(root: str) -> Contender:
    """`asyncio.to_thread` around one plain function per call."""
    return Contender("asyncio.to_thread", root, "in place", _in_threads(_plain(root)))


def threaded_atomic(root: str) -> Contender:
    """The same with a temporary file that is renamed into place, as ours."""

    def put(path: str) -> None:
        _replace(f"{root}/{path}", sync=False)

    def put_durably(path: str) -> None:
        _replace(f"{root}/{path}", sync=True)

    verbs = _in_threads({"put none": put, "put file": put_durably})
    return Contender("asyncio.to_thread, atomic", root, "atomic", verbs)


def synchronous(root: str) -> Contender:
    """The limit: the same system calls one after the other, the loop standing still."""
    return Contender("synchronous loop", root, "in place", _on_loop(_plain(root)))


def synchronous_atomic(root: str) -> Contender:
    """The limit of atomic writes: the fewest system calls that replace a file."""
    put, put_durably = partial(_replaced, root), partial(_replaced, root, sync=True)
    verbs = _on_loop({"put none": put, "put file": put_durably})
    return Contender("synchronous loop, atomic", root, "atomic", verbs)


def obstore(root: str) -> Contender:
    """Rust's object_store; `LocalStore` writes a temporary file and renames it."""
    from obstore.store import LocalStore

    store = LocalStore(root)

    async def get(path: str) -> bytes:
        result = await store.get_async(path)
        return (await result.bytes_async()).to_bytes()

    async def exists(path: str) -> bool:
        try:
            await store.head_async(path)
        except FileNotFoundError:
            return False
        return True

    async def put(path: str) -> None:
        await store.put_async(path, DATA)

    return Contender(
        "obstore",
        root,
        "atomic",
        {
            "get": get,
            "exists": exists,
            "metadata": store.head_async,
            "put none": put,
            "delete": store.delete_async,
        },
    )


def opendal(root: str) -> Contender:
    """Apache OpenDAL, writing in place as it does by default."""
    from opendal import AsyncOperator

    operator = AsyncOperator("fs", root=root)
    return Contender(
        "opendal",
        root,
        "in place",
        {
            "get": operator.read,
            "exists": operator.exists,
            "metadata": operator.stat,
            "put none": _putting(operator.write),
            "delete": operator.delete,
        },
    )


def opendal_atomic(root: str) -> Contender:
    """The same with its `atomic_write_dir`."""
    from opendal import AsyncOperator

    beside = f"{root}.opendal"
    os.makedirs(beside, exist_ok=True)
    operator = AsyncOperator("fs", root=root, atomic_write_dir=beside)
    return Contender("opendal, atomic", root, "atomic", {"put none": _putting(operator.write)})


def fsspec(root: str) -> Contender:
    """fsspec's local file system, each call in a thread."""
    from fsspec.implementations.local import LocalFileSystem

    files: Any = LocalFileSystem(skip_instance_cache=True)

    def at(call: Callable[..., Any], *more: Any) -> Callable[[str], Any]:
        return lambda path: call(f"{root}/{path}", *more)

    verbs = {
        "get": at(files.cat_file),
        "exists": at(files.exists),
        "metadata": at(files.info),
        "put none": at(files.pipe_file, DATA),
        "delete": at(files.rm_file),
    }
    return Contender("fsspec in threads", root, "in place", _in_threads(verbs))


def litestar_storages(root: str) -> Contender:
    """aiofiles for the bytes; its looks, modes and deletes block the loop (`BLOCKING`)."""
    from litestar_storages.backends.filesystem import FileSystemConfig, FileSystemStorage

    storage = FileSystemStorage(FileSystemConfig(Path(root)))
    return Contender(
        "litestar-storages",
        root,
        "in place",
        {
            "get": storage.get_bytes,
            "exists": storage.exists,
            "metadata": storage.info,
            "put none": _putting(storage.put),
            "delete": storage.delete,
        },
    )


ALL: tuple[Making, ...] = (
    storeroom,
    synchronous,
    synchronous_atomic,
    threaded,
    threaded_atomic,
    naive_aiofiles,
    obstore,
    opendal,
    opendal_atomic,
    fsspec,
    litestar_storages,
)


def contenders(folder: str, /) -> list[Contender]:
    """All that can be imported, each with a root of its own in the folder."""
    made: list[Contender] = []
    for number, make in enumerate(ALL):
        root = os.path.join(folder, f"{number:02}")
        os.makedirs(root, exist_ok=True)
        try:
            made.append(make(root))
        except ImportError:
            os.rmdir(root)
    return made


def _plain(root: str) -> dict[str, Callable[[str], object]]:
    def get(path: str) -> bytes:
        with open(f"{root}/{path}", "rb", buffering=0) as file:
            return file.read()

    def put(path: str) -> None:
        with open(f"{root}/{path}", "wb", buffering=0) as file:
            file.write(DATA)

    def put_durably(path: str) -> None:
        with open(f"{root}/{path}", "wb", buffering=0) as file:
            file.write(DATA)
            os.fsync(file.fileno())

    return {
        "get": get,
        "exists": lambda path: os.path.exists(f"{root}/{path}"),
        "metadata": lambda path: os.stat(f"{root}/{path}"),
        "put none": put,
        "put file": put_durably,
        "delete": lambda path: os.unlink(f"{root}/{path}"),
    }


def _replace(path: str, *, sync: bool) -> None:
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as file:
        file.write(DATA)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.replace(file.name, path)


def _replaced(root: str, path: str, *, sync: bool = False) -> None:
    target = f"{root}/{path}"
    temporary = f"{target}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, DATA)
    if sync:
        os.fsync(fd)
    os.close(fd)
    os.rename(temporary, target)


def _in_threads(verbs: Mapping[str, Callable[[str], object]]) -> dict[str, PathWork]:
    def threaded(verb: Callable[[str], object]) -> PathWork:
        return lambda path: asyncio.to_thread(verb, path)

    return {name: threaded(verb) for name, verb in verbs.items()}


def _on_loop(verbs: Mapping[str, Callable[[str], object]]) -> dict[str, PathWork]:
    def blocking(verb: Callable[[str], object]) -> PathWork:
        async def call(path: str) -> object:
            return verb(path)

        return call

    return {name: blocking(verb) for name, verb in verbs.items()}


def _putting(put: Callable[[str, bytes], Any]) -> PathWork:
    return lambda path: put(path, DATA)
