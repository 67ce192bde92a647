"""An S3 server as its clients see it."""

import uuid
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from tests.servers.keys import ACCESS_KEY, REGION, SECRET_KEY, Key


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where the server is, and what it takes to be let in.

    `authority` is the PEM file to trust where `url` is https, else None.
    """

    url: str
    authority: Path | None = None
    access_key: str = ACCESS_KEY
    secret_key: str = field(default=SECRET_KEY, repr=False)
    region: str = REGION

    def at(self, port: int) -> Self:
        """The same server through another port of loopback, a proxy's."""
        return replace(self, url=f"{self.url.rpartition(':')[0]}:{port}")

    def client(self, key: Key | None = None, *, region: str | None = None, **settings: Any) -> Any:
        """A boto3 client, of the owner where no key is given; settings are botocore's `Config`."""
        return boto3.client(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            "s3",
            endpoint_url=self.url,
            region_name=region or self.region,
            aws_access_key_id=key.access if key else self.access_key,
            aws_secret_access_key=key.secret if key else self.secret_key,
            aws_session_token=key.token if key else None,
            verify=str(self.authority) if self.authority else None,
            config=_config(settings),
        )

    def make_bucket(self, **settings: Any) -> str:
        """The name of a new bucket that no other test has; settings are those of CreateBucket."""
        name = f"test-{uuid.uuid4().hex}"
        _plain_client(self).create_bucket(Bucket=name, **settings)
        return name


@cache
def _plain_client(server: S3Server) -> Any:
    return server.client()


def _config(settings: dict[str, Any]) -> Config:
    careful: dict[str, Any] = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "retries": {"max_attempts": 0},
        "proxies": {},
    }
    return Config(**(careful | settings))
