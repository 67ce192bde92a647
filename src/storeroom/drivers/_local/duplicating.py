"""Copies of files with all that is stored beside them, and hashes, each in one step."""

import hashlib
from dataclasses import replace

from storeroom.contracts import mime
from storeroom.contracts.errors import Corrupted, Unsupported, translating
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._local.descriptor import read_at
from storeroom.drivers._local.facts import opened_file
from storeroom.drivers._local.failures import changing, reading
from storeroom.drivers._local.kept import Kept, read_kept
from storeroom.drivers._local.root import Root
from storeroom.drivers._local.rules import Rules
from storeroom.drivers._local.writing import Writing

_BLOCK = 1 << 20


def copy(source: Root, path: str, root: Root, rules: Rules, to: str, how: WriteOptions) -> Stat:
    """Copy with mode, headers and metadata; `how` overrides them."""
    with translating(reading, "copy_within", path), opened_file(source.tree(), path) as (fd, whole):
        writing = Writing(
            root,
            rules,
            to,
            how,
            size=whole.size,
            kept=typed(read_kept(fd), path),
            mode=None if how.visibility else whole.found.st_mode & 0o777,
        )
        with translating(changing, "copy_within", to):
            return _finished(writing, fd, whole.size)


def _finished(writing: Writing, source: int, size: int) -> Stat:
    try:
        writing.begin()
        writing.fill(source, size)
        return writing.finish()
    finally:
        writing.abandon()


def typed(kept: Kept, path: str) -> Kept:
    """With the type that the path's extension says, before the file gets another path."""
    return kept if kept.content_type else replace(kept, content_type=mime.by_name(path))


def digest(root: Root, path: str, algorithm: str) -> str:
    """The hash of a file's bytes, in lower-case hex."""
    try:
        running = hashlib.new(algorithm, usedforsecurity=False)
    except ValueError:
        raise Unsupported(f"this Python has no {algorithm!r}") from None
    if not running.digest_size:
        raise Unsupported(f"{algorithm!r} has no fixed length")
    with opened_file(root.tree(), path) as (fd, (_, size)):
        done = 0
        while part := read_at(fd, min(_BLOCK, size - done), done):
            running.update(part)
            done += len(part)
        if done < size:
            raise Corrupted("the file was cut while it was read")
    return running.hexdigest()
