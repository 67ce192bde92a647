"""The power is cut: every file is whole, and each put that returned is there."""

import random
import threading
from pathlib import Path

import pytest

from tests.safety.acknowledger import content
from tests.safety.children import begun, running
from tests.safety.conftest import Counted
from tests.safety.mounts import Mounted, made_ext4, may_mount, mounted

SIZE = 48 << 20


@pytest.fixture
def image(tmp_path: Path) -> Path:
    if not may_mount(tmp_path) or not list(Path("/dev").glob("loop*")):
        pytest.skip("mounting needs root and loop devices")
    return tmp_path / "image"


@pytest.mark.parametrize("durability", ["file", "full"])
@pytest.mark.rounds(2, 60)
def test_after_a_power_cut_every_put_that_returned_is_there_and_whole(
    kind: str, image: Path, tmp_path: Path, durability: str, rounds: int, counted: Counted
) -> None:
    chance = random.Random(rounds)
    acknowledged = lost = 0
    torn: list[str] = []
    for _ in range(rounds):
        made_ext4(image, SIZE)
        with mounted("-o", "loop", image, on=tmp_path / "mounted") as disk:
            told = until_cut(kind, disk, durability, chance.uniform(0.03, 0.4))
        with mounted("-o", "loop", image, on=tmp_path / "mounted") as disk:
            acknowledged += len(told)
            lost += len(missing(disk.folder / "root", told))
            torn += broken(disk.folder / "root")
    counted(rounds=rounds, acknowledged=acknowledged, lost=lost, torn=len(torn))
    assert acknowledged
    assert torn == []
    assert lost == 0


def until_cut(kind: str, disk: Mounted, durability: str, after: float) -> list[tuple[str, int]]:
    """The puts that returned before the power was cut."""
    with running("acknowledger", kind, disk.folder / "root", durability) as child:
        begun(child)
        cut = threading.Timer(after, disk.cut_power)
        cut.start()
        assert child.stdout is not None
        lines = [line.split() for line in child.stdout]
        cut.join()
    return [(path, int(number)) for path, number in lines]


def missing(root: Path, told: list[tuple[str, int]]) -> list[str]:
    """What returned and is not there, or only in an older version."""
    latest = dict(sorted(told, key=lambda put: put[1]))
    return [path for path, number in latest.items() if version(root / path, path) < number]


def broken(root: Path) -> list[str]:
    """Files that are no version, whole."""
    found = [path for path in root.rglob("*.txt") if not path.name.startswith(".storeroom-")]
    return [
        str(path)
        for path in found
        if path.read_bytes() != content(*written(path, str(path.relative_to(root))))
    ]


def written(file: Path, path: str) -> tuple[str, int]:
    return path, version(file, path)


def version(file: Path, path: str) -> int:
    """The number that a file's first line says; -1 where there is none."""
    try:
        first = file.read_bytes().partition(b"\n")[0].decode()
        return int(first.removeprefix(f"{path} "))
    except (FileNotFoundError, ValueError):
        return -1
