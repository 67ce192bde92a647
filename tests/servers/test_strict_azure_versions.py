"""The strict Azure server keeps versions, and pages of names, as Azure does."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import ContainerClient, generate_blob_sas

from tests.servers.azure_refusals import refused
from tests.servers.azure_requests import send, signed
from tests.servers.strict_azure import StrictAzure


@pytest.fixture
def container(strict_azure: StrictAzure, levers: None) -> ContainerClient:
    return strict_azure.container(strict_azure.make_container())


def versions(container: ContainerClient, name: str = "x") -> list[str]:
    """The ids of a blob, the current one last with a star."""
    listed = container.list_blobs(name_starts_with=name, include=["versions"])
    return [f"{it.version_id}{'*' * bool(it.is_current_version)}" for it in listed]


def put(container: ContainerClient, body: bytes, name: str = "x") -> str:
    blob = container.get_blob_client(name)
    version: str = blob.upload_blob(body, overwrite=True)["version_id"]
    return version


def read(container: ContainerClient, version: str | None = None) -> bytes:
    body: bytes = container.download_blob("x", version_id=version).readall()
    return body


def test_every_write_makes_a_version(container: ContainerClient) -> None:
    blob, first = container.get_blob_client("x"), put(container, b"1")
    second = put(container, b"2")
    assert first < second
    assert versions(container) == [first, f"{second}*"]
    assert (read(container), read(container, first), read(container, second)) == (b"2", b"1", b"2")
    third = blob.set_blob_metadata({"a": "1"})["version_id"]
    blob.stage_block("MQ==", b"4")
    fourth = blob.commit_block_list(["MQ=="])["version_id"]
    assert versions(container) == [first, second, third, f"{fourth}*"]
    old = blob.get_blob_properties(version_id=third)
    assert (old.metadata, old.is_current_version) == ({"a": "1"}, None)
    assert blob.get_blob_properties().is_current_version
    blob.set_blob_tags({"a": "1"})
    blob.set_http_headers()
    assert versions(container)[-1] == f"{fourth}*"


def test_a_deleted_blob_keeps_its_versions(container: ContainerClient) -> None:
    first, second = put(container, b"1"), put(container, b"2")
    container.delete_blob("x")
    assert versions(container) == [first, second]
    assert list(container.list_blobs()) == []
    with refused("BlobNotFound", 404):
        read(container)
    assert read(container, second) == b"2"
    blob = container.get_blob_client("x")
    blob.start_copy_from_url(f"{blob.url}?versionid={first}")
    assert read(container) == b"1"
    assert len(versions(container)) == 3


def test_one_version_is_deleted(container: ContainerClient) -> None:
    first, second = put(container, b"1"), put(container, b"2")
    with refused("OperationNotAllowedOnRootBlob", 403):
        container.delete_blob("x", version_id=second)
    container.delete_blob("x", version_id=first)
    assert versions(container) == [f"{second}*"]
    with refused("BlobNotFound", 404):
        container.delete_blob("x", version_id=first)
    container.delete_blob("x")
    told = container.delete_blobs({"name": "x", "version_id": second})
    assert [it.status_code for it in told] == [202]
    assert versions(container) == []


def test_a_signature_may_be_of_a_version(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    first, second = put(container, b"1"), put(container, b"2")
    signature = generate_blob_sas(
        strict_azure.account,
        container.container_name,
        "x",
        account_key=strict_azure.key,
        permission="r",
        expiry=datetime.now(UTC) + timedelta(hours=1),
        version_id=first,
    )
    target = f"/{strict_azure.account}/{container.container_name}/x?versionid={first}&{signature}"
    assert send(strict_azure, "GET", target).body == b"1"
    assert send(strict_azure, "GET", target.replace(first, second)).status == 403


def test_an_account_may_be_without_versions(strict_azure: StrictAzure, levers: None) -> None:
    other = strict_azure.other()
    container = other.container(other.make_container())
    assert put(container, b"1") is None
    put(container, b"2")
    assert versions(container) == ["None"]
    strict_azure.settings(versioning=True)
    third = put(container, b"3")
    assert versions(container)[-1] == f"{third}*"
    assert len(versions(container)) == 2


NAMES = ["a", "a b", "a-b", "a/b", "a/c", "a0", "b/", "ﬀ", "😀"]


@pytest.fixture
def many(container: ContainerClient) -> ContainerClient:
    for name in reversed(NAMES):
        container.upload_blob(name, b"", metadata={"n": "1"}, tags={"t": "1"})
    return container


@pytest.mark.parametrize("size", [1, 2, 3, 5000])
def test_names_come_in_the_order_of_their_bytes(many: ContainerClient, size: int) -> None:
    pages = [[it.name for it in page] for page in many.list_blobs(results_per_page=size).by_page()]
    assert sum(pages, []) == NAMES  # noqa: RUF017
    assert all(len(page) == size for page in pages[:-1])


@pytest.mark.parametrize("size", [1, 2, 3, 5000])
def test_folders_stand_among_the_names(many: ContainerClient, size: int) -> None:
    pages = [[it.name for it in page] for page in many.walk_blobs(results_per_page=size).by_page()]
    assert sorted(sum(pages, [])) == ["a", "a b", "a-b", "a/", "a0", "b/", "ﬀ", "😀"]  # noqa: RUF017
    assert [it.name for it in many.walk_blobs(name_starts_with="a/")] == ["a/b", "a/c"]


def test_a_list_begins_where_it_is_told_to(many: ContainerClient) -> None:
    assert [it.name for it in many.list_blobs(start_from="a/c")] == NAMES[4:]
    assert [it.name for it in many.list_blobs(name_starts_with="a/")] == ["a/b", "a/c"]


def test_a_list_has_what_is_asked_for(many: ContainerClient) -> None:
    plain, *_ = many.list_blobs()
    assert (plain.metadata, plain.tags, plain.tag_count, plain.version_id) == ({}, None, 1, None)
    full, *_ = many.list_blobs(include=["metadata", "tags", "versions"])
    assert (full.metadata, full.tags) == ({"n": "1"}, {"t": "1"})
    assert full.version_id


def test_names_that_are_no_xml_are_listed(container: ContainerClient) -> None:
    for name in ("a\nb", "a\x01b", "a\uffffb", "a&<b"):
        container.upload_blob(name, b"")
    found = [it.name for it in container.list_blobs()]
    assert found == ["a\x01b", "a\nb", "a&<b", "a\uffffb"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("maxresults=0", "OutOfRangeQueryParameterValue"),
        ("marker=nonsense", "InvalidQueryParameterValue"),
        ("include=bogus", "InvalidQueryParameterValue"),
    ],
)
def test_a_list_is_not_asked_for_nonsense(
    strict_azure: StrictAzure, container: ContainerClient, asked: str, code: str
) -> None:
    target = f"/{container.container_name}?restype=container&comp=list&{asked}"
    answer = signed(strict_azure, "GET", target)
    assert (answer.status, answer.code) == (400, code)


def test_pages_may_be_smaller_than_asked_for(
    strict_azure: StrictAzure, many: ContainerClient
) -> None:
    strict_azure.settings(page=2)
    with strict_azure.watching() as wire:
        assert [it.name for it in many.list_blobs()] == NAMES
    assert wire.operations == ["list"] * 5
