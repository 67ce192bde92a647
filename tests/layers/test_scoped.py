"""Scoped: nothing outside the prefix can be read, listed, changed or addressed."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.abilities import (
    BulkRemove,
    CopyFrom,
    Folders,
    LocalPath,
    Origin,
    PresignPost,
    PresignRead,
    PublicUrl,
    Sweep,
    VerifyUrl,
    Versions,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    Obstructed,
    PermissionDenied,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.source import Source
from storeroom.contracts.values import (
    WHOLE,
    Folder,
    Grant,
    ReadOptions,
    ScanOptions,
    Stat,
    Version,
)
from storeroom.disk import Disk
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import Files
from storeroom.layers import Around, Layer
from storeroom.layers.scoped import Scoped
from tests.layers.calls import (
    ABILITY_CALLS,
    FOLDER_CALLS,
    UNTIL,
    VERB_CALLS,
    answer,
    body,
    collected,
    outcome,
)
from tests.layers.everything import METHODS, Everything, filled

SCOPES: dict[str, Callable[[StorageDriver], Scoped]] = {
    "t1": lambda driver: Scoped(driver, "t1"),
    "a/bee": lambda driver: Scoped(Scoped(driver, "a"), "bee"),
    "a/b c%2F/🗂️/dé": lambda driver: Scoped(Disk(Scoped(driver, "a")), "b c%2F/🗂️/dé/"),
}
HOSTILE = ("../a", "x/../../a", "/a", "..", ".", "//a", "", "a/", "..\\a", "x/./../../a", "a\x00")


SECRET = "what lies outside"


def around(prefix: str) -> list[str]:
    """Paths that a careless prefix would reach."""
    above = prefix.rpartition("/")[0]
    near = [prefix, f"{prefix}0/a", f"{prefix}.txt", f"{prefix} /a", f"{prefix[:-1]}/a"]
    return [*near, "a", "z/a", f"z/{prefix}/a", *([f"{above}/a"] if above else [])]


APART = {
    "remove_many": "answers per path: test_bulk_removal_stays_inside",
    "verify_url": "takes a URL: test_a_url_for_a_file_outside_grants_nothing",
    "sweep": "hidden: test_sweep_is_hidden",
}

VERBS_APART = {
    **dict.fromkeys(("get_many", "put_many", "delete_many"), "test_verbs_over_many_stay_inside"),
    "verify_temporary_url": "test_a_url_for_a_file_outside_grants_nothing",
    **dict.fromkeys(("scoped", "read_only", "supports", "ability", "layer", "driver"), "no path"),
}


def texts_in(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


async def text_of(shown: Any) -> str:
    if isinstance(shown, Source):
        return repr(await shown.read())
    return repr(shown)


class Inside:
    """A scope on a disk that also holds what is around it."""

    def __init__(self, prefix: str, driver: Everything) -> None:
        self.prefix = prefix
        self.driver = driver
        self.scope = SCOPES[prefix](driver)
        self._before: dict[str, object] = {}

    async def begin(self) -> "Inside":
        for path in (*around(self.prefix), *around(self.prefix)):
            await self.driver.write(path, body(SECRET))
        for path in around(self.prefix):
            await self.driver.acquire_lease(path, timedelta(9))
            await self.driver.start_parts(path)
        self._before = self._outside()
        self.driver.addressed.clear()
        await filled(self.scope, "src", "own", "own folder/a", "a", "z/a", "fold/a")
        return self

    def assert_untouched(self) -> None:
        assert self._outside() == self._before

    def assert_nothing_else_was_asked_for(self) -> None:
        addressed = {f"{path}/" for path in self.driver.addressed}
        assert not {path for path in addressed if not path.startswith(f"{self.prefix}/")}

    def _outside(self) -> dict[str, object]:
        whole = self.driver.whole().items()
        return {path: found for path, found in whole if not path.startswith(f"{self.prefix}/")}


@pytest.fixture(params=SCOPES)
async def inside(request: pytest.FixtureRequest) -> Inside:
    return await Inside(request.param, Everything()).begin()


def native_of(inside: Inside, method: str) -> Any:
    native = inside.scope.ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    return native


def test_every_method_of_every_ability_is_tried() -> None:
    assert set(METHODS) == set(ABILITY_CALLS) | set(APART)


def test_every_verb_is_tried() -> None:
    verbs = {name for name, _ in inspect.getmembers(Files) if not name.startswith("_")}
    assert verbs == {*VERB_CALLS, *FOLDER_CALLS, *VERBS_APART}


@pytest.mark.parametrize("method", ABILITY_CALLS)
async def test_an_ability_refuses_every_way_out(inside: Inside, method: str) -> None:
    native = native_of(inside, method)
    folders = METHODS[method] is Folders
    for hostile in HOSTILE:
        if folders and hostile in ("", "a/"):
            continue
        with pytest.raises(InvalidPath) as caught:
            await outcome(partial(ABILITY_CALLS[method], native, hostile, "own"))
        assert inside.prefix not in str(caught.value)
        if method in ("copy_within", "rename"):
            with pytest.raises(InvalidPath):
                await outcome(partial(ABILITY_CALLS[method], native, "own", hostile))
    inside.assert_nothing_else_was_asked_for()
    inside.assert_untouched()


@pytest.mark.parametrize("method", ABILITY_CALLS)
async def test_an_ability_touches_and_shows_only_the_file_inside(
    inside: Inside, method: str
) -> None:
    native = native_of(inside, method)
    for path in ("a", "z/a", "new", f"{inside.prefix}/a", f"{inside.prefix}0/a"):
        shown = await answer(partial(ABILITY_CALLS[method], native, path, "to"))
        for one in shown if isinstance(shown, list) else [shown]:
            if isinstance(one, Stat | Version | StorageError):
                assert one.path in (path, "to", None)
            assert SECRET not in await text_of(one)
    inside.assert_nothing_else_was_asked_for()
    inside.assert_untouched()


@pytest.mark.parametrize("verb", [*VERB_CALLS, *FOLDER_CALLS])
async def test_a_verb_refuses_every_way_out(inside: Inside, verb: str) -> None:
    call = {**VERB_CALLS, **FOLDER_CALLS}[verb]
    for hostile in HOSTILE:
        if (verb in FOLDER_CALLS and hostile in ("", "a/")) or (
            verb == "put_file_as" and hostile == "a/"
        ):
            continue
        with pytest.raises(ValueError, match=r"."):
            await outcome(partial(call, inside.scope, hostile))
    inside.assert_nothing_else_was_asked_for()
    inside.assert_untouched()


@pytest.mark.parametrize("verb", [*VERB_CALLS, *FOLDER_CALLS])
async def test_a_verb_reaches_only_what_is_inside(
    inside: Inside, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = {**VERB_CALLS, **FOLDER_CALLS}[verb]
    for path in ("a", "z", "new", inside.prefix, f"{inside.prefix}0"):
        shown = await answer(partial(call, inside.scope, path))
        if isinstance(shown, StorageError):
            assert shown.path in (path, "own", None)
        assert SECRET not in await text_of(shown)
    inside.assert_nothing_else_was_asked_for()
    inside.assert_untouched()
    assert SECRET not in texts_in(tmp_path)


async def test_the_root_of_a_scope_lists_what_is_inside_and_no_more(inside: Inside) -> None:
    files = ["a", "fold/a", "own", "own folder/a", "src", "z/a"]
    folders = ["fold", "own folder", "z"]
    for root in ("", "/"):
        assert await inside.scope.all_files(root) == files
        assert await inside.scope.all_directories(root) == folders
    assert await inside.scope.files() == ["a", "own", "src"]
    assert await inside.scope.glob("**/a") == ["a", "fold/a", "own folder/a", "z/a"]
    assert await inside.scope.find_files_older_than(UNTIL) == files
    assert await inside.scope.files("z") == ["z/a"]


async def test_emptying_the_root_of_a_scope_empties_no_more(inside: Inside) -> None:
    await inside.scope.ability(Folders).remove_folder("")
    assert await inside.scope.all_files() == []
    assert await inside.scope.directory_exists("")
    assert await inside.scope.ability(Folders).has_folder("/")
    inside.assert_untouched()


async def test_the_root_is_there_before_any_file_is() -> None:
    scope = Scoped(MemoryDriver(folders="real"), "t1")
    assert await scope.directory_exists("")
    assert await scope.files() == []
    assert not await scope.directory_exists("t1")


async def test_bulk_removal_stays_inside(inside: Inside) -> None:
    given = ["a", "missing", "../a", f"{inside.prefix}/a", "/a", "a/", "own"]
    answers = await inside.scope.ability(BulkRemove).remove_many(given)
    assert set(answers) == set(given)
    for path, found in answers.items():
        if path in ("a", "own"):
            assert found is True
        elif path in ("missing", f"{inside.prefix}/a"):
            assert found is False
        else:
            assert isinstance(found, InvalidPath)
            assert found.path == path
    inside.assert_untouched()


async def test_verbs_over_many_stay_inside(inside: Inside) -> None:
    given = ["own", "../a", f"{inside.prefix}/a", "/a"]
    read = await inside.scope.get_many(given)
    assert set(read.done) == {"own"}
    stored = await inside.scope.put_many(dict.fromkeys(given, b"new"))
    assert set(stored.failed) == {"../a", "/a"}
    removed = await inside.scope.delete_many(given)
    assert removed.done == {"own": True, f"{inside.prefix}/a": True}
    assert set(removed.failed) == {"../a", "/a"}
    inside.assert_untouched()


async def test_a_url_for_a_file_outside_grants_nothing(inside: Inside) -> None:
    outer = inside.driver
    for path in around(inside.prefix):
        url = await outer.presign_read(Grant(path, "GET", UNTIL))
        assert (await outer.verify_url(url, "GET")).path == path
        with pytest.raises(PermissionDenied) as caught:
            await inside.scope.ability(VerifyUrl).verify_url(url, "GET")
        assert path not in str(caught.value) or len(path) < 3
        with pytest.raises(PermissionDenied):
            await inside.scope.verify_temporary_url(url)


async def test_a_url_made_inside_is_for_the_file_inside(inside: Inside) -> None:
    url = await inside.scope.temporary_url("z/a", 60)
    assert (await inside.scope.verify_temporary_url(url)).path == "z/a"
    assert (await inside.driver.verify_url(url, "GET")).path == f"{inside.prefix}/z/a"
    upload = await inside.scope.temporary_upload_url("z/a", 60)
    grant = await inside.scope.verify_temporary_url(upload.url, method="PUT")
    assert (grant.path, grant.method) == ("z/a", "PUT")
    form = await inside.scope.ability(PresignPost).presign_post(Grant("z/a", "PUT", UNTIL))
    assert form.fields["key"] == f"{inside.prefix}/z/a"


async def test_a_disk_that_signs_for_itself_signs_for_its_scopes() -> None:
    disk = Disk(MemoryDriver(), name="m", signing_key="0123456789abcdef")
    one, other = disk.scoped("t1"), disk.scoped("t2")
    url = await one.temporary_url("a", 60)
    assert (await one.verify_temporary_url(url)).path == "a"
    assert (await disk.verify_temporary_url(url)).path == "t1/a"
    with pytest.raises(PermissionDenied):
        await other.verify_temporary_url(url)
    with pytest.raises(PermissionDenied):
        await disk.scoped("t").verify_temporary_url(url)


async def test_addresses_have_the_prefix(inside: Inside) -> None:
    scope, driver = inside.scope, inside.driver
    assert scope.url("z/a") == driver.url(f"{inside.prefix}/z/a")
    assert scope.path("z/a") == f"/srv/{inside.prefix}/z/a"
    assert scope.ability(PublicUrl).public_url("a") == driver.public_url(f"{inside.prefix}/a")
    assert scope.ability(LocalPath).local_path("a") == f"/srv/{inside.prefix}/a"
    assert scope.ability(Origin).origin("a") == (driver, f"{inside.prefix}/a")
    assert await scope.ability(PresignRead).presign_read(Grant("a", "GET", UNTIL)) == (
        await driver.presign_read(Grant(f"{inside.prefix}/a", "GET", UNTIL))
    )


async def test_scopes_of_one_disk_copy_at_the_service() -> None:
    driver = Everything()
    one, other = Scoped(driver, "t1"), Scoped(Scoped(driver, "t"), "2")
    await one.put("a", b"x", metadata={"k": "v"})
    assert await one.copy("a", "b", disk=other) == "b"
    assert driver.all_paths() == ["t/2/b", "t1/a"]
    assert (await other.ability(CopyFrom).copy_from(driver, "t1/a", "c")).path == "c"
    assert (await other.metadata("b")).metadata == {"k": "v"}
    with pytest.raises(AlreadyExists, match="'b'"):
        await one.copy("a", "b", disk=other, overwrite=False)
    with pytest.raises(NotFound) as caught:
        await other.ability(CopyFrom).copy_from(driver, "t1/missing", "b")
    assert caught.value.path is None
    assert "t1" not in str(caught.value)


async def test_sweep_is_hidden_because_it_clears_the_whole_disk(inside: Inside) -> None:
    assert not inside.scope.supports(Sweep)
    with pytest.raises(Unsupported, match="the layer Scoped hides Sweep"):
        inside.scope.ability(Sweep)


async def test_uploads_in_parts_stay_inside(inside: Inside) -> None:
    scope, path = inside.scope, "z/big 100%.bin"
    upload = await scope.ability(METHODS["start_parts"]).start_parts(path)
    native = scope.ability(METHODS["write_part"])
    etags = {n: await native.write_part(path, upload, n, Body(b"%d" % n)) for n in (1, 2)}
    assert await native.list_parts(path, upload) == etags
    signed = await native.presign_part(path, upload, 1, UNTIL)
    assert signed.url.startswith(scope.url(path))
    assert (await native.complete_parts(path, upload, etags)).path == path
    assert await scope.get(path) == b"12"
    inside.assert_untouched()


async def test_versions_are_those_of_the_file_inside(inside: Inside) -> None:
    scope = inside.scope
    await scope.put("a", b"newer")
    native = scope.ability(Versions)
    (oldest,) = await collected(native.list_versions("a"))
    assert oldest.path == "a"
    async with await native.read_version("a", oldest.id) as source:
        assert source.stat.path == "a"
        assert await source.read() == b"a"
    assert (await native.restore_version("a", oldest.id)).path == "a"
    assert await scope.get("a") == b"a"
    inside.assert_untouched()


async def test_strange_versions_of_a_service_are_left_out() -> None:
    class Careless(Everything):
        async def list_versions(self, path: str, /) -> Any:
            yield Version(path, "1")
            yield Version(f"{path}0", "2")
            yield Version("t2/a", "3")

    native = Scoped(Careless(), "t1").ability(Versions)
    assert await collected(native.list_versions("a")) == [Version("a", "1")]


async def test_strange_entries_of_a_service_are_left_out() -> None:
    class Careless(MemoryDriver):
        async def scan(self, folder: str = "", how: Any = None, /) -> Any:
            for path in ("t1", "t10", "t1/a", "t2/a", "t1/"):
                yield Stat(path)
                yield Folder(path)

    assert await collected(Scoped(Careless(), "t1").scan()) == [Stat("a"), Folder("a")]


async def test_listings_resume_and_filter_inside(inside: Inside) -> None:
    entries = [e.path async for e in inside.scope.entries("", recursive=True, after="own")]
    assert entries == ["own folder", "own folder/a", "src", "z", "z/a"]
    assert [e.path async for e in inside.scope.entries("", starting="o")] == ["own", "own folder"]
    assert [e.path async for e in inside.scope.scan("z", ScanOptions(after="z/a"))] == []


async def test_failures_name_the_path_inside(inside: Inside) -> None:
    with pytest.raises(NotFound) as caught:
        await inside.scope.get("missing")
    assert caught.value.path == "missing"
    assert inside.prefix not in str(caught.value)
    with pytest.raises(AlreadyExists) as exists:
        await inside.scope.copy("own", "z/a", overwrite=False)
    assert exists.value.path == "z/a"


class Denying(Around):
    """Denies everything, with the path as it is out there."""

    async def around(self, operation: str, path: str, call: Callable[[], Any], /) -> Any:
        raise PermissionDenied("no", path=path or "t2/another")

    def public_url(self, path: str, /) -> str:
        raise PermissionDenied("no", path=path)

    def local_path(self, path: str, /) -> str:
        raise PermissionDenied("no", path=path)

    def origin(self, path: str, /) -> tuple[StorageDriver, str]:
        raise PermissionDenied("no", path=path)


@pytest.mark.parametrize("method", ABILITY_CALLS)
async def test_an_abilitys_failure_names_the_path_inside(method: str) -> None:
    native: Any = Scoped(Scoped(Denying(Everything()), "t"), "1").ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    with pytest.raises(PermissionDenied) as caught:
        await outcome(partial(ABILITY_CALLS[method], native, "a", "to"))
    assert caught.value.path == "a"


async def test_a_failure_about_no_single_path_names_none_from_outside() -> None:
    scope = Scoped(Denying(Everything()), "t1")
    for call in (
        scope.ability(BulkRemove).remove_many(["a"]),
        scope.ability(VerifyUrl).verify_url("/storage/t1/a", "GET"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            await call
        assert caught.value.path is None


async def test_failures_in_a_bulk_removal_name_the_paths_inside() -> None:
    class Slow(MemoryDriver):
        async def remove_many(self, paths: Any, /) -> Any:
            return {path: Unavailable("slow down", path=path) for path in paths}

    answers: Any = await Scoped(Slow(), "t1").ability(BulkRemove).remove_many(["a", "b/c"])
    assert {path: error.path for path, error in answers.items()} == {"a": "a", "b/c": "b/c"}


async def test_the_six_verbs_speak_of_paths_inside() -> None:
    scope = Scoped(Scoped(MemoryDriver(), "t"), "1")
    assert (await scope.write("z/a", body())).path == "z/a"
    assert (await scope.stat("z/a")).path == "z/a"
    assert (await scope.read("z/a")).stat.path == "z/a"
    denied = Scoped(Denying(MemoryDriver()), "t1")
    calls = (denied.write("a", body()), denied.stat("a"), denied.read("a"), denied.remove("a"))
    for call in (*calls, collected(denied.scan("a"))):
        with pytest.raises(PermissionDenied) as caught:
            await call
        assert caught.value.path == "a"


async def test_a_file_where_the_prefix_is_obstructs_without_naming_it() -> None:
    driver = MemoryDriver(folders="real")
    await filled(driver, "t1")
    scope = Scoped(driver, "t1")
    assert await scope.all_files() == []
    assert not await scope.exists("a")
    with pytest.raises(Obstructed) as caught:
        await scope.put("x/a", b"x")
    assert caught.value.path == "x/a"
    assert await driver.get("t1") == b"t1"


async def test_a_failure_in_mid_read_names_the_path_inside() -> None:
    class Cut(Layer):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            async def chunks() -> Any:
                yield b"some"
                raise Unavailable("cut", path=path)

            return Source(Stat(path, size=9), chunks(), size=9)

    source = await Scoped(Scoped(Cut(MemoryDriver()), "t1"), "t1").read("t1/a")
    assert source.stat.path == "t1/a"
    assert await anext(source) == b"some"
    with pytest.raises(Unavailable) as caught:
        await anext(source)
    assert caught.value.path == "t1/a"
    await source.aclose()


async def test_a_streamed_source_is_released_when_the_scope_is_done_with_it() -> None:
    released: list[bool] = []

    class Streaming(Layer):
        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            async def chunks() -> Any:
                yield b"a"
                yield b"b"

            return Source(Stat(path), chunks(), release=lambda: released.append(True))

    scope = Scoped(Streaming(MemoryDriver()), "t1")
    async with scope.read_stream("a") as source:
        assert await source.read(1) == b"a"
    assert released == [True]
    source = await scope.read("a")
    del source
    assert released == [True, True]
    assert await scope.get("a") == b"ab"
    assert released == [True, True, True]


async def test_what_the_callers_own_body_raises_keeps_its_path() -> None:
    driver = MemoryDriver()

    async def chunks() -> Any:
        yield b"x"
        raise NotFound("gone", path="t1/elsewhere", disk="other")

    with pytest.raises(NotFound) as caught:
        await Scoped(driver, "t1").write("a", Body(chunks))
    assert caught.value.path == "t1/elsewhere"
    assert driver.count() == 0


@pytest.mark.parametrize(
    "prefix", ["", "/", "..", "a/../b", "/abs", "a//b", "a\\b", ".storeroom-x"]
)
def test_a_prefix_is_a_folder_by_the_path_rule(prefix: str) -> None:
    with pytest.raises(InvalidPath):
        Scoped(MemoryDriver(), prefix)


def test_a_prefix_may_end_with_a_slash() -> None:
    assert Scoped(MemoryDriver(), prefix="a/b c/").prefix == "a/b c"


async def test_a_path_too_long_with_its_prefix_is_refused_before_anything() -> None:
    driver = MemoryDriver()
    scope = Scoped(Scoped(driver, "é" * 10), "b")
    assert scope.traits.path_bytes == 1024 - 21 - 2
    longest = f"{'x' * 200}/" * 4 + "x" * (scope.traits.path_bytes - 804)
    await scope.put(longest, b"fits")
    assert await scope.all_files() == [longest]
    for call in (scope.put(f"{longest}x", b""), scope.get(f"{longest}x")):
        with pytest.raises(InvalidPath):
            await call
    with pytest.raises(InvalidPath, match="with the scope's prefix") as caught:
        await scope.write(f"{longest}x", body())
    assert caught.value.path == f"{longest}x"
    deep, deepest = Scoped(driver, "a/b"), "/".join("x" * 98)
    assert deep.traits.segments == 98
    await deep.put(deepest, b"fits")
    with pytest.raises(InvalidPath, match="98 segments"):
        await deep.put(f"{deepest}/x", b"")
    with pytest.raises(InvalidPath, match="with the scope's prefix it has 101 segments"):
        await deep.write(f"{deepest}/x", body())
    assert driver.count() == 2


async def test_a_service_with_its_own_names_lets_none_climb_out() -> None:
    driver = Everything(paths="service")
    await filled(driver, "a", "t1/a//b", "t2/a")
    scope = Scoped(driver, "t1")
    assert await scope.get("a//b") == b"t1/a//b"
    for hostile in ("../a", "a/../../a", "..", ".", "./a"):
        with pytest.raises(InvalidPath):
            await scope.get(hostile)
        with pytest.raises(InvalidPath):
            await scope.put(hostile, b"new")
    assert driver.all_paths() == ["a", "t1/a//b", "t2/a"]


async def test_a_scope_on_a_real_folder_stays_in_it(tmp_path: Path) -> None:
    driver = LocalDriver(tmp_path)
    await filled(driver, "foobar/a", "a")
    scope = Scoped(driver, "foo")
    assert await scope.all_files() == []
    await scope.put("x/a", b"x")
    await scope.make_directory("empty")
    assert await scope.all_directories() == ["empty", "x"]
    assert scope.path("x/a") == str(tmp_path / "foo" / "x" / "a")
    assert await scope.move("x/a", "y/a") == "y/a"
    assert await scope.delete_directory("y")
    assert await driver.all_files() == ["a", "foobar/a"]
    await driver.aclose()
