"""What `import storeroom` costs over `import asyncio`: the goal is at most 40 ms."""

import os
import subprocess
import sys
from statistics import median

from _harness import save

GOAL = 40.0
HEAVY = ("pydantic", "aioboto3", "boto3", "gcloud", "azure", "aioftp", "asyncssh", "magic")
PROBE = """
import asyncio, sys, time
begin = time.perf_counter()
import {module}
spent = time.perf_counter() - begin
print(spent * 1000, *[name for name in {heavy} if name in sys.modules])
"""


def main() -> None:
    """Import in fresh interpreters, in turns with an import that costs nothing; compiled, as installed."""
    _probe("storeroom")
    spent: dict[str, list[float]] = {"asyncio": [], "storeroom": []}
    for number in range(21):
        modules = list(spent) if number % 2 == 0 else list(reversed(spent))
        for module in modules:
            spent[module].append(_probe(module))
    over = median(spent["storeroom"]) - median(spent["asyncio"])
    print(f"import storeroom after asyncio: {over:.1f} ms (goal: at most {GOAL:.0f} ms)")
    print(f"best {min(spent['storeroom']):.1f} ms, worst {max(spent['storeroom']):.1f} ms of 21")
    save("import_time", {"over_asyncio_ms": over, "samples_ms": spent["storeroom"]})


def _probe(module: str) -> float:
    program = PROBE.format(module=module, heavy=HEAVY)
    compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=compiled
    )
    time, *loaded = answer.stdout.split()
    if loaded:
        raise SystemExit(f"importing {module} loads {', '.join(loaded)}")
    return float(time)


if __name__ == "__main__":
    main()
