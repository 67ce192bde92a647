"""The door to Microsoft's client: made when something first needs it, in a worker thread."""

from typing import Any

from storeroom.contracts import threads
from storeroom.drivers._azure.service import AzureService

__all__ = ["Client"]


class Client:
    """The SDK, for what is rare; what it returns is partly untyped, so `Any` begins here."""

    def __init__(self, service: AzureService) -> None:
        self._service = service
        self._made: Any = None

    async def account(self) -> Any:
        """Its client of the account."""
        if self._made is None:  # making it twice does no harm
            self._made = await threads.run(_made, self._service)
        return self._made

    async def blob(self, path: str, /) -> Any:
        """Its client of one blob."""
        account = await self.account()
        return account.get_blob_client(self._service.target.container, path)

    async def lease(self, path: str, lease: str, /) -> Any:
        """Its client of a lease on one blob."""
        blob = await self.blob(path)
        from storeroom.drivers._azure import sdk  # by now it is loaded

        return sdk.lease_of(blob, lease)

    async def signature(self, **said: Any) -> str:
        """The text of a signature in a URL; what it says is by the SDK's names."""
        await self.account()
        from storeroom.drivers._azure import sdk  # by now it is loaded

        return sdk.signature(**said)


def _made(service: AzureService) -> Any:
    """Importing the SDK takes a third of a second."""
    from storeroom.drivers._azure import sdk

    return sdk.client_of(service)
