"""What is told of a file: its `Stat`, and an etag made of what SFTP knows."""

from datetime import UTC, datetime, timedelta
from typing import Final

from storeroom.contracts.errors import NotModified, PreconditionFailed
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._sftp.wire import Facts, Named
from storeroom.drivers._tree.entry import Entry, Kind

__all__ = ["check_conditions", "entry_of", "etag_of", "stat_of"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: Final[dict[str, Kind]] = {"file": "file", "folder": "folder"}


def stat_of(path: str, facts: Facts) -> Stat:
    """What is known of a file."""
    return Stat(path, facts.size, modified_at(facts), etag_of(facts))


def entry_of(named: Named) -> Entry:
    """A name in a folder, as `_tree` wants it."""
    facts = named.facts
    return Entry(
        named.name.decode(errors="surrogateescape"),
        _KINDS.get(facts.kind, "other"),
        facts.size,
        modified_at(facts),
        etag_of(facts),
    )


def etag_of(facts: Facts) -> str | None:
    """Time and size: two files of one size, written within one second, have the same."""
    if facts.modified is None or facts.size is None:
        return None
    return f"{facts.modified:x}-{facts.size:x}"


def modified_at(facts: Facts) -> datetime | None:
    return None if facts.modified is None else _EPOCH + timedelta(seconds=facts.modified)


def check_conditions(facts: Facts, how: ReadOptions) -> None:
    if how.if_match is not None and how.if_match != etag_of(facts):
        raise PreconditionFailed("the file is not the one that if_match names")
    if how.if_none_match is not None and how.if_none_match == etag_of(facts):
        raise NotModified("the file is still the one that if_none_match names")
