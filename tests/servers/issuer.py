"""Who hands out temporary credentials: container role, instance role, STS and SSO, on loopback."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.servers.keys import TEMPORARY, Key
from tests.servers.process import HOST

_INSTANCE = "/latest/meta-data/iam/security-credentials/"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_HOUR = timedelta(hours=1)


class Issuer:
    """Gives `key` to whoever asks, for `lasting`; `asked` has the paths, `token` what came with the last.

    While `open` is cleared nobody gets an answer; with `refuses` everybody gets an error.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = TEMPORARY
        self.lasting = _HOUR
        self.refuses = False
        self.open = threading.Event()
        self.open.set()
        self.asked: list[str] = []
        self._heard = threading.Condition()
        self.token: str | None = None

    def give(self, key: Key, lasting: timedelta = _HOUR) -> None:
        self.key, self.lasting = key, lasting

    def was_asked(self, times: int) -> None:
        """Wait until it was asked so often."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.asked) >= times, 10)

    def answer(self, method: str, path: str, token: str | None) -> tuple[int, bytes]:
        with self._heard:
            self.asked.append(path)
            self._heard.notify_all()
        self.token = token
        self.open.wait(20)
        expires = datetime.now(UTC) + self.lasting
        if path == "/container":
            return self._document(expires)
        if path == "/latest/api/token":
            return 200, b"a token of the instance"
        if path == _INSTANCE:
            return 200, b"the-role"
        if path == f"{_INSTANCE}the-role":
            return self._document(expires)
        if path == "/federation/credentials":
            return self._of_sso(expires)
        return self._of_sts(expires) if (method, path) == ("POST", "/") else (404, b"")

    def _document(self, expires: datetime) -> tuple[int, bytes]:
        if self.refuses:
            return 200, json.dumps({"Code": "Failed", "Message": self.key.secret}).encode()
        told = {
            "Code": "Success",
            "AccessKeyId": self.key.access,
            "SecretAccessKey": self.key.secret,
            "Token": self.key.token,
            "Expiration": _stamp(expires),
        }
        return 200, json.dumps(told).encode()

    def _of_sso(self, expires: datetime) -> tuple[int, bytes]:
        told = {
            "accessKeyId": self.key.access,
            "secretAccessKey": self.key.secret,
            "sessionToken": self.key.token,
            "expiration": int(expires.timestamp() * 1000),
        }
        return 200, json.dumps({"roleCredentials": told}).encode()

    def _of_sts(self, expires: datetime) -> tuple[int, bytes]:
        if self.refuses:
            error = f"<Code>AccessDenied</Code><Message>not {self.token}</Message>"
            return (
                403,
                f'<ErrorResponse xmlns="{_STS}"><Error>{error}</Error></ErrorResponse>'.encode(),
            )
        credentials = (
            f"<AccessKeyId>{self.key.access}</AccessKeyId>"
            f"<SecretAccessKey>{self.key.secret}</SecretAccessKey>"
            f"<SessionToken>{self.key.token}</SessionToken>"
            f"<Expiration>{_stamp(expires)}</Expiration>"
        )
        action = "AssumeRoleWithWebIdentity"
        result = f"<{action}Result><Credentials>{credentials}</Credentials></{action}Result>"
        return 200, f'<{action}Response xmlns="{_STS}">{result}</{action}Response>'.encode()


@contextmanager
def issuer() -> Generator[Issuer]:
    """An issuer in a thread of this process."""
    server = _Server((HOST, 0), _Handler)
    server.issuer = made = Issuer(f"http://{HOST}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        made.open.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    issuer: Issuer
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(
            self.headers.get("authorization") or self.headers.get("x-amz-sso_bearer_token")
        )

    def do_PUT(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self._answer(parse_qs(body).get("WebIdentityToken", [None])[0])

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, token: str | None) -> None:
        assert isinstance(self.server, _Server)
        status, body = self.server.issuer.answer(self.command, urlsplit(self.path).path, token)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
