"""What type checkers make of the words people type; checked by mypy and pyright, never run."""

from collections.abc import AsyncIterator
from typing import assert_type

from storeroom import Disk, Grant, Stat, Storage, Upload


async def writes() -> None:
    assert_type(await Storage.put("a.txt", "text", overwrite=False), str)
    assert_type(await Storage.disk("s3").put("a.txt", b"bytes", metadata={"by": "me"}), str)
    assert_type(await Storage.append("a.txt", "more"), str)


async def reads(disk: Disk) -> None:
    assert_type(await disk.get("a.txt"), bytes)
    assert_type(await disk.text("a.txt"), str)
    assert_type(await disk.exists("a.txt"), bool)
    async with disk.read_stream("a.txt") as stream:
        assert_type(stream.stat, Stat)
        async for chunk in stream:
            assert_type(chunk, bytes)
    async for chunk in disk.read_stream("a.txt", start=1, stop=3):
        assert_type(chunk, bytes)


async def facts(disk: Disk) -> None:
    assert_type(await disk.metadata("a.txt"), Stat)
    assert_type(await disk.size("a.txt"), int)
    assert_type(await disk.last_modified("a.txt"), float)
    assert_type(await disk.checksum("a.txt"), str)


async def lists(disk: Disk) -> None:
    assert_type(await disk.files("folder"), list[str])
    assert_type(await disk.all_directories(), list[str])


async def changes(disk: Disk) -> None:
    assert_type(await disk.delete("a.txt"), bool)
    assert_type(await disk.delete(["a.txt"]), bool)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def accepts_chunks(disk: Disk, chunks: AsyncIterator[bytes]) -> None:
    await disk.put("a.txt", chunks)
    await disk.put("a.txt", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await disk.put("a.txt", b"", visibility="open")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def addresses(disk: Disk) -> None:
    assert_type(disk.url("a.txt"), str)
    assert_type(await disk.temporary_url("a.txt", 60), str)
    assert_type(await disk.temporary_upload_url("a.txt", 60, max_size=5), Upload)
    assert_type(await disk.verify_temporary_url("/a.txt", method="PUT"), Grant)
    assert_type(disk.scoped("folder").url("a.txt"), str)
