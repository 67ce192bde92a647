"""One container with all that a driver was told about it; what the verbs share."""

from collections.abc import Mapping
from dataclasses import dataclass

from storeroom.contracts.values import Stat, WriteOptions
from storeroom.drivers._azure.headers import describing
from storeroom.drivers._azure.reading import AzureReading
from storeroom.drivers._azure.service import AzureService
from storeroom.drivers._azure.uploading import Rules
from storeroom.drivers._http.reading import looked_at

__all__ = ["Container"]


@dataclass(frozen=True, slots=True)
class Container:
    """A container: its service, how it is read and written, and the tier of every write."""

    name: str
    service: AzureService
    reading: AzureReading
    rules: Rules
    tier: str | None

    async def stat(self, path: str, version: str | None = None, /) -> Stat:
        """The facts of a file, or of a version of it."""
        return self.stat_in(path, await looked_at(self.reading, path, version))

    def stat_in(self, path: str, headers: Mapping[str, str], /) -> Stat:
        """The facts that a reply without the bytes tells."""
        return self.reading.stat_of(path, headers, self.reading.size_of(headers))

    def described(self, how: WriteOptions, /) -> dict[str, str]:
        """The headers of a new file."""
        return describing(how, self.tier)
