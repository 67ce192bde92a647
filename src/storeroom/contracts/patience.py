"""Patience: how long a cancelled call waits for what its service may be doing already."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["at_most", "patience"]

_most: ContextVar[float | None] = ContextVar("storeroom_patience", default=None)


@contextmanager
def at_most(seconds: float, /) -> Generator[None]:
    """A block whose calls, when they are cancelled, wait no longer than that."""
    before = _most.get()
    _most.set(seconds if before is None else min(before, seconds))
    try:
        yield
    finally:
        _most.set(before)  # no token: a call that is dropped ends in somebody else's context


def patience(usual: float, /) -> float:
    """The seconds to wait here: the driver's usual ones, or fewer where the caller has less time."""
    most = _most.get()
    return usual if most is None else min(usual, most)
