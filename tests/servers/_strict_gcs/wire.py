"""What came over the wire, without its secrets."""

import re

from tests.servers._strict.wire import Exchange
from tests.servers._strict_gcs.call import Call

_SECRET_HEADERS = {"authorization"}
_SIGNATURE = re.compile(r"(?<=X-Goog-Signature=)[^&]+", re.IGNORECASE)


def exchange(call: Call, /) -> Exchange:
    headers = {
        name.lower(): "***" if name.lower() in _SECRET_HEADERS else value
        for name, value in call.headers.items()
    }
    query = _SIGNATURE.sub("***", call.query_string)
    return Exchange(call.method, call.path, query, headers, operation=call.operation)
