"""How a disk stores: modes by visibility, and what is brought to the server's own disk."""

from dataclasses import dataclass

from storeroom.contracts.errors import Unsupported
from storeroom.contracts.values import Visible, WriteOptions
from storeroom.drivers._tree.modes import Modes

__all__ = ["Rules", "check_bare", "check_kept"]

_HEADERS = (
    *("content_type", "cache_control", "content_disposition"),
    *("content_encoding", "content_language"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every write of one disk; where no visibility is asked for, none is set."""

    files: Modes
    folders: Modes
    visibility: Visible | None
    directory_visibility: Visible | None
    syncs: bool

    def file_mode(self, visible: Visible | None) -> int | None:
        shown = visible or self.visibility
        return None if shown is None else self.files.of(shown)

    def folder_mode(self, visible: Visible | None = None) -> int | None:
        shown = visible or self.directory_visibility
        return None if shown is None else self.folders.of(shown)


def check_kept(how: WriteOptions) -> None:
    """Refuse what no SFTP server keeps, and the condition that it cannot honour."""
    if how.if_match is not None:
        raise Unsupported(
            "SFTP compares and replaces in two steps, so if_match cannot be kept; leave it out"
        )
    if how.carried:
        return
    if how.metadata:
        raise Unsupported("an SFTP server keeps no metadata")
    if how.tags:
        raise Unsupported("an SFTP server keeps no tags")
    if how.tier is not None:
        raise Unsupported("an SFTP server has no tiers")


def check_bare(how: WriteOptions) -> None:
    """Refuse what a rename cannot change."""
    check_kept(how)
    given = [name for name in (*_HEADERS, "visibility") if getattr(how, name) is not None]
    if given and not how.carried:
        raise Unsupported(f"a rename changes no {given[0]}; set it afterwards")
