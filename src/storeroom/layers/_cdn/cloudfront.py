"""CloudFront: one `CreateInvalidation` for a batch.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from storeroom.contracts import threads
from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError, Unavailable
from storeroom.contracts.extras import extra

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
        await threads.run(self._create, addresses)

    def _create(self, addresses: Sequence[str]) -> None:
        asyncio.run(self._created([urlsplit(address).path or "/" for address in addresses]))

    async def _created(self, paths: list[str]) -> None:
        config = AioConfig(connect_timeout=5, read_timeout=20, retries={"max_attempts": 1})
        batch = {
            "Paths": {"Quantity": len(paths), "Items": paths},
            "CallerReference": f"storeroom-{secrets.token_hex(16)}",
        }
        session: Any = aioboto3.Session(**self._keys)
        try:
            async with session.client(
                "cloudfront",
                region_name="us-east-1",
                endpoint_url=self._endpoint,
                config=config,
            ) as client:
                await client.create_invalidation(
                    DistributionId=self._distribution, InvalidationBatch=batch
                )
        except ClientError as error:
            raise _failure(error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise ConfigError(
                "nothing says as whom to purge at CloudFront; give access_key and secret_key, or one "
                "of AWS's own ways (environment, profile, role)"
            ) from error
        except (BotoCoreError, OSError) as error:
            raise Unavailable(f"CloudFront did not answer ({type(error).__name__})") from error


def _failure(error: Any) -> StorageError:
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    if code in _DENIED:
        return PermissionDenied(f"CloudFront refused the invalidation ({code})")
    if code in _WRONG:
        return ConfigError(f"CloudFront did not take the invalidation ({code})")
    return Unavailable(f"CloudFront did not take the invalidation ({code})")
