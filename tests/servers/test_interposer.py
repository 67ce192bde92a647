"""The interposer passes everything on as it stands, fails on demand, and tells what it saw."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import ContainerClient, generate_blob_sas

from tests.servers.azure import AzureServer
from tests.servers.azure_refusals import refused
from tests.servers.azure_wire import AZURE, AzureFault
from tests.servers.interposer import Interposer
from tests.servers.process import free_port

BODY = bytes(range(256)) * 4
UGLY = "a b/ü%2F+.txt"


@pytest.fixture
async def between(azurite: AzureServer) -> AsyncIterator[Interposer]:
    async with Interposer(azurite.port, AZURE) as interposer:
        yield interposer


@pytest.fixture
async def server(azurite: AzureServer, between: Interposer) -> AzureServer:
    return azurite.at(between.port)


@pytest.fixture
async def container(azurite: AzureServer, server: AzureServer) -> AsyncIterator[ContainerClient]:
    """With one blob, `x`."""
    name = await inside(azurite.make_container)
    await inside(azurite.container(name).upload_blob, "x", BODY)
    client = server.container(name, None, read_timeout=5)
    yield client
    client.close()


async def inside(call: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """The call in a thread, the interposer being on this loop."""
    return await asyncio.to_thread(call, *given, **named)


async def read(container: ContainerClient, name: str = "x", **named: Any) -> bytes:
    return await inside(lambda: container.download_blob(name, **named).readall())


async def has(container: ContainerClient, name: str) -> bool:
    return await inside(container.get_blob_client(name).exists)


async def test_all_passes_as_it_stands(between: Interposer, container: ContainerClient) -> None:
    big = BODY * 4096
    with between.watching() as wire:
        await inside(container.upload_blob, UGLY, big, max_concurrency=4)
        assert await read(container, UGLY) == big
        assert [it.name for it in await inside(lambda: list(container.list_blobs()))] == [UGLY, "x"]
        await inside(container.delete_blob, UGLY)
        assert not await has(container, UGLY)
    put, *_, head = wire.requests
    assert (put.operation, put.size, put.status) == ("put", len(big), 201)
    assert put.path.endswith("/a%20b/%C3%BC%252F%2B.txt")
    assert (head.operation, head.status) == ("head", 404)
    assert wire.operations == ["put", "get", "list", "delete", "head"]


async def test_requests_are_told_without_their_secrets(
    between: Interposer, server: AzureServer, container: ContainerClient
) -> None:
    signature = generate_blob_sas(
        server.account,
        container.container_name,
        "x",
        account_key=server.key,
        permission="r",
        expiry="2099-01-01T00:00:00Z",
    )
    url = f"{container.url}/x?{signature}"
    copy = container.get_blob_client("copy")
    with between.watching() as wire:
        await inside(
            lambda: server.container(container.container_name, signature).download_blob("x")
        )
        await inside(copy.start_copy_from_url, url, requires_sync=True)
    get, put = wire.requests
    told, secret = repr(wire), signature.rpartition("sig=")[2]
    assert secret not in told
    assert (get.has("sig"), get.has("se"), get.has("st")) == (True, True, False)
    assert put.headers["authorization"] == "***"
    assert put.headers["x-ms-copy-source"].endswith("sig=***")
    assert put.operation == "copy"
    assert await read(container, "copy") == BODY


async def test_the_operations_have_names(between: Interposer, container: ContainerClient) -> None:
    blob, log = container.get_blob_client("y"), container.get_blob_client("log")

    def work() -> None:
        blob.stage_block("MQ==", b"1")
        blob.get_block_list("all")
        blob.commit_block_list(["MQ=="])
        blob.set_blob_metadata({"a": "1"})
        blob.set_blob_tags({"a": "1"})
        blob.get_blob_tags()
        blob.set_http_headers()
        blob.set_standard_blob_tier("Cool")
        blob.acquire_lease().release()
        log.create_append_blob()
        log.append_block(b"1")
        container.get_container_properties()

    with between.watching() as wire:
        await inside(work)
    assert wire.operations == [
        "block",
        "get blocks",
        "commit",
        "metadata",
        "tags",
        "get tags",
        "properties",
        "tier",
        "lease",
        "lease",
        "create append",
        "append",
        "container",
    ]


async def test_the_next_requests_are_refused_and_do_nothing(
    between: Interposer, container: ContainerClient
) -> None:
    between.fail(AzureFault("answer", code="ServerBusy", operation="put", times=2, retry_after=7))
    for _ in range(2):
        with refused("ServerBusy", 503) as said:
            await inside(container.upload_blob, "y", BODY)
        assert said["retry-after"] == "7"
    assert between.faults_left() == 0
    assert not await has(container, "y")


async def test_an_answer_may_be_any(between: Interposer, container: ContainerClient) -> None:
    between.fail(AzureFault("answer", status=418, body="no XML at all"))
    with pytest.raises(HttpResponseError) as caught:
        await read(container)
    assert caught.value.status_code == 418
    between.fail(AzureFault("answer", method="HEAD", code="BlobNotFound"))
    assert not await has(container, "x")


async def test_a_fault_is_for_the_requests_it_names(
    between: Interposer, container: ContainerClient
) -> None:
    between.fail(AzureFault("answer", method="PUT", path=r"/ü%2F$", skip=1, query="comp"))
    await has(container, "ü%2F")
    blob = container.get_blob_client("ü%2F")
    await inside(blob.upload_blob, b"")
    await inside(blob.set_blob_metadata, {})
    with refused("InternalError", 500):
        await inside(blob.set_blob_metadata, {})


async def test_a_connection_is_closed_with_nothing_done(
    between: Interposer, container: ContainerClient
) -> None:
    between.fail(AzureFault("close", method="PUT"))
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        await inside(container.upload_blob, "y", BODY)
    assert not await has(container, "y")


async def test_a_reply_is_lost_with_all_done(
    between: Interposer, container: ContainerClient
) -> None:
    between.fail(AzureFault("lose", method="PUT"))
    with between.watching() as wire, pytest.raises(ServiceResponseError):
        await inside(container.upload_blob, "y", BODY)
    assert [seen.status for seen in wire.requests] == [None]
    assert await read(container, "y") == BODY


async def test_a_body_is_cut(between: Interposer, container: ContainerClient) -> None:
    between.fail(AzureFault("cut", after=100, times=9))
    with pytest.raises(HttpResponseError, match="100 bytes read"):
        await read(container)


async def test_a_byte_of_a_reply_is_flipped(
    between: Interposer, container: ContainerClient
) -> None:
    between.fail(AzureFault("flip", method="GET"))
    flipped = await read(container)
    assert sum(one != other for one, other in zip(flipped, BODY, strict=True)) == 1
    assert await read(container) == BODY


async def test_a_byte_of_a_request_is_flipped(
    between: Interposer, container: ContainerClient
) -> None:
    between.fail(AzureFault("flip-upload", method="PUT", times=2))
    await inside(container.upload_blob, "y", BODY)
    flipped = await read(container, "y")
    assert sum(one != other for one, other in zip(flipped, BODY, strict=True)) == 1
    with refused("InvalidOperation", 400):
        await inside(container.upload_blob, "z", BODY, validate_content=True)


async def test_a_request_is_cut(between: Interposer, container: ContainerClient) -> None:
    between.fail(AzureFault("cut-upload", after=100))
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        await inside(container.upload_blob, "y", BODY)
    assert not await has(container, "y")


async def test_a_reply_never_comes(between: Interposer, container: ContainerClient) -> None:
    between.fail(AzureFault("stall"))
    with pytest.raises(ServiceResponseError):
        await read(container, read_timeout=0.2)
    between.fail(AzureFault("answer", times=100))
    between.heal()
    assert await read(container) == BODY


async def test_nobody_is_behind_it() -> None:
    async with Interposer(free_port(), AZURE) as between:
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((ConnectionResetError, EOFError)):
            await reader.readexactly(1)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
