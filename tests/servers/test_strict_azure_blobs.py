"""The strict Azure server writes, reads and deletes blobs as Azure does."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, ContainerClient, ContentSettings

from tests.servers.azure_refusals import refused
from tests.servers.azure_requests import send, signed
from tests.servers.strict_azure import StrictAzure

BODY = b"0123456789"
WRONG = {"etag": '"0x8D0"', "match_condition": MatchConditions.IfNotModified}
MISSING = {"match_condition": MatchConditions.IfMissing}
BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}


@pytest.fixture
def container(strict_azure: StrictAzure, levers: None) -> ContainerClient:
    """With one blob, `x`."""
    client = strict_azure.container(strict_azure.make_container())
    client.upload_blob("x", BODY)
    return client


def block(number: int) -> str:
    return base64.b64encode(f"{number:05}".encode()).decode()


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_facts_are_kept(container: ContainerClient) -> None:
    settings = ContentSettings(
        'text/x; a="b"', "gzip", "de", 'attachment; filename="a"', "no-store"
    )
    blob = container.upload_blob("y", BODY, content_settings=settings, metadata={"camelCase": "1"})
    found = blob.get_blob_properties()
    assert found.metadata == {"camelCase": "1"}
    assert found.content_settings.content_type == 'text/x; a="b"'
    assert found.content_settings.content_encoding == "gzip"
    assert found.content_settings.content_disposition == 'attachment; filename="a"'
    assert found.content_settings.content_md5 == hashlib.md5(BODY).digest()
    assert found.size == 10
    blob.set_blob_metadata({"Other": "2"})
    blob.set_http_headers(ContentSettings("text/html"))
    found = blob.get_blob_properties()
    assert (found.metadata, found.content_settings.content_type) == ({"Other": "2"}, "text/html")
    assert found.content_settings.cache_control is None


@pytest.mark.parametrize("name", ["a-b", "1a", "ä"])
def test_metadata_have_names_that_are_identifiers(strict_azure: StrictAzure, name: str) -> None:
    container = strict_azure.make_container()
    headers = BLOCK_BLOB | {f"x-ms-meta-{name}": "1"}
    try:
        answer = signed(strict_azure, "PUT", f"/{container}/x", headers=headers)
    except UnicodeEncodeError:
        return  # the client of the standard library refuses it too
    assert (answer.status, answer.code) == (400, "InvalidMetadata")


def test_metadata_are_at_most_8_kib(container: ContainerClient) -> None:
    with refused("MetadataTooLarge", 400):
        container.upload_blob("y", b"", metadata={"a": "x" * 8192})


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=2-3", 206, b"23"),
        ("bytes=8-", 206, b"89"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 416, None),
        ("bytes=-3", 400, None),
        ("bytes=3-2", 400, None),
    ],
)
@pytest.mark.parametrize("header", ["range", "x-ms-range"])
def test_a_part_is_read(
    strict_azure: StrictAzure,
    container: ContainerClient,
    header: str,
    asked: str,
    status: int,
    part: bytes | None,
) -> None:
    target = f"/{container.container_name}/x"
    answer = signed(strict_azure, "GET", target, headers={header: asked})
    assert answer.status == status
    if part is not None:
        assert answer.body == part
        assert answer.headers["Content-Range"].endswith("/10")
        assert answer.headers["x-ms-blob-content-md5"] == md5(BODY)


def test_an_empty_blob_has_no_part(strict_azure: StrictAzure, container: ContainerClient) -> None:
    container.upload_blob("empty", b"")
    target = f"/{container.container_name}/empty"
    answer = signed(strict_azure, "GET", target, headers={"range": "bytes=0-"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */0")
    assert container.download_blob("empty").readall() == b""


def test_a_wrong_md5_is_refused(strict_azure: StrictAzure, container: ContainerClient) -> None:
    target = f"/{container.container_name}/y"
    for value, code in ((md5(b"other"), "Md5Mismatch"), ("nonsense", "InvalidMd5")):
        headers = BLOCK_BLOB | {"content-md5": value}
        assert signed(strict_azure, "PUT", target, headers=headers, body=BODY).code == code
        staged = f"{target}?comp=block&blockid={block(1)}"
        headers = {"content-md5": value}
        assert signed(strict_azure, "PUT", staged, headers=headers, body=BODY).code == code
    headers = BLOCK_BLOB | {"content-md5": md5(BODY)}
    assert signed(strict_azure, "PUT", target, headers=headers, body=BODY).status == 201


def commit(container: ContainerClient, name: str, **settings: Any) -> None:
    blob = container.get_blob_client(name)
    blob.stage_block(block(1), BODY)
    blob.commit_block_list([BlobBlock(block(1))], **settings)


def copy(container: ContainerClient, name: str, **settings: Any) -> None:
    source = container.get_blob_client("x").url
    container.get_blob_client(name).start_copy_from_url(source, **settings)


def put(container: ContainerClient, name: str, **settings: Any) -> None:
    container.upload_blob(name, BODY, overwrite=True, **settings)


@pytest.mark.parametrize("write", [put, commit, copy])
def test_writers_have_conditions(container: ContainerClient, write: Callable[..., None]) -> None:
    write(container, "new", **MISSING)
    with refused("BlobAlreadyExists", 409):
        write(container, "new", **MISSING)
    with refused("ConditionNotMet", 412):
        write(container, "new", **WRONG)
    with refused("ConditionNotMet", 412):
        write(container, "none", **WRONG)
    etag = container.get_blob_client("new").get_blob_properties().etag
    write(container, "new", etag=etag, match_condition=MatchConditions.IfNotModified)
    assert container.get_blob_client("new").get_blob_properties().etag != etag


def test_readers_and_deletions_have_conditions(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    blob, target = container.get_blob_client("x"), f"/{container.container_name}/x"
    etag = blob.get_blob_properties().etag
    assert signed(strict_azure, "GET", target, headers={"if-none-match": etag}).status == 304
    every = signed(strict_azure, "GET", target, headers={"if-none-match": "*"})
    assert (every.status, every.code) == (400, "UnsatisfiableCondition")
    with refused("ConditionNotMet", 412):
        blob.download_blob(**WRONG)
    with refused("ConditionNotMet", 412):
        blob.delete_blob(**WRONG)
    blob.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)
    with refused("BlobNotFound", 404):
        blob.get_blob_properties()
    with refused("BlobNotFound", 404):
        blob.delete_blob()
    with refused("ContainerNotFound", 404):
        strict_azure.container("nowhere").upload_blob("x", b"")


def test_blocks_make_a_blob(strict_azure: StrictAzure, container: ContainerClient) -> None:
    blob, name = container.get_blob_client("blocks"), container.container_name
    blob.stage_block(block(2), b"two")
    blob.stage_block(block(1), b"one")
    assert not blob.exists()
    assert strict_azure.staged(name) == ["blocks"]
    with refused("InvalidBlockList", 400):
        blob.commit_block_list([BlobBlock(block(3))])
    with refused("InvalidBlobOrBlock", 400):
        blob.stage_block("MQ==", b"a shorter id")
    blob.commit_block_list([BlobBlock(block(1)), BlobBlock(block(2))], metadata={"a": "1"})
    assert strict_azure.staged(name) == []
    found = blob.get_blob_properties()
    assert found.content_settings.content_md5 is None
    assert found.metadata == {"a": "1"}
    assert blob.download_blob().readall() == b"onetwo"
    blob.stage_block(block(3), b"three")
    committed, staged = blob.get_block_list("all")
    assert ([it.size for it in committed], [it.size for it in staged]) == ([3, 3], [5])
    blob.commit_block_list([BlobBlock(block(2)), BlobBlock(block(3))])
    assert blob.download_blob().readall() == b"twothree"


def test_limits_may_be_smaller(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.settings(largest_put=5, largest_block=5, most_blocks=1)
    with refused("RequestBodyTooLarge", 413):
        container.upload_blob("y", BODY)
    blob = container.get_blob_client("y")
    with refused("RequestBodyTooLarge", 413):
        blob.stage_block(block(1), BODY)
    for number in (1, 2):
        blob.stage_block(block(number), b"1")
    with refused("BlockCountExceedsLimit", 409):
        blob.commit_block_list([BlobBlock(block(1)), BlobBlock(block(2))])


def test_many_are_deleted_at_once(container: ContainerClient) -> None:
    names = ["a b", "ü%2F+", "😀", "a/b", "q?x", "h#x"]
    for name in names:
        container.upload_blob(name, b"")
    told = list(container.delete_blobs(*names, "none", raise_on_any_failure=False))
    assert [it.status_code for it in told] == [202] * 6 + [404]
    assert [it.name for it in container.list_blobs()] == ["x"]
    wrong = container.delete_blobs({"name": "x", **WRONG}, raise_on_any_failure=False)
    assert [it.status_code for it in wrong] == [412]
    with refused("InvalidInput", 400):
        container.delete_blobs(*map(str, range(257)))


def test_each_request_of_many_is_judged(strict_azure: StrictAzure) -> None:
    name = strict_azure.make_container()
    part = f"DELETE /{strict_azure.account}/{name}/x HTTP/1.1\r\n\r\n"
    head = "Content-Type: application/http\r\nContent-ID: 0\r\n\r\n"
    body = f"--b\r\n{head}{part}\r\n--b--\r\n".encode()
    headers = {"content-type": "multipart/mixed; boundary=b"}
    target = f"/{name}?restype=container&comp=batch"
    answer = signed(strict_azure, "POST", target, headers=headers, body=body)
    assert answer.status == 202
    assert b"NoAuthenticationInformation" in answer.body


def test_what_is_not_done_is_not_ignored(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    target = f"/{container.container_name}/y"
    headers = BLOCK_BLOB | {"x-ms-content-crc64": "AAAAAAAAAAA="}
    assert signed(strict_azure, "PUT", target, headers=headers).code == "UnsupportedHeader"
    assert signed(strict_azure, "PUT", f"{target}?comp=expiry").status == 405
    assert signed(strict_azure, "GET", f"/{container.container_name}/../y").code == "InvalidUri"
    assert signed(strict_azure, "GET", f"/{container.container_name}/{'x' * 1025}").status == 400


def test_every_reply_has_an_id(strict_azure: StrictAzure) -> None:
    answer = send(strict_azure, "GET", f"/{strict_azure.account}/none/x")
    assert answer.headers["x-ms-request-id"]
    assert answer.headers["x-ms-error-code"] == answer.code == "ResourceNotFound"
