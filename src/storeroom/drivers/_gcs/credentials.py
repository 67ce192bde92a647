"""Tokens, fetched by gcloud-aio-auth in a worker thread."""

import asyncio
import io
import json
import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError, Unavailable
from storeroom.contracts.extras import extra
from storeroom.drivers._gcs.identity import (
    Account,
    Given,
    account_in,
    metadata_address,
    read_file,
)
from storeroom.drivers._gcs.proxy import Proxied
from storeroom.drivers._gcs.rsa import private_key
from storeroom.drivers._http.pace import pause
from storeroom.drivers._http.tls import wider_context

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from gcloud.aio.auth import Token

__all__ = ["Bearer", "Identity"]

T = TypeVar("T")

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_AT_HOME: Final = {"metadata-flavor": "Google"}
_PASSING: Final = frozenset((408, 429, 500, 502, 503, 504))
_CODE: Final = re.compile(r'"error"\s*:\s*"([a-z_]{1,40})"')
_NOBODY: Final = (
    "there are no credentials; give credentials_path or credentials, set "
    "GOOGLE_APPLICATION_CREDENTIALS, or give anonymous=True for a public bucket or an emulator"
)
_WITHOUT_ACCOUNT: Final = (
    "these credentials are no service account, and only one can sign; give one, or impersonate one"
)
# What the SDK lets through of strange files and strange replies.
_STRANGE: Final = (OSError, ValueError, KeyError, TypeError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that lets in whoever has it."""

    token: str = field(repr=False)
    expires: datetime | None = None


class Identity:
    """Who asks: the credentials given, or those that Google's own clients would find.

    Its methods block, for a worker thread. A file is read again for every token, so that one that was
    replaced is used. With `proxied` the environment's proxy is asked, `authority` is trusted too.
    """

    def __init__(
        self,
        given: Given | None,
        path: str | None,
        /,
        *,
        authority: str | None,
        proxied: bool,
        retries: int,
        timeout: float,
    ) -> None:
        self._given = given
        self._path = path
        self._authority = authority
        self._proxied = proxied
        self._retries = retries
        self._timeout = max(1, round(timeout))
        self._signing: Account | None = None

    def fetch(self) -> Bearer:
        """A new token; `PermissionDenied` where there is none, `Unavailable` for now."""
        given = self._known()
        with _telling(at_home=not given):
            return asyncio.run(self._fetch(given))

    def forget(self) -> None:
        """Nothing is remembered between tokens."""

    def account(self) -> Account:
        """Who signs; `PermissionDenied` where nobody can."""
        if self._signing is None:
            given = self._known()
            with _telling(at_home=not given):
                found = account_in(given) if given else asyncio.run(self._at_home())
            if found is None:
                raise PermissionDenied(_WITHOUT_ACCOUNT)
            self._signing = found
        return self._signing

    def _known(self) -> Given:
        return read_file(self._path) if self._given is None else self._given

    async def _fetch(self, given: Given) -> Bearer:
        async with self._session() as session:
            proxied = self._proxied and bool(given)
            token = _token(given, Proxied(session) if proxied else session)
            told = await self._tried(lambda: token.refresh(timeout=self._timeout))
        return Bearer(told.value, datetime.now(UTC) + timedelta(seconds=told.expires_in))

    async def _at_home(self) -> Account:
        """The account of this machine."""
        address = metadata_address("email")
        async with (
            self._session() as session,
            session.get(address, headers=_AT_HOME, raise_for_status=True) as reply,
        ):
            return Account((await reply.text()).strip())

    async def _tried(self, work: Callable[[], Awaitable[T]]) -> T:
        """What comes of it, tried again after failures that pass."""
        from aiohttp import ClientConnectionError, ClientResponseError

        attempt = 0
        while True:
            attempt += 1
            try:
                return await work()
            except ClientResponseError as error:
                if error.status not in _PASSING or attempt > self._retries:
                    raise
            except (ClientConnectionError, TimeoutError):
                if attempt > self._retries:
                    raise
            await asyncio.sleep(pause(attempt, {}))

    def _session(self) -> "ClientSession":
        with extra("gcs", "gcloud-aio-storage"):
            from aiohttp import ClientSession, ClientTimeout, TCPConnector
        return ClientSession(
            connector=TCPConnector(ssl=wider_context(self._authority)),
            timeout=ClientTimeout(total=self._timeout),
        )


def _token(given: Given, session: Any) -> "Token":  # the SDK mistypes it
    """The SDK's token of these credentials; `refresh` of it asks once."""
    with extra("gcs", "gcloud-aio-storage"):
        from gcloud.aio.auth import Token
    source: Any = given
    impersonates = given.get("type") == "impersonated_service_account"
    if impersonates:
        source = given["source_credentials"]
    token = Token(io.StringIO(json.dumps(dict(source))), session=session, scopes=list(_SCOPES))
    if "private_key" in token.service_data:
        token.service_data["private_key"] = private_key(str(token.service_data["private_key"]))
    if impersonates:
        token.impersonation_uri = str(given["service_account_impersonation_url"])
        token.delegates = given.get("delegates")
    if not given:
        token.token_uri = metadata_address("token")
    return token


@contextmanager
def _telling(*, at_home: bool) -> Generator[None]:
    """The SDK's errors as ours, without their texts, which may quote what was sent and fetched."""
    with extra("gcs", "gcloud-aio-storage"):
        from aiohttp import ClientConnectionError, ClientError, ClientResponseError
        from jwt.exceptions import PyJWTError
    try:
        yield
    except StorageError:
        raise
    except ClientResponseError as error:
        if error.status in _PASSING:
            raise Unavailable(f"Google gives no tokens now (status {error.status})") from None
        raise PermissionDenied(_refused(error.status, error.message)) from None
    except (ClientConnectionError, TimeoutError) as error:
        if at_home:
            raise PermissionDenied(_NOBODY) from error
        raise Unavailable(
            f"Google does not answer who asks for a token ({type(error).__name__}); try again"
        ) from error
    except (ClientError, PyJWTError, *_STRANGE) as error:
        raise ConfigError(
            f"the credentials are no good ({type(error).__name__}); fetch the file again"
        ) from None


def _refused(status: int, message: str) -> str:
    """Of the reply only the code is told."""
    found = _CODE.search(message)
    why = f"status {status}" if found is None else f"status {status}, {found[1]}"
    return (
        f"Google gives no token for these credentials ({why}); check that the account and its key "
        "are still there, and this machine's clock"
    )
