"""A request as the handlers see it, and what is told of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import unquote

from multidict import CIMultiDict, CIMultiDictProxy

from tests.servers._strict.wire import Exchange
from tests.servers._strict_azure.operations import operation

_SECRET_HEADERS = re.compile(r"(x-ms-copy-source-)?authorization|x-ms-encryption-key")
_SIGNATURE = re.compile(r"(?<=[?&]sig=)[^&\s]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what a signature in the URL lets them: None is everything.

    `overrides` are the headers that such a signature gives to replies.
    """

    how: str = "nobody"
    permissions: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Call:
    """`path` and `query_string` are as they came over the wire, `key` is the blob, decoded."""

    method: str
    path: str
    query_string: str
    headers: "CIMultiDictProxy[str] | CIMultiDict[str]"
    secure: bool
    account: str
    bucket: str
    key: str
    query: Mapping[str, str]
    operation: str
    caller: Caller = Caller()
    address: str = "127.0.0.1"
    is_part: bool = False
    body: bytes = b""

    @classmethod
    def of(
        cls,
        method: str,
        target: str,
        headers: "CIMultiDictProxy[str] | CIMultiDict[str]",
        *,
        secure: bool = False,
        address: str = "127.0.0.1",
    ) -> Self:
        path, _, query_string = target.partition("?")
        account, bucket, key, *_ = [*path.removeprefix("/").split("/", 2), "", ""]
        query = {name.lower(): value for name, value in reversed(pairs(query_string))}
        named = operation(method, bucket, query, headers)
        return cls(
            method,
            path,
            query_string,
            headers,
            secure,
            unquote(account),
            unquote(bucket),
            unquote(key),
            query,
            named,
            address=address,
        )

    def by(self, caller: Caller) -> Self:
        return replace(self, caller=caller)

    def carrying(self, body: bytes) -> Self:
        return replace(self, body=body)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


def pairs(query_string: str, /) -> list[tuple[str, str]]:
    """Names and values, decoded; a plus is a plus."""
    found = [pair.partition("=") for pair in query_string.split("&") if pair]
    return [(unquote(name), unquote(value)) for name, _, value in found]


def exchange(call: Call, /) -> Exchange:
    """The request without its secrets."""
    headers = {
        name.lower(): "***"
        if _SECRET_HEADERS.fullmatch(name.lower())
        else _SIGNATURE.sub("***", value)
        for name, value in call.headers.items()
    }
    query = _SIGNATURE.sub("***", f"?{call.query_string}").removeprefix("?")
    return Exchange(call.method, call.path, query, headers, operation=call.operation)
