"""The rows of GCS's table."""

from _everywhere import OBSTORE, OPENDAL
from _gcs_contenders import EACH, LITESTAR, SHARED
from _goals import SMALL_WORK, Goal, Limit, small_cells

STUB = small_cells("stub")

GOALS = (
    Goal(f"{SMALL_WORK}, wall", SHARED, STUB, "wall", 0.9, 1.2),
    Goal(f"{SMALL_WORK}, client CPU", SHARED, STUB, "cpu", 0.9, 1.2),
    Goal(f"{SMALL_WORK}, wall", EACH, STUB, "wall", 2.5, 4),
    Goal(f"{SMALL_WORK}, wall", LITESTAR, STUB, "wall"),
    Goal(f"{SMALL_WORK}, client CPU", OBSTORE, STUB, "cpu"),
    Goal(f"{SMALL_WORK}, client CPU", OPENDAL, STUB, "cpu"),
    Goal("list 10,000", SHARED, ("list stub",), "wall"),
    Goal("256 MiB upload, of a stream against a file", SHARED, ("upload stub",), "wall"),
    Goal("256 MiB download", SHARED, ("download stub",), "wall"),
)

LIMITS = (
    Limit("256 MiB download, growth of memory", "memory download stub", "MiB", 64, 32),
    Limit("256 MiB upload, growth of memory", "memory upload stub", "MiB", 64, 32),
    Limit("first use of a disk: longest stall of the loop", "stall", "ms"),
)
