"""The content type of a body: as told, else by the path's extension, else by the first bytes."""

import importlib
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

from storeroom.contracts import mime, threads
from storeroom.contracts.body import Body
from storeroom.contracts.values import WriteOptions

__all__ = ["sniffed", "typed"]

_local = threading.local()


async def typed(path: str, body: Body, how: WriteOptions, /) -> WriteOptions:
    """The options with a content type, where one can be told."""
    if how.content_type is not None:
        return how
    kind = mime.by_name(path) or await sniffed(await body.peek(mime.HEAD_BYTES))
    return replace(how, content_type=kind) if kind else how


async def sniffed(head: bytes, /) -> str | None:
    """The type that the first bytes show: libmagic's answer, or a small table's without it."""
    if not head:
        return None
    return mime.by_content(head) or await threads.run(_by_libmagic, head)


def _by_libmagic(head: bytes) -> str | None:
    if not hasattr(_local, "magic"):
        _local.magic = _libmagic()
    if _local.magic is None:
        return None
    found: str = _local.magic.from_buffer(head)
    return None if found == "application/octet-stream" else found


def _libmagic() -> Any:  # python-magic has no types
    """This thread's libmagic (it cannot be shared), None where it is not installed."""
    with suppress(ImportError):
        importlib.import_module("pylibmagic")  # brings the library itself
    try:
        return importlib.import_module("magic").Magic(mime=True)
    except ImportError:
        return None
