"""Addresses that let anyone read or write one file for a while, signed by an account."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import quote

from storeroom.contracts import threads
from storeroom.contracts.errors import InvalidArgument, PermissionDenied
from storeroom.contracts.paths import quoted
from storeroom.contracts.values import Grant, Upload
from storeroom.drivers._gcs import routes, rsa
from storeroom.drivers._gcs.credentials import Identity
from storeroom.drivers._gcs.identity import Account
from storeroom.drivers._gcs.replies import resource_in
from storeroom.drivers._gcs.service import Service
from storeroom.drivers._gcs.signature import Sign, form_fields, signed_url
from storeroom.drivers._http.place import Place, attachment
from storeroom.drivers._http.wire import Refused

__all__ = ["Presigning"]

_LONGEST: Final = 7 * 24 * 3600
_LARGEST: Final = 5 << 40  # of what the service takes by a form


class Presigning:
    """Signs for one bucket, for the host that those who get the address can reach."""

    def __init__(self, service: Service, identity: Identity | None, at: Place | None, /) -> None:
        self._service = service
        self._identity = identity
        self._at = at or service.target.place

    async def read(self, grant: Grant, /) -> str:
        """A URL to get the file with; the reply has the grant's type and file name."""
        query: dict[str, str] = {}
        if grant.filename is not None:
            query["response-content-disposition"] = attachment(grant.filename)
        if grant.content_type is not None:
            query["response-content-type"] = grant.content_type
        return await self._signed("GET", grant.path, query, {}, grant.expires)

    async def write(self, grant: Grant, /) -> Upload:
        """A URL to put the file to, with the headers that are bound."""
        headers: dict[str, str] = {}
        if grant.content_type is not None:
            headers["content-type"] = grant.content_type
        if grant.max_size is not None:
            headers["x-goog-content-length-range"] = f"0,{grant.max_size}"
        if not grant.overwrite:
            headers["x-goog-if-generation-match"] = "0"
        return await self.put(grant.path, grant.expires, headers)

    async def put(self, path: str, expires: datetime, headers: dict[str, str], /) -> Upload:
        """A URL to put an object to."""
        return Upload(await self._signed("PUT", path, {}, headers, expires), "PUT", headers)

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
        bucket = self._service.target.bucket
        conditions: list[Mapping[str, str] | list[str | int]] = [{"bucket": bucket}]
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
        _lasting(expires)
        account = await self._account()
        fields |= await form_fields(
            conditions, expires, account.email, self._sign(account), datetime.now(UTC)
        )
        return Upload(f"{self._at.origin}{quoted(self._at.path(None))}", "POST", {}, fields)

    async def _signed(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        headers: Mapping[str, str],
        expires: datetime,
    ) -> str:
        seconds = _lasting(expires)
        payer = self._service.target.user_project
        if payer is not None:
            query = {**query, "userProject": payer}
        account = await self._account()
        return await signed_url(
            method,
            self._at.origin,
            self._at.path(path),
            query,
            headers,
            seconds,
            account.email,
            self._sign(account),
            datetime.now(UTC),
        )

    async def _account(self) -> Account:
        if self._identity is None:
            raise PermissionDenied(
                "an anonymous disk signs nothing; give it credentials of a service account"
            )
        return await threads.run(self._identity.account)

    def _sign(self, account: Account) -> Sign:
        if account.key is None:
            return partial(self._signed_afar, account.email)
        pem = account.key
        return lambda text: threads.run(rsa.signed, pem, text)

    async def _signed_afar(self, email: str, text: bytes) -> bytes:
        """By a key that only Google has.

        https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
        """
        request = routes.Directed(
            routes.SIGN,
            "POST",
            None,
            (),
            {"content-type": "application/json; charset=UTF-8"},
            json.dumps({"payload": b64encode(text).decode()}).encode(),
            target=f"/v1/projects/-/serviceAccounts/{quote(email, safe='@')}:signBlob",
            origin=routes.IAM,
        )
        try:
            told = resource_in(await self._service.ask(request))
        except Refused as refused:
            if refused.status not in (403, 404):
                raise
            raise PermissionDenied(
                f"the credentials may not sign for {email}; give them the role Service Account Token "
                "Creator on it, or give credentials with a private key"
            ) from refused
        return b64decode(str(told.get("signedBlob", "")))


def _lasting(expires: datetime) -> int:
    seconds = round((expires.astimezone(UTC) - datetime.now(UTC)).total_seconds())
    if seconds > _LONGEST:
        raise InvalidArgument(
            "a signed URL of Google lasts 7 days at most; choose an earlier moment"
        )
    return max(1, seconds)
