"""One service's whole run: the races, the new processes, the table, and the file of figures."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from _fresh import fresh
from _goals import judged
from _harness import save
from _large import large
from _machine import machine, versions
from _plan import Plan
from _race import Pace
from _servers import Endpoint
from _service import Service
from _small import listing, small
from _table import table


def run(service: Service, says: str | None, /) -> None:
    """Measure what is asked for, print the table and keep the figures."""
    options = _options(service, says)
    kinds, prints = _kinds(options.only, service.kinds), not options.json
    plan = Plan(kinds, service.mebibytes, prints=prints)
    if options.quick:
        plan = Plan.quick(kinds, service.mebibytes, prints=prints)
    where = machine()
    paces, figures = _measured(service, plan)
    rows = judged(service.goals, service.limits, paces, figures)
    found = versions(service.packages)
    results = {
        "machine": where,
        "versions": found,
        "plan": asdict(plan),
        "rows": [asdict(row) for row in rows],
        "cells": {cell: [asdict(pace) for pace in raced] for cell, raced in paces.items()},
        "figures": figures,
    }
    part = options.quick or options.only
    file = save(f"{service.name}_part" if part else service.name, results)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"\n{table(rows)}\n")
    missing = [name for name, installed in found.items() if installed is None]
    print(f"not installed, so not measured: {', '.join(missing) or 'none'}")
    print(f"load of the machine before and after: {where['load']}, {machine()['load']}")
    print(f"all figures: {file}")


def _measured(
    service: Service, plan: Plan
) -> tuple[dict[str, list[Pace]], dict[str, dict[str, float]]]:
    """The races, and the figures of new processes."""
    with service.stub() as place:
        paces = asyncio.run(_raced(service, plan, place))
        paces |= asyncio.run(listing(service, plan, place))
        figures = fresh(service, plan, place)
    fewer = replace(plan, rounds=min(plan.rounds, 7), large_rounds=2)
    for kind, server in service.servers.items():
        if not plan.wants(kind):
            continue
        with server() as found:
            if found is not None:
                paces |= asyncio.run(_raced(service, fewer, found))
    return paces, figures


async def _raced(service: Service, plan: Plan, place: Endpoint) -> dict[str, list[Pace]]:
    return await small(service, plan, place) | await large(service, plan, place)


def _options(service: Service, says: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=says)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 32 MiB for large")
    parser.add_argument("--only", metavar="KIND,...", help=f"some of {', '.join(service.kinds)}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    return parser.parse_args()


def _kinds(only: str | None, known: Sequence[str]) -> tuple[str, ...]:
    kinds = tuple(only.split(",")) if only else tuple(known)
    if unknown := set(kinds) - set(known):
        sys.exit(f"--only takes {', '.join(known)}, not {', '.join(sorted(unknown))}")
    return kinds
