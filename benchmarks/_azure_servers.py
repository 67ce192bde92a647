"""The two servers: a stub with canned replies, and Azurite; each in a process of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _servers import HOST, Endpoint, free_port, running, stub

CONTAINER = "bench"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
NAMED_KEY = {"account_name": ACCOUNT, "account_key": KEY}

_AZURITE = Path(__file__).parents[1] / "node_modules/azurite/dist/src/blob/main.js"
_WARMING = 300
_QUIET = ("--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry")


@contextmanager
def account() -> Iterator[Endpoint]:
    """The stub, as an account whose address is a path."""
    with stub("_azure_stub.py") as place:
        yield Endpoint(place.name, f"{place.url}/{ACCOUNT}")


@contextmanager
def azurite() -> Iterator[Endpoint | None]:
    """Microsoft's emulator with everything in memory, None where it is not installed."""
    node = shutil.which("node")
    if node is None or not _AZURITE.exists():
        yield None
        return
    port = free_port()
    listening = ("--blobHost", HOST, "--blobPort", str(port))
    with running([node, str(_AZURITE), *listening, *_QUIET], port):
        place = Endpoint("azurite", f"http://{HOST}:{port}/{ACCOUNT}")
        _prepare(place)
        yield place


def _prepare(place: Endpoint) -> None:
    """Make the container, and ask so often that node has compiled what answers."""
    from azure.storage.blob import ContainerClient

    client: Any
    with ContainerClient(place.url, CONTAINER, credential=NAMED_KEY) as client:
        client.create_container()
        for _ in range(_WARMING):
            client.upload_blob("warm.bin", b"warm", overwrite=True)
            client.download_blob("warm.bin").readall()
            client.get_blob_client("warm.bin").get_blob_properties()
