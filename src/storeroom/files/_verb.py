"""What the verbs share: whose driver they use, and how a failure gets its verb and disk."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import PurePath
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from storeroom.contracts.abilities import within
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    Corrupted,
    InvalidPath,
    NotFound,
    PermissionDenied,
    StorageError,
)
from storeroom.contracts.paths import check_folder, check_path
from storeroom.contracts.values import Traits

__all__ = [
    "Call",
    "Held",
    "calling",
    "checked",
    "checked_folder",
    "is_one_place",
    "is_there",
    "label",
    "ready",
    "steps",
    "verb",
    "writable",
]

H = TypeVar("H", bound="Held")
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A verb under way: its name, and on what it was called."""

    verb: str
    owner: object


calling: ContextVar[Call | None] = ContextVar("storeroom_calling", default=None)
"""The verb that the current task is in; drivers that record calls read it."""


class Held:
    """Anything that holds a driver; a driver or layer holds itself."""

    __slots__ = ()

    @property
    def driver(self) -> StorageDriver:
        """The driver or outermost layer behind this."""
        return cast(StorageDriver, self)

    async def _ready(self) -> StorageDriver:
        return self.driver

    @property
    def _label(self) -> str:
        return self.driver.traits.service


async def ready(held: Held, /) -> StorageDriver:
    """The driver behind it, built off the loop where it has to be."""
    return await held._ready()  # pyright: ignore[reportPrivateUsage] - this is its door


def label(held: Held, /) -> str:
    """The name that errors give it."""
    return held._label  # pyright: ignore[reportPrivateUsage] - this is its door


async def is_there(driver: StorageDriver, path: str, /) -> bool:
    """Whether there is a file at the path; one that is damaged is there too."""
    try:
        await driver.stat(path)
    except NotFound:
        return False
    except Corrupted:
        return True
    return True


def is_one_place(driver: StorageDriver, other: StorageDriver, /) -> bool:
    """Whether both are one driver, also where a manager's events stand around it."""
    one: object = getattr(driver, "stands_for", driver)
    return one is getattr(other, "stands_for", other)


def verb(method: Callable[Concatenate[H, P], T]) -> Callable[Concatenate[H, P], T]:
    """Make a method a verb: while it runs `calling` names it, and its failures tell verb and disk."""
    name = method.__name__
    subject = [*inspect.signature(method).parameters][1:2]
    on_path = subject in (["path"], ["folder"])

    @wraps(method)
    async def awaited(self: H, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        current = calling.get()
        call = current if current is not None and current.owner is self else Call(name, self)
        token = calling.set(call)
        try:
            return await cast(Awaitable[Any], method(self, *args, **kwargs))
        except StorageError as error:
            _label(error, call.verb, self, args if on_path else ())
            raise
        finally:
            calling.reset(token)

    @wraps(method)
    def immediate(self: H, /, *args: P.args, **kwargs: P.kwargs) -> T:
        token = calling.set(Call(name, self))
        try:
            return method(self, *args, **kwargs)
        except StorageError as error:
            _label(error, name, self, args if on_path else ())
            raise
        finally:
            calling.reset(token)

    chosen = awaited if inspect.iscoroutinefunction(method) else immediate
    return cast(Callable[Concatenate[H, P], T], chosen)


async def steps(owner: Held, name: str, items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """An async generator as a verb: `calling` is set while it works, not while its user does."""
    call = Call(name, owner)
    try:
        while True:
            token = calling.set(call)
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            except StorageError as error:
                _label(error, name, owner)
                raise
            finally:
                calling.reset(token)
            yield item
    finally:
        await items.aclose()


def checked(driver: StorageDriver, path: Any, /) -> str:
    """The path if the rule and this service's own limits allow it."""
    traits = driver.traits
    text = check_path(path, strict=traits.strict_paths)
    _within(traits, text)
    return text


def checked_folder(driver: StorageDriver, folder: Any, /) -> str:
    """The folder likewise, `""` for the root."""
    traits = driver.traits
    text = check_folder(folder, strict=traits.strict_paths)
    _within(traits, text)
    return text


def writable(driver: StorageDriver, /) -> StorageDriver:
    """The driver; a read-only one is refused before anything is touched."""
    if not driver.traits.writable:
        raise PermissionDenied(
            f"this disk ({driver.traits.service}) is read-only{_because(driver)}"
        )
    return driver


def _because(driver: object) -> str:
    """Which of several disks makes all of them read-only."""
    while driver is not None:
        if names := getattr(driver, "unwritable", ()):
            return (
                f", because {' and '.join(map(repr, names))} {'is' if len(names) == 1 else 'are'}"
            )
        driver = within(driver)
    return ""


def _within(traits: Traits, path: str) -> None:
    limit = traits.segment_bytes
    if limit is not None and len(path) * 4 > limit:
        for segment in path.split("/"):
            if len(segment.encode()) > limit:
                raise InvalidPath(
                    f"a segment is {len(segment.encode())} bytes long and {traits.service} "
                    f"takes {limit}; shorten it",
                    path=path,
                )
    if traits.path_bytes < 1024 and len(path.encode()) > traits.path_bytes:
        raise InvalidPath(f"{traits.service} takes paths of {traits.path_bytes} bytes", path=path)
    if traits.segments < 100 and path.count("/") >= traits.segments:
        raise InvalidPath(f"{traits.service} takes {traits.segments} segments here", path=path)
    if not traits.outer_spaces and any(part != part.strip(" ") for part in path.split("/")):
        raise InvalidPath(
            f"{traits.service} loses spaces at the ends of a segment; leave them out", path=path
        )


def _label(error: StorageError, name: str, owner: Held, subjects: tuple[object, ...] = ()) -> None:
    """Tell verb, disk and path; what the innermost verb told stays."""
    if error.disk is None:
        error.operation = name
        error.disk = label(owner)
        if subjects and isinstance(subjects[0], str | PurePath):
            error.located(path=str(subjects[0]))
