"""What is in a folder, with its facts, as the server lists it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storeroom.contracts.errors import Corrupted
from storeroom.drivers._sftp.channel import Answer
from storeroom.drivers._sftp.facts import entry_of
from storeroom.drivers._sftp.failures import Refused
from storeroom.drivers._sftp.place import Root, steps, trodden
from storeroom.drivers._sftp.service import Service
from storeroom.drivers._sftp.session import Session
from storeroom.drivers._sftp.wire import Facts, Named
from storeroom.drivers._tree.entry import Entry

__all__ = ["Listing"]

_AHEAD: Final = 2
_LOOKS: Final = 64
_MOST_NAMES: Final = 2_000_000
_MOST_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Listing:
    """The folders of one disk, each listed in one go."""

    service: Service
    root: Root

    async def of(self, folder: str) -> Sequence[Entry] | None:
        """All that is in a folder, None where there is none."""
        return await self.service.call(lambda session: self._listed(session, folder))

    async def _listed(self, session: Session, folder: str) -> Sequence[Entry] | None:
        handle = await self._opened(session, folder)
        if handle is None:
            return None
        try:
            return await _entries(session, handle, self.root.at(folder) + b"/")
        except Refused as refused:
            if not refused.is_missing:  # some servers open what is not there, and say so now
                raise
            return None
        finally:
            session.channel.close_handle(handle)

    async def _opened(self, session: Session, folder: str) -> bytes | None:
        """A handle, opened while the way to it is looked at; None where it leads to no folder."""
        looks = [session.found(self.root.at(step)) for step in steps(folder)] if folder else []
        opening = session.open_folder(self.root.at(folder))
        try:
            if folder and not (await trodden(looks, folder)).is_folder:
                opening.drop()
                return None
        except BaseException:
            opening.drop()
            raise
        try:
            return await opening
        except Refused as refused:
            if not refused.is_missing:
                raise
            return None


async def _entries(session: Session, handle: bytes, inside: bytes) -> list[Entry]:
    """All of them; those of one reply at a time, for many would hold up the loop."""
    found: list[Entry] = []
    size = 0
    coming: deque[Answer[list[Named]]] = deque(session.names(handle) for _ in range(_AHEAD))
    try:
        while batch := await coming.popleft():
            found += map(entry_of, await _looked_at(session, inside, batch))
            size += sum(len(named.name) for named in batch)
            if len(found) > _MOST_NAMES or size > _MOST_BYTES:
                raise Corrupted("the server's listing does not end")
            coming.append(session.names(handle))
    finally:
        for answer in coming:
            answer.drop()
    return found


async def _looked_at(session: Session, inside: bytes, names: list[Named]) -> list[Named]:
    """The names, with facts also where the server's listing has none."""
    bare = [at for at, named in enumerate(names) if named.facts.kind == "unknown"]
    for start in range(0, len(bare), _LOOKS):
        some = bare[start : start + _LOOKS]
        answers = [session.found(inside + names[at].name) for at in some]
        for at, answer in zip(some, answers, strict=True):
            names[at] = names[at]._replace(facts=await answer or Facts())
    return names
