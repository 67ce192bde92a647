"""The suite proves drivers that only have six verbs, and finds what is broken in others."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Closed, NotFound, Unsupported
from storeroom.contracts.paths import check_folder, check_path
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
from storeroom.disk import Disk
from storeroom.drivers.memory import MemoryDriver
from storeroom.testing.suite import CoreSuite, DriverSuite

pytest_plugins = ["pytester"]

Held = dict[str, tuple[Stat, bytes]]


class Plain:
    """What a third party may write: six verbs, no ability, no condition, nothing of ours inherited."""

    traits = Traits("plain", tells_removed=False, conditions=frozenset())

    def __init__(self, held: Held) -> None:
        self._held: Held | None = held

    async def stat(self, path: str, /) -> Stat:
        return self._found(path)[0]

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        if how.if_match or how.if_none_match:
            raise Unsupported("plain has no etags", path=path)
        stat, data = self._found(path)
        return Source(stat, data[how.start : how.stop])

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        held = self._open(check_path(path))
        data = not how.carried and (how.metadata or how.tags or how.tier or how.visibility)
        if data or not how.overwrite or how.if_match:
            raise Unsupported("plain keeps nothing beside the bytes", path=path)
        content = await body.content()
        stat = Stat(path, size=len(content), modified=datetime.now(UTC))
        held[path] = (stat, content)
        return stat

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> None:
        held = self._open(check_path(path))
        if how.if_match:
            raise Unsupported("plain has no etags", path=path)
        held.pop(path, None)

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        held, above = self._open(), check_folder(folder) and f"{folder}/"
        seen: set[str] = set()
        for path in sorted(held):
            if not path.startswith(above + how.starting):
                continue
            *folders, _ = itertools.accumulate(path[len(above) :].split("/"), "{}/{}".format)
            for name in folders if how.deep else folders[:1]:
                if name not in seen and above + name > (how.after or ""):
                    seen.add(name)
                    yield Folder(above + name)
            if path > (how.after or "") and (how.deep or not folders) and path in held:
                yield held[path][0]

    async def aclose(self) -> None:
        self._held = None

    def _open(self, path: str | None = None) -> Held:
        if self._held is None:
            raise Closed("closed", path=path)
        return self._held

    def _found(self, path: str) -> tuple[Stat, bytes]:
        try:
            return self._open(check_path(path))[path]
        except KeyError:
            raise NotFound("no such file", path=path) from None


NONE = (
    *("Append", "Attributes", "BulkRemove", "Checksum", "Copy", "CopyFrom", "Folders", "Leases"),
    *("LocalPath", "Move", "Multipart", "Origin", "PresignRead", "PublicUrl", "Sweep", "Tags"),
    *("Tiers", "Times", "Versions", "Visibility", "Files", "etag", "if_match", "overwrite"),
    "ordered",
)


class TestPlainDriver(DriverSuite):
    allowed_skips = dict.fromkeys(NONE, "six verbs are all it has")
    stores: ClassVar[dict[Path, Held]] = {}

    def make_driver(self, place: Path, /) -> Plain:
        return Plain(self.stores.setdefault(place, {}))


class TestDriverOfAFixture(DriverSuite):
    """As in the documentation: a fixture and nothing else."""

    allowed_skips = dict.fromkeys((*NONE, "make_driver"), "six verbs and a fixture are all")

    @pytest.fixture
    async def driver(self) -> AsyncGenerator[Plain]:
        driver = Plain({})
        yield driver
        await driver.aclose()


class TestDisk(CoreSuite):
    """A disk keeps the contract of the driver it holds."""

    allowed_skips = dict.fromkeys(
        ("LocalPath", "Sweep", "Multipart", "Versions", "Leases"), "memory has none"
    )
    stores: ClassVar[defaultdict[Path, MemoryDriver]] = defaultdict(MemoryDriver)

    def make_driver(self, place: Path, /) -> Disk:
        return Disk(self.stores[place].twin(), name="media", signing_key="0123456789abcdef")


class Torn(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        stat = Stat(path)
        async for chunk in body:
            stat = await super().write(path, Body(chunk), how)
        return stat


class Truncating(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        if path in self.all_paths():
            await super().write(path, Body(b""), replace(how, if_match=None))
        return await super().write(path, body, how)


class Repairing(MemoryDriver):
    async def stat(self, path: str, /) -> Stat:
        return await super().stat(path.replace("\\", "/").strip("/"))


class Normalising(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().write(path.lower(), body, how)


class Wrapping(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        try:
            return await super().write(path, body, how)
        except Exception as error:
            raise ConnectionError(str(error)) from error


class Careless(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().write(path, body, replace(how, overwrite=True, if_match=None))


class Late(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        if not how.overwrite and path in self.all_paths():
            return await super().write(path, body, how)
        content = await body.content()
        return await super().write(path, Body(content), replace(how, overwrite=True))


class Behind(MemoryDriver):
    """Goes on in the background when it is cancelled."""

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        content = await body.content()

        async def behind() -> Stat:
            await asyncio.sleep(0.002)
            return await super(Behind, self).write(path, Body(content), how)

        return await asyncio.shield(asyncio.ensure_future(behind()))


class Half(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        await super().write(f"{path}.part", Body(b"half"), how)
        stat = await super().write(path, body, how)
        await super().remove(f"{path}.part")
        return stat


class Prefixed(MemoryDriver):
    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async for entry in super().scan("", how):
            if entry.path.startswith(folder) and entry.path != folder:
                yield entry


class FilesOnly(MemoryDriver):
    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async for entry in super().scan(folder, how):
            if isinstance(entry, Stat):
                yield entry


class Lazy(MemoryDriver):
    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        async def chunks() -> AsyncGenerator[bytes]:
            async with await super(Lazy, self).read(path, how) as source:
                yield await source.read()

        return Source(Stat(path), chunks())


class Strict(MemoryDriver):
    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool:
        await self.stat(path)
        return await super().remove(path, how)


class Inclusive(MemoryDriver):
    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        stop = None if how.stop is None else how.stop + 1
        return await super().read(path, replace(how, stop=stop))


class Decoding(MemoryDriver):
    def public_url(self, path: str, /) -> str:
        return "/storage/" + path.replace(" ", "%20")


class Immortal(MemoryDriver):
    async def aclose(self) -> None:
        return None


class Dropping(MemoryDriver):
    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().write(path, body, replace(how, metadata=None))


class Racing(MemoryDriver):
    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        old = await self.get(path) if await self.exists(path) else b""
        await asyncio.sleep(0)
        return await self.write(path, Body(old + await body.content()), how)


BROKEN: list[tuple[type[MemoryDriver], str]] = [
    (Torn, "test_a_body_that_raises_half_way_leaves_the_old_file"),
    (Torn, "test_a_short_body_changes_nothing"),
    (Torn, "test_readers_never_see_a_torn_file"),
    (Truncating, "test_a_body_that_raises_at_once_leaves_the_old_file"),
    (Truncating, "test_write_over_a_file"),
    (Repairing, "test_stat_refuses_hostile_paths"),
    (Normalising, "test_upper_and_lower_case_are_two_names"),
    (Wrapping, "test_the_callers_own_exception_passes_unchanged"),
    (Careless, "test_create_only_leaves_what_is_there"),
    (Careless, "test_a_stale_if_match_changes_nothing"),
    (Late, "test_create_only_has_exactly_one_winner"),
    (Behind, "test_write_over_a_file"),
    (Half, "test_write_of_a_new_file"),
    (Half, "test_a_body_that_raises_half_way_makes_no_new_file"),
    (Prefixed, "test_a_folder_is_whole_segments"),
    (FilesOnly, "test_a_deep_listing_has_every_folder_once"),
    (FilesOnly, "test_shallow_listings_together_are_the_deep_one"),
    (Lazy, "test_reading_a_missing_file_fails_at_once"),
    (Strict, "test_removing_a_missing_file_is_no_error"),
    (Inclusive, "test_ranges_put_together_are_the_file"),
    (Decoding, "test_a_public_url_encodes_each_segment_exactly_once"),
    (Immortal, "test_every_later_verb_raises_closed"),
    (Dropping, "test_metadata_is_kept_or_refused"),
    (Racing, "test_native_appends_at_once_lose_nothing"),
]


@pytest.mark.parametrize(
    ("kind", "behaviour"), BROKEN, ids=[f"{kind.__name__}-{name}" for kind, name in BROKEN]
)
async def test_a_broken_driver_is_found_out(kind: type[MemoryDriver], behaviour: str) -> None:
    run: Callable[[Any], Any] = getattr(DriverSuite(), behaviour)
    await run(MemoryDriver())
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - pytest.fail is no Exception
        await run(kind())
    assert not isinstance(caught.value, TypeError | AttributeError | asyncio.CancelledError)


SKIPPING = """
from storeroom.disk import Disk
from storeroom.drivers.memory import MemoryDriver
from storeroom.testing._suite.frame import Suite

