"""What came over the wire, without its secrets."""

import re

from tests.servers._strict.wire import Exchange
from tests.servers._strict_s3.call import Call

__all__ = ["Exchange", "exchange"]

_SECRET_HEADERS = re.compile(r"x-amz-security-token|.*-customer-key", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?<=Signature=)[0-9a-f]{64}")
_TOKEN = re.compile(r"(?<=X-Amz-Security-Token=)[^&]+", re.IGNORECASE)


def exchange(call: Call, /) -> Exchange:
    headers = {
        name.lower(): "***" if _SECRET_HEADERS.fullmatch(name) else _SIGNATURE.sub("***", value)
        for name, value in call.headers.items()
    }
    query = _TOKEN.sub("***", _SIGNATURE.sub("***", call.query_string))
    return Exchange(call.method, call.path, query, headers)
