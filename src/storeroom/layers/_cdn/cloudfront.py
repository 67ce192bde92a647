"""CloudFront: one `CreateInvalidation` for a batch.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from storeroom.contracts import threads
from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError, Unavailable
from storeroom.contracts.extras import extra
from storeroom.layers._cdn.purging import Busy, NotAll

with extra("cdn", "aioboto3"):
    import aioboto3  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    from aiobotocore.config import AioConfig  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

__all__ = ["CloudFront"]

_DENIED: Final = frozenset(
    ("AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken")
)
_BUSY: Final = frozenset(("TooManyInvalidationsInProgress",))
_BUSY_FOR: Final = 30.0
_ABOUT_PATHS: Final = frozenset(("InvalidArgument", "BatchTooLarge"))
_CALLS: Final = 50
_WRONG: Final = frozenset(("InvalidArgument", "MissingBody", "NoSuchDistribution"))


class CloudFront:
    """Invalidates paths of one distribution; the SDK's own ways find credentials where none are given."""

    wildcards = True

    def __init__(
        self,
        distribution: str,
        /,
        *,
        access_key: str | None,
        secret_key: str | None,
        session_token: str | None,
        endpoint_url: str | None,
    ) -> None:
        if bool(access_key) != bool(secret_key):
            raise ConfigError("access_key and secret_key go together; give both or neither")
        self._distribution = distribution
        self._keys: dict[str, Any] = {
            "aws_access_key_id": access_key,
            "aws_secret_access_key": secret_key,
            "aws_session_token": session_token,
        }
        self._endpoint = endpoint_url

    async def __call__(self, addresses: Sequence[str], /) -> None:
        """Create the invalidation, in a thread: the SDK reads files and its models."""
        failed = await threads.run(self._create, addresses)
        if failed:
            raise NotAll(failed)

    def _create(self, addresses: Sequence[str]) -> Mapping[str, Exception]:
        return asyncio.run(self._created(addresses))

    async def _created(self, addresses: Sequence[str]) -> Mapping[str, Exception]:
        config = AioConfig(connect_timeout=5, read_timeout=20, retries={"max_attempts": 1})
        session: Any = aioboto3.Session(**self._keys)
        try:
            async with session.client(
                "cloudfront",
                region_name="us-east-1",
                endpoint_url=self._endpoint,
                config=config,
            ) as client:
                return await self._parted(client, addresses)
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise ConfigError(
                "nothing says as whom to purge at CloudFront; give access_key and secret_key, or one "
                "of AWS's own ways (environment, profile, role)"
            ) from error
        except (BotoCoreError, OSError) as error:
            raise Unavailable(f"CloudFront did not answer ({type(error).__name__})") from error

    async def _parted(self, client: Any, addresses: Sequence[str]) -> Mapping[str, Exception]:
        """What failed; one path that is refused has all others of its call refused, so it is parted."""
        failed: dict[str, Exception] = {}
        parts = [addresses]
        calls = 0
        while parts:
            part = parts.pop()
            calls += 1
            try:
                await self._invalidate(client, [_path(address) for address in part])
            except ClientError as error:
                half = len(part) // 2
                if _code(error) in _ABOUT_PATHS and half and calls < _CALLS:
                    parts += [part[half:], part[:half]]
                    continue
                failure = _failure(error)
                failure.__cause__ = error
                failed |= dict.fromkeys(part, failure)
        return failed

    async def _invalidate(self, client: Any, paths: list[str]) -> None:
        batch = {
            "Paths": {"Quantity": len(paths), "Items": paths},
            "CallerReference": f"storeroom-{secrets.token_hex(16)}",
        }
        await client.create_invalidation(DistributionId=self._distribution, InvalidationBatch=batch)


def _path(address: str) -> str:
    """The path of an address; a `~` that is not encoded is refused."""
    return urlsplit(address).path.replace("~", "%7E") or "/"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _failure(error: Any) -> StorageError:
    code = _code(error)
    if code in _DENIED:
        return PermissionDenied(f"CloudFront refused the invalidation ({code})")
    if code in _WRONG:
        return ConfigError(f"CloudFront did not take the invalidation ({code})")
    if code in _BUSY:
        return Busy.told(f"CloudFront is busy with earlier invalidations ({code})", _BUSY_FOR)
    return Unavailable(f"CloudFront did not take the invalidation ({code})")
