"""Addresses: public ones, and those that let anyone read or write one file for a while."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from storeroom.contracts.errors import InvalidArgument, PermissionDenied, Unsupported
from storeroom.contracts.paths import quoted
from storeroom.contracts.values import Grant, Upload
from storeroom.drivers._http.canonical import encoded_query
from storeroom.drivers._http.place import Place, attachment, public_address
from storeroom.drivers._s3.bucket import Bucket
from storeroom.drivers._s3.signature import Credentials

if TYPE_CHECKING:
    from storeroom.drivers._s3.cloudfront import CloudFront, Window

__all__ = ["Cdn", "Presigning"]

_LONGEST: Final = 7 * 24 * 3600
_LARGEST: Final = 5 << 30  # of what the service takes by a form
_log = logging.getLogger("storeroom")


@dataclass(frozen=True, slots=True)
class Cdn:
    """CloudFront in front of the bucket."""

    place: Place
    signer: "CloudFront"


class Presigning:
    """Signs for one bucket, for the host that those who get the address can reach."""

    def __init__(self, bucket: Bucket, at: Place | None, cdn: Cdn | None, /) -> None:
        self._bucket = bucket
        self._service = bucket.service
        self._at = at
        self._cdn = cdn

    async def read(self, grant: Grant, /) -> str:
        """A URL to get the file with; the reply has the grant's type and file name."""
        query: dict[str, str] = {}
        if grant.filename is not None:
            query["response-content-disposition"] = attachment(grant.filename)
        if grant.content_type is not None:
            query["response-content-type"] = grant.content_type
        if self._cdn is not None:
            url = public_address(self._cdn.place, grant.path)
            url = f"{url}?{encoded_query(query)}" if query else url
            return self._cdn.signer.signed_url(url, _window(grant.expires))
        return await self._signed("GET", grant.path, query, {}, grant.expires)

    def cookies(self, pattern: str, expires: datetime, /) -> dict[str, str]:
        """The cookies that open what the pattern names at the CDN."""
        if self._cdn is None:
            raise Unsupported("no CDN signs cookies here; give cdn_key_id and cdn_private_key")
        resource = f"{self._cdn.place.origin}{self._cdn.place.base}/{pattern}"
        return self._cdn.signer.signed_cookies(resource, _window(expires))

    async def write(self, grant: Grant, /) -> Upload:
        """A URL to put the file to, with the headers that are bound."""
        if grant.max_size is not None:
            raise Unsupported("a signed PUT cannot limit the size; a form can", path=grant.path)
        headers = dict(self._bucket.encryption.writing)
        if grant.content_type is not None:
            headers["content-type"] = grant.content_type
        if not grant.overwrite:
            if "write" not in self._bucket.preset.conditions:
                raise Unsupported(
                    "the service is not known to honour If-None-Match", path=grant.path
                )
            headers["if-none-match"] = "*"
        url = await self._signed("PUT", grant.path, {}, headers, grant.expires)
        return Upload(url, "PUT", headers)

    async def part(self, path: str, upload: str, number: int, expires: datetime, /) -> Upload:
        """A URL to put one part to."""
        query = {"partNumber": str(number), "uploadId": upload}
        return Upload(await self._signed("PUT", path, query, {}, expires))

    async def form(
        self,
        expires: datetime,
        /,
        *,
        path: str | None = None,
        prefix: str = "",
        min_size: int = 0,
        max_size: int | None = None,
        content_type: str | None = None,
    ) -> Upload:
        """A form for one path, or for any name behind a prefix; `image/` allows every image type."""
        conditions: list[Mapping[str, str] | list[str | int]] = [{"bucket": self._bucket.name}]
        fields: dict[str, str] = {}
        if path is not None:
            conditions.append({"key": path})
        else:
            conditions.append(["starts-with", "$key", prefix])
            fields["key"] = prefix + "${filename}"
        if content_type is not None and content_type.endswith("/"):
            conditions.append(["starts-with", "$Content-Type", content_type])
        elif content_type is not None:
            conditions.append({"Content-Type": content_type})
        if max_size is not None or min_size:
            most = _LARGEST if max_size is None else max_size
            conditions.append(["content-length-range", min_size, most])
        conditions.extend({name: value} for name, value in self._bucket.encryption.writing.items())
        credentials = await self._credentials(expires)
        self._lasting(expires)
        spot = self._service.spot
        fields |= spot.signer.post_policy(conditions, expires, credentials, spot.now())
        place = self._at or spot.place
        return Upload(f"{place.origin}{quoted(place.path(None))}", "POST", {}, fields)

    async def _signed(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        expires: datetime,
    ) -> str:
        seconds = self._lasting(expires)
        credentials = await self._credentials(expires)
        spot = self._service.spot
        place = self._at or spot.place
        return spot.signer.presign(
            method, place.origin, place.path(path), query, headers, seconds, credentials, spot.now()
        )

    async def _credentials(self, expires: datetime) -> Credentials:
        credentials = self._service.keys.ready() or await self._service.keys.get()
        if credentials is None:
            raise PermissionDenied(
                "an anonymous disk signs nothing; give it access_key and secret_key"
            )
        if credentials.expires is not None and credentials.expires < expires:
            _log.warning(
                "a signed URL ends at %s, with the credentials that signed it, and not at %s",
                credentials.expires.isoformat(),
                expires.isoformat(),
            )
        return credentials

    def _lasting(self, expires: datetime) -> int:
        seconds = round((expires.astimezone(UTC) - datetime.now(UTC)).total_seconds())
        if seconds > _LONGEST:
            raise InvalidArgument(
                "a signed URL of S3 lasts 7 days at most; choose an earlier moment"
            )
        return max(1, seconds)


def _window(expires: datetime) -> "Window":
    from storeroom.drivers._s3.cloudfront import Window

    return Window(expires)
