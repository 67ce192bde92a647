"""Killed at any moment, a process leaves old files or new ones, and nothing that is not swept."""

from pathlib import Path

import pytest

from tests.safety.children import report
from tests.safety.conftest import Counted
from tests.safety.killer import WORK


@pytest.mark.parametrize("work", WORK)
@pytest.mark.rounds(10, 250)
def test_killed_at_random_the_file_is_old_or_new(
    kind: str, root: Path, work: str, rounds: int, counted: Counted
) -> None:
    told = report("killer", kind, root, work, rounds)
    wrong = told.pop("rounds")
    counted(**told)
    assert wrong == []
    assert told["unswept"] == 0
    assert told["kills"] == rounds
    assert not told["part"]
