"""A Google Cloud Storage server as its clients see it."""

import json
import ssl
import urllib.request
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import storage

from tests.servers.google_keys import PROJECT


@dataclass(frozen=True, slots=True)
class GcsServer:
    """Where the server is, and what it takes to be let in.

    `authority` is the PEM file to trust where `url` is https, `token` the bearer token to send;
    both are None where none is asked for.
    """

    url: str
    authority: Path | None = None
    token: str | None = field(default=None, repr=False)

    def at(self, port: int) -> Self:
        """The same server through another port of loopback, a proxy's."""
        return replace(self, url=f"{self.url.rpartition(':')[0]}:{port}")

    @property
    def bearer(self) -> dict[str, str]:
        """The headers that let a request in."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def credentials(self) -> Any:
        """Google's own, for `client()`."""
        return AnonymousCredentials()  # type: ignore[no-untyped-call]

    def client(self) -> storage.Client:
        """Google's own synchronous client."""
        credentials = self.credentials()
        issuer = requests.Session()
        session = AuthorizedSession(credentials, auth_request=Request(issuer))
        for one in (issuer, session):
            one.trust_env = False
            one.verify = str(self.authority) if self.authority else True
        client = storage.Client(
            PROJECT, credentials, _http=session, client_options={"api_endpoint": self.url}
        )
        # It would ask for every bucket, in a thread of its own and in between what a test sends.
        client._bucket_metadata_cache = None  # pyright: ignore[reportPrivateUsage]
        return client

    def make_bucket(
        self, *, versioned: bool = False, uniform: bool = False, **resource: Any
    ) -> str:
        """The name of a new bucket that no other test has.

        With `versioned` it keeps old generations, with `uniform` it has no ACLs; all else are
        fields of the bucket's resource, as `storageClass`.
        """
        name = f"test-{uuid.uuid4().hex}"
        asked = {
            "name": name,
            "versioning": {"enabled": versioned},
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": uniform}},
        }
        self.call("POST", f"/storage/v1/b?project={PROJECT}", asked | resource)
        return name

    def call(self, method: str, target: str, body: object = None) -> Any:
        """What the JSON API answers to a request, or `urllib.error.HTTPError`."""
        headers = {"Content-Type": "application/json", **self.bearer}
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + target, sent, headers, method=method)
        tls = ssl.create_default_context(cafile=self.authority) if self.authority else None
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
