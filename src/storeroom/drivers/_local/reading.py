"""Reading a range: small ones whole in one step, larger ones from a descriptor held open."""

from dataclasses import dataclass

from storeroom.contracts.errors import Corrupted, NotModified, PreconditionFailed
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._local.descriptor import Descriptor
from storeroom.drivers._local.directory import READ
from storeroom.drivers._local.facts import Found, etag_of, facts, look_first, whole
from storeroom.drivers._local.kept import read_kept
from storeroom.drivers._local.root import Root

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A file opened to be read, and the first block of what is wanted of it."""

    stat: Stat
    start: int
    stop: int
    first: bytes

    @property
    def is_whole(self) -> bool:
        return len(self.first) == self.stop - self.start


def open_range(held: Descriptor, root: Root, path: str, how: ReadOptions) -> Opened:
    """Open, look, and read what fits into one block; `held` is closed unless there is more."""
    tree = root.tree()
    look_first(tree, path)
    fd = tree.open(path, READ)
    held.hold(fd)
    found, length = whole(fd)
    check_conditions(found, how)
    start, stop = span(length, how)
    size = stop - start
    count = size if size <= BLOCK else min(size, block_for(how))
    first = held.read_at(count, start)
    if len(first) < count:
        raise Corrupted("the file was cut while it was read")
    stat = facts(path, found, read_kept(fd), length)
    if count == size:
        held.close()
    return Opened(stat, start, stop, first)


def block_for(how: ReadOptions) -> int:
    """How much to read at once: about a MiB, in whole chunks."""
    return BLOCK if how.chunk_size is None else max(1, BLOCK // how.chunk_size) * how.chunk_size


def span(size: int, how: ReadOptions) -> tuple[int, int]:
    """Where the wanted range begins and ends in a file of this size."""
    start = min(how.start, size)
    return start, size if how.stop is None else max(start, min(how.stop, size))


def check_conditions(found: Found, how: ReadOptions) -> None:
    if how.if_match is not None and how.if_match != etag_of(found):
        raise PreconditionFailed("the file is not the one that if_match names")
    if how.if_none_match is not None and how.if_none_match == etag_of(found):
        raise NotModified("the file is still the one that if_none_match names")
