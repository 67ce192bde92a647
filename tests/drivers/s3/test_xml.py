"""Replies of S3 are read whoever wrote them, and requests hold every name."""

import time
from datetime import UTC, datetime
from xml.etree.ElementTree import fromstring

import pytest

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._http.wire import Failure
from storeroom.drivers._s3 import xml
from storeroom.drivers._s3.bodies import (
    complete_body,
    delete_body,
    is_writable,
    restore_body,
    tagging_body,
)
from storeroom.drivers._s3.replies import (
    ErrorReply,
    GrantedTo,
    Listed,
    OpenUpload,
    Removal,
    StoredPart,
    StoredVersion,
)

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
DAY = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
UGLY = (
    "a b",
    "%2F",
    "\"quoted\" & 'single'",
    "<tag>",
    "👩‍👩‍👧",
    "a\tb",
    "a\rb",
    "a\nb",
    "é",
    "e\u0301",
    "a//b",
)


def document(name: str, content: str, namespace: str = NAMESPACE) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{namespace}>{content}</{name}>'.encode()


LISTING = """
<Name>media</Name><Prefix/><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<NextContinuationToken>1/+=next</NextContinuationToken>
<Contents><Key>a+b%2Fc%2Bd%C3%A9</Key><LastModified>2026-11-20T10:30:00.000Z</LastModified>
<ETag>&quot;abc-2&quot;</ETag><Size>5368709121</Size><StorageClass>GLACIER</StorageClass>
<Owner><ID>1</ID></Owner><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><New>thing</New></Contents>
<Contents><Key>plain</Key></Contents>
<CommonPrefixes><Prefix>f+1%2F</Prefix></CommonPrefixes><Unknown><Contents/></Unknown>
"""


@pytest.mark.parametrize("namespace", [NAMESPACE, "", ' xmlns="http://doc.s3.amazonaws.com/x"'])
def test_a_listing_is_read_in_any_namespace(namespace: str) -> None:
    page = xml.read_listing(document("ListBucketResult", LISTING, namespace))
    assert page.objects == [
        Listed("a b/c+dé", 5368709121, DAY, '"abc-2"', "GLACIER"),
        Listed("plain", None, None, None, None),
    ]
    assert page.folders == ["f 1/"]
    assert page.token == "1/+=next"


def test_names_are_decoded_only_where_the_service_encoded_them() -> None:
    listing = LISTING.replace("<EncodingType>url</EncodingType>", "")
    page = xml.read_listing(document("ListBucketResult", listing))
    assert page.objects[0].key == "a+b%2Fc%2Bd%C3%A9"
    assert page.folders == ["f+1%2F"]


def test_a_name_that_is_no_utf_8_stays_a_name_of_its_own() -> None:
    listing = (
        "<EncodingType>url</EncodingType><Contents><Key>%FF</Key></Contents>"
        "<Contents><Key>%FE</Key></Contents>"
    )
    page = xml.read_listing(document("ListBucketResult", listing))
    assert [entry.key for entry in page.objects] == ["\udcff", "\udcfe"]


def test_the_last_page_has_no_token() -> None:
    page = xml.read_listing(document("ListBucketResult", "<IsTruncated>false</IsTruncated>"))
    assert (page.objects, page.folders, page.token) == ([], [], None)


def test_a_cut_listing_without_a_token_is_corrupted() -> None:
    with pytest.raises(Corrupted, match="NextContinuationToken"):
        xml.read_listing(document("ListBucketResult", "<IsTruncated>true</IsTruncated>"))


def test_times_without_a_zone_are_utc_and_strange_ones_unknown() -> None:
    times = ("2026-11-20T10:30:00", "2026-11-20T11:30:00+01:00", "yesterday", "")
    listing = "".join(f"<Contents><LastModified>{text}</LastModified></Contents>" for text in times)
    page = xml.read_listing(document("ListBucketResult", listing))
    assert [entry.modified for entry in page.objects] == [DAY, DAY, None, None]


def test_an_etag_without_quotes_gets_them() -> None:
    listing = "".join(
        f"<Contents><ETag>{text}</ETag></Contents>" for text in ("abc", '"abc"', 'W/"abc"')
    )
    page = xml.read_listing(document("ListBucketResult", listing))
    assert [entry.etag for entry in page.objects] == ['"abc"', '"abc"', 'W/"abc"']


ENTRIES = (
    (
        "<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>&quot;e&quot;</ETag>"
        "<Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
    ),
    (
        '<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>"e"</ETag>'
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
        "<Size>99999999999</Size><Owner><ID>1</ID><DisplayName>n</DisplayName></Owner>"
        "<StorageClass>GLACIER_IR</StorageClass></Contents>"
    ),
    (
        "<Contents>\n  <Key>{key}</Key>\n  <LastModified>{time}</LastModified>\n  <ETag>&quot;e&quot;</ETag>"
        "\n  <Size>0</Size>\n  <StorageClass>STANDARD</StorageClass>\n  <Owner>\n<ID>1</ID>\n</Owner>\n"
        "</Contents>\n"
    ),
    "<Contents><Key>{key}</Key><Size>5</Size><New><Thing>1</Thing></New></Contents>",
    "<Contents><Size>5</Size><Key>{key}</Key><ETag>e</ETag></Contents>",
)
KEYS = (
    "a/b.txt",
    "a+b%2F",
    "a &amp; b",
    "&#x41;",
    "&lt;Contents&gt;",
    "",
    "%FF",
    "👩‍👩‍👧",
    "a\r\nb",
    ">",
)


