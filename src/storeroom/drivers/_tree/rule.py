"""The path rule for a service of real folders: no path leads out of the root, whatever is allowed."""

from dataclasses import dataclass

from storeroom.contracts.errors import InvalidPath
from storeroom.contracts.paths import RESERVED, check_folder, check_path, is_listable

__all__ = ["PathRule"]


@dataclass(frozen=True, slots=True)
class PathRule:
    """What a disk takes as a path; `strict` is False under `paths="service"`.

    `segment_bytes` is how long the service lets a name be, `outer_spaces` whether it keeps spaces
    around one.
    """

    strict: bool = True
    segment_bytes: int = 255
    outer_spaces: bool = True

    def path(self, path: str, /) -> str:
        """The path of a file, or `InvalidPath`."""
        return self._fitting(check_path(path, strict=self.strict))

    def folder(self, folder: str, /) -> str:
        """The path of a folder, `""` for the root, or `InvalidPath`."""
        checked = check_folder(folder, strict=self.strict)
        return self._fitting(checked) if checked else checked

    def takes(self, folder: str, name: str, /) -> bool:
        """Whether a name that a server sent may be shown as a path in this folder."""
        if self._is_no_name(name) or (not self.outer_spaces and name != name.strip(" ")):
            return False
        return is_listable(f"{folder}/{name}" if folder else name, strict=self.strict)

    def _fitting(self, path: str) -> str:
        if self.strict and self.outer_spaces and len(path) * 4 <= self.segment_bytes:
            return path
        for segment in path.split("/"):
            reason = self._refusal(segment)
            if reason is not None:
                raise InvalidPath(reason, path=path)
        return path

    def _refusal(self, segment: str) -> str | None:
        if self._is_no_name(segment):
            return f"the segment {segment!r} names no file or folder here"
        size = len(segment.encode())
        if size > self.segment_bytes:
            return f"a segment has {size} bytes and {self.segment_bytes} is the limit; shorten it"
        if not self.outer_spaces and segment != segment.strip(" "):
            return f"the segment {segment!r} begins or ends with a space, which this service loses"
        return None

    def _is_no_name(self, name: str) -> bool:
        leads_out = ".." in name.split("\\")  # a server may take `\` for `/`
        return name in ("", ".") or leads_out or "/" in name or name.startswith(RESERVED)
