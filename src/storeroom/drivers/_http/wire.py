"""What goes over the wire, whoever carries it: a request, its reply, and how a reply can fail to come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from storeroom.contracts.body import Piece

__all__ = [
    "Content",
    "Failure",
    "Lost",
    "Refused",
    "Reply",
    "Request",
    "Transport",
    "Why",
    "size_of",
]

Content = bytes | Sequence[Piece]
"""A body of a request, whole or in pieces."""

Why = Literal["unreachable", "dropped", "idle", "certificate"]


@dataclass(slots=True)
class Request:
    """One operation on a key, or on the bucket where `key` is None; the transport knows the address.

    `headers` are in lower case, as are those of a reply; `unsummed` says that the service is to keep no
    checksum of the body. `attempts` counts how often it was sent, `sent` says that a try is under way
    whose body leaves or has left, `uncertain` that one may have been carried out though no reply said so, `mended`
    what was put right in between. `abandoned` is set when nobody waits any more: nothing is sent again.
    `once` is for what a further try must not repeat as it is: the first failure is told. `shown` are the
    credentials of the last try.
    """

    operation: str
    method: str
    key: str | None = None
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: Content = b""
    unsummed: bool = False
    once: bool = False
    attempts: int = 0
    sent: bool = False
    abandoned: bool = False
    uncertain: bool = False
    mended: set[str] = field(default_factory=set[str])
    shown: object = field(default=None, repr=False)


class Reply(Protocol):
    """A reply whose body may still be coming."""

    status: int

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, to be asked for in lower case."""
        ...

    async def read(self, most: int | None = None, /) -> bytes:
        """All of the body; `Lost` where it breaks off, or is of more bytes than these."""
        ...

    async def chunk(self) -> bytes:
        """The bytes that came next, `b""` at the end; `Lost` where it breaks off."""
        ...

    def close(self) -> None:
        """Drop the connection, unless the reply has come entirely."""
        ...


class Transport(Protocol):
    """Carries requests on one event loop."""

    async def send(self, request: Request, /) -> Reply:
        """The reply, whatever its status; `Lost` where none comes."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def size_of(content: Content, /) -> int:
    """How many bytes there are."""
    return len(content) if isinstance(content, bytes) else sum(map(len, content))


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error reply says; `code` is empty where the body says nothing.

    `details` are whatever else it holds, by the service's own names; what was signed may be among it, so
    they are not shown.
    """

    code: str = ""
    message: str = ""
    request_id: str | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str], hash=False, repr=False)


class Lost(Exception):
    """No reply, or the half of one; `why` says at which step."""

    def __init__(self, why: Why, reason: str) -> None:
        super().__init__(reason)
        self.why = why
        self.reason = reason


class Refused(Exception):
    """A reply that is an error."""

    def __init__(self, status: int, failure: Failure, headers: Mapping[str, str]) -> None:
        super().__init__(f"{status} {failure.code}".strip())
        self.status = status
        self.failure = failure
        self.headers = headers

    @property
    def code(self) -> str:
        """The service's word for it, empty where the reply had no body."""
        return self.failure.code
