"""Addresses: public, local, and signed for a while."""

import os
from datetime import UTC, datetime, timedelta
from typing import Literal

from storeroom.contracts.abilities import (
    LocalPath,
    PresignPost,
    PresignRead,
    PresignWrite,
    PublicUrl,
    VerifyUrl,
    find,
    why_absent,
)
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidArgument, Unsupported
from storeroom.contracts.paths import is_readable
from storeroom.contracts.values import Grant, Upload
from storeroom.files._verb import Held, checked, verb, writable

__all__ = ["Addresses"]

_NO_SIGNER = "signs no addresses; open it as a disk: Disk(driver, signing_key=...)"


class Addresses(Held):
    """The verbs that give addresses; see `Files`."""

    __slots__ = ()

    @verb
    def url(self, path: str | os.PathLike[str], /) -> str:
        """The public address of a file; asks nothing of the service."""
        driver = self.driver
        native = find(driver, PublicUrl)
        if native is None:
            raise Unsupported(why_absent(driver, PublicUrl))
        return native.public_url(checked(driver, path))

    @verb
    def path(self, path: str | os.PathLike[str], /) -> str:
        """The absolute path of a file in this machine's file system; local disks only."""
        driver = self.driver
        native = find(driver, LocalPath)
        if native is None:
            raise Unsupported(f"{why_absent(driver, LocalPath)}; use download_to for a local copy")
        return native.local_path(checked(driver, path))

    @verb
    async def temporary_url(
        self,
        path: str | os.PathLike[str],
        expires: float | timedelta | datetime,
        /,
        *,
        filename: str | None = None,
        content_type: str | None = None,
    ) -> str:
        """An address that lets anyone read the file until `expires` (seconds, an age, a datetime).

        `filename` makes browsers save it under that name, `content_type` overrides its type.
        """
        driver = await self._ready()
        grant = _grant(driver, path, "GET", expires, filename=filename, content_type=content_type)
        native = find(self, PresignRead)
        if native is None:
            raise Unsupported(f"{driver.traits.service} {_NO_SIGNER}")
        return await native.presign_read(grant)

    @verb
    async def temporary_upload_url(
        self,
        path: str | os.PathLike[str],
        expires: float | timedelta | datetime,
        /,
        *,
        content_type: str | None = None,
        max_size: int | None = None,
        overwrite: bool = True,
    ) -> Upload:
        """What a browser needs to upload the file itself until `expires`.

        `content_type`, `max_size` in bytes and `overwrite` bind it; a limit that the service cannot
        enforce is `Unsupported`.
        """
        if max_size is not None and max_size < 0:
            raise InvalidArgument(f"max_size is 0 bytes or more, not {max_size}")
        driver = writable(await self._ready())
        grant = _grant(
            driver,
            path,
            "PUT",
            expires,
            content_type=content_type,
            max_size=max_size,
            overwrite=overwrite,
        )
        return await _presigned(self, driver, grant)

    @verb
    async def verify_temporary_url(self, url: str, /, *, method: str = "GET") -> Grant:
        """What a URL signed by this disk allows; forged, changed or expired is `PermissionDenied`.

        `url` is whole or from its path on; `method` is that of the request.
        """
        driver = await self._ready()
        native = find(self, VerifyUrl)
        if native is None:
            raise Unsupported(f"{driver.traits.service} {_NO_SIGNER}")
        return await native.verify_url(url, method)


async def _presigned(disk: Held, driver: StorageDriver, grant: Grant) -> Upload:
    """A signed PUT, or a form where only that can enforce the size."""
    put, form = find(disk, PresignWrite), find(disk, PresignPost)
    if put is not None:
        try:
            return await put.presign_write(grant)
        except Unsupported:
            if form is None:
                raise
    if form is None:
        raise Unsupported(f"{driver.traits.service} {_NO_SIGNER}")
    return await form.presign_post(grant)


def _grant(
    driver: StorageDriver,
    path: str | os.PathLike[str],
    method: Literal["GET", "PUT"],
    expires: float | timedelta | datetime,
    /,
    *,
    filename: str | None = None,
    content_type: str | None = None,
    max_size: int | None = None,
    overwrite: bool = True,
) -> Grant:
    for name, value in (("filename", filename), ("content_type", content_type)):
        if value is not None and (not value or not is_readable(value)):
            raise InvalidArgument(f"{name} {value!r} is empty or holds hidden characters")
    moment = _moment(expires)
    return Grant(checked(driver, path), method, moment, filename, content_type, max_size, overwrite)


def _moment(expires: float | timedelta | datetime) -> datetime:
    now = datetime.now(UTC)
    if isinstance(expires, datetime):
        moment = expires.astimezone(UTC)
    else:
        age = expires if isinstance(expires, timedelta) else timedelta(seconds=expires)
        moment = now + age
    if moment <= now:
        raise InvalidArgument(f"expires lies in the past: {moment.isoformat()}")
    return moment
