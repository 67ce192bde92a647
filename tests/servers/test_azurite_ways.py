"""Where Azurite is another than Azure: why there is a strict server, and what tests must know."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from azure.core import MatchConditions
from azure.storage.blob import ContainerClient, generate_blob_sas

from tests.servers.azure import AzureServer
from tests.servers.azure_refusals import refused
from tests.servers.azure_requests import send, signed

BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}


@pytest.fixture
def container(azurite: AzureServer) -> ContainerClient:
    """With one blob, `x`."""
    client = azurite.container(azurite.make_container())
    client.upload_blob("x", b"0123456789")
    return client


def of_x(server: AzureServer, container: ContainerClient, ip: str | None = None) -> str:
    until = datetime.now(UTC) + timedelta(hours=1)
    return generate_blob_sas(
        server.account,
        container.container_name,
        "x",
        account_key=server.key,
        permission="r",
        expiry=until,
        ip=ip,
    )


def test_names_are_ordered_by_utf_16(container: ContainerClient) -> None:
    for name in ("😀", "ﬀ"):
        container.upload_blob(name, b"")
    assert [it.name for it in container.list_blobs()] == ["x", "😀", "ﬀ"]


def test_where_a_list_begins_is_ignored(container: ContainerClient) -> None:
    assert [it.name for it in container.list_blobs(start_from="z")] == ["x"]


def test_a_backslash_is_a_slash(container: ContainerClient) -> None:
    container.upload_blob("a\\b", b"")
    assert [it.name for it in container.list_blobs(name_starts_with="a")] == ["a/b"]


def test_a_name_that_is_no_xml_breaks_the_list(container: ContainerClient) -> None:
    container.upload_blob("a\uffff", b"")
    with refused(None, 500):
        list(container.list_blobs())


def test_a_range_of_nothing_is_a_success(azurite: AzureServer, container: ContainerClient) -> None:
    container.upload_blob("empty", b"")
    for name, asked in (("empty", "bytes=0-"), ("x", "bytes=10-")):
        target = f"/{container.container_name}/{name}"
        answer = signed(azurite, "GET", target, headers={"range": asked})
        assert (answer.status, answer.body) == (206, b"")


def test_a_wrong_md5_has_another_code(azurite: AzureServer, container: ContainerClient) -> None:
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    headers = BLOCK_BLOB | {"content-md5": wrong}
    target = f"/{container.container_name}/y"
    answer = signed(azurite, "PUT", target, headers=headers, body=b"y")
    assert (answer.status, answer.code) == (400, "InvalidOperation")


def test_versions_are_ignored(azurite: AzureServer, container: ContainerClient) -> None:
    blob = container.get_blob_client("x")
    assert blob.upload_blob(b"2", overwrite=True)["version_id"] is None
    target = f"/{container.container_name}/x?versionid=2020-01-01T00:00:00.0000000Z"
    assert signed(azurite, "GET", target).body == b"2"


def test_old_and_nameless_requests_are_taken(
    azurite: AzureServer, container: ContainerClient
) -> None:
    headers = {"x-ms-date": "Mon, 01 Jan 2024 00:00:00 GMT"}
    target = f"/{container.container_name}/x"
    assert signed(azurite, "GET", target, headers=headers).status == 200


def test_the_address_in_a_signature_is_ignored(
    azurite: AzureServer, container: ContainerClient
) -> None:
    target = f"/{azurite.account}/{container.container_name}/x"
    assert send(azurite, "GET", f"{target}?{of_x(azurite, container, '10.0.0.1')}").status == 200


def test_who_copies_at_once_may_read_their_account(
    azurite: AzureServer, container: ContainerClient
) -> None:
    source, copy = container.get_blob_client("x").url, container.get_blob_client("copy")
    forged = f"{source}?{of_x(azurite, container)}x"
    for url in (source, forged):
        assert copy.start_copy_from_url(url, requires_sync=True)["copy_status"] == "success"
    with refused("CannotVerifyCopySource", 403):
        copy.start_copy_from_url(forged)
    with refused("APINotImplemented", 501):
        copy.upload_blob_from_url(f"{source}?{of_x(azurite, container)}")


def test_anything_matches_what_is_not_there(
    azurite: AzureServer, container: ContainerClient
) -> None:
    target = f"/{container.container_name}/new"
    headers = BLOCK_BLOB | {"if-match": "*"}
    assert signed(azurite, "PUT", target, headers=headers).status == 201
    with refused("ConditionNotMet", 412):
        container.delete_blob("none", etag='"0x1"', match_condition=MatchConditions.IfNotModified)


def test_metadata_may_be_too_large_and_not_ascii(container: ContainerClient) -> None:
    blob = container.upload_blob("y", b"", metadata={"a": "x" * 9000, "b": "ü"})
    assert blob.get_blob_properties().metadata == {"a": "x" * 9000, "b": "ü"}


def test_out_of_the_archive_it_takes_no_time(container: ContainerClient) -> None:
    blob = container.get_blob_client("x")
    blob.set_standard_blob_tier("Archive")
    blob.set_blob_metadata({"a": "1"})
    blob.set_standard_blob_tier("Hot")
    assert blob.get_blob_properties().archive_status is None
    assert blob.download_blob().readall() == b"0123456789"
