"""`make demo`: the main job on real input, and that it fails where a byte differs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from storeroom.contracts.abilities import ABILITIES
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, ReadOptions
from storeroom.layers import Layer
from storeroom.testing import Faults

UGLY = {
    "plain.txt": b"text\n" * 1000,
    "a b/100%.md": b"# 100 %",
    "a b/q?a=b&c#d+e.csv": b"1,2\n",
    "там/👩‍👩‍👧‍👦.bin": bytes(range(256)),
    "[x]/*.py": b"print()\n",
    'it\'s/"quoted"': b"",
    "large.bin": os.urandom(3 << 20),
}


class OneByteOff(Layer):
    """Gives one file back with a single bit changed."""

    keeps = frozenset(ABILITIES)

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        source = await super().read(path, how)
        if path != "plain.txt":
            return source
        async with source:
            data = bytearray(await source.read())
        data[100] ^= 1
        return Source(source.stat, bytes(data))


@pytest.fixture
def demo(example: Callable[[str], ModuleType]) -> ModuleType:
    return example("demo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in UGLY.items():
        file = tmp_path / "real" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return tmp_path / "real"


def test_every_file_of_a_real_folder_comes_back(
    demo: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main([str(folder)]) == 0
    told = capsys.readouterr().out
    assert f"all {len(UGLY)}" in told
    assert "FAIL" not in told
    assert "/storage/demo/a%20b/100%25.md" in told
    stored = Path("storage/app/demo")
    assert {name: (stored / name).read_bytes() for name in UGLY} == UGLY


def test_one_wrong_bit_is_an_error_that_names_the_file(
    demo: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main([str(folder)], OneByteOff) == 1
    told = capsys.readouterr().out
    assert "FAIL  plain.txt" in told
    assert "but the source is" in told
    assert "checks FAILED" in told
    assert "\n  plain.txt: read " in told


def test_a_connection_cut_in_mid_file_is_an_error_that_names_the_file(
    demo: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def cut(disk: Any) -> Faults:
        return Faults(disk).truncate("read_stream", at=10, path="large.bin")

    assert demo.main([str(folder)], cut) == 1
    assert "FAIL  large.bin" in capsys.readouterr().out


def test_a_file_that_cannot_be_stored_is_an_error_that_names_the_file(
    demo: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(disk: Any) -> Faults:
        return Faults(disk).quota(1 << 20)

    assert demo.main([str(folder)], full) == 1
    assert "FAIL  large.bin" in capsys.readouterr().out


def test_a_step_that_fails_is_an_error_that_names_the_step(
    demo: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(disk: Any) -> Faults:
        return Faults(disk).fail("move", times=None)

    assert demo.main([str(folder)], broken) == 1
    told = capsys.readouterr().out
    assert "FAIL  copies ended early" in told
    assert "A fake, for tests" in told


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.timeout(120)
def test_the_exit_status_tells(folder: Path, tmp_path: Path) -> None:
    def status() -> tuple[int, str]:
        script = Path(__file__).parents[2] / "examples" / "demo.py"
        command = [sys.executable, "-W", "error", str(script), str(folder)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    good, told = status()
    assert good == 0, told
    (folder / "back\\slash.txt").write_bytes(b"a name that no disk takes")
    bad, told = status()
    assert bad == 1, told
    assert r"it holds a backslash; write 'back/slash.txt'" in told


def test_links_caches_and_its_own_copies_are_left_out(
    demo: ModuleType, folder: Path, tmp_path: Path
) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / "link.txt").symlink_to(folder / "plain.txt")
    os.chdir(folder)
    assert demo.main(["."]) == 0
    assert demo.main(["."]) == 0
    stored = {
        file.relative_to(folder / "storage/app/demo").as_posix()
        for file in (folder / "storage/app/demo").rglob("*")
        if file.is_file()
    }
    assert stored == set(UGLY)
    os.chdir(tmp_path)


def test_only_its_own_folder_is_emptied(demo: ModuleType, folder: Path) -> None:
    root = Path("storage/app")
    (root / "demo").mkdir(parents=True)
    (root / "demo/old.txt").write_text("from the last run")
    (root / "yours.txt").write_text("yours")
    assert demo.main([str(folder)]) == 0
    assert not (root / "demo/old.txt").exists()
    assert (root / "yours.txt").read_text() == "yours"


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 11])
def test_a_folder_of_one_tiny_file_will_do(demo: ModuleType, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "0").write_bytes(data)
    assert demo.main([str(tmp_path / "tiny")]) == 0


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_files_is_an_error(
    demo: ModuleType, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert demo.main([str(tmp_path / name)]) == 1
    assert "There are no files to store in" in capsys.readouterr().err
