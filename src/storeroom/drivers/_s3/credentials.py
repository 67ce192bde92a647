"""Whoever the SDK's chain of credentials finds."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError
from storeroom.contracts.extras import extra
from storeroom.drivers._s3.signature import Credentials

__all__ = ["Chain"]

_NOBODY: Final = (
    "there are no credentials; give access_key and secret_key, a profile, or anonymous=True for a "
    "public bucket"
)
# What the SDK lets through of unreadable token files and strange replies of metadata services.
_STRANGE: Final = (OSError, RuntimeError, ValueError, KeyError)


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


def _named(error: Exception) -> str:
    name = type(error).__name__
    if isinstance(error, OSError) and error.filename is not None:
        return f"{name}: {error.filename}"
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return f"{name}: {code}" if code else name
