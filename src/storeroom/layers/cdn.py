"""CDN: addresses on a CDN's domain, headers that it goes by, and what was changed is purged there."""

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, Final, Literal

from storeroom.contracts.abilities import (
    Append,
    Attributes,
    BulkRemove,
    Checksum,
    Copy,
    CopyFrom,
    Folders,
    Leases,
    LocalPath,
    Move,
    Multipart,
    Origin,
    PresignPost,
    PresignRead,
    PresignWrite,
    PublicUrl,
    Sweep,
    Tags,
    Tiers,
    Times,
    VerifyUrl,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    Closed,
    ConfigError,
    InvalidArgument,
    NotFound,
    Obstructed,
    PermissionDenied,
    PreconditionFailed,
    Unsupported,
)
from storeroom.contracts.paths import check_path
from storeroom.contracts.values import (
    PLAIN,
    Stat,
    Visible,
    WriteOptions,
)
from storeroom.layers._cdn.domain import Domain, check_patterns, matching
from storeroom.layers._cdn.purging import Failed, Purger, Purging
from storeroom.layers._changing import Changing

__all__ = ["CDN"]

_NOTHING_DONE: Final = (
    *(AlreadyExists, Closed, InvalidArgument, NotFound, Obstructed, PermissionDenied),
    *(PreconditionFailed, Unsupported),
)
_PARTLY_DONE: Final = (Obstructed, PermissionDenied)
_MOST: Final = 3000
_CLOSES_WITHIN: Final = 30.0


