"""What is at a path, however the server has to be asked."""

from storeroom.contracts.errors import NotFound
from storeroom.contracts.values import Stat
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.facts import asking, told
from storeroom.drivers._ftp.listing import listed
from storeroom.drivers._tree.entry import Entry

__all__ = ["file_at", "is_file", "looked_at"]


async def looked_at(control: Control, path: str, /) -> Entry | None:
    """The file or folder at a path, None where there is none.

    A server that has SIZE and no MLST shows files only.
    """
    commands = asking(control, path)
    if commands:
        answers = await control.ask(*commands)
        if not answers[0].is_unknown:
            return told(control, path, answers)
        control.server.unlearn(commands[0][:4])
        return await looked_at(control, path)
    folder, _, name = path.rpartition("/")
    found = await listed(control, folder)
    return next((entry for entry in found or () if entry.name == name), None)


async def file_at(control: Control, path: str, /) -> Stat:
    """The facts of the file at a path, or `NotFound`."""
    return is_file(path, await looked_at(control, path))


def is_file(path: str, found: Entry | None, /) -> Stat:
    """The facts of what was found, if it is a file, or `NotFound`."""
    if found is None:
        raise NotFound("there is no such file")
    if found.kind != "file":
        raise NotFound("this is no file but a folder")
    return found.stat(path)
