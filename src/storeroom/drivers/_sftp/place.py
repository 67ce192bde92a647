"""Where a path lies on the server, and what stands on the way to it.

SFTP has no way to open beneath a folder, so the way is looked at before it is used: a link on it is
refused. A program on the server that swaps a folder for a link in between could win.
"""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from storeroom.contracts.errors import ConfigError, NotFound, Obstructed
from storeroom.drivers._sftp.channel import Answer
from storeroom.drivers._sftp.failures import GONE, IN_THE_WAY, linked
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.wire import Facts

__all__ = ["Root", "Way"]


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a path: what is there itself, and the deepest folder above that is there."""

    facts: Facts | None
    nearest: str
    obstructed: bool = False

    @property
    def is_file(self) -> bool:
        return self.facts is not None and self.facts.kind in ("file", "unknown")

    @property
    def is_folder(self) -> bool:
        return self.facts is not None and self.facts.kind == "folder"

    def file(self) -> Facts:
        """The facts of the file, or `NotFound`."""
        if self.facts is None or not self.is_file:
            raise NotFound(GONE if self.facts is None else "this is not a regular file")
        return self.facts

    def target(self) -> Facts | None:
        """The facts of what a file may replace, or `Obstructed`."""
        if self.obstructed or (self.facts is not None and not self.is_file):
            raise Obstructed(IN_THE_WAY)
        return self.facts


@dataclass(frozen=True, slots=True)
class Root:
    """The folder that is the disk: relative to where the user comes in, or absolute."""

    folder: str

    @classmethod
    def of(cls, root: str) -> "Root":
        if "\0" in root:
            raise ConfigError("root names no folder; give its path, such as '/srv/files'")
        folder = posixpath.normpath(root) if root else ""
        return cls("" if folder == "." else folder)

    def at(self, path: str) -> bytes:
        """A path of the disk as the server names it."""
        whole = posixpath.join(self.folder, path) if path else self.folder or "."
        return whole.encode(errors="surrogateescape")

    async def way(self, session: Session, path: str) -> Way:
        """Look at every step of the way, all at once."""
        return await trodden([session.found(self.at(step)) for step in steps(path)], path)


async def trodden(answers: Sequence[Answer[Facts | None]], path: str) -> Way:
    """What the looks say, as far as the way goes: of what is behind a file, servers say anything."""
    nearest = ""
    try:
        for step, answer in zip(steps(path), answers, strict=True):
            facts = await answer
            if facts is None:
                return Way(None, nearest)
            if facts.kind == "link":
                raise linked()
            if step == path:
                return Way(facts, nearest)
            if facts.kind != "folder":
                return Way(None, nearest, obstructed=True)
            nearest = step
    finally:
        for answer in answers:
            answer.drop()
    return Way(None, nearest)


def steps(path: str) -> list[str]:
    """The folders above a path, from the top, and the path itself."""
    ends = [at for at, char in enumerate(path) if char == "/"]
    return [path[:end] for end in (*ends, len(path))]
