"""The shape of the house, read from the syntax tree: see CONTRIBUTING."""

import ast
import importlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parent.parent / "src"
PACKAGE = SOURCE / "storeroom"

# Imports point down only: an area imports itself and areas that stand on a lower floor.
FLOORS = [
    {"contracts"},
    {"files"},
    {"signing", "events"},
    {"drivers", "layers", "disk"},
    {"config"},
    {"manager"},
    {"facade"},
    {"storeroom"},  # the front door itself
    {"testing"},
]
FLOOR = {area: floor for floor, areas in enumerate(FLOORS) for area in areas}

# The only ways up: (from, to) -> reason. Inside a function body, so that nothing is loaded before it is asked for.
WAYS_UP = {
    (
        "storeroom.files",
        "storeroom.layers",
    ): "`scoped()` and `read_only()` put a layer on the disk they are called on",
    ("storeroom.disk", "storeroom.layers"): "`stats()` asks the layer that counts",
    (
        "storeroom.manager",
        "storeroom.testing",
    ): "`fake()` reaches the testing kit when it is called",
}

# `except Exception` elsewhere would hide a mistake: file -> reason.
CATCHES_ALL = {
    "contracts/body.py": "remembers what the caller's own iterator raised, and raises it again",
    "contracts/errors.py": "`translating` turns any foreign exception into a kind",
    "events.py": "a listener's failure, whatever it is, is logged and never the operation's",
    "files/_bounded.py": "one path's failure, whatever it is, belongs in the report",
    "layers/_several/change.py": "one disk's failure, whatever it is, must not hide what the others did",
    "layers/_cdn/purging.py": "a purger is the caller's own; its failure is reported and loses no write",
}

LAZY = {
    "aioboto3",
    "aioftp",
    "asyncssh",
    "azure",
    "boto3",
    "botocore",
    "brotli",
    "cryptography",
    "gcloud",
    "magic",
    "opentelemetry",
    "pydantic",
    "redis",
    "zstandard",
}
NAMELESS = {"common", "helper", "helpers", "misc", "util", "utils"}
LONGEST = 600
TYPE_VARIABLES = {"NewType", "ParamSpec", "TypeVar", "TypeVarTuple"}


class Module(NamedTuple):
    name: str  # "storeroom.drivers.local"
    file: Path
    is_package: bool

    @property
    def tree(self) -> ast.Module:
        return _parse(self.file)

    @property
    def area(self) -> str:
        return area_of(self.name)

    @property
    def is_public(self) -> bool:
        return not any(part.startswith("_") for part in self.name.split("."))


class Import(NamedTuple):
    of: str
    line: int
    inside: bool  # a function body, or `if TYPE_CHECKING`: nothing is loaded when the module is


@cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def _module(file: Path) -> Module:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Module(".".join(parts[:-1] if is_package else parts), file, is_package)


MODULES = [_module(file) for file in sorted(PACKAGE.rglob("*.py"))]
NAMES = {module.name for module in MODULES}


def each(choose: Callable[[Module], bool] = bool) -> pytest.MarkDecorator:
    chosen = [module for module in MODULES if choose(module)]
    return pytest.mark.parametrize("module", chosen, ids=[module.name for module in chosen])


def area_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def imports_of(module: Module) -> Iterator[Import]:
    for node, inside in _walk(module.tree, inside=False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, inside)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield Import(whole if whole in NAMES else base, node.lineno, inside)


def _walk(node: ast.AST, *, inside: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, inside
        lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        )
        yield from _walk(child, inside=inside or lazy)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    up = node.level - 1 if module.is_package else node.level
    return ".".join(parts[: len(parts) - up] + ([node.module] if node.module else []))


def own_imports_of(module: Module) -> list[Import]:
    return [found for found in imports_of(module) if found.of.partition(".")[0] == "storeroom"]


def _at(module: Module, line: int) -> str:
    return f"{module.file.relative_to(SOURCE)}:{line}"


def test_the_package_is_found() -> None:
    assert "storeroom" in NAMES


