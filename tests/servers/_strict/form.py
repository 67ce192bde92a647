"""The form a browser posts, and the policy that its signature stands for, alike at S3 and Google.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
https://cloud.google.com/storage/docs/authentication/signatures#policy-document
"""

import base64
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from typing import Any, Literal, Self


class Unfit(ValueError):
    """A form that is not taken; `limit` is the size that was passed."""

    def __init__(
        self,
        kind: Literal["malformed", "no-file", "bad-policy", "against", "too-large", "too-small"],
        fact: str = "",
        limit: int = 0,
    ) -> None:
        super().__init__(kind, fact)
        self.kind = kind
        self.fact = fact
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by their names in lower case; what stands behind the file is not looked at."""

    fields: Mapping[str, str]
    file: bytes
    file_name: str

    @classmethod
    def of(cls, content_type: str, body: bytes) -> Self:
        kind = Message()
        kind["Content-Type"] = content_type
        boundary = str(kind.get_param("boundary", "")).encode()
        if kind.get_content_type() != "multipart/form-data" or not boundary:
            fact = "Bucket POST must be of the enclosure-type multipart/form-data."
            raise Unfit("malformed", fact)
        fields: dict[str, str] = {}
        for raw in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
            head, found, value = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            if not found:
                continue
            name, file_name = _names(head.decode("utf-8", "replace"))
            if name == "file":
                return cls(fields, value, file_name)
            fields[name] = value.decode("utf-8", "replace")
        raise Unfit("no-file", "POST requires exactly one file upload per request.")


def _names(head: str) -> tuple[str, str]:
    name = re.search(r'[; ]name="(?P<it>[^"]*)"', head)
    file_name = re.search(r'filename="(?P<it>[^"]*)"', head)
    if not name:
        raise Unfit("malformed", "A part of the form has no name.")
    return name["it"].lower(), file_name["it"] if file_name else ""


@dataclass(frozen=True, slots=True)
class Policy:
    until: datetime
    conditions: list[Any]  # JSON, as it stands in the policy

    @classmethod
    def of(cls, encoded: str) -> Self:
        try:
            said: Any = json.loads(base64.b64decode(encoded, validate=True))
            return cls(datetime.fromisoformat(said["expiration"]), list(said["conditions"]))
        except (ValueError, TypeError, KeyError) as exc:
            raise Unfit("bad-policy", "Invalid JSON.") from exc

    def check(self, form: Form, bucket: str, now: datetime, free: Collection[str]) -> None:
        """Hold the form against every condition; fields that are `free` need none."""
        if now > self.until:
            raise Unfit("against", "Policy expired.")
        values = {**form.fields, "bucket": bucket}
        named = {_check(condition, values, len(form.file)) for condition in self.conditions}
        named |= set(free)
        extra = [name for name in values if name not in named and not name.startswith("x-ignore-")]
        if extra:
            raise Unfit("against", f"Extra input fields: {', '.join(sorted(extra))}")


def _check(condition: Any, values: Mapping[str, str], size: int) -> str:
    """The name of the field it is about."""
    if hasattr(condition, "items"):
        ((field, value),) = condition.items()
        condition = ["eq", f"${field}", value]
    operator, subject, expected = condition
    if operator == "content-length-range":
        _check_range(int(subject), int(expected), size)
        return str(operator)
    name = str(subject).removeprefix("$").lower()
    value = values.get(name, "")
    holds = value == expected if operator == "eq" else value.startswith(expected)
    if operator not in ("eq", "starts-with"):
        raise Unfit("bad-policy", f"Invalid operation {operator}.")
    if not holds or (name not in values and expected):
        raise Unfit("against", f"Policy Condition failed: {json.dumps(condition)}")
    return name


def _check_range(least: int, most: int, size: int) -> None:
    if size > most:
        raise Unfit("too-large", limit=most)
    if size < least:
        raise Unfit("too-small", limit=least)
