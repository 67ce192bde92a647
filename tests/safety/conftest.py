"""Short forms run with all other tests, long ones (`long`) only when asked for: `nox -s safety`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storeroom.drivers.local import LocalDriver
from tests.safety.disks import KINDS

SCALE = float(os.environ.get("SAFETY_SCALE", "1"))
"""How much of the long forms is run: 0.1 is a tenth."""

Counted = Callable[..., None]
_counts: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(1800))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("rounds")
    if marker is None:
        return
    short, long = marker.args
    scaled = max(short, round(long * SCALE))
    metafunc.parametrize(
        "rounds",
        [pytest.param(short, id="short"), pytest.param(scaled, id="long", marks=pytest.mark.long)],
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _counts:
        terminalreporter.write_line(line)


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Counted:
    """Writes the counts of a run as one line below the tests."""

    def count(**counts: object) -> None:
        said = ", ".join(f"{name} {value}" for name, value in counts.items())
        _counts.append(f"safety: {request.node.name}: {said}")

    return count


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def disk(kind: str, root: Path) -> LocalDriver:
    return KINDS[kind](root)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder beside the root, which nothing may touch."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    os.utime(folder / "secret", (1, 1))
    before = (folder / "secret").stat()
    yield folder
    after = (folder / "secret").stat()
    assert os.listdir(folder) == ["secret"]
    assert (folder / "secret").read_text() == "secret"
    assert (after.st_mtime, after.st_mode, after.st_ino) == (1, before.st_mode, before.st_ino)
    assert not os.listxattr(folder / "secret")
