"""The people's verbs over this driver: what Flysystem's own suite asks of an adapter, and more."""

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from storeroom.contracts.abilities import Visibility
from storeroom.contracts.errors import NotFound
from storeroom.files import Files
from storeroom.testing._suite.frame import Suite, chunks_of, snapshot

__all__ = ["People"]

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


class People(Suite):
    """The words people type."""

    async def test_put_gives_the_path_and_get_the_bytes(self, disk: Files) -> None:
        assert await disk.put("some/file[10].txt", "contents") == "some/file[10].txt"
        assert await disk.get("some/file[10].txt") == b"contents"
        assert await disk.text("some/file[10].txt") == "contents"

    async def test_a_file_exists_from_put_to_delete(self, disk: Files) -> None:
        assert await disk.exists("nested/path.txt") is False
        await disk.put("nested/path.txt", b"contents")
        assert await disk.exists("nested/path.txt") is True
        assert await disk.missing("nested/path.txt") is False
        assert await disk.delete("nested/path.txt") is True
        assert await disk.exists("nested/path.txt") is False

    async def test_a_stream_goes_in_and_comes_out(self, disk: Files) -> None:
        await disk.write_stream("a", chunks_of([b"stream ", b"of ", b"bytes"]))
        async with disk.read_stream("a") as stream:
            assert b"".join([chunk async for chunk in stream]) == b"stream of bytes"
        assert b"".join([chunk async for chunk in disk.read_stream("a")]) == b"stream of bytes"
        assert await (await disk.read_stream("a")).read() == b"stream of bytes"

    async def test_a_missing_file_fails_where_it_is_opened(self, files: Files) -> None:
        with pytest.raises(NotFound):
            await files.get("missing")
        with pytest.raises(NotFound):
            await files.read_stream("missing")
        with pytest.raises(NotFound):
            async with files.read_stream("missing"):
                pytest.fail("it was opened")

    async def test_the_facts_of_a_missing_file_are_not_found(self, files: Files) -> None:
        for verb in (files.size, files.last_modified, files.mime_type, files.metadata):
            with pytest.raises(NotFound):
                await verb("missing/a.txt")
        with pytest.raises(NotFound):
            await files.checksum("missing/a.txt")

    async def test_the_facts_of_a_folder_are_not_found(self, files: Files) -> None:
        await self.seed(files.driver, {"dir.txt/a": b"x"})
        for verb in (files.size, files.last_modified, files.mime_type, files.checksum):
            with pytest.raises(NotFound):
                await verb("dir.txt")

    async def test_a_size_is_in_bytes(self, files: Files) -> None:
        await self.seed(files.driver, {"a": "contents é".encode()})
        assert await files.size("a") == 11

    async def test_last_modified_is_in_unix_seconds(self, files: Files) -> None:
        await self.seed(files.driver, {"a": b"x"})
        assert abs(time.time() - await files.last_modified("a")) < 120

    async def test_the_type_is_told_by_the_extension(self, files: Files) -> None:
        await self.seed(files.driver, {"file.svg": SVG, "b.txt": b"x", "c.JSON": b"{}"})
        assert (await files.mime_type("file.svg")).startswith("image/svg")
        assert (await files.mime_type("b.txt")).startswith("text/plain")
        assert await files.mime_type("c.JSON") == "application/json"

    async def test_the_type_is_told_by_the_bytes_without_an_extension(self, files: Files) -> None:
        await self.seed(files.driver, {"png": b"\x89PNG\r\n\x1a\n" + b"\0" * 20})
        assert await files.mime_type("png") == "image/png"

    async def test_a_checksum_is_that_of_the_bytes(self, files: Files) -> None:
        await self.seed(files.driver, {"a": b"foobar"})
        assert await files.checksum("a", "md5") == "3858f62230ac3c915f300c664312c63f"
        for algorithm in ("sha256", "sha512", "blake2b", "sha3_256", "sha1"):
            wanted = hashlib.new(algorithm, b"foobar").hexdigest()
            assert await files.checksum("a", algorithm) == wanted

    async def test_a_visibility_is_written_with_put(self, disk: Files) -> None:
        self.need(disk.driver, Visibility)
        await disk.put("a", b"x", visibility="public")
        assert await disk.visibility("a") == "public"
        await disk.put("a", b"new contents", visibility="private")
        assert (await disk.get("a"), await disk.visibility("a")) == (b"new contents", "private")
        await disk.set_visibility("a", "public")
        assert await disk.visibility("a") == "public"

    async def test_append_adds_at_the_end_and_prepend_at_the_beginning(self, disk: Files) -> None:
        await disk.append("a/log", "two")
        await disk.append("a/log", "three")
        await disk.prepend("a/log", "one")
        assert await disk.text("a/log") == "one\ntwo\nthree"
        await disk.append("a/log", b"!")
        await disk.prepend("a/log", b">")
        assert await disk.text("a/log") == ">one\ntwo\nthree!"

    async def test_json_comes_back(self, disk: Files) -> None:
        value: dict[str, object] = {
            "name": "Zoë 😀",
            "list": [1, 2.5, None, True],
            "nested": {"": {}},
        }
        await disk.put_json("a.json", value)
        assert await disk.json("a.json") == value
        assert json.loads(await disk.get("a.json")) == value

    async def test_a_writer_stores_at_its_end_or_not_at_all(self, disk: Files) -> None:
        async with disk.open_writer("a/b") as writer:
            await writer.write(b"one ")
            assert await disk.exists("a/b") is False
            await writer.write("two")
        assert await disk.get("a/b") == b"one two"
        with pytest.raises(ZeroDivisionError):
            async with disk.open_writer("a/b") as writer:
                await writer.write(b"half")
                raise ZeroDivisionError
        assert await snapshot(disk.driver) == {"a/b": b"one two"}

    async def test_many_are_put_and_got_with_a_report(self, disk: Files) -> None:
        wanted = {f"many/{number} é": b"%d" % number for number in range(20)}
        report = await disk.put_many({**wanted, "../no": b"x"})
        assert set(report.done) == set(wanted)
        assert set(report.failed) == {"../no"}
        got = await disk.get_many([*wanted, "missing"])
        assert got.done == wanted
        assert set(got.failed) == {"missing"}

    async def test_a_pattern_finds_files(self, files: Files) -> None:
        names = ("logs/a.txt", "logs/sub/b.txt", "logs/c.csv", "other/a.txt", "logs[1]/x.txt")
        await self.seed(files.driver, dict.fromkeys(names, b""))
        assert await files.glob("logs/*.txt") == ["logs/a.txt"]
        assert await files.glob("logs/**/*.txt") == ["logs/a.txt", "logs/sub/b.txt"]
        assert await files.glob("*/a.txt") == ["logs/a.txt", "other/a.txt"]
        assert await files.glob("logs[[]1]/*") == ["logs[1]/x.txt"]

    async def test_old_files_are_found(self, files: Files) -> None:
        await self.seed(files.driver, {"a": b"", "b/c": b""})
        assert await files.find_files_older_than(timedelta(hours=1)) == []
        assert await files.find_files_older_than(time.time() + 3600) == ["a", "b/c"]
        assert await files.find_files_older_than(time.time() + 3600, "b") == ["b/c"]

    async def test_entries_come_one_by_one(self, files: Files) -> None:
        await self.seed(files.driver, {"f/a": b"", "f/b/c": b"", "g": b""})
        assert sorted([e.path async for e in files.entries("f")]) == ["f/a", "f/b"]
        deep = [e.path async for e in files.entries("f", recursive=True, starting="b")]
        assert sorted(deep) == ["f/b", "f/b/c"]
        behind = [e.path async for e in files.entries("", after="f/b/z")]
        assert behind == ["g"]

    async def test_a_file_goes_up_and_down(self, disk: Files, tmp_path: Path) -> None:
        local = tmp_path / "local [1].bin"
        local.write_bytes(b"\x00\xff" * 1000)
        await disk.upload_from(local, "up/a.bin")
        copy = await disk.download_to("up/a.bin", tmp_path / "new" / "b.bin")
        assert copy.read_bytes() == local.read_bytes()

    async def test_a_folder_goes_up_and_down(self, disk: Files, tmp_path: Path) -> None:
        files = {"a b.txt": b"1", "sub/é %2F": b"2", "sub/deep/x": b""}
        for name, data in files.items():
            (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "from" / name).write_bytes(data)
        assert (await disk.upload_directory(tmp_path / "from", "up")).ok
        assert await snapshot(disk.driver) == {f"up/{name}": data for name, data in files.items()}
        assert (await disk.download_directory("up", tmp_path / "to")).ok
        assert dict(_files_under(tmp_path / "to")) == files

    async def test_files_go_from_disk_to_disk(self, disk: Files) -> None:
        await self.seed(disk.driver, {"a": b"1", "f/b": b"2", "f/c/d": b"3"})
        assert await disk.copy("a", "copied", disk=disk) == "copied"
        report = await disk.copy_directory("f", "g", disk=disk)
        assert report.ok
        assert await disk.all_files("g") == ["g/b", "g/c/d"]

    async def test_an_error_names_verb_and_path(self, files: Files) -> None:
        with pytest.raises(NotFound) as caught:
            await files.get("missing/a.txt")
        assert (caught.value.operation, caught.value.path) == ("get", "missing/a.txt")
        assert "missing/a.txt" in str(caught.value)
        assert isinstance(caught.value, FileNotFoundError)


def _files_under(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_bytes()
