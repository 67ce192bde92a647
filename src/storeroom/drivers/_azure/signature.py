"""Signatures of requests with the account's key ("Shared Key").

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from functools import lru_cache

from storeroom.contracts.errors import ConfigError

__all__ = ["Query", "Signer"]

Query = tuple[tuple[str, str], ...]


class Signer:
    """Signs for one account; safe between threads and loops, and shows no secret."""

    __slots__ = ("_mac", "account")

    def __init__(self, account: str, key: str) -> None:
        try:
            secret = b64decode(key, validate=True)
        except (NotBase64, ValueError):
            secret = b""
        if not secret:
            raise ConfigError("account_key is the key of the account, which is base64")
        self.account = account
        self._mac = hmac.new(secret, digestmod="sha256")

    def __repr__(self) -> str:
        return f"Signer({self.account!r})"

    def authorization(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], /
    ) -> str:
        """What the header `authorization` says; `path` is encoded, `query` is not.

        `headers` are by lower-case name, but for those that people named, and have `x-ms-date`.
        """
        get = headers.get
        length = get("content-length", "")
        template, names = _layout(tuple(headers))
        text = (
            f"{method}\n{get('content-encoding', '')}\n{get('content-language', '')}\n"
            f"{'' if length == '0' else length}\n{get('content-md5', '')}\n"
            f"{get('content-type', '')}\n\n{get('if-modified-since', '')}\n{get('if-match', '')}\n"
            f"{get('if-none-match', '')}\n{get('if-unmodified-since', '')}\n{get('range', '')}\n"
            f"{template % tuple([headers[name].strip() for name in names])}/{self.account}{path}"
        )
        if query:
            text += _resource(query)
        return f"SharedKey {self.account}:{self.signed(text)}"

    def signed(self, text: str, /) -> str:
        """The signature of a text, in base64."""
        mac = self._mac.copy()
        mac.update(text.encode())
        return b64encode(mac.digest()).decode()


@lru_cache(maxsize=256)
def _layout(names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The lines of the service's own headers, and whose values stand in them, in their order."""
    signed = sorted((name for name in names if name[:5].lower() == "x-ms-"), key=_weight)
    return "".join(f"{name.lower()}:%s\n" for name in signed), tuple(signed)


def _weight(name: str) -> str:
    """The service compares as people do: hyphens do not count, and "_" is before digits and letters."""
    return name.lower().replace("-", "").replace("_", "!")


def _resource(query: Query) -> str:
    lines = sorted((name.lower(), value) for name, value in query)
    return "".join([f"\n{name}:{value}" for name, value in lines])
