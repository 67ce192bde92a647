"""Encryption: what is stored can be read by who has the key, and by nobody else; see the threat model."""

import os
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import replace
from functools import partial
from typing import Final, Literal, TypeVar

from storeroom.contracts import threads
from storeroom.contracts.abilities import (
    Attributes,
    BulkRemove,
    Copy,
    Folders,
    Leases,
    Move,
    Sweep,
    Tags,
    Tiers,
    Times,
    Versions,
    Visibility,
)
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    ConfigError,
    Corrupted,
    NotFound,
    StorageError,
    translating,
)
from storeroom.contracts.paths import check_path
from storeroom.contracts.source import Source
from storeroom.contracts.turns import PathTurns
from storeroom.contracts.values import (
    DEEP,
    PLAIN,
    WHOLE,
    Folder,
    ReadOptions,
    ScanOptions,
    Stat,
    Traits,
    Version,
    WriteOptions,
)
from storeroom.layers._base import Layer, layers_inside
from storeroom.layers._encryption import keys as _keys
from storeroom.layers._encryption import rotating as _rotating
from storeroom.layers._encryption.moving import can_hold, copied, moved
from storeroom.layers._encryption.passphrases import Work
from storeroom.layers._encryption.reading import Opening
from storeroom.layers._encryption.sealing import AT_ONCE, SLICE, sealed
from storeroom.layers._encryption.sizes import plain_size, stored_size
from storeroom.layers._encryption.vault import Vault, for_others, shown

__all__ = ["Encryption", "KeyProvider", "Rotated", "SealedKey", "new_key"]

A = TypeVar("A")

KeyProvider = _keys.KeyProvider
SealedKey = _keys.SealedKey
Rotated = _rotating.Rotated

_REFUSED: Final = {
    "Compression": "what is encrypted does not shrink any more; put Compression outside",
    "Encryption": "once is enough; give all keys to one of the two",
}


def new_key() -> str:
    """A random key as a configuration takes it: "base64:" and 32 bytes in base64."""
    return f"base64:{b64encode(os.urandom(32)).decode()}"


