"""The figures for the documentation: a picture of bars, and the table of `performance.md`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from _harness import Timing
from _local_contenders import BLOCKING

DOCS = Path(__file__).parents[1] / "docs" / "concepts"
REGION = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- measured to here -->)", re.DOTALL)

WIDTH, BAR, GAP, HEAD, NAMES, COLUMNS = 920, 17, 5, 44, 176, 2
OURS, OTHER, LIMIT = "#3f51b5", "#9fa8da", "#cfd8dc"
LIMITS = ("synchronous loop", "synchronous loop, atomic", "scandir + stat")


@dataclass(frozen=True, slots=True)
class Panel:
    """One group of bars: a cell, and what a second of it is counted in."""

    cell: str
    title: str
    unit: str


PANELS = (
    Panel("get disk 1", "get 4 KiB, one after the other", "files/s"),
    Panel("get disk 16", "get 4 KiB, 16 in flight", "files/s"),
    Panel("exists disk 16", "exists, 16 in flight", "files/s"),
    Panel("put none memory 16", 'put 4 KiB, 16 in flight, tmpfs, durability "none"', "files/s"),
    Panel("put file fresh 16", 'put 4 KiB, 16 in flight, durability "file"', "files/s"),
    Panel("delete memory 16", "delete, 16 in flight, tmpfs", "files/s"),
    Panel("read 64", "read a large file in 64 KiB chunks", "MiB/s"),
    Panel("write 64", 'write a large file of 64 KiB chunks, durability "none"', "MiB/s"),
)


def picture(cells: Mapping[str, list[Timing]], writes: Mapping[str, str], caption: str, /) -> str:
    """An SVG of all panels that were measured; a longer bar is faster."""
    drawn, tops = [], [HEAD] * COLUMNS
    width = WIDTH // COLUMNS
    for panel in PANELS:
        if timings := cells.get(panel.cell):
            column = tops.index(min(tops))
            noted = writes if panel.cell.startswith("put") else _blocking(panel.cell)
            drawn.append(_panel(panel, timings, noted, column * width + 12, tops[column]))
            tops[column] += 30 + len(timings) * (BAR + GAP) + 18
    height = max(tops) + 4
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
                f'font-family="system-ui, sans-serif" font-size="12" role="img">'
            ),
            f"<title>{escape(caption)}</title>",
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
            f'<text x="12" y="24" fill="#555">Longer is faster. {escape(caption)}</text>',
            *drawn,
            "</svg>\n",
        )
    )


def document(table: str, caption: str, /) -> None:
    """Put the table into `performance.md`."""
    page = DOCS / "performance.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(REGION.sub(lambda _: f"{caption}\n\n{table}\n", text), encoding="utf-8")


def _panel(
    panel: Panel, timings: list[Timing], writes: Mapping[str, str], left: int, top: int
) -> str:
    ranked = sorted(timings, key=lambda timing: timing.wall)
    room = WIDTH // COLUMNS - NAMES - 110
    lines = [f'<text x="{left}" y="{top + 12}" font-weight="600">{escape(panel.title)}</text>']
    for number, timing in enumerate(ranked):
        y = top + 24 + number * (BAR + GAP)
        length = max(1, round(room * ranked[0].wall / timing.wall))
        x = left + NAMES
        lines += (
            (
                f'<text x="{x - 6}" y="{y + 13}" text-anchor="end" {_weight(timing)}>'
                f"{escape(_named(timing, writes))}</text>"
            ),
            f'<rect x="{x}" y="{y}" width="{length}" height="{BAR}" rx="2" fill="{_fill(timing, writes)}"/>',
            (
                f'<text x="{x + length + 5}" y="{y + 13}" fill="#555">'
                f"{1e6 / timing.wall:,.0f} {panel.unit}</text>"
            ),
        )
    return "\n".join(lines)


def _blocking(cell: str) -> dict[str, str]:
    verb = cell.partition(" ")[0]
    return {name: "blocks" for name, verbs in BLOCKING.items() if verb in verbs}


def _named(timing: Timing, writes: Mapping[str, str]) -> str:
    how = writes.get(timing.name)
    return f"{timing.name}, {how}" if how and how not in timing.name else timing.name


def _weight(timing: Timing) -> str:
    return 'font-weight="600"' if timing.name.startswith("storeroom") else ""


def _fill(timing: Timing, writes: Mapping[str, str]) -> str:
    if timing.name in LIMITS or writes.get(timing.name) == "blocks":
        return LIMIT
    return OURS if timing.name.startswith("storeroom") else OTHER
