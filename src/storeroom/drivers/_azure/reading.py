"""How Azure is asked for bytes, and what the headers of its answers mean."""

from collections.abc import Mapping
from hashlib import md5

from storeroom.contracts.errors import NotFound
from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._azure.headers import is_folder, md5_of, stat_of
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._http.chunks import Reading
from storeroom.drivers._http.failures import GONE
from storeroom.drivers._http.guards import Guard
from storeroom.drivers._http.wire import Request

__all__ = ["AzureReading"]


class AzureReading(Reading):
    """How one driver reads, and what it verifies."""

    def __init__(
        self, service: AzureService, /, *, verify: bool, concurrency: int, piece: int
    ) -> None:
        super().__init__(service, service.table(), concurrency=concurrency, piece=piece)
        self._verify = verify

    def get(self, path: str, how: ReadOptions, version: str | None = None, /) -> Request:
        request = super().get(path, how)
        if version is not None:
            request.query = (("versionid", version),)
        return request

    def stat_of(self, path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
        if is_folder(headers, size):
            raise NotFound(GONE, path=path)
        return stat_of(path, headers, size)

    def guard(self, headers: Mapping[str, str], /) -> Guard | None:
        stored = md5_of(headers) if self._verify else None
        return None if stored is None else Guard(md5(usedforsecurity=False), stored)
