"""Keys: one way to give them, and none shows in a repr, a message or a pickle."""

import asyncio
import os
import pickle
import traceback
from base64 import b64encode
from typing import Any

import pytest

from storeroom.contracts.errors import ConfigError, Corrupted, PermissionDenied
from storeroom.drivers.memory import MemoryDriver
from storeroom.layers._encryption.passphrases import Work
from storeroom.layers._encryption.secret import Secret
from storeroom.layers.encryption import Encryption, KeyProvider, SealedKey, new_key
from storeroom.manager import StorageManager
from tests.layers.encryption.vaults import KEY, OTHER, plain, put_stored, stored, vault

CHEAP: dict[str, Any] = {"cost": 1 << 14}
TEXT = f"base64:{b64encode(KEY).decode()}"
PHRASE = "correct horse battery staple"


class Kms:
    """A KMS as it behaves: keys by id, fresh data keys, and it may refuse."""

    def __init__(self, current: str = "kms/1") -> None:
        self.current = current
        self.refuses = False
        self.calls: list[str] = []
        self._sealed: dict[bytes, bytes] = {}

    async def seal(self) -> SealedKey:
        self.calls.append("seal")
        await asyncio.sleep(0)
        key, sealed = os.urandom(32), self.current.encode() + os.urandom(60)
        self._sealed[sealed] = key
        return SealedKey(self.current, sealed, key)

    async def unseal(self, key_id: str, sealed: bytes, /) -> bytes:
        self.calls.append(f"unseal {key_id}")
        if self.refuses:
            raise PermissionDenied("the KMS says no")
        return self._sealed[sealed]


async def test_a_key_is_32_bytes_or_text() -> None:
    memory = MemoryDriver()
    await vault(memory, key=KEY).put("a", b"x")
    assert await vault(memory, key=TEXT).get("a") == b"x"
    assert await vault(memory, keys={"any": TEXT}).get("a") == b"x"
    assert await vault(memory, passphrase=PHRASE, previous=[TEXT], **CHEAP).get("a") == b"x"


def test_a_new_key_is_a_key() -> None:
    made = {new_key() for _ in range(10)}
    assert len(made) == 10
    for key in made:
        vault(key=key)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "exactly one of"),
        ({"key": KEY, "passphrase": PHRASE}, "key and passphrase"),
        ({"key": KEY, "keys": {"a": KEY}}, "key and keys"),
        ({"key": KEY[:31]}, "32 bytes"),
        ({"key": TEXT[:-4]}, "32 bytes"),
        ({"key": "base64:%%%"}, "32 bytes"),
        ({"key": "base64:é"}, "32 bytes"),
        ({"key": PHRASE}, "32 bytes"),
        ({"key": 5}, "32 bytes"),
        ({"key": KEY, "current": "a"}, "there are none"),
        ({"key": KEY, "previous": [5]}, "32 bytes"),
        ({"key": KEY, "previous": [""]}, "previous"),
        ({"keys": {}}, "keys is empty"),
        ({"key": KEY, "cost": 1 << 14}, "there is no passphrase"),
        ({"key": KEY, "kdf": "pbkdf2"}, "there is no passphrase"),
        ({"keys": {"a": KEY, "b": OTHER}}, "one of a, b"),
        ({"keys": {"a": KEY}, "current": "c"}, "one of a"),
        ({"keys": {"": KEY}}, "64 bytes"),
        ({"keys": {"é" * 33: KEY}}, "64 bytes"),
        ({"keys": {"a\n": KEY}}, "printable"),
        ({"keys": {"a": KEY}, "previous": [OTHER]}, "give them all there"),
        ({"passphrase": ""}, "not empty"),
        ({"passphrase": TEXT}, "give it as key"),
        ({"passphrase": f"{PHRASE}\udcff"}, "UTF-8"),
        ({"passphrase": PHRASE, "kdf": "md5"}, "'scrypt' or 'pbkdf2'"),
        ({"passphrase": PHRASE, "cost": 1 << 10}, "power of two"),
        ({"passphrase": PHRASE, "cost": (1 << 17) + 1}, "power of two"),
        ({"passphrase": PHRASE, "cost": 1 << 24}, "power of two"),
        ({"passphrase": PHRASE, "kdf": "pbkdf2", "cost": 1000}, "100,000"),
        ({"passphrase": PHRASE, "cost": "much"}, "a number"),
        ({"key": KEY, "bind": "name"}, "'path' or 'none'"),
    ],
)
def test_a_wrong_way_is_refused_when_it_is_built(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Encryption(MemoryDriver(), **options)
    assert said in str(caught.value)
    for secret in (PHRASE, TEXT, TEXT[7:-1]):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [pytest.param({}, marks=pytest.mark.long), {"kdf": "pbkdf2", "cost": 100_000}, CHEAP],
)
async def test_a_passphrase_opens_what_it_locked(options: dict[str, Any]) -> None:
    memory = MemoryDriver()
    await vault(memory, passphrase=PHRASE, **options).put("a", b"x")
    assert await vault(memory, passphrase=PHRASE, **CHEAP).get("a") == b"x"
    with pytest.raises(PermissionDenied, match="a passphrase that this disk does not"):
        await vault(memory, passphrase="wrong", **CHEAP).get("a")
    newer = vault(memory, passphrase="newer", previous=PHRASE, **CHEAP)
    assert await newer.get("a") == b"x"
    assert (await newer.rotate("a")).changed
    assert await vault(memory, passphrase="newer", **CHEAP).get("a") == b"x"


