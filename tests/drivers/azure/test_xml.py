"""Replies that are no XML of Azure's."""

import pytest

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._azure.xml import read_error, read_listing

DOCTYPE = """<?xml version="1.0" encoding="{}"?>
<!DOCTYPE EnumerationResults [<!ENTITY a "aaaa">]>
<EnumerationResults><Blobs><Blob><Name>&a;</Name></Blob></Blobs></EnumerationResults>"""


@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_document_type_is_seen_in_any_coding(coding: str) -> None:
    body = DOCTYPE.format(coding).encode(coding)
    with pytest.raises(Corrupted):
        read_listing(body)
    assert read_error("Code", body).code == "Code"


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"<EnumerationResults>", b"\xff\xfe<"])
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(Corrupted):
        read_listing(body)
