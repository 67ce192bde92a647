"""Addresses that let anyone read or write one file for a while, by a signature in the URL (SAS).

https://learn.microsoft.com/rest/api/storageservices/create-service-sas
https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from storeroom.contracts.errors import InvalidArgument, PermissionDenied, Unsupported
from storeroom.contracts.values import Grant, Upload
from storeroom.drivers._azure.client import Client
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.target import is_here
from storeroom.drivers._http.canonical import encoded_path, encoded_query
from storeroom.drivers._http.place import Place, attachment, public_address

__all__ = ["Presigning"]

_LONGEST: Final = timedelta(days=7)
_LASTING: Final = timedelta(hours=24)
_EARLY: Final = timedelta(minutes=5)
_COPYING: Final = timedelta(days=1)


class Presigning:
    """Signs for one container, for the host that those who get the address can reach."""

    def __init__(self, service: AzureService, client: Client, at: Place | None, /) -> None:
        self._service = service
        self._client = client
        self._place = at or service.target.place
        self._delegated: Any = None  # the SDK's key
        self._until = datetime.min.replace(tzinfo=UTC)

    async def read(self, grant: Grant, ip: str | None, /) -> str:
        """A URL to get the file with; the reply has the grant's type and file name."""
        said: dict[str, str] = {}
        if grant.filename is not None:
            said["content_disposition"] = attachment(grant.filename)
        if grant.content_type is not None:
            said["content_type"] = grant.content_type
        return await self._signed(self._place, grant.path, "r", grant.expires, ip=ip, **said)

    async def write(self, grant: Grant, ip: str | None, /) -> Upload:
        """A URL to put the file to, and the headers to send with it."""
        if grant.max_size is not None or grant.content_type is not None:
            raise Unsupported(
                "a signed address of Azure limits neither size nor type; leave max_size and "
                "content_type out",
                path=grant.path,
            )
        allowed = "cw" if grant.overwrite else "c"
        url = await self._signed(self._place, grant.path, allowed, grant.expires, ip=ip)
        return Upload(url, "PUT", {"x-ms-blob-type": "BlockBlob"})

    async def address(self, path: str, reader: AzureService, version: str | None, /) -> str:
        """Where `reader` has its service find the file: who may read there does, another one for a day.

        A signature in the URL of one request says nothing of the file that is to be copied.
        """
        own, access = self._service.target, self._service.access
        may = own.account == reader.target.account and reader.access.sas is None
        if not may and access.key is not None:
            return await self._signed(own.place, path, "r", self._service.clock.now() + _COPYING)
        if not may and access.tokens is not None:
            raise Unsupported(
                "copies from another account, or to a disk with a sas_token, want account_key or "
                "sas_token where they come from"
            )
        query = encoded_query((("versionid", version),) if version is not None else ())
        return own.place.origin + access.address(encoded_path(own.place.path(path)), query)

    async def _signed(
        self,
        place: Place,
        path: str,
        allowed: str,
        expires: datetime,
        *,
        ip: str | None = None,
        **said: str,
    ) -> str:
        access = self._service.access
        if access.key is None and access.tokens is None:
            raise PermissionDenied(
                "whoever is let in by sas_token, or by nobody, signs nothing; give account_key or "
                "credential"
            )
        if ip is not None:
            _check_address(ip)
            said["ip"] = ip
        if place.scheme == "https" or not is_here(place.host):
            said["protocol"] = "https"
        if place.scheme != "https" and "protocol" in said:
            raise Unsupported(
                "a signed address is for https, or for this machine; give an https temporary_url"
            )
        signer = {"account_key": access.key} if access.key else await self._delegate(expires)
        signed = await self._client.signature(
            account_name=self._service.target.account.name,
            container_name=self._service.target.container,
            blob_name=path,
            permission=allowed,
            expiry=expires.astimezone(UTC),
            **signer,
            **said,
        )
        return f"{public_address(place, path)}?{signed}"

    async def _delegate(self, expires: datetime) -> dict[str, Any]:
        """A key of the account for whoever has a token, kept until shortly before it ends."""
        now = self._service.clock.now()
        if expires.astimezone(UTC) - now > _LONGEST:
            raise InvalidArgument(
                "an address that is signed with a credential lasts 7 days at most; choose an earlier "
                "moment, or give account_key"
            )
        if self._delegated is None or self._until < max(expires.astimezone(UTC), now + _EARLY):
            until = min(max(expires.astimezone(UTC), now + _LASTING), now + _LONGEST)
            account = await self._client.account()
            self._delegated = await account.get_user_delegation_key(now - _EARLY, until)
            self._until = until
        return {"user_delegation_key": self._delegated}


def _check_address(ip: str) -> None:
    first, dash, last = ip.partition("-")
    try:
        addresses = [ip_address(first), *([ip_address(last)] if dash else [])]
    except ValueError:
        addresses = []
    if not addresses:
        raise InvalidArgument(f"ip is an address, or two with a dash between, not {ip!r}")