async def test_a_passphrase_is_derived_once_per_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    derived: list[bytes] = []
    native = Work.derived

    def counting(self: Work, phrase: Secret, salt: bytes) -> Secret:
        derived.append(salt)
        return native(self, phrase, salt)

    monkeypatch.setattr(Work, "derived", counting)
    memory = MemoryDriver()
    layer = vault(memory, passphrase=PHRASE, **CHEAP)
    await asyncio.gather(*(layer.put(f"a{number}", b"x") for number in range(20)))
    await asyncio.gather(*(layer.get(f"a{number}") for number in range(20)))
    assert len(derived) == 1
    other = vault(memory, passphrase=PHRASE, **CHEAP)
    await asyncio.gather(*(other.get(f"a{number}") for number in range(20)))
    await other.put("b", b"x")  # under the salt that it has met
    assert derived == [derived[0]] * 2
    assert await layer.get("b") == b"x"
    assert len(derived) == 2


async def test_work_is_cheap_enough_to_be_done_off_the_loop_and_capped() -> None:
    assert Work.chosen("scrypt", None) == Work(1, 1 << 17, 8, 1)
    assert Work.chosen("pbkdf2", None) == Work(2, 600_000, 0, 0)


async def test_a_provider_gives_a_key_for_each_file() -> None:
    memory, kms = MemoryDriver(), Kms()
    assert isinstance(kms, KeyProvider)
    layer = vault(memory, provider=kms)
    await layer.put("a", b"x")
    await layer.put("b", iter([plain(100_000)]))
    assert await layer.get("a") == b"x"
    assert await layer.get("b", start=5, stop=9) == plain(100_000)[5:9]
    assert kms.calls == ["seal", "seal", "unseal kms/1", "unseal kms/1"]
    with pytest.raises(PermissionDenied, match=r"'kms/1', .* give it in provider"):
        await vault(memory).get("a")
    kms.refuses = True
    with pytest.raises(PermissionDenied, match="the KMS says no"):
        await layer.get("a")
    with pytest.raises(PermissionDenied):
        await layer.get("b")


async def test_files_go_over_from_keys_to_a_provider_and_on_to_its_next_key() -> None:
    memory, kms = MemoryDriver(), Kms()
    await vault(memory).put("a", b"x")
    layer = vault(memory, provider=kms, previous=KEY)
    assert await layer.get("a") == b"x"
    assert (await layer.rotate("a")).key == "kms/1"
    assert not (await layer.rotate("a")).changed
    kms.current = "kms/2"
    assert (await layer.rotate("a")).changed
    assert await layer.key_ids() == {"kms/2": 1}
    assert await vault(memory, provider=kms).get("a") == b"x"


@pytest.mark.parametrize(
    "wrong",
    [
        SealedKey("", b"s", bytes(32)),
        SealedKey("k" * 65, b"s", bytes(32)),
        SealedKey("k", b"", bytes(32)),
        SealedKey("k", bytes(279), bytes(32)),
        SealedKey("k", b"s", bytes(16)),
    ],
)
async def test_what_does_not_fit_into_a_header_is_refused(wrong: SealedKey) -> None:
    class Careless(Kms):
        async def seal(self) -> SealedKey:
            return wrong

    memory = MemoryDriver()
    with pytest.raises(ConfigError):
        await vault(memory, provider=Careless()).put("a", b"x")
    assert memory.count() == 0


