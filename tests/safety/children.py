"""Programs of this folder, run in processes of their own."""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2]


@contextmanager
def running(name: str, *arguments: object) -> Generator["subprocess.Popen[str]"]:
    """A program that goes on until its input ends; killed on the way out at the latest."""
    command = [sys.executable, "-m", f"tests.safety.{name}", *map(str, arguments)]
    child = subprocess.Popen(
        command, cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with child.stdin, child.stdout:
            yield child
    finally:
        child.kill()
        child.wait()


def begun(child: "subprocess.Popen[str]") -> None:
    """Wait for the program's first line."""
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"


def ended(child: "subprocess.Popen[str]") -> dict[str, Any]:
    """Close the program's input: what it says at its end."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    told: dict[str, Any] = json.loads(child.stdout.readlines()[-1])
    assert child.wait() == 0
    return told


def report(name: str, *arguments: object) -> dict[str, Any]:
    """Run a program to its end: what it says."""
    with running(name, *arguments) as child:
        return ended(child)


def forked(run: Callable[[], object]) -> int:
    """A child of a process without threads, which ends when it has run."""
    child = os.fork()
    if child:
        return child
    try:
        run()
    except BaseException:  # noqa: BLE001 - nothing may go on as the parent would
        traceback.print_exc()
    finally:
        os._exit(0)
