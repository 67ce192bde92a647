"""What layers cost: encryption, compression, a cache, and one that only passes calls on.

Needs the extra `bench` (`pip install -e '.[bench]'`); a 1 GiB file lies in memory (/dev/shm) where
there is such a place.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from _goals import judged
from _harness import save
from _layers_cache import cache
from _layers_compression import compression
from _layers_goals import GOALS, LIMITS, PACKAGES
from _layers_passing import passing
from _layers_sealing import encryption
from _machine import machine, versions
from _plan import Plan
from _race import Pace
from _table import table

KINDS = ("encryption", "compression", "cache", "passing")
MEBIBYTES = 1024


def main() -> None:
    """Measure what is asked for, print the table and keep the figures."""
    options = _options()
    kinds, prints = _kinds(options.only), not options.json
    plan = Plan(kinds, MEBIBYTES, prints=prints)
    if options.quick:
        plan = Plan.quick(kinds, MEBIBYTES, prints=prints)
    where = machine()
    paces, figures = asyncio.run(_measured(plan))
    rows = judged(GOALS, LIMITS, paces, figures)
    found = versions(PACKAGES)
    results = {
        "machine": where,
        "versions": found,
        "plan": asdict(plan),
        "rows": [asdict(row) for row in rows],
        "cells": {cell: [asdict(pace) for pace in raced] for cell, raced in paces.items()},
        "figures": figures,
    }
    file = save("layers_part" if options.quick or options.only else "layers", results)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"\n{table(rows)}\n")
    missing = [name for name, installed in found.items() if installed is None]
    print(f"not installed, so not measured: {', '.join(missing) or 'none'}")
    print(f"load of the machine before and after: {where['load']}, {machine()['load']}")
    print(f"all figures: {file}")


async def _measured(plan: Plan) -> tuple[dict[str, list[Pace]], dict[str, dict[str, float]]]:
    paces: dict[str, list[Pace]] = {}
    figures: dict[str, dict[str, float]] = {}
    for kind, race in {
        "encryption": encryption,
        "compression": compression,
        "cache": cache,
    }.items():
        if plan.wants(kind):
            paces |= await race(plan)
    if plan.wants("passing"):
        passed, figures = await passing(plan)
        paces |= passed
    return paces, figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 32 MiB for large")
    parser.add_argument("--only", metavar="KIND,...", help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    return parser.parse_args()


def _kinds(only: str | None) -> tuple[str, ...]:
    kinds = tuple(only.split(",")) if only else KINDS
    if unknown := set(kinds) - set(KINDS):
        sys.exit(f"--only takes {', '.join(KINDS)}, not {', '.join(sorted(unknown))}")
    return kinds


if __name__ == "__main__":
    main()
