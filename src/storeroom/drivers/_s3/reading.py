"""How S3 is asked for bytes, and what the headers of its answers mean."""

from collections.abc import Mapping
from typing import Final

from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._http.chunks import Reading
from storeroom.drivers._http.guards import Guard
from storeroom.drivers._http.wire import Request
from storeroom.drivers._s3.guards import guard_of
from storeroom.drivers._s3.headers import stat_of
from storeroom.drivers._s3.presets import Preset
from storeroom.drivers._s3.service import Service

__all__ = ["S3Reading"]

_MODE: Final = "x-amz-checksum-mode"


class S3Reading(Reading):
    """How one driver reads: the headers of every read, and what it verifies."""

    get_operation = "GetObject"
    head_operation = "HeadObject"
    once = ("if-none-match", _MODE)

    def __init__(
        self,
        service: Service,
        preset: Preset,
        headers: Mapping[str, str],
        /,
        *,
        verify: bool,
        concurrency: int,
        piece: int,
    ) -> None:
        super().__init__(service, service.table(), concurrency=concurrency, piece=piece)
        self._headers = headers
        self._tiered = preset.tiers
        self._verify = verify
        self._stored_checksums = preset.checksum == "crc32"
        self._md5_etags = preset.md5_etags

    def get(self, path: str, how: ReadOptions, version: str | None = None, /) -> Request:
        request = super().get(path, how)
        request.headers.update(self._headers)
        if version is not None:
            request.query = (("versionId", version),)
        return request

    def head(self, request: Request, /) -> Request:
        looking = super().head(request)
        if self._stored_checksums:
            looking.headers[_MODE] = "ENABLED"
        return looking

    def whole(self, request: Request, /) -> None:
        if self._verify and self._stored_checksums:
            request.headers[_MODE] = "ENABLED"

    def stat_of(self, path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
        return stat_of(path, headers, size, tiered=self._tiered)

    def guard(self, headers: Mapping[str, str], /) -> Guard | None:
        return guard_of(headers, md5_etags=self._md5_etags) if self._verify else None
