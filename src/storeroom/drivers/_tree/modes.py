"""What a visibility is in permission bits."""

from collections.abc import Mapping
from dataclasses import dataclass

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.values import Visible

__all__ = ["Modes", "modes_of"]


@dataclass(frozen=True, slots=True)
class Modes:
    """The permission bits for each visibility."""

    public: int
    private: int

    def of(self, visible: Visible, /) -> int:
        return self.public if visible == "public" else self.private

    def seen_as(self, mode: int, /) -> Visible:
        """The visibility that these bits stand for: public where all others may read."""
        bits = mode & 0o777
        if bits in (self.public, self.private):
            return "public" if bits == self.public else "private"
        return "public" if bits & 0o004 else "private"


def modes_of(permissions: Mapping[str, Mapping[str, int]] | None, /) -> tuple[Modes, Modes]:
    """Those of files and of folders, 0644/0600 and 0755/0700 unless the option says otherwise."""
    given = dict(permissions or {})
    files = _modes(given.pop("file", {}), Modes(0o644, 0o600))
    folders = _modes(given.pop("folder", {}), Modes(0o755, 0o700))
    if given:
        raise ConfigError(f"permissions are for 'file' and 'folder', not {next(iter(given))!r}")
    return files, folders


def _modes(given: Mapping[str, int], usual: Modes) -> Modes:
    for name, mode in given.items():
        if name not in ("public", "private"):
            raise ConfigError(f"permissions are 'public' and 'private', not {name!r}")
        if type(mode) is not int or not 0 <= mode <= 0o777:
            raise ConfigError(f"a mode is a number such as 0o644, not {mode!r}")
    return Modes(given.get("public", usual.public), given.get("private", usual.private))