class Encryption(Layer, Copy, Move, Attributes, Versions):
    """Files encrypted one by one, each under a key of its own, which is locked by a key of the disk.

    The disk's key comes in exactly one way: `key` (32 bytes, or "base64:..."), `keys` by id with
    `current` naming the one that locks, `passphrase`, or a `provider`. `previous` are older keys and
    passphrases, which still open. `bind="path"` binds a file to its path, so that two whole files
    cannot be swapped.

    Bytes that were changed, cut, swapped or appended are `Corrupted`, and none is given out that is
    not authentic. A key that is not there is `PermissionDenied`, which names it.
    """

    keeps = frozenset((BulkRemove, Visibility, Folders, Sweep, Times, Tags, Tiers, Leases))
    adapts = frozenset((Copy, Move, Attributes, Versions))

    def __init__(
        self,
        inner: StorageDriver,
        /,
        *,
        key: str | bytes | None = None,
        keys: Mapping[str, str | bytes] | None = None,
        current: str | None = None,
        previous: str | bytes | Sequence[str | bytes] = (),
        passphrase: str | None = None,
        provider: KeyProvider | None = None,
        kdf: Literal["scrypt", "pbkdf2"] = "scrypt",
        cost: int | None = None,
        bind: Literal["path", "none"] | None = "path",
    ) -> None:
        super().__init__(inner)
        try:
            _check_stack(inner)
            if bind not in ("path", "none", None):
                raise ConfigError(f"bind is 'path' or 'none', not {bind!r}")
            work = Work.chosen(kdf, cost)
            ring = _keys.ring_of(key, keys, current, previous, passphrase, provider, work)
        except ConfigError as error:
            refused, disk = error.reason, error.disk
        else:
            self._vault = Vault(ring, binds=bind == "path")
            self._turns = PathTurns()
            return
        del key, keys, previous, passphrase  # which a traceback with its variables would show
        raise ConfigError(refused, disk=disk)

    def offer(self, kind: Callable[..., A], /) -> A | None:
        """As declared; with `bind="path"` no copy or move where a lock for the new path has no place."""
        if self._vault.binds and kind in (Copy, Move) and not can_hold(self._inner, kind):
            return None
        return super().offer(kind)

    def described(self, inside: Traits, /) -> Traits:
        """The traits inside; an append here is a write."""
        return replace(inside, atomic_append=inside.atomic)

    async def stat(self, path: str, /) -> Stat:
        return shown(await self.inner.stat(path))

    async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
        inner = self.inner
        return await self._opened(path, how, lambda rest: inner.read(path, rest))

    async def write(self, path: str, body: Body, how: WriteOptions = PLAIN, /) -> Stat:
        Body.checked(body)
        inner, how = self.inner, for_others(how)
        check_path(path, strict=inner.traits.strict_paths)
        with _located("write", path):
            stored = await self._sealed(path, body)
        return shown(await inner.write(path, stored, how))

    async def scan(
        self, folder: str = "", how: ScanOptions = DEEP, /
    ) -> AsyncGenerator[Stat | Folder]:
        async with aclosing(self.inner.scan(folder, how)) as entries:
            async for entry in entries:
                yield shown(entry) if isinstance(entry, Stat) else entry

    async def copy_within(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        self.inner_ability(Copy)
        return shown(await copied(self._vault, self.inner, path, to, for_others(how)))

    async def rename(self, path: str, to: str, how: WriteOptions = PLAIN, /) -> Stat:
        self.inner_ability(Move)
        async with self._turns.taken(path, to):
            return shown(await moved(self._vault, self.inner, path, to, for_others(how)))

    async def change_attributes(self, path: str, how: WriteOptions, /) -> Stat:
        self.inner_ability(Attributes)
        async with self._turns.taken(path):
            return shown(await _rotating.described(self.inner, path, for_others(how)))

    async def list_versions(self, path: str, /) -> AsyncGenerator[Version]:
        async for version in self.inner_ability(Versions).list_versions(path):
            size = None if version.size is None else plain_size(version.size)
            yield replace(version, size=size)

    async def read_version(self, path: str, version: str, how: ReadOptions = WHOLE, /) -> Source:
        native = self.inner_ability(Versions)
        return await self._opened(path, how, lambda rest: native.read_version(path, version, rest))

    async def restore_version(self, path: str, version: str, /) -> Stat:
        return shown(await self.inner_ability(Versions).restore_version(path, version))

    async def remove_version(self, path: str, version: str, /) -> None:
        await self.inner_ability(Versions).remove_version(path, version)

    async def rotate(self, path: str, /, *, rewrite: bool = False) -> Rotated:
        """Lock a file with the current key; its content stays as it is stored, where that can be.

        The new lock goes into the metadata, where the service changes that in place; elsewhere, and
        with `rewrite`, the file is written anew. Only then is no lock of an older key left in it,
        which matters when that key leaked.
        """
        inner = self.inner
        async with self._turns.taken(path):
            with _located("rotate", path):
                return await _rotating.rotated(self._vault, self, inner, path, rewrite=rewrite)

    async def rotate_all(
        self,
        folder: str = "",
        /,
        *,
        after: str | None = None,
        rewrite: bool = False,
        concurrency: int = 8,
    ) -> AsyncGenerator[Rotated]:
        """Rotate every file under a folder, in the order of their paths; each is told when it is done.

        Go on with `after` the last path told. A file that cannot be rotated is told with its error.
        """
        inner = self.inner

        async def one(path: str) -> Rotated:
            try:
                return await self.rotate(path, rewrite=rewrite)
            except StorageError as error:
                return Rotated(path, None, changed=False, error=error)

        paths = _rotating.paths_in(inner, folder, after)
        done = _rotating.each_in_order(paths, one, concurrency)
        async with aclosing(paths), aclosing(done):
            async for told in done:
                yield told

    async def key_ids(
        self, folder: str = "", /, *, concurrency: int = 8
    ) -> Mapping[str | None, int]:
        """How many files under a folder need which key; None counts what is no file of this layer.

        A key that none needs can go, if no copy of the metadata is ever lost: see the documentation.
        """
        inner, counted = self.inner, Counter[str | None]()

        async def one(path: str) -> str | None:
            try:
                return await _rotating.key_id(self._vault, inner, path)
            except (Corrupted, NotFound):
                return None

        paths = _rotating.paths_in(inner, folder, None)
        found = _rotating.each_in_order(paths, one, concurrency)
        async with aclosing(paths), aclosing(found):
            async for key_id in found:
                counted[key_id] += 1
        return dict(counted)

    async def _opened(
        self, path: str, how: ReadOptions, read: Callable[[ReadOptions], Awaitable[Source]]
    ) -> Source:
        pins = "if_match" in self.inner.traits.conditions
        with _located("read", path):
            return await Opening(self._vault, path, how, read, pins=pins).source()

    async def _sealed(self, path: str, plain: Body) -> Body:
        """What is stored of a body. Read again, it is encrypted anew: it may have changed."""
        if plain.whole is not None and len(plain.whole) <= AT_ONCE:
            sealer = await self._vault.sealer(path)
            if len(plain.whole) <= SLICE:
                return Body(sealer.whole(plain.whole))
            return Body(await threads.run(sealer.whole, plain.whole))
        begin = partial(self._vault.sealer, path)
        size = None if plain.size is None else stored_size(plain.size)
        return Body(partial(sealed, plain, begin), size=size, replayable=plain.replayable)


def _located(operation: str, path: str) -> AbstractContextManager[None]:
    return translating(_as_it_is, operation, path)


def _as_it_is(error: Exception) -> None:
    return None


def _check_stack(inner: StorageDriver) -> None:
    """Refuse to stand over what makes no sense inside."""
    for layer in layers_inside(inner):
        for kind in type(layer).__mro__:
            if kind.__name__ in _REFUSED:
                raise ConfigError(
                    f"Encryption cannot stand over {kind.__name__}: {_REFUSED[kind.__name__]}"
                )
