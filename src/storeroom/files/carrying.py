"""What a copy brings along: the headers and metadata of the file it comes from."""

from collections.abc import Collection
from dataclasses import replace

from storeroom.contracts.values import PLAIN, Condition, Stat, WriteOptions

__all__ = ["carried"]


def carried(
    stat: Stat, /, *, how: WriteOptions = PLAIN, conditions: Collection[Condition] = ()
) -> WriteOptions:
    """Options that store what `stat` knows, with what `how` says; `conditions` may add `if_match`."""
    if_match = stat.etag if "if_match" in conditions and how.if_match is None else how.if_match
    return replace(
        how,
        content_type=how.content_type or stat.content_type,
        cache_control=how.cache_control or stat.cache_control,
        content_disposition=how.content_disposition or stat.content_disposition,
        content_encoding=how.content_encoding or stat.content_encoding,
        content_language=how.content_language or stat.content_language,
        metadata=how.metadata if how.metadata is not None else stat.metadata,
        if_match=if_match,
        carried=how.metadata is None,
    )
