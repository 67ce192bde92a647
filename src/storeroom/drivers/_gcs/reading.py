"""How Google is asked for bytes, and what the headers of its answers mean."""

from collections.abc import Mapping
from typing import Final

from storeroom.contracts.values import ReadOptions, Stat
from storeroom.drivers._gcs.checksums import guard_of
from storeroom.drivers._gcs.conditions import generation_of, is_generation
from storeroom.drivers._gcs.facts import is_vague, stat_of, stat_of_headers
from storeroom.drivers._gcs.replies import resource_in
from storeroom.drivers._gcs.service import Service
from storeroom.drivers._http.chunks import Reading, number
from storeroom.drivers._http.guards import Guard
from storeroom.drivers._http.wire import Refused, Request

__all__ = ["GCSReading"]

_MATCH: Final = "x-goog-if-generation-match"
_NOT_MATCH: Final = "ifGenerationNotMatch"


class GCSReading(Reading):
    """How one driver reads. Only the JSON API can be told which generation is known already."""

    get_operation = "read"
    head_operation = "look"
    once = ()

    def __init__(self, service: Service, /, *, verify: bool, concurrency: int, piece: int) -> None:
        super().__init__(service, service.table(), concurrency=concurrency, piece=piece)
        self._verify = verify

    def get(self, path: str, how: ReadOptions, version: str | None = None, /) -> Request:
        query = [] if version is None else [("generation", version)]
        headers: dict[str, str] = {}
        known = how.if_none_match
        if how.if_match is not None:
            headers[_MATCH] = generation_of(how.if_match)
        elif known is not None and is_generation(known):
            query += [("alt", "media"), (_NOT_MATCH, known)]
            return Request("media", "GET", path, tuple(query))
        return Request("read", "GET", path, tuple(query), headers)

    def head(self, request: Request, /) -> Request:
        headers = {name: value for name, value in request.headers.items() if name != "range"}
        return Request("look", "HEAD", request.key, _of_xml(request), headers)

    def pin(self, request: Request, stat: Stat, /) -> None:
        request.query = _of_xml(request)
        request.operation = "read"
        if stat.etag is not None:
            request.headers[_MATCH] = stat.etag

    def etag_of(self, headers: Mapping[str, str], /) -> str | None:
        return headers.get("x-goog-generation")

    def size_of(self, headers: Mapping[str, str], /) -> int | None:
        return number(headers.get("x-goog-stored-content-length") or headers.get("content-length"))

    def stat_of(self, path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
        return stat_of_headers(path, headers, size)

    async def known(self, path: str, headers: Mapping[str, str], size: int | None, /) -> Stat:
        stat = stat_of_headers(path, headers, size)
        if not is_vague(stat) or stat.etag is None:
            return stat
        request = Request("get", "GET", path, (("generation", stat.etag),))
        try:
            return stat_of(path, resource_in(await self.service.ask(request)))
        except Refused as refused:
            if refused.status != 404:
                raise
            return stat  # it is gone meanwhile, but for the bytes that are coming

    def guard(self, headers: Mapping[str, str], /) -> Guard | None:
        return guard_of(headers) if self._verify else None


def _of_xml(request: Request) -> tuple[tuple[str, str], ...]:
    """The query for the XML API, which knows of generations only."""
    return tuple(pair for pair in request.query if pair[0] == "generation")
