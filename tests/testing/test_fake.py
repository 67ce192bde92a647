"""A fake stands in for a disk, whether it is configured or not, and goes when its block ends."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from storeroom import (
    ConfigError,
    Disk,
    InvalidPath,
    MemoryDriver,
    PermissionDenied,
    Storage,
    StorageManager,
    Unavailable,
    Unsupported,
)
from storeroom.contracts.abilities import (
    ABILITIES,
    Append,
    Leases,
    LocalPath,
    Multipart,
    PublicUrl,
    Times,
    VerifyUrl,
    Versions,
)
from storeroom.contracts.body import Body
from storeroom.contracts.values import PLAIN, Stat
from storeroom.layers import CDN, Cache, ReadOnly, Scoped

PNG = b"\x89PNG\r\n\x1a\n and then some"
UGLY = "avatars/tëst %2F #?+&'\"[0]/🧑‍🚀 4 2.png"
COMMON = {"PublicUrl", "PresignRead", "PresignWrite", "Folders", "Move", "Checksum"}
OBJECTS = COMMON | {"Copy", "CopyFrom", "Origin", "BulkRemove", "Attributes", "Tiers", "Versions"}
SERVED = COMMON | {"VerifyUrl", "Append", "Visibility", "Times", "Sweep"}

HAS = {
    "s3": OBJECTS | {"PresignPost", "Visibility", "Tags", "Multipart", "Sweep"},
    "minio": OBJECTS | {"PresignPost", "Visibility", "Tags", "Multipart", "Sweep"},
    "gcs": OBJECTS | {"PresignPost", "Multipart", "Sweep"},
    "azure": OBJECTS | {"Append", "Tags", "Leases"},
    "ftp": SERVED - {"PublicUrl"},
    "sftp": (SERVED - {"PublicUrl", "Checksum"}) | {"Copy", "CopyFrom", "Origin"},
    "local": SERVED | {"Copy", "CopyFrom", "Origin", "BulkRemove", "Attributes", "LocalPath"},
    "memory": (OBJECTS - {"Versions"}) | {"VerifyUrl", "Append", "Visibility", "Tags", "Times"},
    "my own bücket": (OBJECTS - {"Versions"})
    | {"VerifyUrl", "Append", "Visibility", "Tags", "Times"},
}


def manager(**disks: Any) -> StorageManager:
    return StorageManager.isolated({"default": next(iter(disks)), "disks": disks})


def abilities(disk: Disk) -> set[str]:
    return {kind.__name__ for kind in ABILITIES if disk.supports(kind)}


async def upload_avatar() -> str:
    return await Storage.disk("s3").put("avatars/42.png", PNG)


async def test_the_four_lines_of_the_readme() -> None:
    with Storage.fake("s3") as disk:
        await upload_avatar()
        disk.assert_exists("avatars/42.png", PNG)
        assert ("put", "avatars/42.png") in disk.calls


@pytest.mark.parametrize("name", HAS)
def test_a_fake_has_the_abilities_of_its_service(name: str) -> None:
    with StorageManager.isolated().fake(name) as disk:
        assert abilities(disk) == HAS[name]


@pytest.mark.parametrize("name", HAS)
def test_a_handle_on_a_fake_has_the_same_abilities(name: str) -> None:
    storage = StorageManager.isolated()
    with storage.fake(name):
        assert abilities(storage.disk(name)) == HAS[name]


@pytest.mark.parametrize(
    ("name", "folders", "tells"),
    [
        ("s3", "implied", False),
        ("gcs", "implied", True),
        ("azure", "implied", True),
        ("ftp", "real", True),
        ("sftp", "real", True),
        ("local", "real", True),
    ],
)
async def test_a_fake_has_the_traits_of_its_service(
    name: str, folders: str, *, tells: bool
) -> None:
    with StorageManager.isolated().fake(name) as disk:
        assert (disk.traits.service, disk.traits.folders) == (name, folders)
        await disk.put(UGLY, PNG)
        assert await disk.driver.remove(UGLY) is (True if tells else None)
        assert await disk.driver.remove(UGLY) is (False if tells else None)
        await disk.put(UGLY, PNG)
        assert await disk.delete(UGLY) is True
        assert await disk.delete(UGLY) is False
        assert await disk.directory_exists("avatars") is (folders == "real")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("s3", "https://s3.s3.amazonaws.com/a%20%232F.txt"),
        ("gcs", "https://storage.googleapis.com/gcs/a%20%232F.txt"),
        ("local", "/storage/a%20%232F.txt"),
        ("unheard of", "/storage/a%20%232F.txt"),
    ],
)
def test_addresses_look_like_those_of_the_service(name: str, address: str) -> None:
    with StorageManager.isolated().fake(name) as disk:
        assert disk.url("a #2F.txt") == address


def test_addresses_are_those_of_the_configuration() -> None:
    bucket = {"driver": "s3", "bucket": "média"}
    storage = manager(
        s3=bucket,
        cdn={**bucket, "url": "https://cdn.example/x/"},
        local={"driver": "local", "root": "r", "url": "https://files.example/"},
        memory={"driver": "memory", "url": "https://m.example"},
    )
    assert storage.fake("s3").url("a") == "https://média.s3.amazonaws.com/a"
    assert storage.fake("cdn").url("a") == "https://cdn.example/x/a"
    assert storage.fake("local").url("a") == "https://files.example/a"
    assert storage.fake("memory").url("a") == "https://m.example/a"
    assert storage.fake("s3", url="https://other.example").url("a") == "https://other.example/a"
    assert storage.fake("local", url="/o").url("a") == "/o/a"


async def test_an_s3_fake_hides_what_s3_lacks() -> None:
    with Storage.fake("s3") as disk:
        for kind in (Append, LocalPath, Leases, Times, VerifyUrl):
            with pytest.raises(Unsupported):
                Storage.disk("s3").ability(kind)
        with pytest.raises(Unsupported, match="local copy"):
            Storage.disk("s3").path("a.txt")
        await disk.append("log.txt", "one")
        await disk.append("log.txt", "two")
        disk.assert_exists("log.txt", "one\ntwo")


async def test_a_service_keeps_what_it_keeps_and_refuses_the_rest() -> None:
    with Storage.fake("s3") as s3, Storage.fake("ftp") as ftp:
        await s3.put("a", b"", metadata={"by": "mé"}, tags={"k": "v"}, content_type="x/y")
        assert (await s3.metadata("a")).metadata == {"by": "mé"}
        await ftp.put("a", b"", content_type="x/y")
        assert (await ftp.metadata("a")).content_type is None
        with pytest.raises(Unsupported, match="ftp keeps no metadata"):
            await ftp.put("b", b"", metadata={"by": "me"})
        with pytest.raises(Unsupported, match="overwrite"):
            await ftp.put("b", b"", overwrite=False)
        with pytest.raises(InvalidPath):
            await ftp.put(" b ", b"")
        ftp.assert_count("", 1)


async def test_uploads_in_parts_versions_and_leases_work() -> None:
    with Storage.fake("s3") as s3, Storage.fake("azure") as azure:
        parts = s3.ability(Multipart)
        upload = await parts.start_parts(UGLY, PLAIN)
        etags = {n: await parts.write_part(UGLY, upload, n, Body(b"%d;" % n)) for n in (2, 1)}
        s3.assert_empty()
        await parts.complete_parts(UGLY, upload, etags)
        s3.assert_exists(UGLY, b"1;2;")
        await s3.put(UGLY, b"new")
        versions = [one async for one in s3.ability(Versions).list_versions(UGLY)]
        assert [one.latest for one in versions] == [True, False]
        await azure.put("a", b"")
        assert azure.supports(Leases)


async def test_temporary_addresses_need_no_key_in_the_configuration() -> None:
    for name in HAS:
        with StorageManager.isolated().fake(name) as disk:
            url = await disk.temporary_url(UGLY, 60, filename="ä.png")
            if disk.supports(PublicUrl):
                assert url.startswith(disk.url(UGLY))
            grant = await disk.verify_temporary_url(url)
            assert (grant.path, grant.filename) == (UGLY, "ä.png")
            with pytest.raises(PermissionDenied):
                await disk.verify_temporary_url(url.replace("avatars", "others"))
            upload = await disk.temporary_upload_url(UGLY, 60)
            assert (await disk.verify_temporary_url(upload.url, method="PUT")).path == UGLY


async def test_the_application_cannot_verify_what_the_service_verifies() -> None:
    with Storage.fake("s3") as disk:
        url = await disk.temporary_url("a", 60)
        with pytest.raises(Unsupported):
            await Storage.disk("s3").verify_temporary_url(url)
    with Storage.fake("local") as disk:
        url = await Storage.disk("local").temporary_url("a", 60)
        assert (await Storage.disk("local").verify_temporary_url(url)).path == "a"


async def test_a_faked_local_disk_has_paths_until_it_goes() -> None:
    with Storage.fake("local") as disk:
        await Storage.disk("local").put(UGLY, PNG)
        path = await asyncio.to_thread(Path, disk.path(UGLY))
        assert await asyncio.to_thread(path.read_bytes) == PNG
        disk.assert_exists([UGLY, "avatars"])
    assert not await asyncio.to_thread(path.exists)
    assert not await asyncio.to_thread(Path(disk.path("x")).parent.exists)


async def test_the_default_disk_is_faked_without_a_name() -> None:
    storage = manager(mémoire={"driver": "memory"}, other={"driver": "memory"})
    with storage.fake() as disk:
        await storage.put("a b.txt", "here")
        disk.assert_exists("a b.txt", "here")
        assert disk.name == "mémoire"
    assert await storage.missing("a b.txt")


async def test_what_the_disk_held_is_neither_seen_nor_touched() -> None:
    storage = manager(memory={"driver": "memory"})
    await storage.put("kept.txt", "old")
    with storage.fake() as disk:
        disk.assert_empty()
        await storage.put("kept.txt", "new")
        await storage.put("more.txt", "")
    assert await storage.text("kept.txt") == "old"
    assert await storage.files() == ["kept.txt"]


async def test_a_handle_made_before_follows() -> None:
    storage = manager(memory={"driver": "memory"})
    media = storage.disk("memory")
    tenant = media.scoped("tenant 1")
    with storage.fake("memory") as disk:
        await media.put("a", b"1")
        await tenant.put("b", b"2")
        disk.assert_exists(["a", "tenant 1/b"])
        assert disk.calls == [("put", "a"), ("put", "tenant 1/b")]
    assert await media.files(recursive=True) == []


async def test_faking_twice_gives_an_empty_one() -> None:
    first = Storage.fake("s3")
    await upload_avatar()
    second = Storage.fake("s3")
    second.assert_empty()
    await upload_avatar()
    second.assert_count("avatars", 1)
    first.assert_count("avatars", 1)
    assert len(first.calls) == 1


async def test_nested_fakes_are_restored_in_order() -> None:
    storage = manager(memory={"driver": "memory"})
    real = storage.disk("memory").driver
    with storage.fake("memory") as outer:
        with storage.fake("memory") as inner:
            await storage.put("a", b"")
            inner.assert_exists("a")
            outer.assert_empty()
        await storage.put("b", b"")
        outer.assert_exists("b").assert_missing("a")
    assert storage.disk("memory").driver is real


async def test_a_nested_fake_of_an_unconfigured_disk_is_like_the_first() -> None:
    storage = StorageManager.isolated()
    with storage.fake("media", driver="ftp"), storage.fake("media") as inner:
        assert abilities(inner) == HAS["ftp"]
    with pytest.raises(ConfigError):
        storage.disk("media")


def test_an_unknown_service_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'azure'"):
        StorageManager.isolated().fake("media", driver="azur")


async def test_a_fake_goes_when_its_block_fails() -> None:
    storage = manager(memory={"driver": "memory"})
    with pytest.raises(ZeroDivisionError), storage.fake("memory"):
        raise ZeroDivisionError
    assert isinstance(storage.driver, MemoryDriver)


async def test_the_layers_of_the_configuration_stay_on_top() -> None:
    storage = manager(
        s3={"driver": "s3", "bucket": "b", "prefix": "täg/1"},
        ro={"driver": "s3", "bucket": "b", "read_only": True},
        inner={"driver": "scoped", "disk": "s3", "prefix": "2"},
    )
    with storage.fake("s3") as disk:
        await storage.put("a.txt", "x")
        disk.assert_exists("a.txt", "x").assert_count("", 1)
        assert disk.calls == [("put", "a.txt")]
        assert disk.url("a.txt") == "https://b.s3.amazonaws.com/t%C3%A4g/1/a.txt"
        assert isinstance(disk.layer(Scoped), Scoped)
        disk.fail("get", path="a.txt")
        with pytest.raises(Unavailable) as caught:
            await storage.get("a.txt")
        assert caught.value.path == "a.txt"
        assert (
            await disk.verify_temporary_url(await disk.temporary_url("a.txt", 9))
        ).path == "a.txt"
    with storage.fake("ro") as disk:
        assert isinstance(disk.layer(ReadOnly), ReadOnly)
        with pytest.raises(PermissionDenied, match="read-only"):
            await storage.disk("ro").put("a", b"")
    with storage.fake("inner") as disk:
        assert disk.url("a") == "https://b.s3.amazonaws.com/t%C3%A4g/1/2/a"


async def test_the_layers_of_a_fake_reach_nobody_outside() -> None:
    purged: list[Sequence[str]] = []

    async def purge(addresses: Sequence[str]) -> None:
        purged.append(addresses)

    nobody = "redis://127.0.0.1:1/0"
    cdn = {"layer": "cdn", "domain": "https://cdn.example.com", "purge": purge, "delay": 0}
    storage = manager(
        s3={"driver": "s3", "bucket": "b", "layers": [cdn], "cache": {"store": "kept", "ttl": 60}},
        shared={
            "driver": "scoped",
            "disk": "s3",
            "prefix": "p",
            "cache": {"store": "redis", "url": nobody, "namespace": "ours", "ttl": 60},
        },
        heard={"driver": "memory", "cache": {"invalidate": nobody, "namespace": "ours"}},
        kept={"driver": "memory"},
    )
    for name in ("s3", "shared", "heard"):
        with storage.fake(name) as disk:
            await disk.put("a.txt", "x")
            assert [await disk.text("a.txt") for _ in range(2)] == ["x", "x"]
            cache = disk.layer(Cache)
            assert (cache.stats().hits, cache.stats().errors) == (1, 0)
            assert "store='memory'" in repr(cache)
    with storage.fake("s3") as disk:
        await disk.put("a.txt", "x")
        assert disk.url("a.txt") == "https://cdn.example.com/a.txt"
        assert await disk.layer(CDN).flush()
    assert await storage.disk("kept").all_files() == []
    assert not purged


def test_a_stack_that_makes_no_sense_is_told_with_the_fakes_name() -> None:
    storage = manager(s3={"driver": "s3", "bucket": "b", "layers": ["compression", "compression"]})
    with pytest.raises(ConfigError, match="on disk 's3': layer 'compression': Compression over"):
        storage.fake("s3")


async def test_a_disk_set_by_hand_is_faked_after_its_driver() -> None:
    storage = manager(s3={"driver": "s3", "bucket": "b", "prefix": "p"})
    storage.set_driver(MemoryDriver(folders="real", url="https://by.hand"), "s3")
    with storage.fake("s3") as disk:
        assert disk.url("a") == "https://by.hand/a"
        assert disk.traits.folders == "real"


async def test_a_third_partys_driver_is_asked_what_it_can() -> None:
    storage = manager(memory={"driver": "memory"})
    storage.extend("acme", _Acme)
    storage.configure({"disks": {"crm": {"driver": "acme", "token": "s3cret"}}})
    with storage.fake("crm") as disk:
        assert abilities(disk) == {"PublicUrl", "PresignRead", "PresignWrite", "VerifyUrl"}
        assert disk.url("a b") == "acme:a b"
        assert disk.traits.service == "acme"
        await storage.disk("crm").put("a", b"1")
        disk.assert_exists("a", b"1")


async def test_a_fake_outlives_the_application_that_closes_its_disks() -> None:
    storage = manager(memory={"driver": "memory"})
    with storage.fake("memory") as disk:
        async with storage:
            await storage.put("a", b"1")
        await storage.disk("memory").aclose()
        await storage.purge("memory")
        async with disk:
            disk.assert_exists("a", b"1")
        await disk.put("b", b"2")
        disk.assert_count("", 2)


async def test_strict_paths_are_the_configurations() -> None:
    storage = manager(memory={"driver": "memory", "paths": "service"})
    with storage.fake("memory") as disk:
        await storage.put("a//b", b"")
        assert await disk.get("a//b") == b""


class _Acme(MemoryDriver):
    """A driver with fewer abilities than its class."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token
        self._traits = type(self._traits)("acme")

    def offer(self, kind: Callable[..., Any], /) -> Any:
        return self if kind.__name__ == "PublicUrl" else None

    def public_url(self, path: str, /) -> str:
        return f"acme:{path}"

    async def stat(self, path: str, /) -> Stat:
        raise AssertionError("a fake asks nothing of the service")
