"""Fake drivers: a memory disk that poses as a service, and a local disk in a folder of its own."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from storeroom.contracts.abilities import (
    PresignPost,
    PresignRead,
    PresignWrite,
    VerifyUrl,
    has,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError, Unsupported
from storeroom.contracts.values import (
    ANY,
    PLAIN,
    Grant,
    RemoveOptions,
    Stat,
    Traits,
    Upload,
    Visible,
    WriteOptions,
)
from storeroom.drivers.local import LocalDriver
from storeroom.files._verb import checked
from storeroom.signing import SigningKeys, UrlSigner
from storeroom.testing.history import History, Kept
from storeroom.testing.leases import Leased
from storeroom.testing.parts import Parts

__all__ = ["LocalPose", "Pose", "Service", "verifying"]

A = TypeVar("A")

_HINTS = (
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
)
_DATA = ("metadata", "tags", "tier", "visibility")
_SIGNED: frozenset[Callable[..., Any]] = frozenset((PresignRead, PresignWrite, VerifyUrl))
_NATIVE: frozenset[Callable[..., Any]] = frozenset((PresignRead, PresignWrite, PresignPost))

verifying: ContextVar[bool] = ContextVar("storeroom_verifying", default=False)
"""Set while a test asks for a check that the faked service would make itself."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a fake knows of a service: its traits, its abilities, and the address of a path."""

    traits: Traits
    abilities: frozenset[Callable[..., Any]]
    url: Callable[[str], str] | None = None


class _Signing(PresignRead, PresignWrite, VerifyUrl):
    """Signs temporary URLs with a key of its own, so that a test needs none in its configuration."""

    _signer: UrlSigner

    async def presign_read(self, grant: Grant, /) -> str:
        return await self._signer.presign_read(grant)

    async def presign_write(self, grant: Grant, /) -> Upload:
        return await self._signer.presign_write(grant)

    async def verify_url(self, url: str, method: str, /) -> Grant:
        return await self._signer.verify_url(url, method)


class LocalPose(LocalDriver, _Signing):
    """A local disk in a folder that the fake made."""

    def __init__(
        self,
        name: str,
        root: str,
        /,
        *,
        url: str | None = "/storage",
        visibility: Visible | None = None,
        directory_visibility: Visible | None = None,
        permissions: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        super().__init__(
            root,
            url=url,
            visibility=visibility,
            directory_visibility=directory_visibility,
            durability="none",
            permissions=permissions,
        )
        self._signer = _signer(self, name)


class Pose(Parts, History, Leased, _Signing, PresignPost):
    """A memory disk that can what the service can, no more, and answers as it does."""

    def __init__(self, name: str, service: Service, /) -> None:
        super().__init__(folders=service.traits.folders)
        self._service = service
        self._traits = service.traits
        self._store = Kept(real_folders=service.traits.folders == "real")
        self._begun = {}
        self._leases = {}
        self._signer = _signer(self, name)

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """Itself for the service's own abilities, though it has more.

        A disk signs for a service that signs no addresses, and so does this.
        """
        own = self._service.abilities
        signs = kind in _SIGNED and own.isdisjoint(_NATIVE)
        if kind in own or signs or (kind is VerifyUrl and verifying.get()):
            return self if has(type(self), kind) else None  # type: ignore[return-value]
        return None

    @property
    def service(self) -> Service:
        """What it poses as."""
        return self._service

    def twin(self, *, paths: Literal["strict", "service"] = "strict") -> "Pose":
        """A second driver over the same files, as another process would have one."""
        other = copy(self)
        other._closed = False
        other._traits = replace(self._traits, strict_paths=paths == "strict")
        return other

    def public_url(self, path: str, /) -> str:
        if self._service.url is None:
            return super().public_url(path)
        return self._service.url(self._checked(path))

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().write(path, body, self._kept(path, how))

    async def extend(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().extend(path, body, self._kept(path, how))

    async def copy_from(
        self, source: StorageDriver, path: str, to: str, how: WriteOptions = PLAIN, /
    ) -> Stat:
        if source.traits.service != self._traits.service:
            raise Unsupported("the other disk is of another service", path=to)
        return await super().copy_from(source, path, to, self._kept(to, how))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        return await super().rename(path, to, self._kept(to, how))

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        return await super().change_attributes(path, self._kept(path, how))

    async def remove(self, path: str, how: RemoveOptions = ANY, /) -> bool | None:  # type: ignore[override]
        """Whether a file was there, None where the service would not say."""
        if how.if_match is not None:
            self._conditional("if_match", path)
        there = await super().remove(path, how)
        return there if self._traits.tells_removed else None

    async def remove_many(
        self, paths: Sequence[str], /
    ) -> Mapping[str, bool | StorageError | None]:
        answers = await super().remove_many(paths)
        if self._traits.tells_removed:
            return answers
        return {p: a if isinstance(a, StorageError) else None for p, a in answers.items()}

    async def presign_post(self, grant: Grant, /) -> Upload:
        """A form with the signed address, whose limits are in the grant."""
        upload = await self.presign_write(grant)
        return Upload(upload.url, "POST", {}, {"key": grant.path})

    def _checked(self, path: str) -> str:
        return checked(self, super()._checked(path))

    def _kept(self, path: str, how: WriteOptions) -> WriteOptions:
        """What the service stores of this: hints drop, data and conditions are kept or refused."""
        if not how.overwrite:
            self._conditional("overwrite", path)
        if how.if_match is not None:
            self._conditional("if_match", path)
        lost = {n for n in (*_HINTS, *_DATA) if getattr(how, n) and n not in self._traits.keeps}
        refused = [] if how.carried else [name for name in _DATA if name in lost]
        if refused:
            raise Unsupported(f"{self._traits.service} keeps no {refused[0]}", path=path)
        dropped: dict[str, Any] = dict.fromkeys(lost)
        return replace(how, **dropped)

    def _conditional(self, name: str, path: str) -> None:
        if name not in self._traits.conditions:
            raise Unsupported(f"{self._traits.service} has no {name} condition", path=path)


def _signer(driver: StorageDriver, name: str) -> UrlSigner:
    return UrlSigner(SigningKeys(secrets.token_urlsafe(32)), driver, name)
