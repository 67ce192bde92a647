"""The generated tables of README and docs are those of the classes."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "_generated.py"


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated_tables", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_table_is_stale(generated: ModuleType) -> None:
    names = [file.relative_to(ROOT).as_posix() for file in generated.stale()]
    assert not names, f"run: python docs/_generated.py --write ({names})"


def test_every_mark_is_a_whole_region(generated: ModuleType) -> None:
    for file in generated.documents():
        text = file.read_text(encoding="utf-8")
        marks = re.findall(r"<!-- generated: .+? -->", text)
        assert len(marks) == len(list(generated.REGION.finditer(text))), file


def test_a_changed_table_is_seen_as_stale(generated: ModuleType) -> None:
    text = "before\n<!-- generated: abilities memory -->\nold\n<!-- end -->\nafter\n"
    filled = generated.filled(text)
    assert filled.startswith("before\n<!-- generated: abilities memory -->\n| ability |")
    assert "`Append`" in filled
    assert "\nold\n" not in filled
    assert filled.endswith("\n<!-- end -->\nafter\n")
    assert generated.filled(filled) == filled


def test_readme_tells_every_ability_of_every_driver() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "<!-- generated: abilities -->" in readme


def test_an_unknown_table_is_refused(generated: ModuleType) -> None:
    with pytest.raises(SystemExit, match="there is no generated table"):
        generated.filled("<!-- generated: nonsense -->\n<!-- end -->\n")
