"""Disk: a driver under a name, and a driver itself."""

import asyncio

import pytest

from storeroom import Closed, Disk, LocalDriver, MemoryDriver, NotFound, Unsupported
from storeroom.contracts.abilities import (
    ABILITIES,
    LocalPath,
    PresignPost,
    PresignRead,
    PresignWrite,
    Tags,
    VerifyUrl,
    find,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import DEEP, PLAIN, WHOLE, Grant, ReadOptions, Upload
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.scoped import Scoped

SIGNED = {PresignRead, PresignWrite, VerifyUrl}


class Presigning(MemoryDriver, PresignRead):
    async def presign_read(self, grant: Grant, /) -> str:
        return f"https://service.test/{grant.path}"


class Minimal:
    """The six verbs and nothing else, as a third party writes them."""

    def __init__(self) -> None:
        self._memory = MemoryDriver()

    @property
    def traits(self):
        return self._memory.traits

    async def stat(self, path, /):
        return await self._memory.stat(path)

    async def read(self, path, how=WHOLE, /):
        return await self._memory.read(path, how)

    async def write(self, path, body, how=PLAIN, /):
        return await self._memory.write(path, body, how)

    async def remove(self, path, how=None, /):
        return await self._memory.remove(path)

    def scan(self, folder="", how=DEEP, /):
        return self._memory.scan(folder, how)

    async def aclose(self) -> None:
        await self._memory.aclose()


async def test_a_third_partys_driver_gets_the_words_people_type() -> None:
    async with Disk(Minimal(), name="theirs") as disk:
        assert await disk.put("a b/ü.txt", "text") == "a b/ü.txt"
        assert await disk.text("a b/ü.txt") == "text"
        await disk.append("a b/ü.txt", "more")
        assert await disk.copy("a b/ü.txt", "c.txt") == "c.txt"
        assert await disk.files(recursive=True) == ["a b/ü.txt", "c.txt"]
        assert await disk.delete("c.txt")
        assert await disk.checksum("a b/ü.txt", "md5")


async def test_it_owns_its_driver() -> None:
    driver = MemoryDriver()
    async with Disk(driver) as disk:
        await disk.put("a", b"")
    with pytest.raises(Closed):
        await driver.get("a")
    await disk.aclose()


async def test_a_view_does_not_close_the_disk_it_stands_on() -> None:
    disk = Disk(MemoryDriver())
    for view in (disk.scoped("folder"), disk.read_only()):
        async with view:
            assert await view.all_files() == []
    assert await disk.put("a", b"") == "a"


async def test_a_disk_over_a_shared_one_leaves_it_open() -> None:
    disk = Disk(MemoryDriver())
    disk.shared = True
    async with Disk(disk, name="other") as other:
        await other.put("a", b"x")
    assert await disk.get("a") == b"x"


def test_it_is_a_driver_itself() -> None:
    assert isinstance(Disk(MemoryDriver()), StorageDriver)


async def test_its_service_verbs_are_the_drivers() -> None:
    disk = Disk(MemoryDriver())
    stat = await disk.write("a b", Body(b"bytes"))
    assert await disk.stat("a b") == stat
    async with await disk.read("a b", ReadOptions(1, 3)) as source:
        assert await source.read() == b"yt"
    assert [entry.path async for entry in disk.scan()] == ["a b"]
    assert await disk.remove("a b") is True
    with pytest.raises(TypeError, match=r"put\(path, content\)"):
        await disk.write("a", b"bytes")


async def test_a_layer_stands_on_it() -> None:
    disk = Disk(MemoryDriver(), name="media")
    layered = Scoped(ReadOnly(Scoped(disk, "t1")), "t2")
    await disk.put("t1/t2/a", b"x")
    assert await layered.get("a") == b"x"
    assert await layered.all_files() == ["a"]


@pytest.mark.parametrize("kind", [kind for kind in ABILITIES if kind not in SIGNED])
def test_it_has_the_abilities_of_its_driver(kind: object) -> None:
    for driver in (MemoryDriver(), LocalDriver("x"), ReadOnly(MemoryDriver())):
        assert find(Disk(driver), kind) is find(driver, kind)


async def test_it_signs_only_where_the_service_does_not() -> None:
    driver = Presigning()
    disk = Disk(driver, signing_key="x" * 16)
    assert disk.ability(PresignRead) is driver
    assert await disk.temporary_url("a", 60) == "https://service.test/a"
    for kind in (PresignWrite, VerifyUrl):
        assert not disk.supports(kind)
    with pytest.raises(Unsupported):
        await disk.verify_temporary_url("https://service.test/a")


async def test_a_service_with_forms_gets_no_other_signature() -> None:
    class Forms(MemoryDriver, PresignPost):
        async def presign_post(self, grant: Grant, /) -> Upload:
            return Upload("https://service.test", "POST", fields={"key": grant.path})

    upload = await Disk(Forms(), signing_key="x" * 16).temporary_upload_url("a", 60, max_size=3)
    assert (upload.method, upload.fields) == ("POST", {"key": "a"})


async def test_errors_name_the_disk() -> None:
    with pytest.raises(NotFound, match="get 'a' on disk 'media'"):
        await Disk(MemoryDriver(), name="media").get("a")
    with pytest.raises(NotFound, match="on disk 'memory'"):
        await Disk(MemoryDriver()).get("a")
    with pytest.raises(Unsupported, match="has no LocalPath") as caught:
        Disk(MemoryDriver(), name="media").ability(LocalPath)
    assert caught.value.disk == "media"


def test_it_says_what_it_is() -> None:
    disk = Disk(MemoryDriver(), name="media")
    assert repr(disk) == "Disk('media')"
    assert Disk(MemoryDriver()).name == "memory"
    assert disk.ability(Tags) is disk.driver
    assert disk.traits is disk.driver.traits


async def test_a_layer_is_found_through_disks() -> None:
    inner = Disk(Scoped(MemoryDriver(), "a"))
    outer = Disk(ReadOnly(inner))
    assert outer.layer(ReadOnly) is outer.driver
    assert outer.layer(Scoped) is inner.driver


def test_what_is_no_driver_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"MemoryDriver is a class; give a driver: MemoryDriver\("):
        Disk(MemoryDriver)
    with pytest.raises(
        TypeError, match="str is no driver: it lacks stat, read, write, remove, scan, aclose"
    ):
        Disk("s3")
    with pytest.raises(TypeError, match="give the disk 'other' itself"):
        asyncio.run(Disk(MemoryDriver()).copy("a", "b", disk="other"))


async def test_copies_go_to_another_disk() -> None:
    here, there = Disk(MemoryDriver()), Disk(Minimal())
    await here.put("a.txt", "text")
    await here.copy("a.txt", "b.txt", disk=there)
    await here.move("a.txt", "c.txt", disk=there.scoped("folder"))
    assert await there.all_files() == ["b.txt", "folder/c.txt"]
    assert await here.all_files() == []
