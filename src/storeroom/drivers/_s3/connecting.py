"""A connection of the running loop, by the transport asked for; what blocks is done in threads."""

from typing import Literal

from storeroom.contracts import threads
from storeroom.contracts.errors import ConfigError
from storeroom.drivers._http.tls import tls_context
from storeroom.drivers._http.wire import Transport
from storeroom.drivers._s3.credentials import Chain
from storeroom.drivers._s3.direct import Direct
from storeroom.drivers._s3.service import Service
from storeroom.drivers._s3.settings import Account
from storeroom.drivers._s3.target import Target

__all__ = ["Connecting", "Transporting"]

Transporting = Literal["direct", "sdk"]


class Connecting:
    """Opens transports of one bucket."""

    def __init__(
        self, target: Target, account: Account, chain: Chain | None, /, *, transport: Transporting
    ) -> None:
        if transport not in ("direct", "sdk"):
            raise ConfigError(f"transport is 'direct' or 'sdk', not {transport!r}")
        self._target = target
        self._account = account
        self._chain = chain
        self._transport = transport

    async def open(self, service: Service, /) -> Transport:
        """A transport of the running loop, after finding out the region where nobody said."""
        spot, target = service.spot, self._target
        if self._chain is not None and target.region is None and not service.seen:
            region = await threads.run(self._chain.region)
            if region is not None:
                spot.move(target.place(region), region)
        if self._transport == "sdk":
            from storeroom.drivers._s3 import sdk

            return await sdk.connected(target.bucket, self._account, service.keys)
        tls = None
        if spot.place.scheme == "https":
            tls = await threads.run(tls_context, verify=self._account.verify)
        return Direct(
            spot,
            service.keys,
            tls,
            timeout=self._account.timeout,
            checksum=target.preset.checksum,
            unpacked=target.preset.unpacks,
        )
