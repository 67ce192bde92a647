"""A bucket as the tests of faults see it: drivers of it, and what is really in there."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote

import google_crc32c

from storeroom.contracts.values import Stat
from storeroom.drivers.gcs import GCSDriver
from tests.drivers.s3.bucket import KEY, MIB
from tests.servers.gcs import GcsServer
from tests.servers.strict_gcs import Fault, StrictGcs, Wire

QUANTUM = 256 << 10
SMALL_PARTS: dict[str, Any] = {"part_size": MIB, "multipart_threshold": MIB}


@dataclass(slots=True)
class Bucket:
    """`name` on a server; a driver of it takes options of `GCSDriver`, and is closed with it."""

    server: GcsServer
    name: str
    drivers: list[GCSDriver] = field(default_factory=list[GCSDriver])

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    @property
    def strict(self) -> StrictGcs:
        assert isinstance(self.server, StrictGcs)
        return self.server

    def driver(self, port: int | None = None, /, **options: Any) -> GCSDriver:
        """A driver of the bucket, through a port where one is given; its token does not go that way."""
        url = self.server.url if port is None else self.server.at(port).url
        whom: dict[str, Any] = {"anonymous": True}
        if isinstance(self.server, StrictGcs):
            whom = {"credentials": self.server.service_account()}
        if not {"anonymous", "credentials", "credentials_path", "key_file"}.isdisjoint(options):
            whom = {}
        made = GCSDriver(self.name, endpoint_url=url, **{"timeout": 10.0, **whom, **options})
        self.drivers.append(made)
        return made

    def sibling(self, **resource: Any) -> "Bucket":
        """Another empty one on the same server, closed with this one."""
        return replace(self, name=self.server.make_bucket(**resource))

    async def aclose(self) -> None:
        for driver in self.drivers:
            await driver.aclose()

    def put(self, data: bytes, key: str = KEY, /, **resource: Any) -> None:
        """Past every driver and proxy."""
        border = "the border"
        crc = base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
        told = json.dumps({"name": key, "crc32c": crc, **resource})
        body = (
            f"--{border}\r\ncontent-type: application/json\r\n\r\n{told}\r\n--{border}\r\n"
            "content-type: application/octet-stream\r\n\r\n"
        ).encode()
        target = f"/upload/storage/v1/b/{self.name}/o?uploadType=multipart"
        kind = f'multipart/related; boundary="{border}"'
        body += data + f"\r\n--{border}--\r\n".encode()
        assert self._ask("POST", target, body, {"content-type": kind})[0] == 200

    def get(self, key: str = KEY) -> bytes | None:
        status, body = self._ask("GET", f"{self._object(key)}?alt=media")
        assert status in (200, 404), status
        return body if status == 200 else None

    def resource(self, key: str = KEY, query: str = "projection=full") -> dict[str, Any]:
        status, body = self._ask("GET", f"{self._object(key)}?{query}")
        assert status == 200, status
        found: dict[str, Any] = json.loads(body)
        return found

    def remove(self, key: str = KEY) -> None:
        self._ask("DELETE", self._object(key))

    def names(self, *, versions: bool = False) -> list[str]:
        """All objects, storeroom's own too."""
        query = "?versions=true" if versions else ""
        _, body = self._ask("GET", f"/storage/v1/b/{self.name}/o{query}")
        return [item["name"] for item in json.loads(body).get("items", ())]

    def fail(self, fault: Fault, /) -> None:
        """The fault, for requests to this bucket."""
        self.strict.fail(replace(fault, path=rf"^/{self.name}/{fault.path or ''}"))

    def seen(self, wire: Wire, /) -> list[str]:
        """What was asked of this bucket, in order: `get`, `insert`, `chunk` ..."""
        mine = (seen for seen in wire.requests if f"/{self.name}" in unquote(seen.path))
        return [seen.operation for seen in mine]

    def open_uploads(self) -> list[str]:
        return self.strict.open_uploads(self.name)

    def _object(self, key: str) -> str:
        return f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}"

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> tuple[int, bytes]:
        told = {"accept-encoding": "gzip", **headers}
        if self.server.token:
            told["authorization"] = f"Bearer {self.server.token}"
        authority = self.server.authority
        tls = ssl.create_default_context(cafile=authority) if authority else None
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        request = urllib.request.Request(self.server.url + target, body, told, method=method)
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


async def read(driver: GCSDriver, path: str = KEY) -> bytes:
    async with await driver.read(path) as source:
        return await source.read()


async def files(driver: GCSDriver) -> list[str]:
    return [entry.path async for entry in driver.scan() if isinstance(entry, Stat)]
