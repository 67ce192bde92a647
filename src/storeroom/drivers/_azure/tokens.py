"""Tokens of Microsoft Entra ID, from the credential given or from the default one."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

from storeroom.contracts.errors import PermissionDenied
from storeroom.contracts.extras import extra
from storeroom.drivers._http.renewal import Keys, Spring

__all__ = ["Given", "Standard", "Token", "Tokens", "Waiting", "is_awaited"]

_SCOPE: Final = "https://storage.azure.com/.default"


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, and until when it holds; the text is not shown."""

    text: str = field(repr=False)
    expires: datetime | None


class Given:
    """A credential whose `get_token` blocks; it is its owner's to close."""

    def __init__(self, credential: Any) -> None:  # whatever has get_token
        self._credential = credential

    def fetch(self) -> Token:
        """A token of this moment; blocks."""
        with _telling():
            return _token(self._credential.get_token(_SCOPE))

    def forget(self) -> None:
        """The credential itself knows when its token has expired."""

    def close(self) -> None:
        """Leave it open."""


class Standard:
    """azure-identity's DefaultAzureCredential, made when it is first asked; its methods block."""

    def __init__(self) -> None:
        self._made: Any = None  # azure-identity comes with an extra
        self._making = Lock()

    def fetch(self) -> Token:
        """A token of this moment; `PermissionDenied` where no credential is found."""
        with _telling():
            return _token(self._credential().get_token(_SCOPE))

    def forget(self) -> None:
        """Look for a credential again at the next fetch; one that is being asked stays open until then."""
        self._made = None

    def close(self) -> None:
        """Close what was made."""
        with self._making:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def _credential(self) -> Any:
        """The credential; kept by whoever asks it, for another thread may forget it meanwhile."""
        with self._making:
            made = self._made
            if made is None:
                with extra("azure-identity", "azure-identity"):
                    from azure.identity import DefaultAzureCredential
                self._made = made = DefaultAzureCredential()
            return made


class Tokens(Keys[Token]):
    """The token in use, shared by all loops, renewed before it expires."""

    def __init__(self, source: Given | Standard, /) -> None:
        super().__init__(None, source)
        self._source = source

    def close(self) -> None:
        """Close the credential, where it is ours; blocks."""
        self._source.close()


class Waiting(Tokens):
    """The same from a credential whose `get_token` is awaited, on the loop that needs the token."""

    def __init__(self, credential: Any, /) -> None:
        super().__init__(Given(credential))
        self._credential = credential

    async def _renewal(self, spring: Spring[Token]) -> Token:
        try:
            with _telling():
                fetched = _token(await self._credential.get_token(_SCOPE))
        except PermissionDenied as error:
            fetched = self._old(error)
        return self._kept(fetched)


def is_awaited(credential: object, /) -> bool:
    """Whether a credential is one for asyncio."""
    asked = getattr(credential, "get_token", None)
    return inspect.iscoroutinefunction(asked) or hasattr(credential, "__aenter__")


def _token(told: Any) -> Token:
    return Token(told.token, datetime.fromtimestamp(told.expires_on, UTC))


@contextmanager
def _telling() -> Generator[None]:
    """The SDK's errors as ours, without their texts, which may quote what was fetched."""
    try:
        yield
    except _failures() as error:
        raise PermissionDenied(
            f"the credential gives no token ({type(error).__name__}); check what it is made of, and "
            "that it may read and write blobs of this account"
        ) from None


def _failures() -> type[Exception]:
    with extra("azure", "azure-storage-blob"):
        from azure.core.exceptions import AzureError
    return AzureError
