"""The rows of Azure's table."""

from _azure_contenders import LITESTAR, SDK
from _everywhere import OBSTORE, OPENDAL
from _goals import SMALL_WORK, Goal, Limit, small_cells

STUB = small_cells("stub")
AZURITE = small_cells("azurite")

GOALS = (
    Goal(f"{SMALL_WORK}, client CPU", SDK, STUB, "cpu", 2, 4),
    Goal(f"{SMALL_WORK}, wall", SDK, STUB, "wall"),
    Goal(f"{SMALL_WORK}, wall", LITESTAR, STUB, "wall"),
    Goal(f"{SMALL_WORK}, client CPU", OBSTORE, STUB, "cpu"),
    Goal(f"{SMALL_WORK}, client CPU", OPENDAL, STUB, "cpu"),
    Goal("list 10,000", SDK, ("list stub",), "wall"),
    Goal("64 MiB download", SDK, ("download stub",), "wall", 1.5, 2.5),
    Goal("64 MiB upload", SDK, ("upload stub",), "wall", 1.2, 1.3),
    Goal(f"{SMALL_WORK}, wall, Azurite", SDK, AZURITE, "wall"),
    Goal(f"{SMALL_WORK}, client CPU, Azurite", SDK, AZURITE, "cpu"),
    Goal("64 MiB download, Azurite", SDK, ("download azurite",), "wall"),
    Goal("64 MiB upload, Azurite", SDK, ("upload azurite",), "wall"),
)

LIMITS = (
    Limit("256 MiB download, growth of memory", "memory download stub", "MiB", 64, 32),
    Limit("256 MiB upload, growth of memory", "memory upload stub", "MiB", 64, 32),
    Limit("first use of a disk: longest stall of the loop", "stall", "ms"),
)
