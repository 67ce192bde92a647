"""Many files at once, with a report of what became of each."""

import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Unpack

from storeroom.contracts.abilities import BulkRemove, find
from storeroom.contracts.body import Progress
from storeroom.contracts.errors import StorageError, Unsupported
from storeroom.contracts.values import Report
from storeroom.files._bounded import each, listed
from storeroom.files._verb import checked, verb
from storeroom.files.changing import Changing
from storeroom.files.content import Content, PutOptions
from storeroom.files.reading import Reading
from storeroom.files.writing import Writing

__all__ = ["Many"]

_BULK = 1000


class Many(Writing, Reading, Changing):
    """The verbs over many paths: one failure neither hides nor stops the others; see `Files`."""

    __slots__ = ()

    @verb
    async def get_many(
        self, paths: Iterable[str | os.PathLike[str]], /, *, concurrency: int = 16
    ) -> Report[bytes]:
        """The bytes of each file, in memory: `report.done[path]`."""
        _refuse_text(paths)
        return await each(listed(paths), _name, self.get, concurrency=concurrency)

    @verb
    async def put_many(
        self,
        files: Mapping[str, Content] | Iterable[tuple[str, Content]],
        /,
        *,
        concurrency: int = 16,
        **options: Unpack[PutOptions],
    ) -> Report[str]:
        """Store each content under its path, with the same options of `put` for all."""
        _refuse_text(files)
        given: Any = files.items() if isinstance(files, Mapping) else files  # pyright: ignore[reportUnknownVariableType]
        pairs: Iterable[tuple[str, Content]] = given

        async def store(pair: tuple[str, Content]) -> str:
            return await self.put(pair[0], pair[1], **options)

        return await each(
            listed(pairs), lambda pair: _name(pair[0]), store, concurrency=concurrency
        )

    @verb
    async def delete_many(
        self,
        paths: Iterable[str | os.PathLike[str]],
        /,
        *,
        concurrency: int = 16,
        progress: Progress | None = None,
    ) -> Report[bool | None]:
        """Remove each file: True if it was there, None where the service does not say.

        In bulk where the service can, so a million paths take a thousand requests.
        """
        _refuse_text(paths)
        driver = await self._ready()
        bulk = find(driver, BulkRemove)
        if bulk is None:
            return await each(
                listed(paths), _name, self.delete, concurrency=concurrency, progress=progress
            )
        done: dict[str, bool | None] = {}
        failed: dict[str, Exception] = {}
        remaining = iter(paths)
        async for batch in _batches(remaining):
            allowed = _allowed(self, batch, failed)
            try:
                answers = await bulk.remove_many(allowed)
            except Unsupported:
                rest = await each(
                    listed(chain(allowed, remaining)), _name, self.delete, concurrency=concurrency
                )
                return Report({**done, **rest.done}, {**failed, **rest.failed})
            except StorageError as error:
                failed.update(dict.fromkeys(allowed, error))
                continue
            for path, answer in answers.items():
                if isinstance(answer, StorageError):
                    failed[path] = answer
                else:
                    done[path] = answer
            if progress is not None:
                progress(len(done) + len(failed), None)
        return Report(done, failed)


def _name(path: str | os.PathLike[str]) -> str:
    return path if isinstance(path, str) else os.fspath(path)


def _refuse_text(paths: object) -> None:
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError("give a list of paths; for one path use the verb without _many")


async def _batches(
    paths: Iterator[str | os.PathLike[str]],
) -> AsyncGenerator[list[str | os.PathLike[str]]]:
    while batch := list(islice(paths, _BULK)):
        yield batch


def _allowed(
    files: Many, batch: Sequence[str | os.PathLike[str]], failed: dict[str, Exception]
) -> list[str]:
    """The paths of a batch that the rule allows; the others are reported as failed."""
    allowed: list[str] = []
    for path in batch:
        try:
            allowed.append(checked(files.driver, path))
        except StorageError as error:
            failed[_name(path)] = error
    return allowed
