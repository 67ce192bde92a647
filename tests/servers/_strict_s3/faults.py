"""What shall go wrong with the requests to come."""

import re
from dataclasses import dataclass, field
from typing import Literal

from tests.servers._strict_s3.call import Call

Kind = Literal["answer", "close", "lose", "cut", "flip", "flip-upload", "stall"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail, for `times` requests of those it is about, after letting `skip` pass.

    A request is meant if its method is `method`, its query has the parameter `query`, and
    `path`, an expression, is found in "/bucket/key" (None: whatever it is).

    kind            what happens
    "answer"        an error with `code` and `retry_after`; nothing else is done; where
                    `status` is 200, the error comes as the body of a success
    "close"         the connection is closed; nothing else is done
    "lose"          all is done, and the connection closed instead of a reply
    "cut"           the reply's body ends after `after` bytes with the connection
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
    code: str = "InternalError"
    status: int | None = None
    retry_after: int | None = None
    after: int = 0

    def is_about(self, call: Call) -> bool:
        place = f"/{call.bucket}/{call.key}"
        return (
            self.method in (None, call.method)
            and (self.query is None or self.query in call.query)
            and (self.path is None or re.search(self.path, place) is not None)
        )


@dataclass(slots=True)
class Faults:
    """Those still to come, each with how often it was met."""

    waiting: list[tuple[Fault, int]] = field(default_factory=list[tuple[Fault, int]])

    def add(self, fault: Fault) -> None:
        self.waiting.append((fault, 0))

    def take(self, call: Call) -> Fault | None:
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
