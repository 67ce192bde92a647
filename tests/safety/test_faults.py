"""A kill, an error or a lie at any system call of a verb: old or new, a typed error, nothing left."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.safety.children import report
from tests.safety.conftest import SCALE, Counted
from tests.safety.injector import VERBS

EVERY_NTH = 23
"""Of the faults in the short form, each verb takes these, and every verb other ones."""


@pytest.fixture(scope="session")
def strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True)
    if tried.returncode:
        pytest.skip("strace may not trace here")


@pytest.mark.parametrize("verb", ["put", "overwrite_in_parts", "append", "move", "copy"])
def test_some_system_calls_fail_and_nothing_partial_is_left(
    strace: None, root: Path, verb: str
) -> None:
    told = report("injector", "compiled", root, verb, list(VERBS).index(verb), EVERY_NTH)
    assert told["wrong"] == []
    assert told["faults"]


@pytest.mark.long
@pytest.mark.parametrize("verb", VERBS)
def test_every_system_call_fails_once_and_nothing_partial_is_left(
    strace: None, kind: str, root: Path, verb: str, counted: Counted
) -> None:
    told = report("injector", kind, root, verb, 0, max(1, round(1 / SCALE)))
    wrong, calls = told.pop("wrong"), told.pop("calls")
    counted(calls=len(calls), **told, violations=len(wrong))
    assert wrong == []
    assert told["faults"]
