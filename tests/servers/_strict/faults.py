"""What shall go wrong with the requests to come."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

Kind = Literal["answer", "close", "lose", "cut", "cut-upload", "flip", "flip-upload", "stall"]


class Faulty(Protocol):
    """What a fault asks of a request."""

    @property
    def method(self) -> str: ...
    @property
    def bucket(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def query(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail, for `times` requests of those it is about, after letting `skip` pass.

    A request is meant if its method is `method`, its query has the parameter `query`, and
    `path`, an expression, is found in "/bucket/key" (None: whatever it is).

    kind            what happens
    "answer"        an error with `status` and `retry_after`; nothing else is done
    "close"         the connection is closed; nothing else is done
    "lose"          all is done, and the connection closed instead of a reply
    "cut"           the reply's body ends after `after` bytes with the connection
    "cut-upload"    the request's body ends after `after` bytes with the connection
    "flip"          a byte in the middle of the reply's body is another
    "flip-upload"   a byte in the middle of the request's body is another
    "stall"         all is done, and no reply comes
    """

    kind: Kind
    times: int = 1
    skip: int = 0
    method: str | None = None
    path: str | None = None
    query: str | None = None
    status: int | None = None
    retry_after: int | None = None
    after: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """Those of an "answer"."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def is_about(self, call: Faulty) -> bool:
        place = f"/{call.bucket}/{call.key}"
        return (
            self.method in (None, call.method)
            and (self.query is None or self.query in call.query)
            and (self.path is None or re.search(self.path, place) is not None)
        )


F = TypeVar("F", bound=Fault)


@dataclass(slots=True)
class Faults(Generic[F]):
    """Those still to come, each with how often it was met."""

    waiting: list[tuple[F, int]] = field(default_factory=list[tuple[F, int]])

    def add(self, fault: F) -> None:
        self.waiting.append((fault, 0))

    def take(self, call: Faulty) -> F | None:
        """The first fault that this request shall have, counted."""
        for index, (fault, met) in enumerate(self.waiting):
            if not fault.is_about(call):
                continue
            self.waiting[index] = (fault, met + 1)
            if met + 1 >= fault.skip + fault.times:
                del self.waiting[index]
            if met >= fault.skip:
                return fault
        return None
