"""Uploads in parts on a memory disk, as object stores have them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5

from storeroom.contracts.abilities import Multipart, Sweep
from storeroom.contracts.body import Body
from storeroom.contracts.errors import InvalidArgument, NotFound
from storeroom.contracts.paths import quoted
from storeroom.contracts.values import PLAIN, Stat, Upload, WriteOptions
from storeroom.drivers.memory import MemoryDriver

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True)
class _Begun:
    path: str
    how: WriteOptions
    since: datetime
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict[int, tuple[str, bytes]])


class Parts(MemoryDriver, Multipart, Sweep):
    """A memory disk that takes uploads in parts; what is begun is no file, and can be swept."""

    _begun: dict[str, _Begun]

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        upload = secrets.token_hex(16)
        with self._locked("start_parts", path) as store:
            store.check(path, how)
            self._begun[upload] = _Begun(path, how, datetime.now(UTC))
        return upload

    async def write_part(self, path: str, upload: str, number: int, body: Body, /) -> str:
        if number < 1:
            raise InvalidArgument(f"parts are numbered from 1, not {number}", path=path)
        self._upload(path, upload)
        content = await Body.checked(body).content()
        etag = md5(content, usedforsecurity=False).hexdigest()
        self._upload(path, upload).parts[number] = (etag, content)
        return etag

    async def presign_part(
        self, path: str, upload: str, number: int, expires: datetime, /
    ) -> Upload:
        self._upload(path, upload)
        until = int(expires.timestamp())
        address = f"{self.public_url(path)}?upload={quoted(upload)}&part={number}&expires={until}"
        return Upload(address)

    async def list_parts(self, path: str, upload: str, /) -> Mapping[int, str]:
        parts = self._upload(path, upload).parts
        return {number: parts[number][0] for number in sorted(parts)}

    async def complete_parts(self, path: str, upload: str, parts: Mapping[int, str], /) -> Stat:
        begun = self._upload(path, upload)
        for number, etag in parts.items():
            if begun.parts.get(number, ("",))[0] != etag:
                raise InvalidArgument(f"part {number} with etag {etag!r} is not there", path=path)
        content = b"".join(begun.parts[number][1] for number in sorted(parts))
        stat = await self.write(path, Body(content), begun.how)
        self._begun.pop(upload, None)
        return stat

    async def abort_parts(self, path: str, upload: str, /) -> None:
        with self._locked("abort_parts", path):
            self._begun.pop(upload, None)

    async def sweep(self, older_than: timedelta, /) -> int:
        limit = datetime.now(UTC) - older_than
        with self._locked("sweep"):
            old = [upload for upload, begun in self._begun.items() if begun.since < limit]
            for upload in old:
                del self._begun[upload]
        return len(old)

    def _upload(self, path: str, upload: str) -> _Begun:
        with self._locked("parts", path):
            begun = self._begun.get(upload)
        if begun is None or begun.path != path:
            raise NotFound(f"there is no upload {upload!r} for this path", path=path)
        return begun
