"""How a disk stores: modes by visibility, and what is brought to the disk before a write is done."""

from dataclasses import dataclass
from typing import Literal

from storeroom.contracts.values import Visible

Durability = Literal["none", "file", "full"]


@dataclass(frozen=True, slots=True)
class Modes:
    """The permission bits for each visibility."""

    public: int
    private: int

    def of(self, visible: Visible) -> int:
        return self.public if visible == "public" else self.private

    def seen_as(self, mode: int) -> Visible:
        """The visibility that these bits stand for: public where all others may read."""
        bits = mode & 0o777
        if bits in (self.public, self.private):
            return "public" if bits == self.public else "private"
        return "public" if bits & 0o004 else "private"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every write of one disk."""

    files: Modes
    folders: Modes
    visibility: Visible
    directory_visibility: Visible
    durability: Durability

    def file_mode(self, visible: Visible | None) -> int:
        return self.files.of(visible or self.visibility)

    def folder_mode(self, visible: Visible | None = None) -> int:
        return self.folders.of(visible or self.directory_visibility)

    @property
    def syncs_files(self) -> bool:
        """Whether a file is on the disk, under its name, when the write is done."""
        return self.durability != "none"

    @property
    def syncs_folders(self) -> bool:
        """Whether removals, renames and new folders are, too."""
        return self.durability == "full"
