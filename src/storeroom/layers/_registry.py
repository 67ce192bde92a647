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
        "compression": Entry(
            "storeroom.layers.compression:Compression",
            "compression",
            "files take less room",
        ),
        "encryption": Entry(
            "storeroom.layers.encryption:Encryption",
            "encryption",
            "what is stored can only be read with the key",
        ),
        "mirror": Entry("storeroom.layers.mirror:Mirror", None, "the same files on several disks"),
        "failover": Entry(
            "storeroom.layers.failover:Failover", None, "the next disk where one fails"
        ),
        "readthrough": Entry(
            "storeroom.layers.readthrough:ReadThrough", None, "a fast disk before a slow one"
        ),
        "timeout": Entry("storeroom.layers.timeout:TimeLimit", None, "an end to what gets nowhere"),
        "limit": Entry("storeroom.layers.limit:Limit", None, "so many calls and bytes at a time"),
        "quota": Entry(
            "storeroom.layers.quota:Quota", None, "no more than so many bytes and files"
        ),
        "mock": Entry(
            "storeroom.layers.mock:Mock", None, "a disk that is slow and fails, for trials"
        ),
        "observe": Entry("storeroom.layers.observe:Observe", None, "events, counts, logs, traces"),
        "cdn": Entry(
            "storeroom.layers.cdn:CDN", None, "addresses on a CDN, purged when they change"
        ),
        "cache": Entry("storeroom.layers.cache:Cache", None, "what was read lately, held"),
    },
)
