"""A connection of the running loop, by the transport asked for; what blocks is done in threads."""

from typing import Literal

from storeroom.contracts import threads
from storeroom.contracts.errors import ConfigError
from storeroom.drivers._gcs.credentials import Bearer
from storeroom.drivers._gcs.direct import Direct
from storeroom.drivers._gcs.target import Target
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._http.tls import tls_context, wider_context
from storeroom.drivers._http.wire import Transport

__all__ = ["Connecting", "Transporting"]

Transporting = Literal["direct", "sdk"]


class Connecting:
    """Opens transports of one bucket."""

    def __init__(
        self,
        target: Target,
        keys: Keys[Bearer],
        /,
        *,
        transport: Transporting,
        verify: bool | str,
        timeout: float,
    ) -> None:
        if transport not in ("direct", "sdk"):
            raise ConfigError(f"transport is 'direct' or 'sdk', not {transport!r}")
        self._target = target
        self._keys = keys
        self._transport = transport
        self._verify = verify
        self._timeout = timeout

    async def open(self) -> Transport:
        """A transport of the running loop."""
        verify = self._verify
        tls = await threads.run(tls_context, verify=verify)
        abroad = await threads.run(wider_context, verify if isinstance(verify, str) else None)
        if self._transport == "sdk":
            from storeroom.drivers._gcs import sdk

            return await sdk.connected(self._target, self._keys, tls, abroad, timeout=self._timeout)
        return Direct(self._target, self._keys, tls, abroad, timeout=self._timeout)
