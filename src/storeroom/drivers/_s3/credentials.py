"""Who signs: given keys, nobody, or whoever the SDK's chain finds, renewed before they expire."""

import asyncio
import logging
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from storeroom.contracts import threads
from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError
from storeroom.contracts.extras import extra
from storeroom.drivers._s3.signature import Credentials

__all__ = ["Chain", "Keys"]

_EARLY: Final = timedelta(minutes=5)
_NOBODY: Final = (
    "there are no credentials; give access_key and secret_key, a profile, or anonymous=True for a "
    "public bucket"
)
# What the SDK lets through of unreadable token files and strange replies of metadata services.
_STRANGE: Final = (OSError, RuntimeError, ValueError, KeyError)
_log = logging.getLogger("storeroom")


class Chain:
    """What the SDK's session finds: environment, profile, SSO, web identity, container, instance.

    Its methods block, for a worker thread. The SDK's credentials know how to renew themselves.
    """

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._found: Any = None  # the SDK is untyped

    def fetch(self) -> Credentials:
        """The credentials of this moment; `PermissionDenied` where there are none."""
        with self._telling():
            return asyncio.run(self._fetch())

    def forget(self) -> None:
        """Look for them again at the next fetch."""
        self._found = None

    def region(self) -> str | None:
        """The region of the environment or the profile."""
        with self._telling():
            found: str | None = self._session().get_config_variable("region")
        return found or None

    async def _fetch(self) -> Credentials:
        found = self._found
        if found is None:
            found = self._found = await self._session().get_credentials()
        if found is None:
            raise PermissionDenied(_NOBODY)
        frozen = await found.get_frozen_credentials()
        expires: datetime | None = getattr(found, "_expiry_time", None)
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

    @contextmanager
    def _telling(self) -> Generator[None]:
        """The SDK's errors as ours, without their texts, which may quote what was fetched."""
        with extra("s3", "aioboto3"):
            from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
        try:
            yield
        except StorageError:
            raise
        except ProfileNotFound as error:
            raise ConfigError(f"{error}; name one of the AWS configuration files") from error
        except (BotoCoreError, ClientError, *_STRANGE) as error:
            raise PermissionDenied(
                f"the SDK finds no credentials that work ({_named(error)}); check the profile, "
                "role or token that it is told to use"
            ) from error


@dataclass(frozen=True, slots=True)
class _Held:
    """Credentials, and from when on to ask for new ones."""

    credentials: Credentials
    due: datetime | None


class Keys:
    """The credentials in use, shared by all loops; with neither given nor a chain it is nobody."""

    def __init__(self, given: Credentials | None, chain: Chain | None, /) -> None:
        self._held = None if given is None else _Held(given, None)
        self._chain = chain
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._fetching = threading.Lock()
        self._process = os.getpid()

    def ready(self) -> Credentials | None:
        """Credentials that hold for some minutes yet, None where they must be fetched."""
        held = self._held
        if held is None or (held.due is not None and held.due <= datetime.now(UTC)):
            return None
        return held.credentials

    async def get(self) -> Credentials | None:
        """Credentials to sign with, None for nobody; only one who asks waits for the renewal."""
        chain = self._chain
        if chain is None:
            return self.ready()
        turn = self._turn(chain)
        if turn.locked() and (lasting := self._lasting()) is not None:
            return lasting
        async with turn:
            return self.ready() or await threads.run(self._renewed, chain)

    def forget(self) -> bool:
        """Fetch them anew at the next request, for the service refuses these: whether that can be."""
        if self._chain is None:
            return False
        self._chain.forget()
        self._held = None
        return True

    def _turn(self, chain: Chain) -> asyncio.Lock:
        if self._process != os.getpid():  # after a fork nobody here gives back the parent's locks
            self._process, self._fetching = os.getpid(), threading.Lock()
            chain.forget()
        for loop in [loop for loop in list(self._turns) if loop.is_closed()]:
            self._turns.pop(loop, None)
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def _lasting(self) -> Credentials | None:
        """Credentials that have not expired, though it be time for new ones."""
        held = self._held
        expires = None if held is None else held.credentials.expires
        return held.credentials if held and expires and expires > datetime.now(UTC) else None

    def _renewed(self, chain: Chain) -> Credentials:
        """New credentials; the old ones while they hold and there are no new ones."""
        with self._fetching:
            ready = self.ready()  # another loop was faster
            if ready is not None:
                return ready
            lasting = self._lasting()
            try:
                fetched = chain.fetch()
            except PermissionDenied as error:
                if lasting is None:
                    raise
                _log.warning("the old credentials serve on, for no new ones come: %s", error.reason)
                fetched = lasting
            self._held = _Held(fetched, _due(fetched.expires))
        return fetched


def _due(expires: datetime | None) -> datetime | None:
    """Some minutes early, or half-way where they hold for few minutes only."""
    if expires is None:
        return None
    return expires - min(_EARLY, (expires - datetime.now(UTC)) / 2)


def _named(error: Exception) -> str:
    name = type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        return f"{name}: {error.filename}"
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return f"{name}: {code}" if code else name
