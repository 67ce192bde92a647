"""What stands between a disk and its driver: layers, and what to build them from."""

from storeroom.layers._around import Around
from storeroom.layers._base import Layer, stack

__all__ = ["Around", "Layer", "stack"]
