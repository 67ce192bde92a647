"""Conditions: an etag is a generation, and the generation 0 is none at all.

https://cloud.google.com/storage/docs/request-preconditions
"""

import re
from typing import Final

from storeroom.contracts.errors import PreconditionFailed
from storeroom.contracts.values import WriteOptions

__all__ = ["Query", "generation_of", "is_conditional", "is_generation", "writing"]

Query = tuple[tuple[str, str], ...]

_GENERATION: Final = re.compile(r"[1-9][0-9]{0,18}")


def is_generation(etag: str, /) -> bool:
    """Whether any file can have this etag."""
    return bool(_GENERATION.fullmatch(etag))


def generation_of(etag: str, /) -> str:
    """The generation that `if_match` names; what can be none matches no file."""
    if not is_generation(etag):
        raise PreconditionFailed("the file is not the one that if_match names")
    return etag


def is_conditional(query: Query, /) -> bool:
    """Whether the request is carried out at most once, for its condition fails the next time."""
    return any(name == "ifGenerationMatch" for name, _ in query)


def writing(how: WriteOptions, /) -> Query:
    """The conditions of a write, a copy, an upload in parts."""
    if how.if_match is None:
        return () if how.overwrite else (("ifGenerationMatch", "0"),)
    if not how.overwrite:
        raise PreconditionFailed("no file is both the one that if_match names and not there")
    return (("ifGenerationMatch", generation_of(how.if_match)),)
