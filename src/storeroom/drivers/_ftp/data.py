"""What a transfer needs of its data connection, in the clear or under TLS."""

from typing import Protocol

from storeroom.contracts.body import Piece
from storeroom.drivers._http.wire import Lost

__all__ = ["Data"]


class Data(Protocol):
    """Bytes in one direction, until one side has no more."""

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, and the other side has sent nothing that nobody asked for."""
        ...

    @property
    def is_broken(self) -> bool:
        """Whether it ended in an error, as far as this side knows."""
        ...

    async def chunk(self) -> bytes:
        """The bytes that are here, as soon as there are some, `b""` at the end; `Lost` where it breaks off."""
        ...

    async def send(self, piece: Piece, /) -> None:
        """Send it, perhaps later; `Lost` where the other side takes no more."""
        ...

    def finish(self) -> None:
        """No more will be sent; what is on its way still arrives."""
        ...

    def unsent(self) -> int:
        """How many bytes the other side has not taken, as far as this side knows."""
        ...

    def drop(self, lost: Lost | None = None, /) -> None:
        """Close at once; whoever waits learns why. Also when the loop has ended."""
        ...
