"""Encryption as a layer: its abilities, its stack, and what other verbs make of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from storeroom.contracts.abilities import (
    Append,
    Checksum,
    PresignRead,
    PublicUrl,
    Times,
    VerifyUrl,
    Versions,
)
from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, Corrupted, PermissionDenied, Unsupported
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions, Stat, Version
from storeroom.disk import Disk
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Layer, ReadOnly, Scoped, stack
from storeroom.layers.encryption import Encryption
from tests.layers.encryption.vaults import CHUNK, KEY, PRELUDE, plain, stored, vault
from tests.layers.everything import Everything, fates


def test_what_becomes_of_every_ability() -> None:
    inner = Everything()
    assert fates(vault(inner), inner) == {
        "kept": {
            *("BulkRemove", "Visibility", "Folders", "Sweep", "Times", "Tags", "Tiers", "Leases"),
        },
        "adapted": {"Copy", "Move", "Attributes", "Versions"},
        "hidden": {
            *("PublicUrl", "PresignRead", "PresignWrite", "PresignPost", "VerifyUrl", "CopyFrom"),
            *("Origin", "Append", "Checksum", "Multipart", "LocalPath"),
        },
    }


def test_an_append_is_a_write() -> None:
    class Half(Layer):
        def described(self, inside: object, /) -> object:  # type: ignore[override]
            return type(inside)("half", atomic_append=False)  # type: ignore[call-arg]

    layer = vault(Half(MemoryDriver()))
    assert layer.traits.atomic_append
    assert layer.traits.service == "half"
    assert vault(MemoryDriver()).traits == MemoryDriver().traits


class Compression(Layer):
    """As the layer of that name."""


class Smaller(Compression):
    """And one that is made from it."""


@pytest.mark.parametrize("kind", [Compression, Smaller])
def test_it_refuses_to_stand_outside_of_compression(kind: type[Layer]) -> None:
    for inner in (kind(MemoryDriver()), Scoped(Disk(kind(MemoryDriver())), "t")):
        with pytest.raises(ConfigError, match="put Compression outside"):
            vault(inner)
    assert kind(vault()).traits.service == "memory"


def test_it_refuses_the_compression_of_this_package() -> None:
    from storeroom.layers.compression import Compression as Real

    with pytest.raises(ConfigError, match="Compression"):
        vault(Real(MemoryDriver()))
    assert isinstance(Real(vault()), Real)


def test_it_refuses_to_encrypt_twice() -> None:
    with pytest.raises(ConfigError, match="once is enough"):
        vault(ReadOnly(vault()))


async def test_temporary_urls_are_those_of_the_disk_around_it() -> None:
    inner = Disk(MemoryDriver(), signing_key="0123456789abcdef")
    layer = vault(inner)
    for kind in (PublicUrl, PresignRead, VerifyUrl, Append, Checksum):
        with pytest.raises(Unsupported, match="the layer Encryption hides"):
            layer.ability(kind)
    with pytest.raises(Unsupported, match="hides PublicUrl"):
        layer.url("a")
    disk = Disk(layer, signing_key="fedcba9876543210")
    url = await disk.temporary_url("a", 60)
    assert (await disk.verify_temporary_url(url)).path == "a"


async def test_a_checksum_is_that_of_the_plain_bytes() -> None:
    layer, data = vault(), plain(200_000)
    await layer.put("a", data)
    assert await layer.checksum("a", "sha256") == hashlib.sha256(data).hexdigest()


async def test_appending_writes_the_file_anew() -> None:
    memory = MemoryDriver()
    layer = vault(memory)
    await layer.put("a", b"one\n", metadata={"k": "v"})
    await layer.append("a", b"two\n")
    await layer.append("new", b"first")
    await layer.prepend("a", b"zero\n")
    assert await layer.get("a") == b"zero\none\ntwo\n"
    assert await layer.get("new") == b"first"
    assert (await layer.metadata("a")).metadata == {"k": "v"}


async def test_nothing_of_the_content_is_stored() -> None:
    memory = MemoryDriver()
    await vault(memory).put("a", b"a secret that is long enough to be found" * 10)
    assert b"secret" not in await stored(memory, "a")
    assert b"secret" not in repr((await memory.stat("a")).metadata).encode()


async def test_the_same_content_is_stored_otherwise_each_time() -> None:
    memory = MemoryDriver()
    layer = vault(memory)
    seen = set()
    for _ in range(5):
        await layer.put("a", bytes(1000))
        seen.add((await stored(memory, "a"))[PRELUDE:])
    assert len(seen) == 5


async def test_files_go_from_an_encrypted_disk_to_another() -> None:
    one, other = vault(), vault(key=bytes(32))
    await one.put("a", plain(100_000), metadata={"k": "v"})
    await one.rotate("a", rewrite=True)
    await one.move("a", "b")
    await one.copy("b", "c", disk=other)
    await one.move("b", "d", disk=other)
    for path in ("c", "d"):
        assert await other.get(path) == plain(100_000)
        assert (await other.metadata(path)).metadata == {"k": "v"}
    assert await one.files() == []


async def test_a_tenant_s_folder_can_be_encrypted_alone() -> None:
    memory = MemoryDriver()
    tenant = stack(memory, partial(Scoped, prefix="t"), vault)
    assert isinstance(tenant, Scoped)
    await tenant.put("a", b"x")
    assert await tenant.get("a") == b"x"
    assert await vault(memory).get("t/a") == b"x"


class Kept(MemoryDriver, Versions):
    """Keeps what was overwritten, as stored, with its metadata."""

    def __init__(self) -> None:
        super().__init__()
        self.former: dict[str, tuple[Stat, bytes]] = {}

    async def keep(self, path: str) -> None:
        self.former[str(len(self.former))] = (await self.stat(path), await stored(self, path))

    async def list_versions(self, path: str, /):  # type: ignore[no-untyped-def]
        for version, (stat, _) in self.former.items():
            yield Version(path, version, stat.size, stat.modified)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        stat, data = self.former[version]
        return Source(stat, data[how.start : how.stop])

    async def restore_version(self, path: str, version: str, /) -> Stat:
        return await self.write(path, Body(self.former[version][1]))

    async def remove_version(self, path: str, version: str, /) -> None:
        del self.former[version]


async def test_versions_are_decrypted() -> None:
    memory = Kept()
    layer, data = vault(memory), plain(10 * CHUNK)
    for content in (data, b"", b"small"):
        await layer.put("a", content)
        await memory.keep("a")
    native = layer.ability(Versions)
    found = [version async for version in native.list_versions("a")]
    assert [version.size for version in found] == [len(data), 0, 5]
    async with await native.read_version("a", "0") as source:
        assert (source.stat.size, await source.read()) == (len(data), data)
    for start in (0, 5, 8 * CHUNK + 3):
        how = ReadOptions(start, start + 100)
        async with await native.read_version("a", "0", how) as source:
            assert await source.read() == data[start : start + 100]
    assert (await native.restore_version("a", "0")).size == len(data)
    assert await layer.get("a") == data
    await native.remove_version("a", "1")
    assert set(memory.former) == {"0", "2"}
    stat, kept = memory.former["2"]
    memory.former["2"] = (stat, kept[:-1])
    with pytest.raises(Corrupted):
        await native.read_version("a", "2")


async def test_times_and_other_things_beside_the_content_stay_the_services() -> None:
    layer = vault()
    moment = datetime.now(UTC) - timedelta(days=3)
    await layer.put("a", b"x", visibility="public")
    await layer.ability(Times).change_time("a", moment)
    assert await layer.last_modified("a") == pytest.approx(moment.timestamp())
    assert await layer.visibility("a") == "public"


async def test_a_disk_without_the_key_says_which_one_is_missing() -> None:
    memory = MemoryDriver()
    await vault(memory, keys={"key of 2025": KEY}).put("a", b"x")
    with pytest.raises(PermissionDenied, match="locked with the key 'key of 2025'"):
        await Encryption(memory, key=bytes(32)).get("a")
