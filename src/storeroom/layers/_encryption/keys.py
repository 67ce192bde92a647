"""The keys of a disk: which one locks new files, and which one opens a file."""

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from storeroom.contracts.errors import ConfigError, PermissionDenied, Unavailable, translating
from storeroom.layers._encryption.lock import ID_BYTES, SEALED_BYTES, Key, Mark, check_of
from storeroom.layers._encryption.passphrases import Phrases, Work
from storeroom.layers._encryption.secret import Secret

__all__ = ["Given", "KeyProvider", "Ring", "SealedKey", "ring_of"]

Given = str | bytes
"""A key as it is given: 32 bytes, or "base64:" and 32 bytes in base64."""

RAW: Final = 0
SEALED: Final = 3

_BASE64: Final = "base64:"
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A fresh key of a provider: `key` (32 bytes) locks files, `sealed` is what is stored of it.

    `id` names the provider's own key that sealed it, at most 64 bytes; `sealed` has at most 278.
    """

    id: str
    sealed: bytes
    key: bytes = field(repr=False)


@runtime_checkable
class KeyProvider(Protocol):
    """Keys that somebody else keeps: a KMS, an HSM.

    Each method is awaited once for every file written or read; one that wants fewer calls to its
    service keeps what it gave for a while and gives it again. What it raises is `Unavailable`, but
    for a `StorageError`, which stays what it is.
    """

    @property
    def current(self) -> str:
        """The id of the key that seals now; files of another id are due for `rotate`."""
        ...

    async def seal(self) -> SealedKey:
        """A key and its sealed form, by the current key of the service (GenerateDataKey at AWS)."""
        ...

    async def unseal(self, key_id: str, sealed: bytes, /) -> bytes:
        """The key again; `PermissionDenied` where the service refuses.

        Both come out of a file that nothing proved yet: refuse ids and sealed keys of others.
        """
        ...


class Ring:
    """All keys of a disk. The first of its kind locks; a file is opened by whichever fits."""

    def __init__(
        self,
        raw: Sequence[Key] = (),
        phrases: Sequence[Secret] = (),
        work: Work | None = None,
        provider: KeyProvider | None = None,
        *,
        locks: int,
    ) -> None:
        self._raw = {key.mark.check: key for key in raw}
        self._first = raw[0] if raw else None
        self._phrases = Phrases(phrases, work)
        self._provider = provider
        self._locks = locks

    def __repr__(self) -> str:
        return "Ring(hidden)"

    async def current(self) -> Key:
        """The key for new files."""
        if self._locks == RAW and self._first is not None:
            return self._first
        if self._locks == SEALED and self._provider is not None:
            with translating(_failed, ""):
                made = await self._provider.seal()
            return _sealed(made)
        return await self._phrases.current()

    async def is_current(self, mark: Mark) -> bool:
        """Whether a file's key is locked as a new one's would be."""
        if mark.kdf == RAW:
            return self._locks == RAW and self._first is not None and mark == self._first.mark
        if mark.kdf == SEALED:
            return self._provider is not None and mark.id == self._provider.current
        return self._locks not in (RAW, SEALED) and await self._phrases.is_current(mark)

    async def find(self, mark: Mark) -> Secret:
        """The key of a file; `PermissionDenied` names it where this disk does not have it."""
        if mark.kdf == RAW:
            found = self._raw.get(mark.check)
            secret = None if found is None else found.secret
        elif mark.kdf == SEALED:
            secret = await self._unsealed(mark)
        else:
            secret = await self._phrases.find(mark)
        if secret is None:
            raise PermissionDenied(_missing(mark))
        return secret

    async def _unsealed(self, mark: Mark) -> Secret | None:
        if self._provider is None:
            return None
        with translating(_failed, ""):
            secret = Secret(await self._provider.unseal(mark.id, mark.sealed))
        length = _length(secret.reveal())
        if length is None:
            raise ConfigError(f"a provider unseals keys as {_KEY_BYTES} bytes; this one does not")
        return secret if length == _KEY_BYTES and check_of(secret) == mark.check else None


def ring_of(
    key: Given | None,
    keys: Mapping[str, Given] | None,
    current: str | None,
    previous: Given | Iterable[Given],
    passphrase: str | None,
    provider: KeyProvider | None,
    work: Work,
) -> Ring:
    """The keys as the options give them, in exactly one way."""
    _check_one_way(key=key, keys=keys, passphrase=passphrase, provider=provider)
    if passphrase is None and work != Work.chosen("scrypt", None):
        raise ConfigError("kdf and cost say how a passphrase becomes a key; there is no passphrase")
    older = [previous] if isinstance(previous, str | bytes) else list(previous)
    if keys is not None:
        if older:
            raise ConfigError(
                "previous goes with key or passphrase; with keys, give them all there"
            )
        return Ring(_named(keys, current), locks=RAW)
    if current is not None:
        raise ConfigError("current names one of keys; there are none")
    phrases = [item for item in older if isinstance(item, str) and not item.startswith(_BASE64)]
    raw = [_raw_key("previous", item) for item in older if item not in phrases]
    secrets = [_phrase("previous", item) for item in phrases]
    if key is not None:
        return Ring([_raw_key("key", key), *raw], secrets, work, locks=RAW)
    if provider is not None:
        return Ring(raw, secrets, work, provider, locks=SEALED)
    return Ring(raw, [_phrase("passphrase", passphrase), *secrets], work, locks=work.kdf)


def _missing(mark: Mark) -> str:
    if mark.kdf == RAW:
        lacks, way_out = f"the key {mark.id!r}, which this disk does not have", "previous or keys"
    elif mark.kdf == SEALED:
        lacks, way_out = f"the key {mark.id!r}, which this disk cannot have opened", "provider"
    else:
        lacks, way_out = "a passphrase that this disk does not have", "passphrase or previous"
    return f"the file is locked with {lacks}; give it in {way_out}"


def _raw_key(option: str, given: object, name: str | None = None) -> Key:
    """A key under a name, or under that of its check."""
    secret = _bytes_of(option, given)
    check = check_of(secret)
    return Key(Mark(name or check.hex(), check), secret)


def _checked_id(key_id: str) -> str:
    """A key's name that fits into a header."""
    if not key_id or len(key_id.encode()) > ID_BYTES or not key_id.isprintable():
        raise ConfigError(f"a key's id has 1 to {ID_BYTES} bytes, all printable")
    return key_id


