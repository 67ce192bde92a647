"""The fenced code blocks of a Markdown file, and what was said about running them."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
NOT_RUN = re.compile(r"^\s*<!-- not run: (?P<reason>.+?) -->\s*$")
FILE_NAME = re.compile(r"^# (?P<name>[\w./-]+\.(?:py|toml))\s*$")


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    code: str
    line: int  # of its first line of code, from 1
    not_run: str | None = None  # the reason, where the page gives one

    @property
    def file_name(self) -> str | None:
        """The file a reader would put it in, where its first line says so: `# app.py`."""
        named = FILE_NAME.match(self.code.partition("\n")[0])
        return named["name"] if named else None

    @property
    def has_tests(self) -> bool:
        return bool(re.search(r"^(?:async )?def test_|^class Test", self.code, re.MULTILINE))


def blocks_of(document: Path) -> Iterator[Block]:
    lines = document.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        number += 1
        if opening:
            stop = _closing(lines, number, opening)
            yield Block(
                opening["info"].strip().partition(" ")[0],
                textwrap.dedent("\n".join(lines[number:stop]) + "\n"),
                number + 1,
                _reason(lines, number - 2),
            )
            number = stop + 1


def _closing(lines: list[str], start: int, opening: re.Match[str]) -> int:
    for number in range(start, len(lines)):
        if lines[number].strip() == opening["fence"]:
            return number
    raise ValueError(f"line {start}: a code block is not closed")


def _reason(lines: list[str], above: int) -> str | None:
    said = NOT_RUN.match(lines[above]) if above >= 0 else None
    return said["reason"] if said else None
