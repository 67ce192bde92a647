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
        level = self._level
        if error is not None and not isinstance(error, _ANSWERS):
            level = max(level, logging.WARNING)
        if not _log.isEnabledFor(level):
            return
        extra = {f"storage_{name}": getattr(watch, name) for name in _FIELDS}
        extra["storage_disk"] = disk
        extra["storage_error"] = None if error is None else type(error).__name__
        became = "done" if error is None else type(error).__name__
        text = "%s %r on disk %r: %s in %.6f s"
        _log.log(level, text, watch.operation, watch.path, disk, became, watch.seconds, extra=extra)
