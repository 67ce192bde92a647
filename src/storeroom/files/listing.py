"""Listing: sorted lists, a lazy iterator, patterns, old files."""

import os
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import lru_cache

from storeroom.contracts.errors import InvalidArgument, Unsupported
from storeroom.contracts.values import Folder, ScanOptions, Stat
from storeroom.files._verb import Held, checked, checked_folder, ready, steps, verb

__all__ = ["Listing"]

_WILD = re.compile(r"[*?\[]")


class Listing(Held):
    """The verbs that list; see `Files`."""

    __slots__ = ()

    @verb
    async def files(
        self, folder: str | os.PathLike[str] = "", /, *, recursive: bool = False
    ) -> list[str]:
        """The paths of the files in a folder, sorted; a missing folder has none."""
        return await _paths(self, folder, Stat, deep=recursive)

    @verb
    async def all_files(self, folder: str | os.PathLike[str] = "", /) -> list[str]:
        """The paths of all files under a folder, sorted."""
        return await _paths(self, folder, Stat, deep=True)

    @verb
    async def directories(
        self, folder: str | os.PathLike[str] = "", /, *, recursive: bool = False
    ) -> list[str]:
        """The paths of the folders in a folder, sorted."""
        return await _paths(self, folder, Folder, deep=recursive)

    @verb
    async def all_directories(self, folder: str | os.PathLike[str] = "", /) -> list[str]:
        """The paths of all folders under a folder, sorted."""
        return await _paths(self, folder, Folder, deep=True)

    def entries(
        self,
        folder: str | os.PathLike[str] = "",
        /,
        *,
        recursive: bool = False,
        after: str | os.PathLike[str] | None = None,
        starting: str = "",
    ) -> AsyncGenerator[Stat | Folder]:
        """Files and folders as they come, page by page, for `async for`.

        `after` is a path to resume behind; `starting` a prefix of the names in the folder. A file's
        `Stat` may have unknown fields as None.
        """
        return steps(
            self, "entries", _found(self, folder, deep=recursive, after=after, starting=starting)
        )

    @verb
    async def glob(self, pattern: str, /) -> list[str]:
        """The files whose path matches, sorted: `*`, `?`, `[...]` in a segment, `**` across them."""
        driver = await self._ready()
        matches = _compiled(pattern)
        folder = _fixed(pattern)
        how = ScanOptions(deep="/" in pattern[len(folder) :].lstrip("/") or "**" in pattern)
        async with aclosing(driver.scan(checked_folder(driver, folder), how)) as entries:
            return sorted(
                [e.path async for e in entries if isinstance(e, Stat) and matches.fullmatch(e.path)]
            )

    @verb
    async def find_files_older_than(
        self, moment: datetime | timedelta | float, /, folder: str | os.PathLike[str] = ""
    ) -> list[str]:
        """The files under a folder last modified before a moment, sorted.

        The moment is a datetime (a naive one is local time), an age, or Unix seconds.
        """
        driver = await self._ready()
        limit = _unix(moment)
        old: list[str] = []
        how = ScanOptions()
        async with aclosing(driver.scan(checked_folder(driver, folder), how)) as entries:
            async for entry in entries:
                if isinstance(entry, Stat):
                    stat = entry if entry.modified else await driver.stat(entry.path)
                    if stat.modified is None:
                        raise Unsupported("this disk does not tell when files were modified")
                    if stat.modified.timestamp() < limit:
                        old.append(entry.path)
        return sorted(old)


async def _paths(
    disk: Held, folder: str | os.PathLike[str], kind: type[Stat] | type[Folder], *, deep: bool
) -> list[str]:
    driver = await ready(disk)
    scan = driver.scan(checked_folder(driver, folder), ScanOptions(deep=deep))
    async with aclosing(scan) as entries:
        return sorted([entry.path async for entry in entries if isinstance(entry, kind)])


async def _found(
    disk: Held,
    folder: str | os.PathLike[str],
    *,
    deep: bool,
    after: str | os.PathLike[str] | None,
    starting: str,
) -> AsyncGenerator[Stat | Folder]:
    driver = await ready(disk)
    behind = None if after is None else checked(driver, after)
    how = ScanOptions(deep=deep, after=behind, starting=starting)
    async with aclosing(driver.scan(checked_folder(driver, folder), how)) as entries:
        async for entry in entries:
            yield entry


def _fixed(pattern: str) -> str:
    """The folder before the first segment with a wildcard."""
    segments = pattern.split("/")
    fixed: list[str] = []
    for segment in segments[:-1]:
        if _WILD.search(segment):
            break
        fixed.append(segment)
    return "/".join(fixed)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    if not pattern or "//" in pattern or pattern.startswith("/") or pattern.endswith("/"):
        raise InvalidArgument(
            f"a pattern is relative and names files, such as 'logs/**/*.txt', not {pattern!r}"
        )
    segments = pattern.split("/")
    parts: list[str] = []
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "**":
            parts.append(".*" if last else "(?:.*/)?")
            continue
        parts.append(_segment(segment) + ("" if last else "/"))
    return re.compile("".join(parts), re.DOTALL)


def _segment(segment: str) -> str:
    pieces = re.findall(r"\*+|\?|\[!?\]?[^\]]*\]|[^*?\[]+|\[", segment)
    return "".join(_piece(piece) for piece in pieces)


def _piece(piece: str) -> str:
    if piece[0] == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece[0] == "[" and len(piece) > 1:
        inner = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
        negated = inner.startswith("!")
        body = inner[1:] if negated else inner
        body = body.replace("]", "\\]").replace("&&", "&\\&").replace("||", "|\\|")
        return f"(?!/)[{'^' if negated else ''}{body}]"
    return re.escape(piece)


def _unix(moment: datetime | timedelta | float) -> float:
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, timedelta):
        return time.time() - moment.total_seconds()
    return float(moment)
