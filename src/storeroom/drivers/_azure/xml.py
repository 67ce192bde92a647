"""The XML of Azure's replies becomes values, and lists of blocks become XML."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from storeroom.contracts.errors import Corrupted
from storeroom.contracts.values import Stat
from storeroom.drivers._azure.headers import told_type
from storeroom.drivers._http.dates import moment
from storeroom.drivers._http.wire import Failure
from storeroom.drivers._http.xml import local, parsed

__all__ = ["Listed", "block_list", "read_blocks", "read_error", "read_listing", "read_names"]

_MARK: Final = "hdi_isfolder"


@dataclass(frozen=True, slots=True)
class Listed:
    """One blob of a listing; `is_folder` where it is the mark of a folder, or a folder itself."""

    key: str
    size: int | None
    modified: datetime | None
    etag: str | None
    content_type: str | None
    tier: str | None
    version: str | None
    is_current: bool
    is_folder: bool

    def stat(self) -> Stat:
        """Its facts, as far as listings tell them."""
        return Stat(
            self.key,
            self.size,
            self.modified,
            self.etag,
            self.content_type,
            tier=self.tier,
            version=self.version,
        )


def read_listing(body: bytes, /) -> tuple[list[Listed], list[str], str | None]:
    """One page: blobs, prefixes, and the mark of the next one."""
    root = _root(body, "EnumerationResults")
    blobs: list[Listed] = []
    prefixes: list[str] = []
    for element in root.find("Blobs") or ():
        if element.tag == "Blob":
            blobs.append(_listed(element))
        elif element.tag == "BlobPrefix":
            prefixes.append(_name(element))
    return blobs, prefixes, root.findtext("NextMarker") or None


def read_blocks(body: bytes, /) -> list[tuple[str, int]]:
    """The committed blocks of a blob with their sizes, in order."""
    root = _root(body, "BlockList")
    return [
        (block.findtext("Name") or "", int(block.findtext("Size") or "0"))
        for block in root.findall("CommittedBlocks/Block")
    ]


def read_names(body: bytes, /) -> list[str]:
    """The names of all blocks, committed or not."""
    return [name.text or "" for name in _root(body, "BlockList").iter("Name")]


def block_list(ids: Iterable[str], /) -> bytes:
    """The body that makes blocks a blob; ids are base64."""
    lines = "".join(f"<Latest>{one}</Latest>" for one in ids)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{lines}</BlockList>'.encode()


def read_error(code: str, body: bytes, /) -> Failure:
    """What an error reply says; `code` is what its headers do, and bodies may be anything."""
    try:
        root = _root(body, "Error") if body else None
    except Corrupted:
        root = None
    if root is None:
        return Failure(code)
    said = {child.tag: child.text or "" for child in root}
    return Failure(code or said.get("Code", ""), said.get("Message", ""), None, said)


def _root(body: bytes, name: str) -> Element:
    root = parsed(body)
    if local(root) != name:
        raise Corrupted(f"the service answered <{local(root)[:40]}>; is the endpoint Azure's?")
    return root


def _listed(element: Element) -> Listed:
    facts: Mapping[str, str | None] = {}
    mark: str | None = None
    for child in element:
        if child.tag == "Properties":
            facts = {one.tag: one.text for one in child}
        elif child.tag == "Metadata":
            mark = next((one.text for one in child if one.tag.lower() == _MARK), None)
    length, etag = facts.get("Content-Length"), facts.get("Etag")
    size = int(length) if length and length.isdecimal() else None
    marked = size == 0 and (mark or "").lower() == "true"
    return Listed(
        _name(element),
        size,
        moment(facts.get("Last-Modified")),
        f'"{etag}"' if etag and not etag.startswith('"') else etag,
        told_type(facts.get("Content-Type")),
        facts.get("AccessTier"),
        element.findtext("VersionId"),
        element.findtext("IsCurrentVersion") == "true",
        marked or facts.get("ResourceType") == "directory",
    )


def _name(element: Element) -> str:
    """The name; one that XML cannot hold is percent-encoded (since version 2021-02-12)."""
    name = element.find("Name")
    text = "" if name is None else name.text or ""
    if name is not None and name.get("Encoded") == "true":
        return unquote(text, errors="surrogateescape")
    return text
