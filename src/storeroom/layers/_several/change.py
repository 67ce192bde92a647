"""One change on several disks: who took it, who did not, and what the caller is told."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    AlreadyExists,
    Closed,
    ConfigError,
    Corrupted,
    InvalidArgument,
    MissingPackage,
    NotFound,
    Obstructed,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.layers._several.mending import Asking

__all__ = ["Change", "nobody", "told"]

_REFUSALS = (
    *(AlreadyExists, Closed, ConfigError, Corrupted, InvalidArgument, MissingPackage, NotFound),
    *(Obstructed, PermissionDenied, PreconditionFailed, QuotaExceeded, Unsupported),
)
"""What says that nothing was changed."""

Work = Callable[[StorageDriver], Awaitable[Any]]


class Change:
    """The answers of the disks to one change of `path`, of which `needed` must take it."""

    def __init__(
        self, ask: Asking, names: Sequence[str], path: str, needed: int, body: Body | None, /
    ) -> None:
        self._ask = ask
        self._names = names
        self._path = path
        self._needed = needed
        self._body = body
        self.begun: set[int] = set()
        self.answers: dict[int, Any] = {}
        self.failures: dict[int, Exception] = {}

    async def attempt(self, number: int, work: Work, /, body: Body | None = None) -> None:
        """Let one disk do it; what it raises is kept, but for a cancellation."""
        self.begun.add(number)
        self.failures.pop(number, None)
        try:
            self.answers[number] = await self._ask(number, work, changes=True, body=body)
        except StorageError as error:
            self.failures[number] = error
        except Exception as error:  # noqa: BLE001 - the caller's own body raised it, or it is a bug
            self.failures[number] = error

    @property
    def held(self) -> set[int]:
        """Those that took it."""
        return set(self.answers)

    @property
    def unsure(self) -> set[int]:
        """Those that may have taken it: they did not say, or were stopped."""
        sure = {number for number in self.failures if self.refused(number) is not None}
        return self.begun - self.held - sure

    def refused(self, number: int, /) -> Exception | None:
        """Why the disk did not do it, where it is sure that it did not."""
        error = self.failures.get(number)
        mine = self._body is not None and self._body.error is not None
        if isinstance(error, _REFUSALS) or (
            mine and self._body is not None and error is self._body.error
        ):
            return error
        return None

    def left_out(self) -> dict[int, Exception]:
        """Who refused what enough others took, so that the caller is not told."""
        refused = {number: self.refused(number) for number in self.failures}
        if len(self.held) < self._needed or (self._body is not None and self._body.error):
            return {}
        return {number: error for number, error in refused.items() if error is not None}

    def answer(self, order: Sequence[int], counted: Iterable[int], /) -> tuple[int, Any]:
        """Who answered first by this order, and what, if enough of those that are counted took it."""
        if len(self.held & set(counted)) < self._needed:
            raise self.short(order)
        first = next(number for number in order if number in self.answers)
        return first, self.answers[first]

    def short(self, order: Sequence[int], /) -> Exception:
        """The failure where too few took it."""
        if self._body is not None and self._body.error is not None:
            return self._body.error
        failures = [self.failures[number] for number in order if number in self.failures]
        if not self.held and len(failures) == 1:
            return failures[0]
        names = self._names
        reasons = "; ".join(told(names[n], self.failures[n]) for n in order if n in self.failures)
        holders = ", ".join(repr(names[n]) for n in order if n in self.held)
        fact = f"only {holders} took it" if holders else "no disk took it"
        error = Unavailable(
            f"{fact} and {self._needed} must: {reasons}; whether it counts shows when it is read",
            path=self._path,
        )
        error.__cause__ = _together(failures)
        return error


def nobody(
    names: Sequence[str], path: str, failures: dict[int, Exception], also: str, /
) -> StorageError:
    """The failure where no disk that may be read answers."""
    if len(failures) == 1 and not also:
        (only,) = failures.values()
        if isinstance(only, StorageError):
            return only
    reasons = "; ".join(told(names[number], error) for number, error in failures.items())
    error = Unavailable("; ".join(filter(None, (reasons, also))), path=path or None)
    error.__cause__ = _together(list(failures.values()))
    return error


def told(name: str, error: Exception, /) -> str:
    """One disk's failure in a sentence about several."""
    reason = error.reason if isinstance(error, StorageError) else str(error)
    kind = type(error).__name__
    return f"{name!r} failed ({kind}: {reason})" if reason else f"{name!r} failed ({kind})"


def _together(failures: list[Exception]) -> Exception | None:
    if len(failures) > 1:
        return ExceptionGroup("what the disks raised", failures)
    return failures[0] if failures else None
