"""A secret that no repr, message or traceback with locals shows."""

from typing import NoReturn

__all__ = ["Secret"]


class Secret:
    """Bytes that are shown only to who asks for them."""

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes, /) -> None:
        self._bytes = value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def reveal(self) -> bytes:
        """The bytes."""
        return self._bytes
