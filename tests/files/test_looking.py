"""Reading, listing and facts, in the words of people; and how their failures are labelled."""

import asyncio
import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storeroom.contracts.abilities import Append, LocalPath
from storeroom.contracts.errors import (
    Closed,
    InvalidArgument,
    InvalidPath,
    NotFound,
    NotModified,
    PermissionDenied,
    PreconditionFailed,
    StorageError,
    Unsupported,
)
from storeroom.contracts.values import Stat
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import calling


@pytest.fixture
def disk() -> MemoryDriver:
    return MemoryDriver()


async def test_get_takes_a_range_and_conditions(disk: MemoryDriver) -> None:
    await disk.put("a", b"0123456789")
    etag = (await disk.metadata("a")).etag
    assert await disk.get("a", start=2, stop=5) == b"234"
    assert await disk.get("a", start=99) == b""
    assert await disk.get("a", if_match=etag, if_none_match="other") == b"0123456789"
    with pytest.raises(NotModified):
        await disk.get("a", if_none_match=etag)
    with pytest.raises(PreconditionFailed):
        await disk.get("a", if_match="other")


@pytest.mark.parametrize("options", [{"start": -1}, {"stop": -1}, {"start": 5, "stop": 4}], ids=str)
async def test_a_bad_range_is_refused(disk: MemoryDriver, options: dict[str, int]) -> None:
    await disk.put("a", b"0123456789")
    with pytest.raises(InvalidArgument):
        await disk.get("a", **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        disk.read_stream("a", **options)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        disk.read_stream("a", chunk_size=0)


async def test_a_stream_is_opened_in_three_ways(disk: MemoryDriver) -> None:
    await disk.put("a", b"contents")
    async with disk.read_stream("a", start=3) as stream:
        assert stream.stat.path == "a"
        assert await stream.read() == b"tents"
    stream = await disk.read_stream("a")
    assert [chunk async for chunk in stream] == [b"contents"]
    assert [c async for c in disk.read_stream("a", chunk_size=5)] == [b"conte", b"nts"]


async def test_a_block_closes_its_stream(disk: MemoryDriver) -> None:
    await disk.put("a", b"contents")
    async with disk.read_stream("a") as stream:
        pass
    with pytest.raises(Closed):
        await stream.read()


async def test_a_stream_is_not_opened_before_it_is_asked_for(disk: MemoryDriver) -> None:
    opening = disk.read_stream("a")
    await disk.put("a", b"later")
    async with opening as stream:
        assert await stream.read() == b"later"


async def test_exists_counts_files_only(disk: MemoryDriver) -> None:
    await disk.put("folder/a", b"x")
    assert [await disk.exists(path) for path in ("folder/a", "folder", "b")] == [True, False, False]
    assert await disk.missing("b") is True
    assert await disk.directory_exists("folder") is True


async def test_no_access_is_an_error_and_never_false() -> None:
    class Locked(MemoryDriver):
        async def stat(self, path: str, /) -> Stat:
            raise PermissionDenied("no", path=path)

    for verb in (Locked().exists, Locked().missing):
        with pytest.raises(PermissionDenied):
            await verb("a")


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("sha256", "sha256"),
        ("SHA-256", "sha256"),
        ("Sha_512", "sha512"),
        ("MD5", "md5"),
        ("sha3-256", "sha3_256"),
        ("SHA3_512", "sha3_512"),
        ("blake2b", "blake2b"),
    ],
)
async def test_a_checksum_is_known_under_its_names(
    disk: MemoryDriver, name: str, algorithm: str
) -> None:
    await disk.put("a", b"foobar")
    assert await disk.checksum("a", name) == hashlib.new(algorithm, b"foobar").hexdigest()


@pytest.mark.parametrize(
    ("name", "said"),
    [("sha265", "did you mean 'sha256'"), ("crc", "known are md5"), ("", "known are")],
)
async def test_an_unknown_checksum_names_the_nearest(
    disk: MemoryDriver, name: str, said: str
) -> None:
    with pytest.raises(InvalidArgument, match=said):
        await disk.checksum("missing", name)