def test_a_sealed_key_hides_the_key() -> None:
    assert repr(KEY)[2:-1] not in repr(SealedKey("k", b"sealed", KEY))


async def test_the_longest_sealed_key_fits() -> None:
    class Rsa(Kms):
        async def seal(self) -> SealedKey:
            return SealedKey("k" * 64, bytes(278), KEY)

        async def unseal(self, key_id: str, sealed: bytes, /) -> bytes:
            assert (key_id, sealed) == ("k" * 64, bytes(278))
            return KEY

    layer = vault(provider=Rsa())
    await layer.put("a", b"x")
    assert await layer.get("a") == b"x"
    await layer.copy("a", "b")
    assert await layer.get("b") == b"x"


async def test_a_provider_that_unseals_another_key_is_found_out() -> None:
    class Wrong(Kms):
        async def unseal(self, key_id: str, sealed: bytes, /) -> bytes:
            return bytes(32)

    layer = vault(provider=Wrong())
    await layer.put("a", b"x")
    with pytest.raises(PermissionDenied, match="kms/1"):
        await layer.get("a")


async def test_no_secret_is_shown_anywhere() -> None:
    memory = MemoryDriver()
    layer = vault(memory, passphrase=PHRASE, previous=[TEXT], **CHEAP)
    await layer.put("a", b"x")
    await put_stored(memory, "a", (await stored(memory, "a"))[:-1])
    shown = [repr(layer), repr(layer._vault.ring), repr(vars(layer)), repr(Secret(KEY))]
    with pytest.raises(Corrupted) as caught:
        await layer.get("a")
    details = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown += ["".join(details.format()), str(caught.value)]
    for text in shown:
        for secret in (PHRASE, TEXT, TEXT[7:], repr(KEY)[2:-1]):
            assert secret not in text
    with pytest.raises(TypeError):
        pickle.dumps(Secret(KEY))


async def test_a_configuration_builds_it_and_hides_the_keys() -> None:
    for options in (
        {"key": TEXT},
        {"keys": {"2026": TEXT}, "current": "2026"},
        {"key": new_key(), "previous": [TEXT]},
        {"passphrase": PHRASE, **CHEAP},
        {"key": TEXT, "bind": "none"},
    ):
        config = {
            "default": "m",
            "disks": {
                "m": {"driver": "memory", "layers": [{"layer": "encryption", **options}]},
            },
        }
        manager = StorageManager.isolated(config)
        disk = manager.disk("m")
        await disk.put("a", b"x")
        assert await disk.get("a") == b"x"
        for text in (repr(manager), repr(disk), repr(disk.driver)):
            assert TEXT not in text
            assert PHRASE not in text
        assert isinstance(disk.layer(Encryption), Encryption)
        await manager.aclose()


def test_a_refused_key_is_not_in_the_traceback_either() -> None:
    def build(options: dict[str, Any]) -> str:
        try:
            Encryption(MemoryDriver(), **options)
        except ConfigError as error:
            mine = error.__traceback__.tb_next if error.__traceback__ is not None else None
            details = traceback.TracebackException(type(error), error, mine, capture_locals=True)
            return "".join(details.format())
        return ""

    for options in (
        {"key": PHRASE},
        {"keys": {"a": PHRASE}},
        {"passphrase": PHRASE, "previous": [5]},
        {"key": KEY, "previous": [PHRASE, ""]},
    ):
        text = build(options)
        assert "__init__" in text
        assert PHRASE not in text


@pytest.mark.parametrize("options", [{"key": "base64:short"}, {"keys": {"a": "base64:short"}}])
async def test_a_wrong_key_in_a_configuration_is_not_repeated(options: dict[str, Any]) -> None:
    layers = [{"layer": "encryption", **options}]
    manager = StorageManager.isolated(
        {"default": "m", "disks": {"m": {"driver": "memory", "layers": layers}}}
    )
    with pytest.raises(ConfigError) as caught:
        await manager.disk("m").put("a", b"x")
    assert "base64:short" not in str(caught.value)
