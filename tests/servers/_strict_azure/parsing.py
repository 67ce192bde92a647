"""XML that clients send."""

from xml.etree import ElementTree as ET

from tests.servers._strict_azure.errors import Refused


def parse(body: bytes, root: str, /) -> ET.Element:
    """The document's root, or InvalidXmlDocument if it has another name."""
    try:
        found = ET.fromstring(body)
    except ET.ParseError as exc:
        raise Refused("InvalidXmlDocument", "XML specified is not syntactically valid.") from exc
    if found.tag != root:
        raise Refused("InvalidXmlDocument", f"XML specified is no {root}.")
    return found
