"""The XML that a service replies; a document type is refused, for none sends one and entities hide in it."""

from xml.etree.ElementTree import Element, ParseError, XMLParser

from storeroom.contracts.errors import Corrupted

__all__ = ["local", "parsed"]


def parsed(body: bytes, /) -> Element:
    """The root of a document in UTF-8, whatever it claims to be; `Corrupted` where it is none."""
    # The parser goes by a mark of UTF-16 in spite of what it is told, and would find the type there.
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise Corrupted("the service's reply declares a document type, or is no text")
    parser = XMLParser(encoding="utf-8")  # noqa: S314 - without a document type there is no entity
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        raise Corrupted(
            f"the service's reply is not XML ({error}); check that endpoint_url is right"
        ) from None
    return root


def local(element: Element, /) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]
