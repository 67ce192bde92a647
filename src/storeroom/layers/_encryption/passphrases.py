"""Passphrases: what makes a key of one, at which cost, and once for each salt."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storeroom.contracts import threads
from storeroom.contracts.errors import ConfigError, Corrupted
from storeroom.contracts.extras import extra
from storeroom.contracts.turns import Turns
from storeroom.layers._encryption.lock import Key, Mark, check_of
from storeroom.layers._encryption.secret import Secret

with extra("encryption", "cryptography"):
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

__all__ = ["PBKDF2", "SCRYPT", "Phrases", "Work"]

SCRYPT: Final = 1
PBKDF2: Final = 2

_ID: Final = "passphrase"
_KEY_BYTES: Final = 32
_MOST_DERIVED: Final = 4096

# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
_SCRYPT_COST: Final = 1 << 17
_PBKDF2_COST: Final = 600_000
_SCRYPT_COSTS: Final = range(1 << 14, (1 << 19) + 1)
_PBKDF2_COSTS: Final = range(100_000, 10_000_001)
_R: Final = 8
_P: Final = 1


@dataclass(frozen=True, slots=True)
class Work:
    """How a passphrase becomes a key."""

    kdf: int
    cost: int
    r: int
    p: int

    @staticmethod
    def chosen(kdf: str, cost: int | None) -> "Work":
        """As the options say, within what is accepted of a file."""
        if kdf not in ("scrypt", "pbkdf2"):
            raise ConfigError(f"kdf is 'scrypt' or 'pbkdf2', not {kdf!r}")
        if cost is not None and type(cost) is not int:
            raise ConfigError(f"cost is a number, not {type(cost).__name__}")
        if kdf == "scrypt":
            work = Work(SCRYPT, _SCRYPT_COST if cost is None else cost, _R, _P)
            known = "a power of two from 2**14 to 2**19"
        else:
            work = Work(PBKDF2, _PBKDF2_COST if cost is None else cost, 0, 0)
            known = f"from {_PBKDF2_COSTS.start:,} to {_PBKDF2_COSTS.stop - 1:,}"
        if not work.is_acceptable:
            raise ConfigError(f"the cost of {kdf} is {known}, not {cost}")
        return work

    @staticmethod
    def of(mark: Mark) -> "Work":
        """As a file says; `Corrupted` where it asks for what no file of this layer needs."""
        work = Work(mark.kdf, mark.cost, mark.r, mark.p)
        if not work.is_acceptable:
            raise Corrupted("the header asks for a key derivation that this layer does not do")
        return work

    @property
    def is_acceptable(self) -> bool:
        if self.kdf == SCRYPT:
            is_power = self.cost & (self.cost - 1) == 0
            return is_power and self.cost in _SCRYPT_COSTS and (self.r, self.p) == (_R, _P)
        return self.kdf == PBKDF2 and self.cost in _PBKDF2_COSTS and (self.r, self.p) == (0, 0)

    def derived(self, phrase: Secret, salt: bytes) -> Secret:
        """The key, in a worker thread: this takes tenths of a second, and scrypt 128 MiB."""
        if self.kdf == SCRYPT:
            scrypt = Scrypt(salt, _KEY_BYTES, self.cost, self.r, self.p)
            return Secret(scrypt.derive(phrase.reveal()))
        return Secret(PBKDF2HMAC(SHA256(), _KEY_BYTES, salt, self.cost).derive(phrase.reveal()))


class Phrases:
    """Passphrases, newest first; each (salt, cost) is derived once and kept."""

    def __init__(self, phrases: Sequence[Secret], work: Work | None) -> None:
        self._phrases = tuple(phrases)
        self._work = work or Work(SCRYPT, _SCRYPT_COST, _R, _P)
        self._salt: bytes | None = None
        self._derived: OrderedDict[tuple[int, Work, bytes], Secret] = OrderedDict()
        self._turn = Turns(1)

    async def current(self) -> Key:
        """The newest, under the salt of this disk: a random one, or that of a file read before."""
        if self._salt is None:
            self._salt = os.urandom(16)
        work, salt = self._work, self._salt
        secret = await self._made(0, work, salt)
        check = check_of(secret)
        return Key(Mark(_ID, check, work.kdf, work.cost, work.r, work.p, salt), secret)

    async def is_current(self, mark: Mark) -> bool:
        """Whether it is the newest, at the cost that is configured."""
        if Work.of(mark) != self._work:
            return False
        return check_of(await self._made(0, self._work, mark.salt)) == mark.check

    async def find(self, mark: Mark) -> Secret | None:
        """The key by the first passphrase that fits."""
        work = Work.of(mark)
        for number in range(len(self._phrases)):
            secret = await self._made(number, work, mark.salt)
            if check_of(secret) == mark.check:
                if number == 0 and work == self._work and self._salt is None:
                    self._salt = mark.salt
                return secret
        return None

    async def _made(self, number: int, work: Work, salt: bytes) -> Secret:
        """One at a time, for each takes much memory; who waited, on the loop, finds it done."""
        key = (number, work, salt)
        known = self._derived.get(key)
        if known is not None:
            return known
        async with self._turn:
            known = self._derived.get(key)
            if known is not None:
                return known
            made = await threads.run(work.derived, self._phrases[number], salt)
            self._derived[key] = made
            if len(self._derived) > _MOST_DERIVED:
                self._derived.popitem(last=False)
            return made
