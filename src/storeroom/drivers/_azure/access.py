"""Who asks: by the account's key, by a signature in the URL, by tokens, or nobody."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Final

from storeroom.drivers._azure.signature import Query, Signer
from storeroom.drivers._azure.tokens import Tokens

__all__ = ["VERSION", "Access", "Clock"]

VERSION: Final = "2024-11-04"
"""The version of the service's interface that every request speaks."""


@dataclass(frozen=True, slots=True)
class Access:
    """One of them at most; `sas` is the text of a URL's query, encoded, `key` what the signer has."""

    signer: Signer | None = None
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)
    tokens: Tokens | None = None

    async def headers(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], date: str, /
    ) -> dict[str, str]:
        """The headers with the date, and with what shows who asks."""
        signed = {**headers, "x-ms-date": date}
        if self.signer is not None:
            signed["authorization"] = self.signer.authorization(method, path, query, signed)
        elif self.tokens is not None:
            token = self.tokens.ready() or await self.tokens.get()
            if token is not None:
                signed["authorization"] = f"Bearer {token.text}"
        return signed

    def address(self, path: str, query: str, /) -> str:
        """The encoded path with its query, and the signature that belongs there."""
        asked = "&".join(part for part in (query, self.sas) if part)
        return f"{path}?{asked}" if asked else path


class Clock:
    """The service's, as far as it is known to differ from ours."""

    def __init__(self) -> None:
        self.skew = timedelta(0)
        self._second = -1
        self._text = ""

    def now(self) -> datetime:
        """The time at the service."""
        return datetime.now(UTC) + self.skew

    def date(self) -> str:
        """The same, as headers have it."""
        second = int(time.time() + self.skew.total_seconds())
        if second != self._second:
            self._text = formatdate(second, usegmt=True)
            self._second = second
        return self._text
