"""Keys: one way to give them, and none shows in a repr, a message or a pickle."""

import asyncio
import hashlib
import os
import pickle
import threading
import traceback
from base64 import b64encode
from typing import Any

import pytest

from storeroom.contracts import threads
from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, Corrupted, PermissionDenied, Unavailable
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


async def test_passphrases_are_derived_in_turn_and_hold_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go = asyncio.Event(), threading.Event()
    go.set()
    loop = asyncio.get_running_loop()

    def slow(self: Work, phrase: Secret, salt: bytes) -> Secret:
        loop.call_soon_threadsafe(begun.set)
        go.wait()
        return Secret(hashlib.sha256(phrase.reveal() + salt).digest())

    monkeypatch.setattr(Work, "derived", slow)
    memory = MemoryDriver()
    for number in range(40):  # each under a salt of its own
        await vault(memory, passphrase=PHRASE, **CHEAP).put(f"a{number}", b"x")
    layer = vault(memory, passphrase=PHRASE, **CHEAP)
    go.clear()
    begun.clear()
    reading = [asyncio.create_task(layer.get(f"a{number}")) for number in range(40)]
    try:
        await begun.wait()
        await threads.run(int)  # a worker is left for others
        reading[-1].cancel()
        await asyncio.wait([reading[-1]])  # and who gives up waits for nothing
    finally:
        go.set()
    assert await asyncio.gather(*reading[:-1]) == [b"x"] * 39


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
        SealedKey("k", b"s", "k" * 32),  # type: ignore[arg-type]
        SealedKey("k", "s", bytes(32)),  # type: ignore[arg-type]
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


@pytest.mark.parametrize("size", [1, 100_000])
async def test_a_provider_that_fails_is_unavailable(size: int) -> None:
    class Failing(Kms):
        fails = True

        async def seal(self) -> SealedKey:
            if self.fails:
                raise RuntimeError("the connection to the KMS broke")
            return await super().seal()

        async def unseal(self, key_id: str, sealed: bytes, /) -> bytes:
            if self.fails:
                raise RuntimeError("the connection to the KMS broke")
            return await super().unseal(key_id, sealed)

    memory, kms = MemoryDriver(), Failing()
    layer = vault(memory, provider=kms)
    with pytest.raises(Unavailable, match="the provider of keys failed: RuntimeError") as caught:
        await layer.put("a", iter([plain(size)]))
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(Unavailable) as caught:
        await layer.write("a", Body(b"x"))
    assert (caught.value.operation, caught.value.path) == ("write", "a")
    assert memory.count() == 0
    kms.fails = False
    await layer.put("a", iter([plain(size)]))
    kms.fails = True
    for verb in (layer.get("a"), layer.get("a", start=size - 1), layer.copy("a", "b")):
        with pytest.raises(Unavailable, match="RuntimeError") as caught:
            await verb
        assert isinstance(caught.value.__cause__, RuntimeError)
    assert memory.count() == 1
    kms.current = "kms/2"
    told = [one async for one in layer.rotate_all()]
    assert [type(one.error) for one in told] == [Unavailable]


@pytest.mark.parametrize("wrong", ["k" * 32, None, bytearray(32)])
async def test_a_provider_that_unseals_no_key_is_told_so(wrong: Any) -> None:
    class Careless(Kms):
        async def unseal(self, key_id: str, sealed: bytes, /) -> bytes:
            return wrong

    layer = vault(provider=Careless())
    await layer.put("a", b"x")
    with pytest.raises(ConfigError, match="unseals keys as 32 bytes") as caught:
        await layer.get("a")
    assert caught.tb is not None
    details = traceback.TracebackException(
        type(caught.value), caught.value, caught.tb.tb_next, capture_locals=True
    )
    assert "_unsealed" in "".join(details.format())
    assert "k" * 32 not in "".join(details.format())


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


@pytest.mark.parametrize("wrong", [bytes(32), bytes(16)])
async def test_a_provider_that_unseals_another_key_is_found_out(wrong: bytes) -> None:
    class Wrong(Kms):
        async def unseal(self, key_id: str, sealed: bytes, /) -> bytes:
            return wrong

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
            Encryption(options.pop("inner", MemoryDriver()), **options)
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
        {"passphrase": PHRASE, "kdf": "md5"},
        {"passphrase": PHRASE, "cost": 5},
        {"passphrase": PHRASE, "bind": "name"},
        {"passphrase": PHRASE, "inner": vault()},
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
