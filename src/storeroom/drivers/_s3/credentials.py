"""Who signs: given keys, nobody, or whoever the SDK's chain finds, refreshed before they expire."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from storeroom.contracts import threads
from storeroom.contracts.errors import PermissionDenied
from storeroom.contracts.extras import extra
from storeroom.drivers._s3.signature import Credentials

__all__ = ["Chain", "Keys"]

_EARLY: Final = timedelta(minutes=5)
_NOBODY: Final = (
    "there are no credentials; give access_key and secret_key, a profile, or anonymous=True for a "
    "public bucket"
)


class Chain:
    """What the SDK's session finds: environment, profile, SSO, web identity, container, instance.

    Its methods block, for a worker thread. The SDK's credentials know how to refresh themselves.
    """

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._found: Any = None  # the SDK is untyped

    def fetch(self) -> Credentials:
        """The credentials of this moment; `PermissionDenied` where there are none."""
        with extra("s3", "aioboto3"):
            from botocore.exceptions import BotoCoreError
        try:
            return asyncio.run(self._fetch())
        except BotoCoreError as error:
            raise PermissionDenied(f"the SDK finds no credentials: {error}") from error

    def forget(self) -> None:
        """Look for them again at the next fetch."""
        self._found = None

    def region(self) -> str | None:
        """The region of the environment or the profile."""
        found: str | None = self._session().get_config_variable("region")
        return found or None

    async def _fetch(self) -> Credentials:
        if self._found is None:
            self._found = await self._session().get_credentials()
        if self._found is None:
            raise PermissionDenied(_NOBODY)
        frozen = await self._found.get_frozen_credentials()
        expires: datetime | None = getattr(self._found, "_expiry_time", None)
        return Credentials(
            frozen.access_key,
            frozen.secret_key,
            frozen.token or None,
            expires.astimezone(UTC) if expires else None,
        )

    def _session(self) -> Any:
        with extra("s3", "aioboto3"):
            from aiobotocore.session import AioSession  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        return AioSession(profile=self._profile)


class Keys:
    """The credentials in use, shared by all loops; with neither given nor a chain it is nobody."""

    def __init__(self, given: Credentials | None, chain: Chain | None, /) -> None:
        self._current = given
        self._chain = chain
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    def ready(self) -> Credentials | None:
        """Credentials that hold for some minutes yet, None where they must be fetched."""
        current = self._current
        if current is None or current.expires is None:
            return current
        return current if current.expires - datetime.now(UTC) > _EARLY else None

    async def get(self) -> Credentials | None:
        """Credentials to sign with, None for nobody."""
        chain = self._chain
        if chain is None:
            return self._current
        for loop in [loop for loop in list(self._turns) if loop.is_closed()]:
            self._turns.pop(loop, None)
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            current = self.ready()
            if current is None:
                current = self._current = await threads.run(chain.fetch)
        return current

    def forget(self) -> bool:
        """Fetch them anew at the next request, for the service refuses these: whether that can be."""
        if self._chain is None:
            return False
        self._chain.forget()
        self._current = None
        return True
