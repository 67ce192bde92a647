"""The names that objects may have.

https://cloud.google.com/storage/docs/objects#naming
"""

from tests.servers._strict_gcs.errors import Refused, invalid


def check(name: str, /) -> None:
    if not name:
        raise Refused(400, "Required", reason="required", location="name")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as exc:
        raise _disallowed(name) from exc
    if size > 1024:
        raise invalid("The specified object name is not valid: it must be at most 1024 bytes.")
    is_odd = name in (".", "..") or name.startswith(".well-known/acme-challenge/")
    if is_odd or "\r" in name or "\n" in name:
        raise _disallowed(name)


def _disallowed(name: str) -> Refused:
    return invalid(
        f"Disallowed unicode characters or reserved name present in object name {name!a}"
    )
