"""What people can use, set or meet has its place in the documentation."""

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import storeroom
from storeroom.config.models import COMMON, Filesystems
from storeroom.contracts import errors
from storeroom.contracts.abilities import ABILITIES
from storeroom.contracts.registry import Registry
from storeroom.drivers._registry import DRIVERS, PROVIDERS
from storeroom.files import Files
from storeroom.layers._registry import LAYERS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEMPLATE = ["Install", "Open", "Options", "Abilities", "Quirks"]

# What a reference page shows of these modules is every public class and function.
REFERRED = (
    *("storeroom", "storeroom.files", "storeroom.layers", "storeroom.testing"),
    *(f"storeroom.contracts.{name}" for name in ("abilities", "body", "driver", "errors")),
    *(f"storeroom.contracts.{name}" for name in ("extras", "paths", "source", "stats", "values")),
    "storeroom.events",
)

# Public for our own drivers, and of no use to others.
INTERNAL = {
    *("Call", "calling"),  # how the fake learns what people typed
    "check_visibility",  # the options and verbs that take one call it
}


def _text(*parts: str) -> str:
    return DOCS.joinpath(*parts).read_text(encoding="utf-8")


def _released(registry: Registry) -> list[str]:
    """A provider that speaks S3 is on the page of S3."""
    return [name for name in registry.entries if name not in PROVIDERS]


def _pages() -> Iterator[Any]:
    for folder, registry in (("drivers", DRIVERS), ("layers", LAYERS)):
        for name in _released(registry):
            yield pytest.param(folder, name, registry.load(name), id=f"{folder}/{name}")


@pytest.mark.parametrize(("folder", "name", "made"), list(_pages()))
def test_a_driver_or_layer_has_its_page(folder: str, name: str, made: Callable[..., Any]) -> None:
    page = _text(folder, f"{name}.md")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == TEMPLATE
    table = "abilities" if folder == "drivers" else "layer"
    assert f"<!-- generated: {table} {name} -->" in page
    assert f"<!-- generated: options {name} -->" in page
    assert f"[`{name}`]({name}.md)" in _text(folder, "index.md")
    assert made.__name__ in _text(folder, "index.md")


@pytest.mark.parametrize(("folder", "name", "made"), list(_pages()))
def test_every_option_is_explained(folder: str, name: str, made: Callable[..., Any]) -> None:
    page = _text(folder, f"{name}.md")
    explained = re.findall(r"^- `(\w+)`: \S", page, re.MULTILINE)
    assert explained == list(inspect.signature(made).parameters)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_provider_has_its_config(name: str) -> None:
    page = _text("drivers", "s3.md")
    same = {"digitalocean": "spaces"}
    assert f'\ndriver = "{same.get(name, name)}"\n' in page


def test_every_config_key_is_explained() -> None:
    page = _text("how-to", "config.md")
    keys = {*COMMON, "signing_key", *(set(Filesystems.__dataclass_fields__) - {"keys"})}
    missing = [key for key in sorted(keys) if f"\n| `{key}` |" not in page]
    assert not missing


def test_every_variable_that_is_read_is_named() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r'"((?:FILESYSTEM|STOREROOM|AWS)_[A-Z_]+)"', source))
    page = _text("how-to", "config.md")
    assert read
    assert not [name for name in sorted(read) if f"`{name}`" not in page]


def test_every_ability_is_described() -> None:
    page = _text("concepts", "abilities.md")
    missing = [kind.__name__ for kind in ABILITIES if f"\n| `{kind.__name__}` | " not in page]
    assert not missing


def test_every_verb_said_to_use_an_ability_is_one() -> None:
    rows = re.findall(
        r"^\| `[A-Z]\w+` \| [^|]+ \| ([^|]*) \| [^|]* \|$", _abilities(), re.MULTILINE
    )
    verbs = {verb for row in rows for verb in re.findall(r"`(\w+)`", row)}
    assert verbs
    assert not [verb for verb in verbs if not hasattr(Files, verb)]


def _abilities() -> str:
    return _text("concepts", "abilities.md").partition("<!-- generated")[0]


def test_every_kind_of_error_is_explained() -> None:
    page = _text("concepts", "errors.md")
    kinds = [name for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    named = {name for name in kinds if issubclass(getattr(errors, name), errors.StorageError)}
    missing = [name for name in sorted(named - {"StorageError"}) if f"\n| `{name}` | " not in page]
    assert not missing


@pytest.mark.parametrize("module", REFERRED)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    missing = [
        name
        for name in import_module(module).__all__
        if not _is_value(module, name) and name not in INTERNAL and not _is_referred(module, name)
    ]
    assert not missing


def _is_value(module: str, name: str) -> bool:
    """A constant or a type's alias: it shows in the signatures that use it."""
    found = getattr(import_module(module), name)
    return not callable(found) or name in {
        *("Visible", "Condition", "Attribute", "Progress", "EventName", "Listener"),
    }


def _is_referred(module: str, name: str) -> bool:
    directives = _directives()
    if module in directives or f"{module}.{name}" in directives:
        return True
    found = getattr(import_module(module), name)
    return any(_found(directive) is found for directive in directives)


def _directives() -> set[str]:
    pages = (DOCS / "reference").glob("*.md")
    found = [re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE) for page in pages]
    return {directive for page in found for directive in page}


def _found(directive: str) -> object:
    module, _, name = directive.rpartition(".")
    return getattr(import_module(module), name, None)


def test_every_name_of_the_front_door_is_in_the_reference_by_that_name() -> None:
    directives = _directives()
    assert not [name for name in storeroom.__all__ if f"storeroom.{name}" not in directives]


def test_every_verb_has_a_docstring_that_the_reference_shows() -> None:
    public = [name for name in dir(Files) if not name.startswith("_")]
    assert not [name for name in public if not inspect.getdoc(getattr(Files, name))]


def test_every_page_is_in_the_navigation_once() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = re.findall(r"[\w./-]+\.md$", nav, re.MULTILINE)
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_every_decision_is_listed_with_its_date_and_its_title() -> None:
    index = _text("design", "index.md")
    for page in sorted(DOCS.glob("design/2*.md")):
        title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert f"| {page.name[:10]} | [{title}]({page.name}) |" in index
