"""What every layer gets from its base: forwarding, closing, hiding, and saying who hides."""

import inspect
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest

from storeroom.contracts.abilities import ABILITIES, Append, Copy, PublicUrl, find
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import Closed, Unsupported
from storeroom.contracts.values import Stat
from storeroom.disk import Disk
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers import Around, Layer, stack
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
from tests.layers.everything import METHODS, Bare, Everything, fates, filled

NAMES = {kind.__name__ for kind in ABILITIES}  # type: ignore[attr-defined]

# What becomes of each ability, written down: a change here is a change for everybody who uses the layer.
TABLE: dict[Any, dict[str, set[str]]] = {
    Layer: {"hidden": NAMES},
    Around: {"adapted": NAMES},
    Retry: {"adapted": NAMES},
    partial(Scoped, prefix="t1"): {"adapted": NAMES - {"Sweep"}, "hidden": {"Sweep"}},
    ReadOnly: {
        "kept": {"Checksum", "Origin", "PresignRead", "PublicUrl"},
        "adapted": {"Folders", "Tags", "VerifyUrl", "Versions", "Visibility"},
        "hidden": {
            *("Append", "Attributes", "BulkRemove", "Copy", "CopyFrom", "Leases", "LocalPath"),
            *("Move", "Multipart", "PresignPost", "PresignWrite", "Sweep", "Tiers", "Times"),
        },
    },
}


@runtime_checkable
class Sing(Protocol):
    """A third party's ability."""

    def sing(self) -> str: ...


class Singing(MemoryDriver, Sing):
    def sing(self) -> str:
        return "la"


class Keeping(Layer):
    keeps = frozenset((Sing, PublicUrl))


class Adapting(Layer, Sing):
    adapts = frozenset((Sing,))

    def sing(self) -> str:
        return self.inner_ability(Sing).sing().upper()


class Adding(Layer, Sing):
    adds = frozenset((Sing,))

    def sing(self) -> str:
        return "added"


class Live(Disk):
    """As a manager's disk, whose driver others use too."""

    shared = True


@pytest.mark.parametrize("layer", TABLE, ids=str)
def test_the_fate_of_each_ability_is_as_pinned(layer: Any) -> None:
    inner = Everything()
    assert fates(layer(inner), inner) == TABLE[layer]


@pytest.mark.parametrize("layer", TABLE, ids=str)
def test_a_layer_offers_nothing_over_a_driver_without_abilities(layer: Any) -> None:
    inner = Bare(MemoryDriver())
    assert fates(layer(inner), inner) == {"hidden": NAMES}


@pytest.mark.parametrize("layer", TABLE, ids=str)
@pytest.mark.parametrize("kind", ABILITIES, ids=lambda kind: kind.__name__)
def test_over_real_drivers_an_ability_is_there_only_if_they_have_it(
    layer: Any, kind: Any, tmp_path: Path
) -> None:
    passed = set().union(*(names for fate, names in TABLE[layer].items() if fate != "hidden"))
    for inner in (MemoryDriver(), LocalDriver(tmp_path)):
        expected = kind.__name__ in passed and find(inner, kind) is not None
        assert (find(layer(inner), kind) is not None) is expected


@pytest.mark.parametrize("layer", TABLE, ids=str)
def test_what_is_offered_has_the_methods(layer: Any) -> None:
    outer = layer(Everything())
    for kind in ABILITIES:
        found = find(outer, kind)
        assert found is None or isinstance(found, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [Around, Retry, Scoped, ReadOnly])
def test_a_layers_methods_have_the_parameters_of_the_ability(layer: Any) -> None:
    for name, kind in METHODS.items():
        if kind in layer.adapts:
            ours, theirs = (inspect.signature(getattr(one, name)) for one in (layer, kind))
            assert list(ours.parameters) == list(theirs.parameters), name


@pytest.mark.parametrize(
    ("layer", "heard"), [(Layer, None), (Keeping, "la"), (Adapting, "LA"), (Adding, "added")]
)
def test_a_third_partys_ability_is_hidden_unless_declared(layer: Any, heard: str | None) -> None:
    found = find(layer(Singing()), Sing)
    assert (found and found.sing()) == heard


def test_an_added_ability_needs_none_inside() -> None:
    assert find(Adding(MemoryDriver()), Sing) is not None
    assert find(Adapting(MemoryDriver()), Sing) is None


async def test_the_base_forwards_all_six_verbs() -> None:
    inner = MemoryDriver()
    layer = Layer(inner)
    assert layer.inner is inner
    assert layer.traits is inner.traits
    stat = await layer.write("a%2F/é 'x'", Body(b"x"))
    assert await layer.stat("a%2F/é 'x'") == stat
    assert await (await layer.read("a%2F/é 'x'")).read() == b"x"
    assert [e async for e in layer.scan("a%2F") if isinstance(e, Stat)] == [stat]
    assert await layer.remove("a%2F/é 'x'") is True
    assert inner.count() == 0
    assert isinstance(layer, StorageDriver)


