"""Files being written: what they are called, and which of them a crash left."""

import secrets
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Final

from storeroom.contracts.errors import PermissionDenied
from storeroom.contracts.paths import RESERVED
from storeroom.drivers._tree.entry import Entry, ListFolder
from storeroom.drivers._tree.rule import PathRule

__all__ = ["TEMPORARY", "aside_beside", "leftovers", "temporary_beside"]

TEMPORARY: Final = f"{RESERVED}tmp-"
_STAMPED: Final = "t"  # a local disk's temporaries have a number in this place, which is no time


def temporary_beside(path: str, /) -> str:
    """A path in the same folder that no other writer uses; it tells when it was made."""
    folder, slash, _ = path.rpartition("/")
    stamp = f"{_STAMPED}{int(time.time()):x}"
    return f"{folder}{slash}{TEMPORARY}{stamp}-{secrets.token_hex(8)}"


def aside_beside(path: str, /) -> str:
    """A path in the same folder for a file that is to be replaced: hidden too, and never swept."""
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{RESERVED}old-{secrets.token_hex(8)}"


async def leftovers(listed: ListFolder, rule: PathRule, before: datetime, /) -> AsyncGenerator[str]:
    """The paths of temporaries that nobody has touched since, in all folders that can be read."""
    folders = [""]
    while folders:
        folder = folders.pop()
        above = f"{folder}/" if folder else ""
        try:
            entries = await listed(folder)
        except PermissionDenied:
            continue
        for entry in entries or ():
            if entry.kind == "folder" and rule.takes(folder, entry.name):
                folders.append(above + entry.name)
            elif _is_left(entry, before):
                yield above + entry.name


def _is_left(entry: Entry, before: datetime) -> bool:
    if entry.kind != "file" or not entry.name.startswith(TEMPORARY) or "/" in entry.name:
        return False
    # The later of two clocks, ours and the server's: what is being written is never swept.
    times = [moment for moment in (_begun(entry.name), entry.modified) if moment is not None]
    return bool(times) and max(times) <= before


def _begun(name: str) -> datetime | None:
    """When a temporary was made by its name, None where it does not tell."""
    stamp, dash, _ = name.removeprefix(TEMPORARY).partition("-")
    if not dash or not stamp.startswith(_STAMPED):
        return None
    try:
        return datetime.fromtimestamp(int(stamp[1:], 16), UTC)
    except (ValueError, OverflowError, OSError):
        return None
