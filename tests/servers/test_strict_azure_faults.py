"""The strict Azure server fails on demand, tells what it saw, and goes on."""

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.storage.blob import ContainerClient, generate_blob_sas

from tests.servers.azure_refusals import refused
from tests.servers.azure_requests import send
from tests.servers.strict_azure import AzureFault, StrictAzure, strict_azure_process

BODY = bytes(range(256))


@pytest.fixture
def container(strict_azure: StrictAzure, levers: None) -> ContainerClient:
    """With one blob, `x`."""
    client = strict_azure.container(strict_azure.make_container())
    client.upload_blob("x", BODY)
    return client


def has(container: ContainerClient, name: str) -> bool:
    return container.get_blob_client(name).exists()


def test_the_next_requests_are_refused_and_do_nothing(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    strict_azure.fail(AzureFault("answer", code="ServerBusy", times=2, retry_after=7))
    for _ in range(2):
        with refused("ServerBusy", 503) as said:
            container.upload_blob("y", BODY)
        assert said["retry-after"] == "7"
    assert strict_azure.faults_left() == 0
    assert not has(container, "y")


def test_a_fault_is_for_the_requests_it_names(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    strict_azure.fail(AzureFault("answer", operation="metadata", path=r"/b%2F ü$", skip=1))
    blob = container.get_blob_client("b%2F ü")
    blob.upload_blob(b"")
    container.get_blob_client("x").set_blob_metadata({})
    blob.set_blob_metadata({})
    with refused("InternalError", 500):
        blob.set_blob_metadata({})


def test_an_answer_may_be_any(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.fail(AzureFault("answer", status=418, body="no XML at all"))
    with pytest.raises(HttpResponseError) as caught:
        container.upload_blob("y", b"")
    assert caught.value.status_code == 418


def test_a_reply_is_lost_with_all_done(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    strict_azure.fail(AzureFault("lose", method="PUT"))
    with (
        strict_azure.watching() as wire,
        pytest.raises((ServiceRequestError, ServiceResponseError)),
    ):
        container.upload_blob("y", BODY)
    assert [seen.status for seen in wire.requests] == [None]
    assert has(container, "y")


def test_a_request_is_cut(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.fail(AzureFault("cut-upload", method="PUT", after=100))
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        container.upload_blob("y", BODY)
    assert not has(container, "y")


def test_bytes_are_flipped(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.fail(AzureFault("flip", operation="get"))
    assert container.download_blob("x").readall() != BODY
    strict_azure.fail(AzureFault("flip-upload", operation="put", times=2))
    with refused("Md5Mismatch", 400):
        container.upload_blob("y", BODY, validate_content=True)
    container.upload_blob("y", BODY)
    assert container.download_blob("y").readall() != BODY


def test_levers_are_put_back(strict_azure: StrictAzure, container: ContainerClient) -> None:
    strict_azure.fail(AzureFault("answer", times=100))
    strict_azure.settings(clock=3600, page=1)
    strict_azure.reset()
    assert strict_azure.faults_left() == 0
    assert has(container, "x")


def test_requests_are_told_without_their_secrets(
    strict_azure: StrictAzure, container: ContainerClient
) -> None:
    signature = generate_blob_sas(
        strict_azure.account,
        container.container_name,
        "x",
        account_key=strict_azure.key,
        permission="r",
        expiry="2099-01-01T00:00:00Z",
    )
    place = f"/{strict_azure.account}/{container.container_name}"
    with strict_azure.watching() as wire:
        send(strict_azure, "GET", f"{place}/x?{signature}")
        copy = container.get_blob_client("a b")
        copy.start_copy_from_url(f"{container.url}/x?{signature}", requires_sync=True)
    get, put = wire.requests
    assert signature.rpartition("sig=")[2] not in repr(wire)
    assert wire.lines == [f"GET {place}/x", f"PUT {place}/a%20b"]
    assert wire.operations == ["get", "copy"]
    assert (get.has("sig"), get.has("se"), get.status, put.status) == (True, True, 200, 202)
    assert put.headers["authorization"] == "***"
    assert put.headers["x-ms-copy-source"].endswith("sig=***")


def test_the_server_stops() -> None:
    with strict_azure_process() as process:
        assert process.pid
    assert process.pid is None
