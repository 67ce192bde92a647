"""Preconditions: parameters of the JSON API, headers of the XML API.

https://cloud.google.com/storage/docs/request-preconditions
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid, unmet
from tests.servers._strict_gcs.resource import etag, xml_etag
from tests.servers._strict_gcs.state import Version, number

_NAMES = ("GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch")
TARGET = tuple(f"if{name}" for name in _NAMES)
SOURCE = tuple(f"ifSource{name}" for name in _NAMES)
_HEADERS = {
    "x-goog-if-generation-match": "ifGenerationMatch",
    "x-goog-if-metageneration-match": "ifMetagenerationMatch",
}
_KNOWN: dict[str, tuple[str, ...]] = {
    "get": TARGET,
    "media": TARGET,
    "insert": TARGET,
    "start": TARGET,
    "chunk": TARGET,
    "query": TARGET,
    "abort": TARGET,
    "patch": TARGET,
    "update": TARGET,
    "delete": TARGET,
    "compose": ("ifGenerationMatch", "ifMetagenerationMatch"),
    "rewrite": TARGET + SOURCE,
    "copy": TARGET + SOURCE,
    "move": TARGET + SOURCE,
    "get-bucket": ("ifMetagenerationMatch", "ifMetagenerationNotMatch"),
    "patch-bucket": ("ifMetagenerationMatch", "ifMetagenerationNotMatch"),
    "delete-bucket": ("ifMetagenerationMatch", "ifMetagenerationNotMatch"),
}


def asked(call: Call, /) -> dict[str, str]:
    """The conditions of a request; one that its method does not have is refused, not ignored."""
    found = {name: value for name, value in call.query.items() if name.startswith("if")}
    unknown = found.keys() - set(_KNOWN.get(call.operation, ()))
    if unknown:
        name = min(unknown)
        raise invalid(f'Unknown name "{name}": Cannot bind query parameter.', location=name)
    if call.is_xml:
        found |= {
            name: call.headers[header] for header, name in _HEADERS.items() if call.header(header)
        }
    return found


def check(
    conditions: Mapping[str, str],
    version: Version | None,
    /,
    *,
    of: str = "",
    reads: bool = False,
) -> None:
    """Hold them against what is there; `of` is "Source" for the source of a copy."""
    generation = version.generation if version else 0
    metageneration = version.metageneration if version else None
    for subject, actual in (("Generation", generation), ("Metageneration", metageneration)):
        _check(conditions, f"if{of}{subject}Match", actual, holds_if=True, reads=reads)
        _check(conditions, f"if{of}{subject}NotMatch", actual, holds_if=False, reads=reads)


def _check(
    conditions: Mapping[str, str], name: str, actual: int | None, *, holds_if: bool, reads: bool
) -> None:
    if name not in conditions:
        return
    if (number(name, conditions[name]) == actual) is holds_if:
        return
    if reads and not holds_if:
        raise Refused(304)
    raise unmet(name)


def check_headers(call: Call, version: Version, /) -> None:
    """If-Match and its like, of reading."""
    tag = xml_etag(version) if call.is_xml else etag(version)
    match, none = call.header("If-Match"), call.header("If-None-Match")
    since, until = call.header("If-Modified-Since"), call.header("If-Unmodified-Since")
    updated = version.updated.replace(microsecond=0)
    if match and not _names(match, tag):
        raise unmet("If-Match")
    if until and not match and updated > parsedate_to_datetime(until):
        raise unmet("If-Unmodified-Since")
    if none and _names(none, tag):
        raise Refused(304)
    if since and not none and updated <= parsedate_to_datetime(since):
        raise Refused(304)


def _names(header: str, tag: str) -> bool:
    tags = {it.strip().removeprefix("W/").strip('"') for it in header.split(",")}
    return "*" in tags or tag.strip('"') in tags
