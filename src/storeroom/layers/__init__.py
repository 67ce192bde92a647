"""What stands between a disk and its driver: layers, and what to build them from."""

from typing import TYPE_CHECKING

from storeroom.contracts.lazily import lazily
from storeroom.layers._around import Around
from storeroom.layers._base import Layer, stack
from storeroom.layers._registry import LAYERS

if TYPE_CHECKING:
    from storeroom.contracts.comparison import Comparison, Difference
    from storeroom.layers.cache import Cache
    from storeroom.layers.cdn import CDN
    from storeroom.layers.compression import Compression
    from storeroom.layers.encryption import Encryption
    from storeroom.layers.failover import Failover
    from storeroom.layers.limit import Limit
    from storeroom.layers.mirror import Mirror
    from storeroom.layers.mock import Mock
    from storeroom.layers.observe import Observe
    from storeroom.layers.quota import Quota
    from storeroom.layers.readonly import ReadOnly
    from storeroom.layers.readthrough import ReadThrough
    from storeroom.layers.retry import Retry
    from storeroom.layers.scoped import Scoped
    from storeroom.layers.timeout import TimeLimit

__all__ = [
    "CDN",
    "Around",
    "Cache",
    "Comparison",
    "Compression",
    "Difference",
    "Encryption",
    "Failover",
    "Layer",
    "Limit",
    "Mirror",
    "Mock",
    "Observe",
    "Quota",
    "ReadOnly",
    "ReadThrough",
    "Retry",
    "Scoped",
    "TimeLimit",
    "stack",
]

_COMPARED = "storeroom.contracts.comparison"

if not TYPE_CHECKING:  # with a `__getattr__` checkers take any name for one that is here
    __getattr__, __dir__ = lazily(
        __name__, LAYERS.homes() | {"Comparison": _COMPARED, "Difference": _COMPARED}, __all__
    )
