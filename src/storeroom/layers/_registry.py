"""Layers by name, ours and third parties'."""

from storeroom.contracts.registry import Entry, Registry

__all__ = ["LAYERS"]

LAYERS = Registry(
    "layer",
    "storeroom.layers",
    {
        "scoped": Entry("storeroom.layers.scoped:Scoped", None, "a disk from inside a folder"),
        "readonly": Entry("storeroom.layers.readonly:ReadOnly", None, "no verb that changes"),
        "retry": Entry("storeroom.layers.retry:Retry", None, "another try after a short failure"),
    },
)
