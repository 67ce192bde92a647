"""The strict Azure server copies at once or in its own time, and judges who reads the source."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import ContainerClient, generate_blob_sas

from tests.servers.azure import AzureServer
from tests.servers.azure_refusals import refused
from tests.servers.strict_azure import StrictAzure

BODY = b"0123456789"
UGLY = "a b/ü%2F+.txt"


@pytest.fixture
def container(strict_azure: StrictAzure, levers: None) -> ContainerClient:
    """With one blob of an ugly name."""
    client = strict_azure.container(strict_azure.make_container())
    client.upload_blob(UGLY, BODY, metadata={"Foo": "1"}, tags={"t": "1"})
    return client


def url(server: AzureServer, container: ContainerClient, *, permission: str = "r") -> str:
    """The ugly blob's, with a signature."""
    signature = generate_blob_sas(
        server.account,
        container.container_name,
        UGLY,
        account_key=server.key,
        permission=permission,
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    return f"{container.get_blob_client(UGLY).url}?{signature}"


def test_a_copy_has_the_facts_of_its_source(container: ContainerClient) -> None:
    copy = container.get_blob_client("copy")
    said = copy.start_copy_from_url(container.get_blob_client(UGLY).url)
    assert said["copy_status"] == "success"
    found = copy.get_blob_properties()
    assert (found.metadata, found.copy.status, found.copy.id) == (
        {"Foo": "1"},
        "success",
        said["copy_id"],
    )
    assert found.tag_count is None
    assert copy.download_blob().readall() == BODY
    copy.start_copy_from_url(container.get_blob_client(UGLY).url, metadata={"new": "2"})
    assert copy.get_blob_properties().metadata == {"new": "2"}


def test_a_copy_at_once_needs_a_signature(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    copy, source = container.get_blob_client("copy"), url(strict_azure, container)
    bare = container.get_blob_client(UGLY).url
    with refused("CannotVerifyCopySource", 404):
        copy.start_copy_from_url(bare, requires_sync=True)
    with refused("CannotVerifyCopySource", 404):
        copy.upload_blob_from_url(bare)
    for wrong in (f"{source}x", url(strict_azure, container, permission="w")):
        with refused("CannotVerifyCopySource", 403):
            copy.start_copy_from_url(wrong, requires_sync=True)
    assert copy.start_copy_from_url(source, requires_sync=True)["copy_status"] == "success"
    copy.upload_blob_from_url(source, overwrite=True)
    strict_azure.settings(open_sources=True)
    copy.start_copy_from_url(bare, requires_sync=True)
    strict_azure.settings(largest_copy=9)
    with refused("InvalidInput", 400):
        copy.start_copy_from_url(source, requires_sync=True)


def test_blocks_come_from_elsewhere(strict_azure: StrictAzure, container: ContainerClient) -> None:
    copy, source = container.get_blob_client("copy"), url(strict_azure, container)
    copy.stage_block_from_url("MQ==", source, source_offset=2, source_length=3)
    copy.stage_block_from_url("Mg==", source)
    with refused("CannotVerifyCopySource", 404):
        copy.stage_block_from_url("Mw==", container.get_blob_client(UGLY).url)
    copy.commit_block_list(["MQ==", "Mg=="])
    assert copy.download_blob().readall() == b"234" + BODY


def test_tags_come_along_where_asked_for(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    copy, source = container.get_blob_client("copy"), url(strict_azure, container, permission="rt")
    copy.start_copy_from_url(source, requires_sync=True, tags="COPY")
    assert copy.get_blob_tags() == {"t": "1"}
    copy.start_copy_from_url(source, requires_sync=True, tags={"new": "2"})
    assert copy.get_blob_tags() == {"new": "2"}


def test_another_account_reads_by_signature(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    other = strict_azure.other()
    copy = other.container(other.make_container()).get_blob_client("copy")
    with refused("CannotVerifyCopySource", 404):
        copy.start_copy_from_url(container.get_blob_client(UGLY).url)
    copy.start_copy_from_url(url(strict_azure, container))
    assert copy.download_blob().readall() == BODY


def test_a_source_has_conditions(container: ContainerClient) -> None:
    copy, source = container.get_blob_client("copy"), container.get_blob_client(UGLY)
    with refused("CannotVerifyCopySource", 404):
        copy.start_copy_from_url(container.get_blob_client("none").url)
    with refused("SourceConditionNotMet", 412):
        copy.start_copy_from_url(source.url, source_if_tags_match_condition="\"t\" = '2'")
    assert not copy.exists()


def test_a_copy_may_pend(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.settings(pending_copies=2)
    copy, source = container.get_blob_client("copy"), container.get_blob_client(UGLY).url
    assert copy.start_copy_from_url(source)["copy_status"] == "pending"
    found = [copy.get_blob_properties() for _ in range(3)]
    assert [it.copy.status for it in found] == ["pending", "pending", "success"]
    assert [it.copy.progress for it in found] == ["0/10", "0/10", "10/10"]
    assert copy.download_blob().readall() == BODY


def test_a_copy_may_fail(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.settings(pending_copies=1, failing_copies=True)
    copy, source = container.get_blob_client("copy"), container.get_blob_client(UGLY).url
    copy.start_copy_from_url(source)
    found = [copy.get_blob_properties().copy for _ in range(2)]
    assert [it.status for it in found] == ["pending", "failed"]
    assert found[1].status_description.startswith("500 ")


def test_a_copy_is_aborted(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.settings(pending_copies=-1)
    copy, source = container.get_blob_client("copy"), container.get_blob_client(UGLY).url
    said = copy.start_copy_from_url(source)
    with refused("PendingCopyOperation", 409):
        copy.upload_blob(b"", overwrite=True)
    with refused("CopyIdMismatch", 409):
        copy.abort_copy("11111111-2222-3333-4444-555555555555")
    copy.abort_copy(said["copy_id"])
    assert copy.get_blob_properties().copy.status == "aborted"
    assert copy.download_blob().readall() == b""
    with refused("NoPendingCopyOperation", 409):
        copy.abort_copy(said["copy_id"])


def test_copies_that_pend_are_finished_on_demand(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    strict_azure.settings(pending_copies=-1)
    copy = container.get_blob_client("copy")
    copy.start_copy_from_url(container.get_blob_client(UGLY).url)
    assert {copy.get_blob_properties().copy.status for _ in range(9)} == {"pending"}
    strict_azure.finish_copies()
    assert copy.get_blob_properties().copy.status == "success"