@pytest.mark.parametrize("encoding", ["<EncodingType>url</EncodingType>", ""])
@pytest.mark.parametrize("last", ENTRIES)
@pytest.mark.parametrize("first", ENTRIES)
def test_a_listing_is_the_same_however_its_entries_are_written(
    first: str, last: str, encoding: str
) -> None:
    """With an attribute every entry goes the long way through the parser."""
    entries = [
        entry.format(key=key, time="2026-11-20T10:30:00.000Z")
        for entry in (first, last, first)
        for key in KEYS
    ]
    content = (
        f"<Name>b</Name><Prefix/>{encoding}{{}}<CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes>"
    )
    short = document("ListBucketResult", content.format("".join(entries)))
    long = short.replace(b"<Contents>", b"<Contents xml:lang='x'>")
    assert xml.read_listing(short) == xml.read_listing(long)
    assert len(xml.read_listing(short).objects) == len(entries)
    assert xml.read_listing(short).folders == ["f/"]


@pytest.mark.parametrize("around", ["<!--{}-->", "<![CDATA[{}]]>", "<Other>{}</Other>"])
def test_what_looks_like_an_entry_and_is_none_is_not_listed(around: str) -> None:
    entry = ENTRIES[0].format(key="a", time="2026-11-20T10:30:00.000Z")
    page = xml.read_listing(document("ListBucketResult", around.format(entry)))
    assert page.objects == []


def test_a_listing_that_is_cut_off_is_corrupted() -> None:
    entries = [ENTRIES[0].format(key=key, time="2026-11-20T10:30:00.000Z") for key in "abc"]
    whole = document("ListBucketResult", "".join(entries))
    for stop in range(0, len(whole) - 1, 7):
        with pytest.raises(Corrupted):
            xml.read_listing(whole[:stop])


def test_versions_and_markers_keep_their_order() -> None:
    content = """
    <IsTruncated>true</IsTruncated><NextKeyMarker>b+c</NextKeyMarker>
    <NextVersionIdMarker>v9</NextVersionIdMarker><EncodingType>url</EncodingType>
    <DeleteMarker><Key>a</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest></DeleteMarker>
    <Version><Key>a</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>
    <LastModified>2026-11-20T10:30:00.000Z</LastModified><ETag>"x"</ETag><Size>3</Size>
    <StorageClass>STANDARD</StorageClass></Version>
    <CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes>
    """
    page = xml.read_versions(document("ListVersionsResult", content))
    assert page.versions == [
        StoredVersion("a", "v2", True, True, None, None, None, None),
        StoredVersion("a", "v1", False, False, 3, DAY, '"x"', "STANDARD"),
    ]
    assert page.folders == ["f/"]
    assert page.marker == ("b c", "v9")


def test_open_uploads_are_read() -> None:
    content = """
    <IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u
    </NextUploadIdMarker><Upload><Key>k</Key><UploadId>u</UploadId>
    <Initiated>2026-11-20T10:30:00.000Z</Initiated></Upload>
    """.replace("u\n    ", "u")
    page = xml.read_uploads(document("ListMultipartUploadsResult", content))
    assert page.uploads == [OpenUpload("k", "u", DAY)]
    assert page.marker == ("k", "u")


def test_parts_are_read() -> None:
    content = """
    <IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>
    <Part><PartNumber>2</PartNumber><ETag>"e"</ETag><Size>5</Size></Part>
    """
    page = xml.read_parts(document("ListPartsResult", content))
    assert page.parts == [StoredPart(2, '"e"', 5, None)]
    assert page.marker == 2


def test_a_bulk_removal_says_what_became_of_each_key() -> None:
    content = """
    <Deleted><Key>a &amp; b</Key></Deleted>
    <Error><Key>c</Key><Code>AccessDenied</Code><Message>No</Message></Error>
    """
    answer = xml.read_deleted(document("DeleteResult", content))
    assert answer.keys == ["a & b"]
    assert answer.failed == [Removal("c", "AccessDenied", "No", None)]


def test_a_copy_and_a_completion_bring_etag_and_checksums() -> None:
    content = """
    <LastModified>2026-11-20T10:30:00.000Z</LastModified><ETag>"e"</ETag>
    <ChecksumCRC32>AAAA</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType>
    """
    copied = xml.read_copied(document("CopyObjectResult", content))
    assert (copied.etag, copied.modified, copied.checksums) == ('"e"', DAY, {"CRC32": "AAAA"})
    completed = xml.read_completed(document("CompleteMultipartUploadResult", content))
    assert (completed.etag, completed.checksums) == ('"e"', {"CRC32": "AAAA"})


