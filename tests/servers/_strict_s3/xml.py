"""XML in and out, in the namespace of S3."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from tests.servers._strict import xml
from tests.servers._strict.xml import node, tag
from tests.servers._strict_s3.errors import Refused

__all__ = ["NAMESPACE", "document", "malformed", "node", "parse", "tag"]

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def document(name: str, children: Iterable[str], /, *, plain: bool = False) -> bytes:
    """A whole document; errors are the one `plain` kind, without a namespace."""
    return xml.document(name, children, namespace="" if plain else NAMESPACE)


def parse(body: bytes, root: str, /) -> ET.Element:
    """The document's root without namespaces, or MalformedXML if it has another name."""
    try:
        found = ET.fromstring(body)
    except ET.ParseError as exc:
        raise malformed() from exc
    for element in found.iter():
        element.tag = element.tag.rpartition("}")[2]
    if found.tag != root:
        raise malformed()
    return found


def malformed() -> Refused:
    return Refused("MalformedXML", "The XML you provided was not well-formed")