class CDN(Changing, PublicUrl):
    """`url()` is on the CDN's `domain`, and what is changed here is purged there.

    `cache_control` gives files a header by the first pattern that their path matches, where the caller
    gives none. `purge` is "cloudfront" (with `distribution_id`), "http" (with `purge_url`), or a
    function of your own that is given addresses. Purges are gathered for `delay` seconds, at most
    `batch` in one call, and made up to `attempts` times. A purge that fails loses no write and fails
    none: it is logged, in `failed()`, and told to `on_failure`; `flush()` tries it again.
    """

    keeps = frozenset(
        (
            *(PresignRead, PresignWrite, PresignPost, VerifyUrl, Origin, Checksum, Sweep),
            *(Times, Tags, Tiers, Leases, LocalPath),
        )
    )
    adapts = frozenset(
        (
            *(Copy, CopyFrom, Move, BulkRemove, Append, Visibility, Folders, Multipart),
            *(Attributes, Versions),
        )
    )
    adds = frozenset((PublicUrl,))

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        domain: str,
        cache_control: Mapping[str, str] | None = None,
        purge: Literal["cloudfront", "http"] | Purger | None = None,
        distribution_id: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        endpoint_url: str | None = None,
        purge_url: str | None = None,
        purge_method: Literal["PURGE", "POST"] = "PURGE",
        purge_field: str | None = "files",
        purge_headers: Mapping[str, str] | None = None,
        purge_token: str | None = None,
        batch: int = 1000,
        delay: float = 1.0,
        attempts: int = 5,
        base: float = 0.5,
        on_failure: Failed | None = None,
    ) -> None:
        _check(batch, delay, attempts, base)
        self._domain = Domain(domain, tilde="%7E" if purge == "cloudfront" else "~")
        self._patterns = check_patterns(cache_control)
        for_cloudfront = (distribution_id, access_key, secret_key, session_token, endpoint_url)
        for_http = (purge_url, purge_headers, purge_token)
        _check_purge(purge, for_cloudfront, for_http)
        purger: Purger | None = None
        if purge == "cloudfront":
            from storeroom.layers._cdn.cloudfront import CloudFront

            purger = CloudFront(
                distribution_id or "",
                access_key=access_key,
                secret_key=secret_key,
                session_token=session_token,
                endpoint_url=endpoint_url,
            )
        elif purge == "http":
            from storeroom.layers._cdn.over_http import HttpPurge

            purger = HttpPurge(
                purge_url,
                domain=self._domain.begins,
                method=purge_method,
                field=purge_field,
                headers=purge_headers,
                token=purge_token,
            )
        elif purge is not None:
            purger = purge
        self._purging = purger and Purging(
            purger,
            batch=batch,
            delay=delay,
            attempts=attempts,
            base=base,
            on_failure=on_failure,
        )
        super().__init__(inner)

    def __repr__(self) -> str:
        return f"CDN({self._inner!r}, {self._domain.begins!r})"

    async def flush(self) -> bool:
        """Purge now what waits and what failed before: whether all of it is purged."""
        return self._purging is None or await self._purging.flush()

    def failed(self) -> Mapping[str, Exception]:
        """The addresses that could not be purged, and why; the last 10,000."""
        return {} if self._purging is None else self._purging.failed()

    def public_url(self, path: str, /) -> str:
        strict = self._inner.traits.strict_paths
        return self._domain.address(check_path(path, strict=strict))

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().write(path, body, self._told(path, how))

    async def aclose(self) -> None:
        """Purge what waits, for at most 30 seconds, and close the driver inside."""
        try:
            if not self._closed and self._purging is not None:
                await self._purging.close(within=_CLOSES_WITHIN)
        finally:
            await super().aclose()

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().copy_within(path, to, await self._carried(self, path, to, how))

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        how = await self._carried(source, path, to, how)
        return await super().copy_from(source, path, to, how)

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().rename(path, to, await self._carried(self, path, to, how))

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().extend(path, body, self._told(path, how))

    async def start_parts(self, path: str, how: WriteOptions = PLAIN, /) -> str:
        return await super().start_parts(path, self._told(path, how))

    async def make_folder(self, folder: str, visibility: Visible | None = None, /) -> None:
        await self.inner_ability(Folders).make_folder(folder, visibility)

    async def remove_folder(self, folder: str, /) -> bool:
        native = self.inner_ability(Folders)
        wild = self._purging is None or self._purging.takes_wildcards
        files = [] if wild else await self._files(folder)
        async with self.changing(*files, folder=folder):
            return await native.remove_folder(folder)

    @asynccontextmanager
    async def changing(
        self, *paths: str, folder: str | None = None, body: Body | None = None
    ) -> AsyncGenerator[None]:
        """Purge these afterwards, unless it is sure that nothing was changed.

        `body` is one whose failure changes nothing.
        """
        try:
            yield
        except BaseException as error:
            several = folder is not None or len(paths) != 1
            untouched = isinstance(error, _NOTHING_DONE) or (body and body.error is error)
            if not untouched or (several and isinstance(error, _PARTLY_DONE)):
                self._purge(paths, folder)
            raise
        self._purge(paths, folder)

    def _purge(self, paths: Sequence[str], folder: str | None) -> None:
        if self._purging is None:
            return
        addresses = [self._domain.address(path) for path in paths]
        if folder is not None and self._purging.takes_wildcards:
            addresses.append(self._domain.all_under(folder))
        if addresses:
            self._purging.add(addresses)

    def _told(self, path: str, how: WriteOptions) -> WriteOptions:
        """The options with the header of the path's pattern, where the caller gives none."""
        if how.cache_control is not None:
            return how
        header = matching(self._patterns, path)
        return how if header is None else replace(how, cache_control=header)

    async def _carried(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions
    ) -> WriteOptions:
        """The same for a copy: a header that was given to the source by hand goes along."""
        if how.cache_control is not None or matching(self._patterns, to) is None:
            return how
        given = (await source.stat(path)).cache_control
        by_pattern = given is None or given == matching(self._patterns, path)
        return self._told(to, how) if by_pattern else how

    async def _files(self, folder: str) -> list[str]:
        async with aclosing(self.inner.scan(folder)) as entries:
            return [entry.path async for entry in entries if isinstance(entry, Stat)]


def _check(batch: int, delay: float, attempts: int, base: float) -> None:
    if type(batch) is not int or not 1 <= batch <= _MOST:
        raise ConfigError(f"batch is 1 to {_MOST:,} addresses in one call, not {batch!r}")
    if type(attempts) is not int or attempts < 1:
        raise ConfigError(f"attempts counts all calls, so at least 1, not {attempts!r}")
    for name, seconds in (("delay", delay), ("base", base)):
        if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
            raise ConfigError(f"{name} is a number of seconds from 0, not {seconds!r}")


def _check_purge(purge: Any, for_cloudfront: Sequence[Any], for_http: Sequence[Any]) -> None:
    if purge is not None and not callable(purge) and purge not in ("cloudfront", "http"):
        raise ConfigError(f"purge is 'cloudfront', 'http' or a function, not {purge!r}")
    if purge == "cloudfront" and not for_cloudfront[0]:
        raise ConfigError("distribution_id is missing; CloudFront's purges name it")
    if purge != "cloudfront" and any(for_cloudfront):
        raise ConfigError("distribution_id and keys are for purge = 'cloudfront'")
    if purge != "http" and any(for_http):
        raise ConfigError("purge_url, purge_headers and purge_token are for purge = 'http'")
