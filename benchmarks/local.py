"""The local disk against everyone who stores files from asyncio: a table, JSON, and a picture.

Contenders come from the extra `bench` (`pip install -e '.[bench]'`); who is missing is named.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from _harness import Timing, save
from _local_cold import cold
from _local_contenders import PACKAGES
from _local_goals import judged
from _local_large import WRITES, large
from _local_listing import listing
from _local_picture import DOCS, document, picture
from _local_plan import KINDS, Place, Plan, places
from _local_small import small
from _machine import machine, versions
from _table import table


def main() -> None:
    """Measure what is asked for, print the table and keep the figures."""
    options = _options()
    if options.picture and (options.quick or options.only):
        sys.exit("--picture is of a whole run: leave out --quick and --only")
    plan = Plan(_kinds(options.only), prints=not options.json)
    if options.quick:
        plan = Plan(plan.kinds, 5, 3, 256, 20_000, 500, plan.prints)
    with places(options.folder) as found:
        words = {
            **{place.name: place.file_system for place in found},
            "size": "1 GiB" if plan.mebibytes == 1024 else f"{plan.mebibytes} MiB",
            "entries": f"{plan.entries:,}",
        }
        timings = asyncio.run(_measured(plan, found))
        if plan.wants("cold"):
            timings |= _cold(plan, found[0])
    rows = judged(timings, words)
    where = machine()
    results = {
        "machine": where,
        "versions": versions(PACKAGES),
        "plan": asdict(plan),
        "places": words,
        "rows": [asdict(row) for row in rows],
        "cells": {cell: [asdict(timing) for timing in found] for cell, found in timings.items()},
    }
    file = save("local_part" if options.quick or options.only else "local", results)
    if options.picture:
        caption = _caption(where, words)
        svg = picture(timings, WRITES, caption)
        (DOCS / "performance.svg").write_text(svg, encoding="utf-8")
        document(table(rows), caption)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"\n{table(rows)}\n")
    missing = [name for name, found in versions(PACKAGES).items() if found is None]
    print(f"not installed, so not measured: {', '.join(missing) or 'none'}")
    print(f"all figures: {file}")


def _caption(where: dict[str, str], words: dict[str, str]) -> str:
    return (
        f"{where['date']}: {where['cores']} cores of {where['processor']}, {where['system']}, "
        f"{words['disk']}, Python {where['python']}."
    )


async def _measured(plan: Plan, found: list[Place]) -> dict[str, list[Timing]]:
    timings: dict[str, list[Timing]] = {}
    for place in found:
        timings |= await small(plan, place)
    timings |= await large(plan, found[0])
    if plan.wants("list"):
        timings |= await listing(plan, found[1] if len(found) > 2 else found[0])
    return timings


def _cold(plan: Plan, disk: Place) -> dict[str, list[Timing]]:
    """The loop's longest turns in the place of wall times."""
    stalls = cold(plan, disk)
    if plan.prints:
        print(
            f"\nlongest turn of the loop, in ms, while {plan.cold_files} files come from the disk"
        )
        print(
            f"  {'':26} {'':8} {'longest':>9} {'with waits for a processor':>28} {'us a file':>10}"
        )
    for stall in stalls if plan.prints else ():
        print(
            f"  {stall.name:26} {stall.size:8} {stall.longest:9.2f} {stall.with_waits:28.2f}"
            f" {stall.per_file:10.0f}"
        )
    cells: dict[str, list[Timing]] = {}
    for stall in stalls:
        cells.setdefault(f"cold {stall.size}", []).append(
            Timing(stall.name, stall.longest * 1e3, 0, 1)
        )
    return cells


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller files")
    parser.add_argument("--only", metavar="KIND,...", help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    parser.add_argument("--picture", action="store_true", help="renew the figures in the docs")
    parser.add_argument("--folder", help="a folder on the disk to measure (else the temporary one)")
    return parser.parse_args()


def _kinds(only: str | None) -> tuple[str, ...]:
    kinds = tuple(only.split(",")) if only else KINDS
    if unknown := set(kinds) - set(KINDS):
        sys.exit(f"--only takes {', '.join(KINDS)}, not {', '.join(sorted(unknown))}")
    return kinds


if __name__ == "__main__":
    main()
