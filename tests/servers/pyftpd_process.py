"""The process behind `pyftpd`: python -m tests.servers.pyftpd_process PORT FOLDER TLS [CHAIN KEY]."""

import logging
import sys
from typing import Any

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

from tests.servers.ftp import PASSWORD, USERNAME
from tests.servers.process import HOST


class _Login(DummyAuthorizer):  # type: ignore[misc]  # it has no types
    """One that may not delete in folders called `sealed`, nor list those called `hidden`."""

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        names = (path or "").split("/")
        if (perm == "d" and "sealed" in names) or (perm == "l" and "hidden" in names):
            return False
        return bool(super().has_perm(username, perm, path))


class _Implicit(TLS_FTPHandler):
    """TLS from the first byte."""

    def handle(self) -> None:
        self.secure_connection(self.get_ssl_context())

    def handle_ssl_established(self) -> None:
        super().handle()


def _serve(port: str, folder: str, tls: str, chain: str = "", key: str = "") -> None:
    handler: Any = {"": FTPHandler, "explicit": TLS_FTPHandler, "implicit": _Implicit}[tls]
    handler.authorizer = _Login()
    handler.authorizer.add_user(USERNAME, PASSWORD, folder, perm="elradfmwMT")
    handler.auth_failed_timeout = 0
    logging.getLogger("pyftpdlib").setLevel(
        logging.WARNING
    )  # a line per command is half of its time
    if tls:
        handler.certfile, handler.keyfile = chain, key
        handler.tls_control_required = handler.tls_data_required = True
    FTPServer((HOST, int(port)), handler).serve_forever()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
