"""How long to wait: between tries, and between requests where a service asks for fewer."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["Pace", "pause"]

_FIRST: Final = 0.1
_LONGEST: Final = 20.0
_SLOWEST: Final = 2.0
_STEP: Final = 0.02
_EASED: Final = 0.8


def pause(attempt: int, headers: Mapping[str, str], /) -> float:
    """Seconds before try number `attempt + 1`: jittered, doubling, or what the service asks for."""
    asked = _asked(headers.get("retry-after"))
    if asked is not None:
        return min(asked, _LONGEST)
    return random.uniform(0, min(_FIRST * 2**attempt, _LONGEST))  # noqa: S311 - no secret


class Pace:
    """Spaces requests out while a service throttles; each success brings them closer again."""

    def __init__(self) -> None:
        self.gap = 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for this request's turn."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self.gap
        await asyncio.sleep(at - now)

    def slower(self) -> None:
        """The service throttled."""
        self.gap = min(max(self.gap * 2, _STEP), _SLOWEST)

    def faster(self) -> None:
        """The service answered."""
        self.gap = self.gap * _EASED if self.gap > _STEP / 10 else 0.0


def _asked(text: str | None) -> float | None:
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())
