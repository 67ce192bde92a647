"""Forks: what a child process makes anew, such as locks that nobody is left there to release."""

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["after_fork"]

T = TypeVar("T")

_all: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()


def after_fork(one: T, renew: Callable[[T], object], /) -> None:
    """Call `renew` with this object in every child that is forked, as long as the object lives."""
    _all[one] = renew


def _forked() -> None:
    for one, renew in list(_all.items()):
        renew(one)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
