"""Requests in the one form that both sides sign, for signatures of version 4: S3's and Google's."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, cast
from urllib.parse import quote

__all__ = [
    "Query",
    "encoded",
    "encoded_path",
    "encoded_query",
    "host_of",
    "layout",
    "pairs_of",
    "trimmed",
]

Query = Mapping[str, str] | Iterable[tuple[str, str]]

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*", re.ASCII)
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_.~/-]*", re.ASCII)
# Proxies change these on their way, so a signature over them would not hold.
_UNSIGNED_HEADERS: Final = frozenset(
    ("expect", "transfer-encoding", "user-agent", "x-amzn-trace-id")
)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def encoded(text: str, /) -> str:
    """A name or a value: every byte encoded but letters, digits and `-._~`."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")


def encoded_path(path: str, /) -> str:
    """The path as it is signed and sent: every byte encoded once but letters, digits and `-._~/`."""
    return path if _PLAIN_PATH.fullmatch(path) else quote(path, safe="/")


def encoded_query(pairs: Query, /) -> str:
    """The query as it is signed and sent: encoded, and sorted by name, then value."""
    both = [(encoded(name), encoded(value)) for name, value in pairs_of(pairs)]
    return "&".join([f"{name}={value}" for name, value in sorted(both)])


@lru_cache(maxsize=1024)
def layout(given: tuple[str, ...]) -> tuple[str, str, str, tuple[str, ...]]:
    """For headers of these names: the signed names, how they end, a template, and whose values it takes.

    The source of `host` is the empty name.
    """
    lowered = {name.lower(): name for name in given if name.lower() not in _UNSIGNED_HEADERS}
    lowered["host"] = ""
    order = sorted(lowered)
    names = ";".join(order)
    template = "".join(f"{name.replace('%', '%%')}:%s\n" for name in order)
    return names, f"\n{names}\n", template, tuple(lowered[name] for name in order)


def trimmed(value: str, /) -> str:
    """Without outer spaces, and inner ones single; what is not ASCII is no space."""
    if value.isascii():
        return " ".join(value.split())
    return b" ".join(value.encode().split()).decode()


def pairs_of(query: Query, /) -> Iterable[tuple[str, str]]:
    """Names and values."""
    return cast(Mapping[str, str], query).items() if isinstance(query, Mapping) else query


def host_of(url_base: str, /) -> str:
    """What the `Host` header will be, for `https://host[:port]`."""
    scheme, _, host = url_base.partition("://")
    return host.removesuffix(_DEFAULT_PORTS.get(scheme, ""))
