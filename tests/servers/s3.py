"""An S3 server as its clients see it."""

import ssl
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

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

    def make_bucket(self, *, versioned: bool = False, region: str = "", owned: bool = True) -> str:
        """The name of a new bucket that no other test has.

        With `versioned` it keeps old versions; unless it is `owned`, objects have access lists. The
        requests are signed here: a boto3 client takes ten times as long, before every test.
        """
        name = f"test-{uuid.uuid4().hex}"
        place = f"<LocationConstraint>{region}</LocationConstraint>" if region else ""
        asked = f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>" if region else ""
        self._put(f"/{name}", asked, {} if owned else {"x-amz-object-ownership": "ObjectWriter"})
        if versioned:
            status = "<Status>Enabled</Status>"
            self._put(
                f"/{name}?versioning=",
                f"<VersioningConfiguration>{status}</VersioningConfiguration>",
                {},
            )
        return name

    def _put(self, target: str, body: str, headers: dict[str, str]) -> None:
        asked = AWSRequest("PUT", self.url + target, data=body.encode(), headers=headers)
        S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", self.region).add_auth(
            asked
        )
        tls = ssl.create_default_context(cafile=self.authority) if self.authority else None
        there = urlsplit(self.url)
        with closing(
            HTTPSConnection(there.netloc, context=tls) if tls else HTTPConnection(there.netloc)
        ) as connection:
            connection.request("PUT", target, body.encode(), dict(asked.headers))
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise RuntimeError(f"{target}: {answer.status} {answer.read().decode()}")


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
