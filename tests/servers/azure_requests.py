"""A client of Azure without opinions: it sends what it is told, and can sign it before."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from tests.servers.azure import AzureServer
from tests.servers.plain import Answer, send

__all__ = ["Answer", "send", "signed"]

_NAMES = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
]


def signed(
    server: AzureServer,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """The answer to "/container/blob?query", signed as the documentation says and sent as it stands."""
    path, _, query = f"{urlsplit(server.url).path}{target}".partition("?")
    said = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2025-11-05"} | {
        name.lower(): value for name, value in (headers or {}).items()
    }
    if body or method in ("PUT", "POST"):
        said["content-length"] = str(len(body))
    lines = [method, *(said.get(name, "") for name in _NAMES)]
    lines[3] = "" if lines[3] == "0" else lines[3]
    lines += [f"{name}:{value}" for name, value in sorted(said.items()) if name[:5] == "x-ms-"]
    resource = f"/{server.account}{path}"
    pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    lines += [resource, *(f"{name.lower()}:{value}" for name, value in sorted(pairs))]
    made = hmac.new(base64.b64decode(server.key), "\n".join(lines).encode(), hashlib.sha256)
    signature = base64.b64encode(made.digest()).decode()
    said["authorization"] = f"SharedKey {server.account}:{signature}"
    return send(server, method, f"{path}?{query}" if query else path, headers=said, body=body)