class Small(Suite):
    async def test_one(self, driver):
        self.skip("Append")

    async def test_two(self, driver):
        assert driver.traits.service == "memory"

class TestIt(Small):
    allowed_skips = {allowed}

    def make_driver(self, place):
        return MemoryDriver()
"""


@pytest.mark.parametrize(
    ("allowed", "outcome"),
    [
        ({"Append": "has none"}, {"passed": 1, "skipped": 1}),
        ({}, {"passed": 1, "failed": 1}),
        ({"Append": "has none", "Move": "has none"}, {"passed": 1, "skipped": 1, "errors": 1}),
        ({"test_one": "not here"}, {"passed": 1, "skipped": 1}),
        ({"Append": "has none", "test_two": "not here"}, {"skipped": 2}),
    ],
)
def test_skips_are_those_allowed_and_no_others(
    pytester: pytest.Pytester, allowed: dict[str, str], outcome: dict[str, int]
) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = auto\n")
    pytester.makepyfile(SKIPPING.replace("{allowed}", repr(allowed)))
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(**outcome)


def test_there_are_at_least_120_behaviours() -> None:
    behaviours = [name for name in dir(DriverSuite) if name.startswith("test_")]
    assert len(behaviours) >= 120


def test_every_behaviour_is_marked_core_or_heavy() -> None:
    for name in filter(lambda name: name.startswith("test_"), dir(DriverSuite)):
        marks = {mark.name for mark in getattr(DriverSuite, name).pytestmark}
        assert len(marks & {"core", "heavy"}) == 1, name
