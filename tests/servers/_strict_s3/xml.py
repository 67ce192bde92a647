"""XML in and out, in the namespace of S3."""

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.servers._strict_s3.errors import Refused

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]")


def tag(name: str, value: object = "", /) -> str:
    """An element with text; True and False are written as XML Schema has them."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    safe = _CONTROL.sub(lambda found: f"&#x{ord(found[0]):x};", escape(text))
    return f"<{name}>{safe}</{name}>"


def node(name: str, children: Iterable[str], /) -> str:
    """An element of elements."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, children: Iterable[str], /, *, plain: bool = False) -> bytes:
    """A whole document; errors are the one `plain` kind, without a namespace."""
    space = "" if plain else f' xmlns="{NAMESPACE}"'
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<{name}{space}>{''.join(children)}</{name}>".encode()


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