def _check_one_way(**ways: object) -> None:
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        said = " and ".join(given) if given else "none of them"
        raise ConfigError(
            f"give exactly one of key, keys, passphrase and provider, not {said}; "
            "storeroom.layers.encryption.new_key() makes a key"
        )


def _named(keys: Mapping[str, Given], current: str | None) -> list[Key]:
    if not keys:
        raise ConfigError(
            "keys is empty; give one or more, each with an id: {'2026': 'base64:...'}"
        )
    made = {
        name: _raw_key(f"keys[{name!r}]", given, _checked_id(name)) for name, given in keys.items()
    }
    if current is None and len(made) == 1:
        current = next(iter(made))
    if current not in made:
        raise ConfigError(f"current names the key that locks: one of {', '.join(made)}")
    return [made[current], *(key for name, key in made.items() if name != current)]


def _bytes_of(option: str, given: object) -> Secret:
    found = given
    if isinstance(given, str) and given.startswith(_BASE64):
        try:
            found = b64decode(given.removeprefix(_BASE64), validate=True)
        except ValueError:
            found = None
    if not isinstance(found, bytes) or len(found) != _KEY_BYTES:
        raise ConfigError(
            f"{option} is 32 bytes, or 'base64:' and 32 bytes in base64; "
            "storeroom.layers.encryption.new_key() makes one"
        )
    return Secret(found)


def _phrase(option: str, given: object) -> Secret:
    if not isinstance(given, str) or not given:
        raise ConfigError(f"{option} is a text that is not empty")
    if given.startswith(_BASE64):
        raise ConfigError(f"{option} begins with 'base64:', as a key does; give it as key")
    try:
        return Secret(given.encode())
    except UnicodeEncodeError:  # as the environment gives what is no UTF-8
        refused = f"{option} is no text that UTF-8 can hold"
    raise ConfigError(refused)


def _failed(error: Exception) -> Unavailable:
    return Unavailable(f"the provider of keys failed: {type(error).__name__}")


def _sealed(made: SealedKey) -> Key:
    name, key, sealed = _checked_id(made.id), _length(made.key), _length(made.sealed)
    if key != _KEY_BYTES or sealed is None or not 0 < sealed <= SEALED_BYTES:
        raise ConfigError(
            f"a provider gives keys of {_KEY_BYTES} bytes, sealed in 1 to {SEALED_BYTES}; "
            f"this one has {key} and {sealed}"
        )
    secret = Secret(made.key)
    return Key(Mark(name, check_of(secret), SEALED, sealed=made.sealed), secret)


def _length(given: object) -> int | None:
    """How many bytes it has, None for what is no bytes."""
    return len(given) if isinstance(given, bytes) else None