@each()
def test_every_module_stands_on_a_floor(module: Module) -> None:
    assert module.area in FLOOR, f"give {module.area!r} a place in FLOORS"


@each()
def test_imports_point_down_only(module: Module) -> None:
    wrong = [
        f"{_at(module, found.line)} imports {found.of}"
        for found in own_imports_of(module)
        if area_of(found.of) != module.area
        and FLOOR[area_of(found.of)] >= FLOOR[module.area]
        and not (found.inside and _way_up(module.name, found.of))
    ]
    assert not wrong, wrong


def _way_up(source: str, target: str) -> bool:
    return any(source.startswith(start) and target.startswith(end) for start, end in WAYS_UP)


@pytest.mark.parametrize(("start", "end"), WAYS_UP)
def test_every_way_up_is_used(start: str, end: str) -> None:
    modules = [module for module in MODULES if module.name.startswith(start)]
    if not modules:
        pytest.skip(f"{start} is not written yet")
    assert any(found.of.startswith(end) for module in modules for found in own_imports_of(module))


@each(lambda module: module.area == "contracts")
def test_contracts_import_the_standard_library_only(module: Module) -> None:
    foreign = [
        f"{_at(module, found.line)} imports {found.of}"
        for found in imports_of(module)
        if found.of.partition(".")[0] not in sys.stdlib_module_names
        and not found.of.startswith("storeroom.contracts")
    ]
    assert not foreign, foreign


@each(lambda module: module.area in {"drivers", "layers"} and not module.is_package)
def test_drivers_and_layers_do_not_import_their_like(module: Module) -> None:
    """But for what they share, which is private to the folder: `layers/_base.py`."""
    folder = f"storeroom.{module.area}"
    like = [
        f"{_at(module, found.line)} imports {found.of}"
        for found in own_imports_of(module)
        if found.of.startswith(f"{folder}.")
        and not found.of.removeprefix(f"{folder}.").startswith("_")
    ]
    assert not like, like


@each()
def test_every_module_has_a_name_of_its_own(module: Module) -> None:
    assert not NAMELESS & {part.strip("_") for part in module.name.split(".")}


@each()
def test_no_module_is_long(module: Module) -> None:
    assert len(module.file.read_text(encoding="utf-8").splitlines()) <= LONGEST


@each(lambda module: module.is_public and not module.is_package)
def test_all_is_what_the_module_defines(module: Module) -> None:
    names = _all_of(module)
    assert names is not None, f"{module.file.relative_to(SOURCE)} has no __all__"
    assert not [name for name, count in Counter(names).items() if count > 1]
    assert set(names) == set(_defined(module.tree.body))


@each(lambda module: module.is_package)
def test_a_package_exports_what_it_can_give(module: Module) -> None:
    package = importlib.import_module(module.name)
    missing = [name for name in _all_of(module) or [] if not hasattr(package, name)]
    assert not missing, missing


def _all_of(module: Module) -> list[str] | None:
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return list(ast.literal_eval(node.value))
    return None


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        for name in _names_of(node):
            if not name.startswith("_"):
                yield name
        for block in ("body", "orelse", "handlers", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
                yield from _defined(getattr(node, block, []))


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    if not isinstance(node, ast.Assign) or _is_type_variable(node.value):
        return []
    return [
        name.id
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    ]


def _is_type_variable(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in TYPE_VARIABLES


@each(lambda module: module.file.relative_to(PACKAGE).as_posix() not in CATCHES_ALL)
def test_no_module_catches_all(module: Module) -> None:
    found = [
        _at(module, node.lineno)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _catches_all(node)
    ]
    assert not found, found


def _catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(
        isinstance(name, ast.Name) and name.id == "Exception" for name in ast.walk(handler.type)
    )


def test_a_bare_import_loads_neither_an_sdk_nor_pydantic() -> None:
    code = "import storeroom, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not LAZY & set(done.stdout.split())


@pytest.mark.parametrize("name", [module.name for module in MODULES if module.name.count(".") == 1])
def test_every_area_can_be_imported_first(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
