"""What came over the wire, without its secrets."""

import re
from dataclasses import dataclass, field


@dataclass(slots=True)
class Exchange:
    """A request, names of headers in lower case, and the status it was answered with.

    `size` is that of the body as it was sent. `status` is None while, or when, there is no reply.
    `operation` is what a service calls the request, where it has names for them.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    size: int = 0
    status: int | None = None
    operation: str = ""

    def has(self, parameter: str) -> bool:
        """Whether the query has it."""
        return re.search(rf"(^|&){re.escape(parameter)}(=|&|$)", self.query) is not None


@dataclass(slots=True)
class Wire:
    """What a block of code sent; filled at the end of the block."""

    requests: list[Exchange] = field(default_factory=list[Exchange])

    @property
    def lines(self) -> list[str]:
        """Method and path of each, as `GET /bucket/key`."""
        return [f"{seen.method} {seen.path}" for seen in self.requests]

    @property
    def operations(self) -> list[str]:
        """What the service calls each."""
        return [seen.operation for seen in self.requests]
