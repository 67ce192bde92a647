"""What goes beside the bytes, as headers: options become headers, and headers become facts."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from storeroom.contracts.errors import InvalidArgument, Unsupported
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._azure.metadata import read_metadata, write_metadata
from storeroom.drivers._http.dates import moment

__all__ = [
    "conditions_of",
    "describing",
    "explicit_tier",
    "is_folder",
    "md5_of",
    "stat_of",
    "told_type",
    "written",
]

_HINTS: Final = (
    ("x-ms-blob-content-type", "content_type"),
    ("x-ms-blob-cache-control", "cache_control"),
    ("x-ms-blob-content-disposition", "content_disposition"),
    ("x-ms-blob-content-encoding", "content_encoding"),
    ("x-ms-blob-content-language", "content_language"),
)
_PRINTABLE: Final = re.compile(r"[ -~]*")
_MARK: Final = "x-ms-meta-hdi_isfolder"
# What Azure says of a blob that was stored without a type.
_NO_TYPE: Final = "application/octet-stream"


def describing(how: WriteOptions, tier: str | None = None, /) -> dict[str, str]:
    """The headers that store what `how` says beside the bytes; conditions are no part of it."""
    _check_kept(how)
    headers: dict[str, str] = {}
    for name, attribute in _HINTS:
        value: str | None = getattr(how, attribute)
        if value is not None:
            headers[name] = _printable(attribute, value)
    if how.metadata:
        headers.update(write_metadata(how.metadata))
    if how.tags:
        headers["x-ms-tags"] = _tags(how.tags)
    tier = how.tier or tier
    if tier is not None:
        headers["x-ms-access-tier"] = _printable("tier", tier)
    return headers


def conditions_of(how: WriteOptions, /) -> dict[str, str]:
    """The headers of the conditions."""
    headers = {} if how.if_match is None else {"if-match": _printable("if_match", how.if_match)}
    return headers if how.overwrite else {**headers, "if-none-match": "*"}


def stat_of(path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
    """The facts that the headers of a reply tell."""
    get = headers.get
    return Stat(
        path,
        size,
        moment(get("last-modified")),
        get("etag"),
        told_type(get("content-type")),
        get("cache-control"),
        get("content-disposition"),
        get("content-encoding"),
        get("content-language"),
        read_metadata(headers),
        get("x-ms-access-tier"),
        get("x-ms-version-id"),
    )


def written(path: str, size: int | None, reply: Mapping[str, str], /) -> Stat:
    """The facts that the reply to a write tells."""
    get = reply.get
    version = get("x-ms-version-id")
    return Stat(path, size, moment(get("last-modified")), get("etag"), version=version)


def explicit_tier(headers: Mapping[str, str], /) -> str | None:
    """The tier, where it is not just that of the account."""
    if headers.get("x-ms-access-tier-inferred") == "true":
        return None
    return headers.get("x-ms-access-tier")


def told_type(kind: str | None, /) -> str | None:
    """The type, None where nobody gave one."""
    return None if kind == _NO_TYPE else kind


def is_folder(headers: Mapping[str, str], size: int | None, /) -> bool:
    """Whether this is the mark of a folder, as Azure's own file systems leave one."""
    return size == 0 and headers.get(_MARK, "").lower() == "true"


def md5_of(headers: Mapping[str, str], /) -> bytes | None:
    """The MD5 that the service keeps of the whole file; None where it keeps none."""
    told = headers.get("x-ms-blob-content-md5") or headers.get("content-md5")
    try:
        return b64decode(told, validate=True) if told else None
    except (NotBase64, ValueError):
        return None


def _check_kept(how: WriteOptions) -> None:
    if how.visibility is not None and not how.carried:
        raise Unsupported(
            "on Azure a container as a whole is public or private; set that there, and leave "
            "visibility out"
        )


def _printable(name: str, value: str) -> str:
    value = value.strip()
    if not _PRINTABLE.fullmatch(value):
        raise InvalidArgument(f"{name} is of printable ASCII letters on Azure; encode the others")
    return value


def _tags(tags: Mapping[str, str]) -> str:
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in tags.items())