async def test_a_checksum_is_computed_where_the_service_has_none() -> None:
    class WithoutChecksum(MemoryDriver):
        async def digest(self, path: str, algorithm: str, /) -> str:
            raise Unsupported("none")

    disk = WithoutChecksum()
    await disk.put("a", bytes(3 << 20))
    assert await disk.checksum("a") == hashlib.sha256(bytes(3 << 20)).hexdigest()


async def test_facts_that_the_service_does_not_tell_are_unsupported() -> None:
    class Vague(MemoryDriver):
        async def stat(self, path: str, /) -> Stat:
            return Stat(path)

    for verb in (Vague().size, Vague().last_modified):
        with pytest.raises(Unsupported):
            await verb("a")


async def test_facts_change_in_place(disk: MemoryDriver) -> None:
    await disk.put("a", b"x", metadata={"old": "1"}, cache_control="no-store")
    stat = await disk.set_attributes("a", content_type="a/b", metadata={"new": "2"})
    assert (stat.content_type, stat.cache_control, stat.metadata) == (
        "a/b",
        "no-store",
        {"new": "2"},
    )
    with pytest.raises(InvalidArgument):
        await disk.set_visibility("a", "world")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["a.txt", "ä.txt"]),
        ("?.txt", ["a.txt", "ä.txt"]),
        ("**/*.txt", ["a.txt", "f/b.txt", "f/g/c.txt", "ä.txt"]),
        ("f/**", ["f/b.txt", "f/g/[x].md", "f/g/c.txt"]),
        ("f/*", ["f/b.txt"]),
        ("f/*/c.*", ["f/g/c.txt"]),
        ("[ab].txt", ["a.txt"]),
        ("[!a].txt", ["ä.txt"]),
        ("f/g/[[]x].md", ["f/g/[x].md"]),
        ("**/c.txt", ["f/g/c.txt"]),
        ("a.txt", ["a.txt"]),
        ("A.txt", []),
        ("a\\.txt", []),
        ("missing/*", []),
        ("f.*", ["f.txt.d"]),
        ("(a|b).txt", []),
    ],
)
async def test_a_pattern_finds_these(disk: MemoryDriver, pattern: str, found: list[str]) -> None:
    names = ("a.txt", "ä.txt", "f/b.txt", "f/g/c.txt", "f/g/[x].md", "f.txt.d", "foo/x")
    await disk.put_many(dict.fromkeys(names, b""))
    assert await disk.glob(pattern) == found


@pytest.mark.parametrize("pattern", ["", "/a/*", "a/", "../*.txt", "a//*"])
async def test_a_bad_pattern_is_refused(disk: MemoryDriver, pattern: str) -> None:
    with pytest.raises(InvalidArgument):
        await disk.glob(pattern)


async def test_old_files_are_found_by_a_moment_an_age_or_seconds(disk: MemoryDriver) -> None:
    await disk.put_many({"f/old": b"", "new": b""})
    await disk.change_time("f/old", datetime(2020, 1, 1, tzinfo=UTC))
    for moment in (
        timedelta(days=1),
        time.time() - 3600,
        datetime.now(UTC) - timedelta(hours=1),
        datetime.now() - timedelta(hours=1),
        datetime(2020, 1, 1, 0, 0, 1, tzinfo=UTC),
    ):
        assert await disk.find_files_older_than(moment) == ["f/old"]
    assert await disk.find_files_older_than(timedelta(days=1), "g") == []
    assert await disk.find_files_older_than(datetime(2020, 1, 1, tzinfo=UTC)) == []


async def test_entries_are_lazy_and_closed_when_left(disk: MemoryDriver) -> None:
    closed = False

    class Watched(MemoryDriver):
        async def scan(self, *args: Any) -> Any:
            nonlocal closed
            try:
                async for entry in super().scan(*args):
                    yield entry
            finally:
                closed = True

    watched = Watched()
    await watched.put_many({"a": b"", "b": b""})
    entries = watched.entries()
    assert (await anext(entries)).path == "a"
    assert calling.get() is None
    await entries.aclose()
    assert closed


