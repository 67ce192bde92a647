"""The local disk against everyone who stores files from asyncio: a table, JSON, and a picture.

Contenders come from the extra `bench` (`pip install -e '.[bench]'`); who is missing is named.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from _harness import Timing, save
from _local_contenders import versions
from _local_goals import judged, table
from _local_plan import KINDS, Place, Plan, machine, places
from _local_small import small


def main() -> None:
    """Measure what is asked for, print the table and keep the figures."""
    options = _options()
    plan = Plan(_kinds(options.only), prints=not options.json)
    if options.quick:
        plan = Plan(plan.kinds, 5, 3, 256, 20_000, 500, plan.prints)
    with places(options.folder) as (disk, memory):
        words = {
            "disk": disk.file_system,
            "memory": "tmpfs",
            "size": "1 GiB" if plan.mebibytes == 1024 else f"{plan.mebibytes} MiB",
            "entries": f"{plan.entries:,}",
        }
        timings = asyncio.run(_measured(plan, disk, memory))
    rows = judged(timings, words)
    results = {
        "machine": machine(),
        "versions": versions(),
        "plan": asdict(plan),
        "places": words,
        "rows": [asdict(row) for row in rows],
        "cells": {cell: [asdict(timing) for timing in found] for cell, found in timings.items()},
    }
    file = save("local", results)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"\n{table(rows)}\n")
    missing = [name for name, found in versions().items() if found is None]
    print(f"not installed, so not measured: {', '.join(missing) or 'none'}")
    print(f"all figures: {file}")


async def _measured(plan: Plan, disk: Place, memory: Place | None) -> dict[str, list[Timing]]:
    timings = await small(plan, disk)
    if memory is not None:
        timings |= await small(plan, memory)
    return timings


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller files")
    parser.add_argument("--only", metavar="KIND,...", help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    parser.add_argument("--folder", help="a folder on the disk to measure (else the temporary one)")
    return parser.parse_args()


def _kinds(only: str | None) -> tuple[str, ...]:
    kinds = tuple(only.split(",")) if only else KINDS
    if unknown := set(kinds) - set(KINDS):
        sys.exit(f"--only takes {', '.join(KINDS)}, not {', '.join(sorted(unknown))}")
    return kinds


if __name__ == "__main__":
    main()
