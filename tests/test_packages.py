"""Drivers and layers come from their packages, each imported when it is asked for."""

import subprocess
import sys
from importlib import import_module

import pytest

from storeroom.contracts.registry import Registry
from storeroom.drivers._registry import DRIVERS
from storeroom.layers._registry import LAYERS

PACKAGES = {"storeroom.drivers": DRIVERS, "storeroom.layers": LAYERS}


@pytest.mark.parametrize(("name", "registry"), PACKAGES.items())
def test_a_package_has_every_class_of_its_kind(name: str, registry: Registry) -> None:
    package = import_module(name)
    for kind in registry.entries:
        made = registry.load(kind)
        assert getattr(package, made.__name__) is made
        assert made.__name__ in package.__all__
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec(f"from {name} import Nothing")


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_imports_no_driver_or_layer_before_it_is_asked_for(name: str) -> None:
    code = f"import sys, {name} as package; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {entry.target.partition(":")[0] for entry in PACKAGES[name].entries.values()}
    assert not modules & set(done.stdout.split())
