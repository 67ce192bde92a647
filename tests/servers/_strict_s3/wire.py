"""What came over the wire, without its secrets."""

import re
from dataclasses import dataclass

from tests.servers._strict_s3.call import Call

_SECRET_HEADERS = re.compile(r"x-amz-security-token|.*-customer-key", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?<=Signature=)[0-9a-f]{64}")
_TOKEN = re.compile(r"(?<=X-Amz-Security-Token=)[^&]+", re.IGNORECASE)


@dataclass(slots=True)
class Exchange:
    """A request, names of headers in lower case, and the status it was answered with.

    `size` is that of the body as it was sent. `status` is None while, or when, there is no reply.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    size: int = 0
    status: int | None = None

    def has(self, parameter: str) -> bool:
        """Whether the query has it."""
        return re.search(rf"(^|&){re.escape(parameter)}(=|&|$)", self.query) is not None


def exchange(call: Call, /) -> Exchange:
    headers = {
        name.lower(): "***" if _SECRET_HEADERS.fullmatch(name) else _SIGNATURE.sub("***", value)
        for name, value in call.headers.items()
    }
    query = _TOKEN.sub("***", _SIGNATURE.sub("***", call.query_string))
    return Exchange(call.method, call.path, query, headers)
