"""Abilities: who offers one, asked of the outermost first."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from storeroom.contracts import abilities
from storeroom.contracts.abilities import (
    ABILITIES,
    Append,
    Checksum,
    Copy,
    LocalPath,
    PublicUrl,
    find,
    has,
    why_absent,
    within,
)
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.values import Traits
from storeroom.drivers.memory import MemoryDriver
from storeroom.files import Files

VERBS = {"stat", "read", "write", "remove", "scan", "aclose", "traits"}


class WithUrls:
    def public_url(self, path: str, /) -> str:
        return path


class Narrowed(MemoryDriver):
    def offer(self, kind: Callable[..., Any], /) -> Any:
        return None if kind is Copy else self


class Layer:
    traits = Traits("layered")

    def __init__(self, inner: object) -> None:
        self.inner = inner

    def offer(self, kind: Callable[..., Any], /) -> Any:
        return None if kind is Copy else find(self.inner, kind)


def methods_of(kind: Any) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}


def test_the_list_of_abilities_is_complete() -> None:
    protocols = {
        value
        for name in abilities.__all__
        if getattr(value := getattr(abilities, name), "_is_protocol", False)
    }
    assert protocols == set(ABILITIES)


@pytest.mark.parametrize("kind", ABILITIES)
def test_an_ability_never_uses_a_verb_of_people_or_of_the_service(kind: Any) -> None:
    people = {name for name in dir(Files) if not name.startswith("_")}
    assert methods_of(kind)
    assert not methods_of(kind) & (people | VERBS)


def test_no_two_abilities_share_a_method() -> None:
    names = [name for kind in ABILITIES for name in methods_of(kind)]
    assert len(names) == len(set(names))


def test_a_class_with_the_methods_has_the_ability() -> None:
    driver = WithUrls()
    assert find(driver, PublicUrl) is driver
    assert find(driver, Append) is None
    assert has(WithUrls, PublicUrl)
    assert not has(WithUrls, Checksum)


def test_a_driver_may_narrow_its_abilities() -> None:
    driver = Narrowed()
    assert find(driver, Copy) is None
    assert find(driver, Append) is driver
    assert driver.supports(Append)
    assert not driver.supports(Copy)


def test_the_outermost_is_asked_first() -> None:
    inner = MemoryDriver()
    assert find(Layer(inner), Append) is inner
    assert find(Layer(Layer(inner)), Append) is inner
    assert find(Layer(inner), Copy) is None


def test_it_is_told_who_lacks_or_hides_an_ability() -> None:
    assert why_absent(MemoryDriver(), LocalPath) == "memory has no LocalPath"
    assert why_absent(Layer(MemoryDriver()), Copy) == "the layer Layer hides Copy"


def test_a_driver_stands_on_nothing() -> None:
    driver = MemoryDriver()
    assert within(driver) is None
    assert within(Layer(driver)) is driver


def test_the_memory_driver_keeps_the_protocol() -> None:
    assert isinstance(MemoryDriver(), StorageDriver)
    assert not isinstance(WithUrls(), StorageDriver)