async def test_entries_refuse_a_bad_folder_or_start(disk: MemoryDriver) -> None:
    for entries in (disk.entries("../x"), disk.entries("", after="/x")):
        with pytest.raises(InvalidPath) as caught:
            await anext(entries)
        assert caught.value.operation == "entries"


async def test_an_error_names_verb_disk_and_path(disk: MemoryDriver) -> None:
    asked = {
        "get": disk.get,
        "metadata": disk.metadata,
        "size": disk.size,
        "checksum": disk.checksum,
        "json": disk.json,
        "mime_type": disk.mime_type,
        "visibility": disk.visibility,
        "read_stream": lambda path: disk.read_stream(path).__aenter__(),
        "copy": lambda path: disk.copy(path, "b"),
        "move": lambda path: disk.move(path, "b"),
        "download_to": lambda path: disk.download_to(path, "/tmp/never"),
    }
    for name, verb in asked.items():
        with pytest.raises(NotFound) as caught:
            await verb("missing.txt")
        error = caught.value
        assert (error.operation, error.disk, error.path) == (name, "memory", "missing.txt"), name


async def test_a_refused_path_is_labelled_too(disk: MemoryDriver) -> None:
    for name in ("put", "put_json", "append", "put_file_as"):
        verb: Any = getattr(disk, name)
        with pytest.raises(InvalidPath) as caught:
            await verb("../a", b"x" if name != "put_json" else 1, *("n",)[: name == "put_file_as"])
        assert (caught.value.operation, caught.value.disk) == (name, "memory")
    with pytest.raises(InvalidPath) as caught:
        disk.url("../a")
    assert (caught.value.operation, caught.value.disk) == ("url", "memory")


async def test_errors_in_a_report_name_the_verb_people_called(disk: MemoryDriver) -> None:
    report = await disk.get_many(["missing"])
    error = report.failed["missing"]
    assert isinstance(error, StorageError)
    assert (error.operation, error.path) == ("get_many", "missing")


async def test_the_verb_under_way_is_known_to_its_own_task_only(disk: MemoryDriver) -> None:
    seen: list[str | None] = []

    class Asking(MemoryDriver):
        async def stat(self, path: str, /) -> Stat:
            call = calling.get()
            seen.append(call.verb if call else None)
            await asyncio.sleep(0)
            return await super().stat(path)

    asking = Asking()
    await asyncio.gather(asking.exists("a"), asking.missing("b"), return_exceptions=True)
    assert sorted(str(name) for name in seen) == ["exists", "missing"]
    assert calling.get() is None


async def test_abilities_are_asked_for_by_their_kind(disk: MemoryDriver) -> None:
    assert disk.supports(Append)
    assert disk.ability(Append) is disk
    assert not disk.supports(LocalPath)
    with pytest.raises(Unsupported, match="memory has no LocalPath"):
        disk.ability(LocalPath)
    with pytest.raises(Unsupported, match="download_to"):
        disk.path("a")
    with pytest.raises(Unsupported, match="no layer MemoryStrange"):
        disk.layer(type("MemoryStrange", (), {}))
    assert disk.layer(MemoryDriver) is disk
    assert disk.driver is disk


async def test_a_url_is_made_without_asking(disk: MemoryDriver) -> None:
    assert disk.url("missing/a b%2F.txt") == "/storage/missing/a%20b%252F.txt"


@pytest.mark.parametrize("expires", [0, -5, timedelta(0), datetime(2020, 1, 1, tzinfo=UTC)])
async def test_an_address_cannot_expire_in_the_past(disk: MemoryDriver, expires: Any) -> None:
    with pytest.raises(InvalidArgument, match="past"):
        await disk.temporary_url("a", expires)


async def test_an_address_takes_no_control_characters(disk: MemoryDriver) -> None:
    for options in ({"filename": "a\r\nb"}, {"content_type": ""}):
        with pytest.raises(InvalidArgument):
            await disk.temporary_url("a", 60, **options)
    with pytest.raises(InvalidArgument):
        await disk.temporary_upload_url("a", 60, max_size=-1)
