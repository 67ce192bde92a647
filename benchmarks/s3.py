"""S3 against everyone who speaks it from asyncio: canned replies show the client's cost, rclone a server.

Contenders come from the extra `bench` (`pip install -e '.[bench]'`); who is missing is named.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, replace

from _harness import save
from _local_goals import table
from _local_plan import machine
from _s3_contenders import versions
from _s3_fresh import fresh
from _s3_goals import judged
from _s3_large import large
from _s3_plan import KINDS, Plan
from _s3_race import Pace
from _s3_servers import Endpoint, rclone, stub
from _s3_small import listing, small


def main() -> None:
    """Measure what is asked for, print the table and keep the figures."""
    options = _options()
    plan = Plan(_kinds(options.only), prints=not options.json)
    if options.quick:
        plan = Plan(plan.kinds, 3, 2, 0.03, 32, 2, plan.prints)
    paces, figures = _measured(plan)
    rows = judged(paces, figures)
    results = {
        "machine": machine(),
        "versions": versions(),
        "plan": asdict(plan),
        "rows": [asdict(row) for row in rows],
        "cells": {cell: [asdict(pace) for pace in found] for cell, found in paces.items()},
        "figures": figures,
    }
    file = save("s3_part" if options.quick or options.only else "s3", results)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"\n{table(rows)}\n")
    missing = [name for name, found in versions().items() if found is None]
    print(f"not installed, so not measured: {', '.join(missing) or 'none'}")
    print(f"all figures: {file}")


def _measured(plan: Plan) -> tuple[dict[str, list[Pace]], dict[str, dict[str, float]]]:
    """The races, and the figures of new processes."""
    with stub(plan.mebibytes) as place:
        paces = asyncio.run(_raced(plan, place))
        paces |= asyncio.run(listing(plan, place))
        figures = fresh(plan, place)
    if plan.wants("rclone"):
        with rclone() as found:
            if found is not None:
                fewer = replace(plan, rounds=min(plan.rounds, 7), large_rounds=2)
                paces |= asyncio.run(_raced(fewer, found))
    return paces, figures


async def _raced(plan: Plan, place: Endpoint) -> dict[str, list[Pace]]:
    return await small(plan, place) | await large(plan, place)


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
