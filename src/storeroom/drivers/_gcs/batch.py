"""Many removals in one request.

https://cloud.google.com/storage/docs/batch
"""

import re
import secrets
from collections.abc import Sequence
from typing import Final

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._gcs.failures import FAILURES
from storeroom.drivers._gcs.replies import failure_in
from storeroom.drivers._gcs.routes import object_path
from storeroom.drivers._gcs.service import Service
from storeroom.drivers._http.wire import Refused, Request

__all__ = ["removed"]

_BORDER: Final = re.compile(r'boundary="?([^";]+)"?')
_ID: Final = re.compile(
    rb"content-id:\s*<?response-(?:.*\+)?([0-9]+)>?\s*$", re.IGNORECASE | re.MULTILINE
)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[^\n]*\n")
_NAMED: Final = re.compile(rb"^([a-z-]+):[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)


async def removed(
    service: Service, keys: Sequence[str], /
) -> tuple[dict[str, Refused | None], bool]:
    """What was answered for each key, None where it was removed; and whether an earlier try may have."""
    border = secrets.token_hex(16)
    request = Request(
        "batch",
        "POST",
        None,
        (),
        {"content-type": f"multipart/mixed; boundary={border}"},
        _body(service.target.bucket, keys, border),
    )
    headers, body = await service.commit(request)
    found = _answers(headers.get("content-type", ""), body)
    if found.keys() != set(range(1, len(keys) + 1)):
        raise Corrupted("the service did not answer for every file of a batch")
    return {key: found[number] for number, key in enumerate(keys, 1)}, request.uncertain


def _body(bucket: str, keys: Sequence[str], border: str) -> bytes:
    parts = [
        f"--{border}\r\ncontent-type: application/http\r\ncontent-id: <{number}>\r\n\r\n"
        f"DELETE {object_path(bucket, key)} HTTP/1.1\r\n\r\n\r\n"
        for number, key in enumerate(keys, 1)
    ]
    return f"{''.join(parts)}--{border}--\r\n".encode()


def _answers(kind: str, body: bytes) -> dict[int, Refused | None]:
    """By number; Google may answer in another order than it was asked."""
    border = _BORDER.search(kind)
    if border is None:
        raise Corrupted("the service's reply to a batch is none")
    found: dict[int, Refused | None] = {}
    for part in body.split(b"--" + border[1].encode())[1:-1]:
        number, status = _ID.search(part), _STATUS.search(part)
        if number is None or status is None:
            raise Corrupted("the service's reply to a batch has a part that is no answer")
        found[int(number[1])] = _refused(int(status[1]), part[status.end() :])
    return found


def _refused(status: int, answer: bytes) -> Refused | None:
    if status < 300:
        return None
    head, _, body = answer.replace(b"\r\n", b"\n").partition(b"\n\n")
    named = {
        name.decode().lower(): value.decode(errors="replace")
        for name, value in _NAMED.findall(head)
    }
    headers = {name: named[name] for name in (*FAILURES.ids, "retry-after") if name in named}
    return Refused(status, failure_in(status, body.strip()), headers)
