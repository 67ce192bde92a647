"""Quota: a disk that holds no more than so many bytes and files."""

from dataclasses import dataclass

from storeroom.layers._quota.counted import Counted

__all__ = ["Quota", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a disk holds, changes under way at their largest, and what it may hold; None: no limit."""

    bytes: int
    files: int
    max_bytes: int | None
    max_files: int | None


class Quota(Counted):
    """What would go beyond `max_bytes` or `max_files` in all is `QuotaExceeded`, and changes nothing.

    The first use lists the whole disk; from then on every change through this object is counted, and
    many at once never exceed the limit together. `recount` sees what others changed.
    """

    async def usage(self) -> Usage:
        """How much of the quota is used."""
        return self._usage(await self.counted())

    async def recount(self) -> Usage:
        """Count all files anew, without holding up anybody: other processes' changes are seen."""
        return self._usage(await self.counted(anew=True))

    def _usage(self, counted: tuple[int, int]) -> Usage:
        return Usage(*counted, self._books.max_bytes, self._books.max_files)
