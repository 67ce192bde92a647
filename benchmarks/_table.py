"""The table that a run ends with: what was measured, what it came to, and what it had to."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reached:
    """What a row came to."""

    work: str
    against: str
    reached: str
    at_least: str
    aim: str
    verdict: str
    ratios: dict[str, float] = field(default_factory=dict)


def table(rows: list[Reached], /) -> str:
    """The rows as a Markdown table, which reads well on a terminal too."""
    head = ("work", "against", "reached", "at least", "aim", "verdict")
    lines = [(r.work, r.against, r.reached, r.at_least, r.aim, r.verdict) for r in rows]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in (head, rule, *lines)
    )
