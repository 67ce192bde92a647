"""What becomes of each ability under Compression, and what the layer refuses."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storeroom.contracts.abilities import (
    ABILITIES,
    Attributes,
    Copy,
    Move,
    PresignRead,
    PublicUrl,
    VerifyUrl,
    Versions,
    find,
)
from storeroom.contracts.errors import ConfigError, InvalidArgument, Unsupported
from storeroom.contracts.values import Traits, Version, WriteOptions
from storeroom.disk import Disk
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around, ReadOnly, Scoped
from storeroom.layers.compression import Compression
from storeroom.layers.encryption import Encryption, new_key
from storeroom.manager import StorageManager
from tests.layers.compression.content import text
from tests.layers.compression.places import Forgetful
from tests.layers.everything import Bare, Everything, fates

NAMES = {kind.__name__ for kind in ABILITIES}
ADDRESSES = {"PublicUrl", "PresignRead", "VerifyUrl"}
KEPT = {"BulkRemove", "Folders", "Leases", "Sweep", "Tags", "Tiers", "Times", "Visibility"}
ADAPTED = {"Attributes", "Copy", "Move", "Versions"}


def test_the_fate_of_each_ability_is_as_pinned() -> None:
    inner = Everything()
    hidden = NAMES - KEPT - ADAPTED
    table = {"kept": KEPT, "adapted": ADAPTED, "hidden": hidden}
    assert fates(Compression(inner), inner) == table
    served = {"kept": KEPT | ADDRESSES, "adapted": ADAPTED, "hidden": hidden - ADDRESSES}
    assert fates(Compression(inner, content_encoding=True), inner) == served


def test_nothing_is_offered_over_a_driver_without_abilities() -> None:
    inner = Bare(MemoryDriver())
    for layer in (Compression(inner), Compression(inner, content_encoding=True)):
        assert fates(layer, inner) == {"hidden": NAMES}


@pytest.mark.parametrize("kind", ABILITIES, ids=lambda kind: kind.__name__)
def test_over_real_drivers_an_ability_is_there_only_if_they_have_it(
    kind: Any, tmp_path: Path
) -> None:
    for inner in (MemoryDriver(), LocalDriver(tmp_path)):
        expected = kind.__name__ in KEPT | ADAPTED and find(inner, kind) is not None
        found = find(Compression(inner), kind)
        assert (found is not None) is expected
        assert found is None or isinstance(found, kind)


async def test_a_hidden_address_names_the_layer() -> None:
    disk = Disk(Compression(MemoryDriver()))
    with pytest.raises(Unsupported, match="the layer Compression hides PublicUrl"):
        disk.url("a")
    assert Disk(Compression(MemoryDriver(), content_encoding=True)).url("a") == "/storage/a"


async def test_a_disk_signs_temporary_urls_of_its_own() -> None:
    disk = Disk(Compression(MemoryDriver()), signing_key="0123456789abcdef")
    await disk.put("a.txt", text(5000))
    url = await disk.temporary_url("a.txt", 60)
    assert (await disk.verify_temporary_url(url)).path == "a.txt"


def test_addresses_need_a_service_that_keeps_the_encoding() -> None:
    layer = Compression(Forgetful(MemoryDriver()), content_encoding=True)
    assert not any(find(layer, kind) for kind in (PublicUrl, PresignRead, VerifyUrl))


async def test_content_encoding_is_refused_where_the_service_drops_it() -> None:
    inner = MemoryDriver()
    layer = Compression(Forgetful(inner), content_encoding=True)
    with pytest.raises(Unsupported, match="keeps no Content-Encoding"):
        await layer.put("a", text(5000))
    assert inner.count() == 0


def test_compression_over_compression_is_refused() -> None:
    inside = Compression(MemoryDriver())
    for between in (inside, Scoped(inside, "a"), Disk(ReadOnly(inside)), Around(Disk(inside))):
        with pytest.raises(ConfigError, match="Compression over Compression"):
            Compression(between)


def test_a_content_encoding_over_encryption_is_refused() -> None:
    """The service would send ciphertext by that name."""
    inside = Encryption(MemoryDriver(), key=new_key())
    for between in (inside, Scoped(inside, "a")):
        with pytest.raises(ConfigError, match="without content_encoding"):
            Compression(between, content_encoding=True)
        assert Compression(between).traits == between.traits


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"algorithm": "lzma"}, "no compression 'lzma'"),
        ({"algorithm": "gzp"}, "did you mean 'gzip'"),
        ({"level": 23}, "from -50 to 22"),
        ({"level": 0, "algorithm": "gzip"}, "from 1 to 9"),
        ({"level": 12, "algorithm": "brotli"}, "from 0 to 11"),
        ({"level": True}, "level"),
        ({"level": "3"}, "level"),
        ({"frame_size": 0}, "frame_size is from 4096"),
        ({"frame_size": (16 << 20) + 1}, "to 16777216"),
        ({"frame_size": 1e6}, "frame_size"),
        ({"max_size": -1}, "max_size"),
        ({"max_size": 1.5}, "max_size"),
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Compression(MemoryDriver(), **options)


async def test_a_configuration_builds_it(tmp_path: Path) -> None:
    layer = {"layer": "compression", "algorithm": "gzip", "level": 1, "frame_size": 65536}
    disk = {"driver": "local", "root": str(tmp_path), "layers": [layer]}
    async with StorageManager.isolated({"default": "a", "disks": {"a": disk}}) as manager:
        await manager.disk("a").put("folder/a.txt", text(10_000))
        assert await manager.disk("a").get("folder/a.txt") == text(10_000)
    assert (tmp_path / "folder/a.txt").read_bytes().startswith(b"\x1f\x8b")


async def test_a_configuration_names_a_wrong_option() -> None:
    disk = {"driver": "memory", "layers": [{"layer": "compression", "algorithm": "lz4"}]}
    with pytest.raises(ConfigError):
        StorageManager.isolated({"default": "a", "disks": {"a": disk}}).disk("a").traits  # noqa: B018


async def test_the_memos_name_is_reserved() -> None:
    inner = MemoryDriver()
    layer = Compression(inner)
    await layer.put("a", text(5000))
    before = await inner.get("a")
    how = WriteOptions(metadata={"Storeroom-Compression": "none"})
    calls = (
        layer.put("a", b"x", metadata=how.metadata),
        layer.ability(Attributes).change_attributes("a", how),
        layer.ability(Copy).copy_within("a", "b", how),
        layer.ability(Move).rename("a", "b", how),
    )
    for call in calls:
        with pytest.raises(InvalidArgument, match="belongs to the layer Compression"):
            await call
    assert (inner.all_paths(), await inner.get("a")) == (["a"], before)


async def test_another_encoding_is_not_set_by_a_copy_at_the_service() -> None:
    inner = MemoryDriver()
    layer = Compression(inner, content_encoding=True)
    await layer.put("a", text(5000))
    how = WriteOptions(content_encoding="br")
    for call in (layer.copy_within("a", "b", how), layer.rename("a", "b", how)):
        with pytest.raises(Unsupported):
            await call
    assert inner.all_paths() == ["a"]


async def test_versions_are_plain() -> None:
    inner = Everything()
    layer = Compression(inner)
    native = layer.ability(Versions)
    first, second = text(9000, 1), text(9000, 2)
    await layer.put("a.txt", first)
    await layer.put("a.txt", second)
    (version,) = [version async for version in native.list_versions("a.txt")]
    assert await (await native.read_version("a.txt", version.id)).read() == first
    await native.restore_version("a.txt", version.id)
    assert await layer.get("a.txt") == first
    assert await layer.size("a.txt") == 9000
    await native.remove_version("a.txt", version.id)


async def test_a_listing_of_versions_that_is_left_is_closed() -> None:
    closed = False

    class Listing(Everything):
        async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
            nonlocal closed
            try:
                yield Version(path, "1", 50)
                yield Version(path, "2", 5000)
            finally:
                closed = True

    versions = Compression(Listing()).list_versions("a")
    assert await anext(versions) == Version("a", "1", 50)
    await versions.aclose()
    assert closed


def test_an_append_is_whole_where_a_write_is() -> None:
    """The service's own is not taken: the file is written anew."""

    class Halving(MemoryDriver):
        @property
        def traits(self) -> Traits:
            return replace(super().traits, atomic_append=False)

    assert Compression(Halving()).traits.atomic_append


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("zstandard", "import storeroom.layers.compression"),
        (
            "brotli",
            (
                "from storeroom import MemoryDriver; "
                "from storeroom.layers.compression import Compression; "
                "Compression(MemoryDriver()); Compression(MemoryDriver(), algorithm='gzip'); "
                "Compression(MemoryDriver(), algorithm='brotli')"
            ),
        ),
    ],
)
def test_a_missing_package_becomes_an_instruction(package: str, code: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    wanted = (
        f"MissingPackage: {package} is not installed; run: pip install 'storeroom[compression]'"
    )
    assert wanted in done.stderr
