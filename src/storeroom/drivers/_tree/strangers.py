"""Names from a server that no listing shows: warned of once per disk, or an error."""

import logging
from collections.abc import Iterator, Sequence

from storeroom.contracts.errors import Obstructed
from storeroom.contracts.paths import RESERVED, are_plain
from storeroom.contracts.values import ScanOptions
from storeroom.drivers._tree.entry import Entry
from storeroom.drivers._tree.rule import PathRule

__all__ = ["Strangers"]

_log = logging.getLogger("storeroom")


class Strangers:
    """What becomes of names that the path rule refuses: left out with one warning, or an error.

    The library's own temporaries are left out silently, and so is what is no file or folder, unless
    a verb would leave it behind (`strangers="refuse"`).
    """

    __slots__ = ("_rule", "_warned")

    def __init__(self, rule: PathRule, /) -> None:
        self._rule = rule
        self._warned = False

    def sorted_out(
        self, folder: str, entries: Sequence[Entry], how: ScanOptions, starting: str, /
    ) -> Iterator[Entry]:
        """The files and folders that a listing shows, of those whose names begin with `starting`."""
        named = [entry for entry in entries if entry.name not in (".", "..")]
        at_a_glance = (
            not starting
            and self._rule.outer_spaces
            and are_plain(folder, [entry.name for entry in named])
        )
        for entry in named:
            if at_a_glance or self._is_shown(folder, entry.name, how, starting):
                if entry.kind != "other":
                    yield entry
                elif how.strangers == "refuse":
                    raise _refused(folder, entry.name, "is no regular file")

    def _is_shown(self, folder: str, name: str, how: ScanOptions, starting: str) -> bool:
        if not name.startswith(starting) or name.startswith(RESERVED):
            return False
        if self._rule.takes(folder, name):
            return True
        if how.strangers == "refuse":
            raise _refused(folder, name, "breaks the path rule")
        if not self._warned:
            self._warned = True
            where = repr(folder) if folder else "the root"
            _log.warning("%r in %s breaks the path rule and is not listed", name, where)
        return False


def _refused(folder: str, name: str, what: str) -> Obstructed:
    return Obstructed(f"{name!r} in it {what}; remove or rename it first", path=folder)
