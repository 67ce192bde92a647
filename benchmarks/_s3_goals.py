"""The rows of S3's table."""

from _everywhere import OBSTORE
from _goals import SMALL_WORK, Goal, Limit, small_cells
from _s3_contenders import EACH, LITESTAR, RAW, SHARED

STUB = small_cells("stub")
RCLONE = small_cells("rclone")

GOALS = (
    Goal(f"{SMALL_WORK}, client CPU", SHARED, STUB, "cpu", 4, 6),
    Goal(f"{SMALL_WORK}, client CPU", OBSTORE, STUB, "cpu", 1.3, 1, is_cost=True),
    Goal(f"{SMALL_WORK}, wall", RAW, STUB, "wall", 0.7, 0.9),
    Goal(f"{SMALL_WORK}, wall", LITESTAR, STUB, "wall", 50, 100),
    Goal(f"{SMALL_WORK}, wall", EACH, STUB, "wall", 50, 100),
    Goal("list 10,000", SHARED, ("list stub",), "wall", 4, 8),
    Goal("256 MiB upload, http", SHARED, ("upload stub",), "wall", 2.5, 4),
    Goal("256 MiB download", RAW, ("download stub",), "wall", 0.8, 0.95),
    Goal(f"{SMALL_WORK}, wall, rclone", SHARED, RCLONE, "wall"),
    Goal("256 MiB upload, http, rclone", SHARED, ("upload rclone",), "wall"),
    Goal("256 MiB download, rclone", RAW, ("download rclone",), "wall"),
)

LIMITS = (
    Limit("256 MiB download, growth of memory", "memory download stub", "MiB", 32, 8),
    Limit("first use of a disk: longest stall of the loop", "stall", "ms", 50, 20),
)
