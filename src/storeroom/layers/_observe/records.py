"""Records: one structured log record for each call that ended."""

import asyncio
import logging

from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    NotFound,
    NotModified,
    PreconditionFailed,
    Unsupported,
)
from storeroom.contracts.nearest import nearest
from storeroom.layers._observe.watch import Watch

__all__ = ["Records"]

_ANSWERS = (
    AlreadyExists,
    NotFound,
    NotModified,
    PreconditionFailed,
    Unsupported,
    asyncio.CancelledError,
)
_FIELDS = (
    *("operation", "path", "to", "verb"),
    *("seconds", "size", "first_byte", "entries", "existed"),
)
_log = logging.getLogger("storeroom.observe")


class Records:
    """Writes to the logger "storeroom.observe": what ended well, and what is an answer, at `level`.

    Any other failure is a warning. Of a failure only the kind is logged: its text is the caller's.
    """

    def __init__(self, level: str, /) -> None:
        levels = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
        name = str(level).lower()
        if name not in levels:
            raise ConfigError(f"log is a level's name, not {level!r}; {nearest(name, levels)}")
        self._level = levels[name]

    def ended(self, watch: Watch, error: BaseException | None, disk: str, /) -> None:
        """Log a call that has ended."""
        failures = watch.refused if error is None else (error,)
        worst = next((one for one in failures if not isinstance(one, _ANSWERS)), None)
        level = self._level if worst is None else max(self._level, logging.WARNING)
        if not _log.isEnabledFor(level):
            return
        extra = {f"storage_{name}": getattr(watch, name) for name in _FIELDS}
        extra["storage_disk"] = disk
        told = worst or next(iter(failures), None)
        extra["storage_error"] = None if told is None else type(told).__name__
        extra["storage_failures"] = len(watch.refused) or None
        became = "done" if told is None else type(told).__name__
        text = "%s %r on disk %r: %s in %.6f s"
        _log.log(level, text, watch.operation, watch.path, disk, became, watch.seconds, extra=extra)
