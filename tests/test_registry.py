"""Drivers and layers by name: what is there, what comes later, what others bring."""

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from storeroom import ConfigError, LocalDriver, MemoryDriver, Storage
from storeroom.contracts.abilities import (
    ABILITIES,
    BulkRemove,
    LocalPath,
    PresignRead,
    PublicUrl,
    find,
)
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.registry import Registry
from storeroom.drivers._registry import DRIVERS, PROFILES, PROVIDERS, profile
from storeroom.drivers.azure import AzureDriver
from storeroom.drivers.ftp import FTPDriver
from storeroom.drivers.gcs import GCSDriver
from storeroom.drivers.s3 import S3Driver
from storeroom.drivers.sftp import SFTPDriver
from storeroom.files import Files
from storeroom.layers._base import Layer
from storeroom.layers._registry import LAYERS
from storeroom.layers.readonly import ReadOnly

ROOT = Path(__file__).parent.parent
REGISTRIES = [(DRIVERS, "drivers"), (LAYERS, "layers")]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a distribution with one module and one entry point where Python finds it."""

    def install(group: str, point: str) -> None:
        module = point.partition("=")[2].partition(":")[0].strip()
        (tmp_path / f"{module}.py").write_text(
            "from storeroom import MemoryDriver\n"
            "from storeroom.layers.readonly import ReadOnly\n"
            "class Theirs(MemoryDriver):\n"
            "    def __init__(self, *, color: str = 'red') -> None:\n"
            "        super().__init__(url=f'/{color}')\n"
        )
        metadata = tmp_path / f"{module}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{point}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


@pytest.mark.parametrize(("registry", "folder"), REGISTRIES)
def test_every_file_is_in_the_registry_and_every_target_is_a_file(
    registry: Registry, folder: str
) -> None:
    files = {
        path.stem
        for path in (ROOT / "src/storeroom" / folder).glob("*.py")
        if not path.stem.startswith("_")
    }
    targets = [entry.target for entry in registry.entries.values()]
    assert {target.partition(":")[0].rpartition(".")[2] for target in targets} == files


@pytest.mark.parametrize(("registry", "folder"), REGISTRIES)
def test_every_target_can_be_loaded(registry: Registry, folder: str) -> None:
    for name in registry.entries:
        loaded = registry.load(name)
        assert isinstance(loaded, type)
        assert issubclass(loaded, Layer if folder == "layers" else Files)


def test_every_extra_is_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for registry, _ in REGISTRIES:
        for entry in registry.entries.values():
            assert entry.extra is None or entry.extra in project["optional-dependencies"]
            assert entry.about


def test_names_are_loaded_lazily() -> None:
    assert DRIVERS.load("memory") is MemoryDriver
    assert DRIVERS.load("local") is LocalDriver
    assert LAYERS.load("readonly") is ReadOnly
    assert DRIVERS.names() == sorted(
        ["azure", "ftp", "gcs", "local", "memory", "s3", "sftp", *PROVIDERS]
    )


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=re.escape("there is no driver 'lokal'; did you mean 'local'?")
    ):
        DRIVERS.load("lokal")
    known = ", ".join(sorted(LAYERS.entries))
    with pytest.raises(ConfigError, match=f"there is no layer 'xyz'; there are: {known}"):
        LAYERS.check("xyz")


def test_a_third_partys_driver_is_found_by_its_entry_point(
    installed: Callable[[str, str], None],
) -> None:
    installed("storeroom.drivers", "tape = their_tape:Theirs")
    assert "tape" in DRIVERS.names()
    assert not DRIVERS.is_light("tape")
    assert "their_tape" not in sys.modules
    disk = Storage.build({"driver": "tape", "color": "blue"})
    assert disk.url("a") == "/blue/a"
    assert Storage.build("tape://?color=green").url("a") == "/green/a"
    with pytest.raises(ConfigError, match="did you mean 'color'"):
        Storage.build({"driver": "tape", "colour": "blue"})
    with pytest.raises(ConfigError, match="color: Input should be a valid string"):
        Storage.build({"driver": "tape", "color": 5})


def test_a_third_partys_layer_is_found_by_its_entry_point(
    installed: Callable[[str, str], None],
) -> None:
    installed("storeroom.layers", "frozen = their_layer:ReadOnly")
    disk = Storage.build({"driver": "memory", "layers": ["frozen"]})
    assert isinstance(disk.driver, ReadOnly)


def test_ours_go_before_others_of_the_same_name(installed: Callable[[str, str], None]) -> None:
    installed("storeroom.drivers", "memory = their_memory:Theirs")
    assert DRIVERS.load("memory") is MemoryDriver


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_of_a_service_and_its_abilities_exist(name: str) -> None:
    shown = PROFILES[name]
    assert shown.traits.service == name
    assert shown.abilities <= set(ABILITIES)
    assert (shown.url is not None) is (PublicUrl in shown.abilities)
    assert shown.url is None or "{name}" in shown.url
    assert LocalPath not in shown.abilities


def test_every_service_has_a_profile() -> None:
    for name in DRIVERS.entries:
        assert profile(name) is not None
    assert profile("minio") is PROFILES["s3"]
    assert not PROFILES["s3"].traits.tells_removed
    assert profile("tape") is None


@pytest.mark.parametrize(
    "driver",
    [
        S3Driver("media"),
        GCSDriver("media"),
        AzureDriver("media", account_name="media"),
        FTPDriver("media"),
        SFTPDriver("media", agent=True),
    ],
)
def test_the_profile_of_a_service_is_what_its_driver_is(driver: Files) -> None:
    known = PROFILES[driver.driver.traits.service]
    assert driver.driver.traits == known.traits
    assert {kind for kind in ABILITIES if find(driver, kind)} == known.abilities
    if known.url is None:
        assert not driver.supports(PublicUrl)
    else:
        assert driver.url("a b") == f"{known.url.format(name='media')}/a%20b"


def test_a_preset_of_s3_is_its_driver() -> None:
    assert DRIVERS.load("minio") is S3Driver


@pytest.mark.parametrize("driver", [LocalDriver("x"), MemoryDriver()])
def test_the_profile_of_our_own_is_read_from_the_class(driver: StorageDriver) -> None:
    shown = profile(driver.traits.service)
    assert shown is not None
    assert shown.traits == driver.traits
    assert BulkRemove in shown.abilities
    assert PresignRead not in shown.abilities
