"""The dates of headers and documents become aware datetimes."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

__all__ = ["iso_moment", "moment"]


@lru_cache(maxsize=256)
def moment(text: str | None, /) -> datetime | None:
    """A header's date (RFC 9110, 5.6.7); many files of one second have the same."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def iso_moment(text: str | None, /) -> datetime | None:
    """A date as `2026-11-28T10:00:00.123Z` (RFC 3339); without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if found.tzinfo is UTC:
        return found
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
