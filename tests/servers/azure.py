"""An Azure Blob Storage server as its clients see it."""

import time
import uuid
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceResponseError
from azure.storage.blob import BlobServiceClient, ContainerClient

# Known to everyone: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
OTHER_ACCOUNT = "devstoreaccount2"
TOKEN = "storeroom-tests-bearer-token"
OTHER_KEY = (
    "c3RvcmVyb29tIHRlc3RzOiB0aGUga2V5IG9mIHRoZSBvdGhlciBhY2NvdW50LCA2NCBieXRlcyBsb25nLi4uLg=="
)


@dataclass(frozen=True, slots=True)
class AzureServer:
    """Where the account is, and what it takes to be let in.

    `url` ends with the account's name. `authority` is the PEM file to trust where `url` is https,
    else None. `token` is a bearer token the server takes, over https only.
    """

    url: str
    authority: Path | None = None
    account: str = ACCOUNT
    key: str = field(default=KEY, repr=False)
    token: str = field(default="", repr=False)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    @property
    def connection_string(self) -> str:
        scheme = self.url.partition(":")[0]
        return (
            f"DefaultEndpointsProtocol={scheme};AccountName={self.account};"
            f"AccountKey={self.key};BlobEndpoint={self.url};"
        )

    def at(self, port: int) -> Self:
        """The same account through another port of loopback, a proxy's."""
        host = self.url.rpartition(":")[0]
        return replace(self, url=f"{host}:{port}/{self.account}")

    def other(self) -> Self:
        """A second account of the same server."""
        url = f"{self.url.rpartition('/')[0]}/{OTHER_ACCOUNT}"
        return replace(self, url=url, account=OTHER_ACCOUNT, key=OTHER_KEY)

    def client(self, credential: Any = None, **settings: Any) -> BlobServiceClient:
        """A synchronous client that tries once: of the account's key where no credential is given."""
        if credential is None and not settings:
            return _plain_client(self)
        return _client(self, credential, settings)

    def container(self, name: str, credential: Any = None, **settings: Any) -> ContainerClient:
        return self.client(credential, **settings).get_container_client(name)

    def make_container(self, **settings: Any) -> str:
        """The name of a new container that no other test has; settings are those of the SDK."""
        try:
            return self._make_container(**settings)
        except ServiceResponseError:  # a kept connection, which the server closed just now
            return self._make_container(**settings)

    def _make_container(self, **settings: Any) -> str:
        name = f"test-{uuid.uuid4().hex}"
        _plain_client(self).create_container(name, **settings)
        return name


@cache
def _plain_client(server: AzureServer) -> BlobServiceClient:
    return _client(server, None, {})


def _client(server: AzureServer, credential: Any, settings: dict[str, Any]) -> BlobServiceClient:
    careful: dict[str, Any] = {
        "retry_total": 0,
        "connection_verify": str(server.authority) if server.authority else True,
        "use_env_settings": False,
    }
    key = {"account_name": server.account, "account_key": server.key}
    return BlobServiceClient(server.url, credential or key, **(careful | settings))


class Bearer:
    """Gives `token` to a synchronous client."""

    def __init__(self, token: str, /) -> None:
        self.token = token

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


class AsyncBearer:
    """Gives `token` for `lasting` seconds; `asked` has the scopes of each call, `closed` how often it was."""

    def __init__(self, token: str, /, *, lasting: int = 3600) -> None:
        self.token = token
        self.lasting = lasting
        self.asked: list[tuple[str, ...]] = []
        self.closed = 0

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked.append(scopes)
        return AccessToken(self.token, int(time.time()) + self.lasting)

    async def close(self) -> None:
        self.closed += 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
