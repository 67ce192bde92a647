"""Names that Azure would change on their way are refused before there is any address.

https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
"""

from typing import Final

from storeroom.contracts.errors import InvalidPath
from storeroom.contracts.paths import RESERVED, check_folder, check_path

__all__ = ["checked", "checked_folder", "is_kept"]

_SEGMENTS: Final = 254
_LONGEST: Final = 1024


def checked(path: str, /, *, strict: bool) -> str:
    """The path, or `InvalidPath` where the service would store it under another name."""
    path = check_path(path, strict=strict)
    reason = _refusal(path) or _reservation(path)
    if reason is not None:
        raise InvalidPath(reason, path=path)
    return path


def checked_folder(folder: str, /, *, strict: bool) -> str:
    """A folder's path without its trailing `/`, under the same rule."""
    folder = check_folder(folder, strict=strict)
    return checked(folder, strict=strict) if folder else ""


def is_kept(path: str, /) -> bool:
    """Whether the service keeps this very name."""
    return _refusal(path) is None


def _reservation(path: str) -> str | None:
    if not any(segment.startswith(RESERVED) for segment in path.split("/")):
        return None
    return f"segments beginning {RESERVED!r} are storeroom's own; choose another name"


def _refusal(path: str) -> str | None:
    if "\\" in path:
        return "it holds a backslash, which Azure turns into '/'; write '/' itself"
    if "./" in path or path.endswith("."):
        return (
            "a segment of it ends in '.', which Azure and URL clients drop, or take for a folder "
            "above; leave the dot out"
        )
    if len(path) > _LONGEST:
        return f"it is longer than the {_LONGEST:,} characters that Azure takes; shorten it"
    if path.count("/") >= _SEGMENTS:
        return f"it has more than the {_SEGMENTS} segments that Azure takes; nest less deeply"
    return None