def test_a_started_upload_has_an_id() -> None:
    name = "InitiateMultipartUploadResult"
    assert xml.read_started(document(name, "<UploadId>u</UploadId>")) == "u"
    with pytest.raises(Corrupted, match="no id"):
        xml.read_started(document(name, "<UploadId/>"))


def test_tags_and_grants_are_read() -> None:
    tags = (
        "<TagSet><Tag><Key>k</Key><Value/></Tag><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet>"
    )
    assert xml.read_tags(document("Tagging", tags)) == {"k": "", "a": "b c"}
    grants = """
    <Owner><ID>me</ID></Owner><AccessControlList>
    <Grant><Grantee><ID>me</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>
    <Grant><Grantee><URI>http://acs/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>
    </AccessControlList>
    """
    assert xml.read_grants(document("AccessControlPolicy", grants)) == [
        GrantedTo("me", "FULL_CONTROL"),
        GrantedTo("http://acs/AllUsers", "READ"),
    ]


ERROR = """
<Code>RequestTimeTooSkewed</Code><Message>Too far</Message><RequestId>R1</RequestId>
<HostId>H1</HostId><Region>eu-west-1</Region><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>
<ServerTime>2026-11-20T10:30:00Z</ServerTime><Key>k</Key>
"""


@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
def test_an_error_is_read_whole(namespace: str) -> None:
    assert xml.read_error(document("Error", ERROR, namespace)) == Failure(
        "RequestTimeTooSkewed",
        "Too far",
        "R1",
        {
            "HostId": "H1",
            "Region": "eu-west-1",
            "Endpoint": "b.s3.eu-west-1.amazonaws.com",
            "ServerTime": "2026-11-20T10:30:00Z",
            "Key": "k",
        },
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"Service Unavailable", b"<html><body>502</body></html>", b"<Error><Code>", b"\xff"],
)
def test_an_error_that_says_nothing_is_no_other_error(body: bytes) -> None:
    assert xml.read_error(body) == Failure()


def test_an_error_under_the_status_200_is_an_error() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    with pytest.raises(ErrorReply) as caught:
        xml.read_copied(document("Error", ERROR, ""))
    assert caught.value.failure.code == "RequestTimeTooSkewed"


@pytest.mark.parametrize("body", [b"", b"<html/>", b"<ListBucketResult>", b"{}", b"<a>\xff</a>"])
def test_what_is_no_listing_is_not_an_empty_one(body: bytes) -> None:
    with pytest.raises(Corrupted):
        xml.read_listing(body)


LAUGHS = '<!DOCTYPE r [<!ENTITY a0 "ha">{}]><ListBucketResult>&a30;</ListBucketResult>'.format(
    "".join(f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};">' for n in range(1, 31))
)
OUTSIDE = '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><Tagging>&e;</Tagging>'


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, "<!DOCTYPE html><html></html>"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "utf-7"])
def test_entities_are_refused_at_once(text: str, encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>{text}'
    begun = time.perf_counter()
    for body in (text, declared):
        with pytest.raises(Corrupted):
            xml.read_listing(body.encode(encoding))
        assert xml.read_error(body.encode(encoding)) == Failure()
    assert time.perf_counter() - begun < 1


def test_an_undeclared_entity_is_refused() -> None:
    with pytest.raises(Corrupted):
        xml.read_tags(document("Tagging", "<Key>&nbsp;</Key>"))


def test_deep_nesting_does_no_harm() -> None:
    depth = 100_000
    body = document("ListBucketResult", "<a>" * depth + "</a>" * depth)
    assert xml.read_listing(body).objects == []


@pytest.mark.parametrize("key", UGLY)
def test_every_name_survives_a_body(key: str) -> None:
    space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    removal = fromstring(delete_body([key, (key, key)], quiet=True))
    assert [found.text for found in removal.iter(f"{space}Key")] == [key, key]
    assert removal.findtext(f".//{space}VersionId") == key
    assert xml.read_tags(tagging_body({key: key})) == {key: key}


def test_a_name_that_xml_cannot_hold_is_known() -> None:
    assert all(is_writable(key) for key in UGLY)
    assert not any(is_writable(key) for key in ("a\x01b", "\x00", "a\ufffe", "\udcff"))


def test_bodies_are_what_s3_documents() -> None:
    head = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    assert delete_body(["a"]) == f"<Delete{head}<Object><Key>a</Key></Object></Delete>".encode()
    assert complete_body({2: '"b"', 1: '"a"'}, {2: {"CRC32": "AA=="}}).decode() == (
        f"<CompleteMultipartUpload{head}"
        "<Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>&quot;b&quot;</ETag>"
        "<ChecksumCRC32>AA==</ChecksumCRC32></Part></CompleteMultipartUpload>"
    )
    assert restore_body(3, "Bulk").decode() == (
        f"<RestoreRequest{head}<Days>3</Days>"
        "<GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>"
    )
