"""An answer, before it goes over the wire."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Self

from multidict import CIMultiDict


class Refusal(Exception):
    """An answer that is an error; how it is worded is the service's business."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`size` stands in Content-Length where there is no body to measure, as for HEAD.

    A reply that is not `sized` has no Content-Length and is sent in chunks.
    """

    status: int = 200
    body: bytes = b""
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict[str])
    size: int | None = None
    sized: bool = True

    @classmethod
    def xml(cls, body: bytes) -> Self:
        return cls(200, body, CIMultiDict({"Content-Type": "application/xml"}))

    @classmethod
    def json(cls, told: object, status: int = 200) -> Self:
        kind = {"Content-Type": "application/json; charset=UTF-8"}
        return cls(status, json.dumps(told).encode(), CIMultiDict(kind))


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def iso_date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
