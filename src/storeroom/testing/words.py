"""The words of a call: what people typed when a driver is asked for one of its own verbs."""

from collections.abc import Callable
from functools import cache
from inspect import isfunction
from typing import Any

from storeroom.contracts.abilities import ABILITIES
from storeroom.contracts.errors import InvalidArgument
from storeroom.contracts.nearest import nearest
from storeroom.files import Call, Files

__all__ = ["ACROSS", "MANY", "PEOPLE", "check_verb", "is_named"]

PEOPLE = {
    "stat": "metadata",
    "read": "get",
    "write": "put",
    "remove": "delete",
    "scan": "entries",
    "copy_within": "copy",
    "copy_from": "put",
    "rename": "move",
    "extend": "append",
    "digest": "checksum",
    "public_url": "url",
    "local_path": "path",
    "presign_read": "temporary_url",
    "presign_write": "temporary_upload_url",
    "presign_post": "temporary_upload_url",
    "verify_url": "verify_temporary_url",
    "read_visibility": "visibility",
    "change_visibility": "set_visibility",
    "change_attributes": "set_attributes",
    "has_folder": "directory_exists",
    "make_folder": "make_directory",
    "remove_folder": "delete_directory",
    "remove_many": "delete_many",
}
"""A driver's verb -> the word people have for it; what is not named here goes by its own name."""

MANY = frozenset(("get_many", "put_many", "delete_many", "upload_directory"))
"""The verbs whose every path counts as a call of its own."""

ACROSS = frozenset(("copy", "move", "copy_directory", "move_directory"))
"""The verbs that may use two disks: the one they are called on, and the one that is written to."""

_NO_VERBS = frozenset(("scoped", "read_only", "supports", "ability", "layer", "open_writer"))


def is_named(name: str, verb: str, call: Call | None, /) -> bool:
    """Whether `name`, people's word or a driver's verb, means this call of a driver's verb."""
    people = PEOPLE.get(verb, verb) if call is None else call.verb
    return name in (verb, people)


def check_verb(name: str, /) -> str:
    """The name of a verb, or `InvalidArgument` naming the nearest."""
    if name not in _verbs():
        raise InvalidArgument(f"there is no verb {name!r}; {nearest(name, _verbs())}")
    return name


@cache
def _verbs() -> list[str]:
    owners: list[Callable[..., Any]] = [Files, *ABILITIES]
    named = {name for owner in owners for name in dir(owner) if isfunction(getattr(owner, name))}
    public = {name for name in named if not name.startswith("_")}
    return sorted((public | set(PEOPLE)) - _NO_VERBS)
