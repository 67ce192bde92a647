"""What stands between a disk and its driver: layers, and what to build them from."""

from storeroom.layers._around import Around
from storeroom.layers._base import Layer, stack
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped

__all__ = ["Around", "Layer", "ReadOnly", "Retry", "Scoped", "stack"]
