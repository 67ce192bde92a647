"""The strict Google Cloud Storage: it refuses what Google refuses, fails on demand, and tells."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.oauth2.service_account import Credentials

from tests.servers import google_keys
from tests.servers._strict.levers import Levers
from tests.servers._strict.wire import Wire
from tests.servers._strict_gcs.faults import Fault
from tests.servers.certificates import Certificate
from tests.servers.gcs import GcsServer
from tests.servers.process import HOST, Process

__all__ = ["Fault", "StrictGcs", "Wire", "strict_gcs", "strict_gcs_process", "strict_gcs_server"]

_SCOPE = "https://www.googleapis.com/auth/devstorage.full_control"


@dataclass(frozen=True, slots=True)
class StrictGcs(Levers, GcsServer):
    """The server with its levers; `settings` are `clock`, `expired`, `token_lifetime`, `page` ...

    It issues tokens for its one service account, its one person, whoever has the subject token,
    and to every machine that asks it as a metadata server; `token` never expires by itself.
    """

    def service_account(self) -> dict[str, Any]:
        """The contents of a service account's file."""
        return google_keys.service_account(self.url)

    def authorized_user(self) -> dict[str, Any]:
        """The contents of the file of a person's own credentials."""
        return google_keys.authorized_user(self.url)

    def external_account(self, subject: Path, /, *, impersonates: bool = False) -> dict[str, Any]:
        """The contents of the file of a federated identity; its token is written to `subject`."""
        return google_keys.external_account(self.url, subject, impersonates=impersonates)

    def credentials(self) -> Any:
        return Credentials.from_service_account_info(self.service_account(), scopes=[_SCOPE])  # type: ignore[no-untyped-call]

    def open_uploads(self, bucket: str) -> list[str]:
        """The names of resumable uploads that are neither complete nor cancelled."""
        return [key for name, key, _ in self._admin("uploads") if name == bucket]

    def expire_uploads(self) -> None:
        """Every open upload is gone, as after a week."""
        self._admin("expire-uploads")

    def expire_tokens(self) -> None:
        """Every token that was issued is refused from now on; `token` is not among them."""
        self._admin("expire-tokens")


@contextmanager
def strict_gcs(certificate: Certificate | None = None, /) -> Generator[StrictGcs]:
    """A strict server of its own; over https where a certificate is given."""
    with strict_gcs_process(certificate) as process:
        yield strict_gcs_server(process, certificate)


def strict_gcs_process(certificate: Certificate | None = None, /) -> Process:
    """The server as a thing to start and stop; it forgets everything when it stops."""
    tls = [certificate.chain, certificate.key] if certificate else []
    module = "tests.servers._strict_gcs.server"
    key = google_keys.key_file()
    return Process(lambda port: [sys.executable, "-m", module, port, key, *tls])


def strict_gcs_server(process: Process, certificate: Certificate | None = None, /) -> StrictGcs:
    """The running process as its clients see it."""
    scheme, authority = ("https", certificate.authority) if certificate else ("http", None)
    return StrictGcs(f"{scheme}://{HOST}:{process.port}", authority, google_keys.TOKEN)
