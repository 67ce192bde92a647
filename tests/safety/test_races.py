"""Of all who create one file at once, in several processes, exactly one wins."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.safety.children import begun, running
from tests.safety.conftest import Counted

PROCESSES = 4
TASKS = 16


def told(racer: "subprocess.Popen[str]") -> list[str]:
    assert racer.stdout is not None
    winners: list[str] = json.loads(racer.stdout.readline())
    return winners


@pytest.mark.rounds(8, 500)
def test_of_64_creators_in_four_processes_exactly_one_wins(
    kind: str, root: Path, rounds: int, counted: Counted
) -> None:
    with ExitStack() as stack:
        racers = [stack.enter_context(running("racer", kind, root, n)) for n in range(PROCESSES)]
        for racer in racers:
            begun(racer)
        violations = 0
        for number in range(rounds):
            path = f"{number % 5}/{number}"
            for racer in racers:
                assert racer.stdin is not None
                racer.stdin.write(f"{path}\n")
                racer.stdin.flush()
            winners = [token for racer in racers for token in told(racer)]
            violations += winners != [(root / path).read_text()]
    counted(rounds=rounds, creators=rounds * PROCESSES * TASKS, violations=violations)
    assert violations == 0
    assert len([found for found in root.rglob("*") if found.is_file()]) == rounds
