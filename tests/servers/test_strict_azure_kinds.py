"""The strict Azure server has tags, tiers, leases, and blobs that grow."""

import pytest
from azure.core import MatchConditions
from azure.storage.blob import BlobLeaseClient, ContainerClient, StandardBlobTier

from tests.servers.azure_refusals import refused
from tests.servers.strict_azure import StrictAzure

NOBODY = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def container(strict_azure: StrictAzure, levers: None) -> ContainerClient:
    """With one blob, `x`."""
    client = strict_azure.container(strict_azure.make_container())
    client.upload_blob("x", b"kept")
    return client


def test_tags_are_kept_and_change_nothing_else(container: ContainerClient) -> None:
    blob = container.get_blob_client("y")
    blob.upload_blob(b"", tags={"a b": "c/d", "e": ""})
    etag = blob.get_blob_properties().etag
    assert blob.get_blob_tags() == {"a b": "c/d", "e": ""}
    blob.set_blob_tags({"z": "1"})
    found = blob.get_blob_properties()
    assert (found.etag, found.tag_count, blob.get_blob_tags()) == (etag, 1, {"z": "1"})
    blob.upload_blob(b"", overwrite=True)
    assert blob.get_blob_tags() == {}


@pytest.mark.parametrize("tags", [{str(n): "1" for n in range(11)}, {"ü": "1"}, {"a": "?"}])
def test_tags_have_limits(container: ContainerClient, tags: dict[str, str]) -> None:
    with refused("InvalidInput", 400):
        container.get_blob_client("x").set_blob_tags(tags)
    with refused("InvalidInput", 400):
        container.upload_blob("y", b"", tags=tags)


def test_tags_are_conditions(container: ContainerClient) -> None:
    blob = container.get_blob_client("x")
    blob.set_blob_tags({"a": "1", "b": "2"})
    right, wrong = "\"a\" = '1' AND \"b\" <> '1'", "\"a\" = '2'"
    assert blob.download_blob(if_tags_match_condition=right).readall() == b"kept"
    for ask in (blob.download_blob, blob.delete_blob):
        with refused("ConditionNotMet", 412):
            ask(if_tags_match_condition=wrong)


def test_the_archive_is_not_read(strict_azure: StrictAzure, container: ContainerClient) -> None:
    blob = container.get_blob_client("cold")
    assert container.get_blob_client("x").get_blob_properties().blob_tier_inferred
    blob.upload_blob(b"kept", standard_blob_tier=StandardBlobTier.COOL)
    assert blob.get_blob_properties().blob_tier == "Cool"
    blob.set_standard_blob_tier("Archive")
    for ask in (
        blob.download_blob,
        lambda: blob.upload_blob(b"", overwrite=True),
        lambda: blob.set_blob_metadata({}),
        lambda: container.get_blob_client("y").start_copy_from_url(blob.url),
    ):
        with refused("BlobArchived", 409):
            ask()
    blob.set_standard_blob_tier("Hot")
    found = blob.get_blob_properties()
    assert (found.blob_tier, found.archive_status) == ("Archive", "rehydrate-pending-to-hot")
    with refused("BlobBeingRehydrated", 409):
        blob.set_standard_blob_tier("Hot")
    strict_azure.rehydrate()
    assert blob.get_blob_properties().blob_tier == "Hot"
    assert blob.download_blob().readall() == b"kept"


def test_a_lease_keeps_others_out(strict_azure: StrictAzure, container: ContainerClient) -> None:
    blob = container.get_blob_client("x")
    lease = blob.acquire_lease(15)
    for ask in (
        lambda: blob.upload_blob(b"", overwrite=True),
        blob.delete_blob,
        lambda: blob.set_blob_metadata({}),
        lambda: blob.stage_block("MQ==", b"1"),
    ):
        with refused("LeaseIdMissing", 412):
            ask()
    with refused("LeaseIdMismatchWithBlobOperation", 412):
        blob.upload_blob(b"", overwrite=True, lease=NOBODY)
    with refused("LeaseAlreadyPresent", 409):
        blob.acquire_lease(15)
    assert blob.download_blob().readall() == b"kept"
    blob.upload_blob(b"new", overwrite=True, lease=lease)
    assert blob.get_blob_properties().lease.state == "leased"
    lease.renew()
    strict_azure.settings(clock=20)
    assert strict_azure.container(container.container_name).get_blob_client("x").exists()
    blob.upload_blob(b"expired", overwrite=True)


def test_a_lease_is_given_back_or_broken(container: ContainerClient) -> None:
    blob = container.get_blob_client("x")
    with refused("InvalidHeaderValue", 400):
        blob.acquire_lease(5)
    blob.acquire_lease(-1).release()
    assert blob.get_blob_properties().lease.state == "available"
    with refused("LeaseNotPresentWithBlobOperation", 412):
        blob.delete_blob(lease=NOBODY)
    lease = blob.acquire_lease(-1)
    lease.change(NOBODY)
    assert BlobLeaseClient(blob).break_lease(0) == 0
    assert blob.get_blob_properties().lease.state == "broken"
    blob.delete_blob()


def test_a_blob_grows(strict_azure: StrictAzure, container: ContainerClient) -> None:
    blob = container.get_blob_client("log")
    with refused("BlobNotFound", 404):
        blob.append_block(b"1")
    blob.create_append_blob()
    assert blob.append_block(b"123")["blob_append_offset"] == "0"
    said = blob.append_block(b"456", appendpos_condition=3, maxsize_condition=6)
    assert (said["blob_append_offset"], said["blob_committed_block_count"]) == ("3", 2)
    with refused("AppendPositionConditionNotMet", 412):
        blob.append_block(b"7", appendpos_condition=3)
    with refused("MaxBlobSizeConditionNotMet", 412):
        blob.append_block(b"7", maxsize_condition=6)
    with refused("ConditionNotMet", 412):
        blob.append_block(b"7", etag='"0x8D0"', match_condition=MatchConditions.IfNotModified)
    assert blob.download_blob().readall() == b"123456"
    strict_azure.settings(most_appends=2)
    with refused("BlockCountExceedsLimit", 409):
        blob.append_block(b"7")


def test_kinds_do_not_mix(container: ContainerClient) -> None:
    log, blob = container.get_blob_client("log"), container.get_blob_client("x")
    log.create_append_blob()
    with refused("InvalidBlobType", 409):
        blob.append_block(b"1")
    with refused("InvalidBlobType", 409):
        log.stage_block("MQ==", b"1")
    with refused("InvalidBlobType", 409):
        log.set_standard_blob_tier("Cool")
    with refused("BlobAlreadyExists", 409):
        log.create_append_blob(match_condition=MatchConditions.IfMissing)
    log.upload_blob(b"now a block blob", overwrite=True)
    assert log.get_blob_properties().blob_type == "BlockBlob"
