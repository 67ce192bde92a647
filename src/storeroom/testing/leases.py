"""Leases on the files of a memory disk, as Azure has them."""

import secrets
from datetime import UTC, datetime, timedelta

from storeroom.contracts.abilities import Leases
from storeroom.contracts.errors import PreconditionFailed
from storeroom.drivers.memory import MemoryDriver

__all__ = ["Leased"]


class Leased(MemoryDriver, Leases):
    """A memory disk whose files one holder at a time can lease."""

    _leases: dict[str, tuple[str, datetime, timedelta]]

    async def acquire_lease(self, path: str, duration: timedelta, /) -> str:
        now = datetime.now(UTC)
        lease = secrets.token_hex(16)
        with self._locked("acquire_lease", path) as store:
            store.get(path)
            held = self._leases.get(path)
            if held is not None and held[1] > now:
                raise PreconditionFailed("somebody else holds a lease on the file", path=path)
            self._leases[path] = (lease, now + duration, duration)
        return lease

    async def renew_lease(self, path: str, lease: str, /) -> None:
        with self._locked("renew_lease", path):
            duration = self._held(path, lease)[2]
            self._leases[path] = (lease, datetime.now(UTC) + duration, duration)

    async def release_lease(self, path: str, lease: str, /) -> None:
        with self._locked("release_lease", path):
            self._held(path, lease)
            del self._leases[path]

    def _held(self, path: str, lease: str) -> tuple[str, datetime, timedelta]:
        held = self._leases.get(path)
        if held is None or held[0] != lease:
            raise PreconditionFailed("this is not the lease on the file", path=path)
        return held
