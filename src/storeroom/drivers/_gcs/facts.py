"""What goes beside the bytes: options become a resource, and resources and headers become facts."""

import re
from collections.abc import Mapping
from typing import Any, Final

from storeroom.contracts.errors import InvalidArgument, Unsupported
from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._gcs.replies import Resource
from storeroom.drivers._http.chunks import number
from storeroom.drivers._http.dates import iso_moment, moment

__all__ = ["KEPT", "NO_TYPE", "described", "is_vague", "stat_of", "stat_of_headers"]

KEPT: Final = (
    ("contentType", "content_type"),
    ("cacheControl", "cache_control"),
    ("contentDisposition", "content_disposition"),
    ("contentEncoding", "content_encoding"),
    ("contentLanguage", "content_language"),
)
"""Fields of a resource, and what they are here."""

NO_TYPE: Final = "binary/octet-stream"
"""What is stored of a file that was given no type: a word of S3's, for Google wants one, and somebody may
mean "application/octet-stream"."""

_META: Final = "x-goog-meta-"
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TIER: Final = re.compile(r"[A-Z][A-Z_]*")
# What the service sends of an object that nobody gave any.
_NO_CACHING: Final = "private, max-age=0"


def described(how: WriteOptions, /) -> dict[str, Any]:
    """The resource that stores what `how` says; who may read it is no part of it."""
    resource: dict[str, Any] = {}
    for field, attribute in KEPT:
        value: str | None = getattr(how, attribute)
        if value is not None:
            resource[field] = _hint(attribute, value)
    if how.metadata is not None:
        resource["metadata"] = _metadata(how.metadata)
    if how.tier is not None:
        resource["storageClass"] = _tier(how.tier)
    return resource


def stat_of(path: str, resource: Resource, /) -> Stat:
    """The facts that a resource tells."""
    get = resource.get
    generation = get("generation")
    return Stat(
        path,
        number(get("size")),
        iso_moment(get("updated")),
        generation,
        _type(get("contentType")),
        get("cacheControl"),
        get("contentDisposition"),
        get("contentEncoding"),
        get("contentLanguage"),
        dict(get("metadata") or {}),
        get("storageClass"),
        generation,
    )


def stat_of_headers(path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
    """The facts that the headers of the XML API tell."""
    get = headers.get
    generation = get("x-goog-generation")
    caching, stored = get("cache-control"), get("x-goog-stored-content-encoding")
    return Stat(
        path,
        size,
        moment(get("last-modified")),
        generation,
        _type(get("content-type")),
        None if caching == _NO_CACHING else caching,
        get("content-disposition"),
        get("content-encoding") or (None if stored == "identity" else stored),
        get("content-language"),
        _read_metadata(headers),
        get("x-goog-storage-class"),
        generation,
    )


def is_vague(stat: Stat, /) -> bool:
    """Whether the headers of a read told too little.

    The JSON API sends no metadata with the bytes. The XML API sends it as headers, and what is not
    ASCII in a way that is nowhere documented.
    https://cloud.google.com/storage/docs/metadata#custom-metadata
    """
    if stat.modified is None:
        return True
    pairs = (stat.metadata or {}).items()
    return any(not (text.isascii() and "%" not in text) for pair in pairs for text in pair)


def _type(value: str | None) -> str | None:
    return None if value == NO_TYPE else value


def _hint(name: str, value: str) -> str:
    if any(char < " " or char == "\x7f" for char in value):
        raise InvalidArgument(f"{name} holds a control character")
    return value


def _metadata(pairs: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in pairs.items():
        name = key.lower()
        if not _TOKEN.fullmatch(key):
            raise InvalidArgument(
                f"metadata {key!r}: a name is of ASCII letters, digits and dashes"
            )
        if name in found:
            raise InvalidArgument(
                f"metadata {key!r}: readers of headers tell no capital from small letters"
            )
        if value != value.strip():
            raise InvalidArgument(
                f"metadata {key!r}: readers of headers lose outer spaces; leave them out"
            )
        found[name] = value
    return found


def _tier(name: str) -> str:
    if not _TIER.fullmatch(name):
        raise Unsupported(
            f"there is no tier {name!r}; Google has STANDARD, NEARLINE, COLDLINE and ARCHIVE"
        )
    return name


def _read_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in headers:
        lowered = name.lower()
        if lowered.startswith(_META):
            found[lowered[len(_META) :]] = headers[name]
    return found