async def test_a_service_verb_with_bytes_names_put() -> None:
    for layer in (Layer, Around, Retry, ReadOnly, partial(Scoped, prefix="t")):
        with pytest.raises(TypeError, match="put"):
            await layer(MemoryDriver()).write("a", b"x")  # type: ignore[arg-type]


def test_a_layer_has_no_attributes_of_the_driver_inside() -> None:
    assert not hasattr(Layer(MemoryDriver()), "flush")


async def test_a_layer_over_its_own_driver_closes_it_once() -> None:
    inner = Everything()
    layer = Layer(Layer(inner))
    await layer.aclose()
    await layer.aclose()
    assert inner.closings == 1
    with pytest.raises(Closed):
        await inner.stat("a")


async def test_a_layer_over_a_shared_disk_leaves_it_open_and_is_closed_itself() -> None:
    disk = Live(MemoryDriver())
    for layer in (Layer, Around, Retry, ReadOnly, partial(Scoped, prefix="t")):
        outer = layer(disk)
        async with outer:
            await outer.files()
        for call in (outer.stat("a"), outer.read("a"), outer.remove("a"), outer.get("a")):
            with pytest.raises(Closed):
                await call
        with pytest.raises(Closed):
            await outer.write("a", Body(b"x"))
        with pytest.raises(Closed):
            [entry async for entry in outer.scan()]
        await disk.put("still", b"open")


async def test_a_view_borrows_its_disk_and_a_layer_owns_its_driver() -> None:
    driver = MemoryDriver()
    async with driver.scoped("t").read_only() as view:
        assert await view.files() == []
    with pytest.raises(Closed):
        await view.files()
    await driver.put("still", b"open")
    async with Scoped(driver, "t"):
        pass
    with pytest.raises(Closed):
        await driver.files()


async def test_abilities_of_a_closed_layer_are_closed() -> None:
    for layer in (Around, Retry, partial(Scoped, prefix="t")):
        outer = layer(Live(MemoryDriver()))
        native = outer.ability(Copy)
        await outer.aclose()
        with pytest.raises(Closed):
            await native.copy_within("a", "b")


async def test_failures_have_the_name_of_the_disk_below() -> None:
    layer = Layer(Disk(MemoryDriver(), name="media"))
    with pytest.raises(FileNotFoundError, match="get 'a' on disk 'media'"):
        await layer.get("a")


def test_unsupported_names_the_layer_that_hides() -> None:
    outer = Scoped(ReadOnly(MemoryDriver()), "t1")
    with pytest.raises(Unsupported, match="the layer ReadOnly hides Append"):
        outer.ability(Append)
    with pytest.raises(Unsupported, match="the layer ReadOnly hides Append"):
        Disk(outer).ability(Append)


def test_unsupported_names_the_driver_that_lacks() -> None:
    with pytest.raises(Unsupported, match="memory has no Sing"):
        Scoped(Disk(MemoryDriver()), "t1").ability(Sing)
    with pytest.raises(Unsupported, match="the layer Layer hides PublicUrl"):
        Layer(MemoryDriver()).url("a")


def test_a_layer_is_found_through_layers_and_disks() -> None:
    retry = Retry(MemoryDriver())
    outer = Disk(ReadOnly(Disk(Scoped(retry, "t1"))))
    assert outer.layer(Retry) is retry
    with pytest.raises(Unsupported, match="no layer Around"):
        Scoped(MemoryDriver(), "t").layer(Around)


def test_a_layer_shows_what_it_stands_on() -> None:
    assert repr(ReadOnly(Scoped(Layer(Bare(MemoryDriver())), "t1"))).startswith(
        "ReadOnly(Scoped(Layer(<"
    )
    assert repr(Scoped(Disk(MemoryDriver(), name="m"), "t1")) == "Scoped(Disk('m'), 't1')"


def test_a_stack_is_built_with_its_first_layer_outermost() -> None:
    driver = MemoryDriver()
    outer = stack(driver, ReadOnly, partial(Scoped, prefix="t1"), partial(Retry, attempts=5))
    assert isinstance(outer, ReadOnly)
    assert isinstance(outer.inner, Scoped)
    assert isinstance(outer.inner.inner, Retry)
    assert outer.inner.inner.inner is driver
    assert stack(driver) is driver


async def test_scopes_in_a_stack_nest_from_the_inside_out() -> None:
    driver = MemoryDriver()
    outer = stack(driver, partial(Scoped, prefix="inner"), partial(Scoped, prefix="outer"))
    await filled(outer, "a")
    assert driver.all_paths() == ["outer/inner/a"]
