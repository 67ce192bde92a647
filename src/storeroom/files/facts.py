"""Facts of a file, and changing them in place."""

import hashlib
import os
from collections.abc import Mapping
from difflib import get_close_matches

from storeroom.contracts import mime
from storeroom.contracts.abilities import Attributes, Checksum, Visibility, find, why_absent
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import InvalidArgument, Unsupported
from storeroom.contracts.values import ReadOptions, Stat, Visible, WriteOptions, check_visibility
from storeroom.files._verb import Held, checked, verb, writable
from storeroom.files.sniff import sniffed

__all__ = ["ALGORITHMS", "Facts", "digested"]

ALGORITHMS = (
    *("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s"),
    *("sha3_224", "sha3_256", "sha3_384", "sha3_512"),
)
"""What `checksum` computes on every disk."""


class Facts(Held):
    """The verbs that tell and change facts; see `Files`."""

    __slots__ = ()

    @verb
    async def metadata(self, path: str | os.PathLike[str], /) -> Stat:
        """All facts of a file in one request; a missing file or a folder is `NotFound`."""
        driver = await self._ready()
        return await driver.stat(checked(driver, path))

    @verb
    async def size(self, path: str | os.PathLike[str], /) -> int:
        """How many bytes a reader gets."""
        size = (await self.metadata(path)).size
        if size is None:
            raise Unsupported("this disk does not tell sizes; read the file and count")
        return size

    @verb
    async def last_modified(self, path: str | os.PathLike[str], /) -> float:
        """When the file was modified, in Unix seconds."""
        modified = (await self.metadata(path)).modified
        if modified is None:
            raise Unsupported("this disk does not tell when a file was modified")
        return modified.timestamp()

    @verb
    async def mime_type(self, path: str | os.PathLike[str], /) -> str:
        """The content type: as stored, else by extension, else by the first bytes."""
        driver = await self._ready()
        text = checked(driver, path)
        stat = await driver.stat(text)
        return stat.content_type or mime.by_name(text) or await _read_type(driver, text)

    @verb
    async def checksum(self, path: str | os.PathLike[str], algorithm: str = "sha256", /) -> str:
        """A hash of the content in lower-case hex, by the service where it knows one."""
        driver = await self._ready()
        text = checked(driver, path)
        return await digested(driver, text, _known(algorithm))

    @verb
    async def visibility(self, path: str | os.PathLike[str], /) -> Visible:
        """ "public" or "private"; `Unsupported` where the disk does not know."""
        driver = await self._ready()
        return await _visibility(driver).read_visibility(checked(driver, path))

    @verb
    async def set_visibility(self, path: str | os.PathLike[str], visibility: Visible, /) -> None:
        """Make a file "public" or "private"."""
        check_visibility(visibility)
        driver = writable(await self._ready())
        await _visibility(driver).change_visibility(checked(driver, path), visibility)

    @verb
    async def set_attributes(
        self,
        path: str | os.PathLike[str],
        /,
        *,
        content_type: str | None = None,
        cache_control: str | None = None,
        content_disposition: str | None = None,
        content_encoding: str | None = None,
        content_language: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        """Change headers and metadata in place; what is None stays, metadata is replaced whole."""
        how = WriteOptions(
            content_type=content_type,
            cache_control=cache_control,
            content_disposition=content_disposition,
            content_encoding=content_encoding,
            content_language=content_language,
            metadata=metadata,
        )
        driver = writable(await self._ready())
        text = checked(driver, path)
        native = find(driver, Attributes)
        if native is None:
            raise Unsupported(f"{why_absent(driver, Attributes)}; put the file again")
        return await native.change_attributes(text, how)


async def digested(driver: StorageDriver, path: str, algorithm: str, /) -> str:
    """The hash by the service, else over the stream."""
    native = find(driver, Checksum)
    if native is not None:
        try:
            return await native.digest(path, algorithm)
        except Unsupported:
            pass
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    async with await driver.read(path) as source:
        async for chunk in source:
            hasher.update(chunk)
    return hasher.hexdigest()


async def _read_type(driver: StorageDriver, path: str) -> str:
    async with await driver.read(path, ReadOptions(stop=mime.HEAD_BYTES)) as source:
        return await sniffed(await source.read()) or "application/octet-stream"


def _visibility(driver: StorageDriver) -> Visibility:
    native = find(driver, Visibility)
    if native is None:
        raise Unsupported(why_absent(driver, Visibility))
    return native


def _known(algorithm: str) -> str:
    name = algorithm.lower().replace("-", "_")
    name = name if name.startswith("sha3") else name.replace("_", "")
    if name in ALGORITHMS:
        return name
    near = get_close_matches(name, ALGORITHMS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(ALGORITHMS)}"
    raise InvalidArgument(f"there is no checksum algorithm {algorithm!r}; {hint}")
