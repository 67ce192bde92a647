"""Drivers by name, ours and third parties', and what a fake must know of each service."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storeroom.contracts import abilities as can
from storeroom.contracts.registry import Entry, Registry
from storeroom.contracts.values import Attribute, Traits

__all__ = ["DRIVERS", "PROFILES", "PROVIDERS", "Profile", "profile"]

_S3 = "storeroom.drivers.s3:S3Driver"

DRIVERS = Registry(
    "driver",
    "storeroom.drivers",
    {
        "local": Entry("storeroom.drivers.local:LocalDriver", None, "a folder of this machine"),
        "memory": Entry("storeroom.drivers.memory:MemoryDriver", None, "this process's memory"),
        "s3": Entry(_S3, "s3", "Amazon S3"),
        "minio": Entry(_S3, "s3", "MinIO, by S3"),
        "r2": Entry(_S3, "s3", "Cloudflare R2, by S3"),
        "spaces": Entry(_S3, "s3", "DigitalOcean Spaces, by S3"),
        "digitalocean": Entry(_S3, "s3", "DigitalOcean Spaces, by S3"),
        "b2": Entry(_S3, "s3", "Backblaze B2, by S3"),
        "wasabi": Entry(_S3, "s3", "Wasabi, by S3"),
        "ceph": Entry(_S3, "s3", "Ceph's gateway, by S3"),
        "gcs-interop": Entry(_S3, "s3", "Google Cloud Storage, by S3"),
        "gcs": Entry("storeroom.drivers.gcs:GCSDriver", "gcs", "Google Cloud Storage"),
        "azure": Entry("storeroom.drivers.azure:AzureDriver", "azure", "Azure Blob Storage"),
        "ftp": Entry("storeroom.drivers.ftp:FTPDriver", "ftp", "FTP and FTPS servers"),
        "sftp": Entry("storeroom.drivers.sftp:SFTPDriver", "sftp", "SSH servers"),
    },
)


PROVIDERS = frozenset(
    name for name, entry in DRIVERS.entries.items() if entry.target == _S3 and name != "s3"
)
"""Names that are the S3 driver with the provider of that name."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A service as a fake shows it, without its driver.

    `url` is what stands before "/" and the path in a public address, `{name}` being the bucket,
    container or host; None where the service has none.
    """

    traits: Traits
    abilities: frozenset[Callable[..., Any]]
    url: str | None


def profile(name: str, /) -> Profile | None:
    """The profile of a service by its driver's name, None for a driver that is not ours."""
    if name in ("local", "memory"):
        return _own(name)
    entry = DRIVERS.entries.get(name)
    return PROFILES.get(name if name in PROFILES else entry.extra or "" if entry else "")


def _own(name: str) -> Profile:
    driver = DRIVERS.load(name)
    traits = (driver("storage/app") if name == "local" else driver()).traits
    kinds = frozenset(kind for kind in can.ABILITIES if can.has(driver, kind))
    return Profile(traits, kinds, "/storage")


_HEADERS: tuple[Attribute, ...] = (
    "content_type",
    "cache_control",
    "content_disposition",
    "content_encoding",
    "content_language",
)
_OBJECTS: tuple[Callable[..., Any], ...] = (
    can.PublicUrl,
    can.PresignRead,
    can.PresignWrite,
    can.Copy,
    can.CopyFrom,
    can.Origin,
    can.Move,
    can.BulkRemove,
    can.Attributes,
    can.Tiers,
    can.Versions,
    can.Checksum,
    can.Folders,
)
_SERVERS: tuple[Callable[..., Any], ...] = (
    can.Folders,
    can.Move,
    can.Append,
    can.Visibility,
    can.Sweep,
    can.Times,
)

PROFILES = {
    "s3": Profile(
        Traits(
            "s3",
            ordered=True,
            tells_removed=False,
            keeps=frozenset((*_HEADERS, "metadata", "tags", "tier", "visibility")),
        ),
        frozenset((*_OBJECTS, can.PresignPost, can.Visibility, can.Tags, can.Multipart, can.Sweep)),
        "https://{name}.s3.amazonaws.com",
    ),
    "gcs": Profile(
        Traits(
            "gcs",
            ordered=True,
            keeps=frozenset((*_HEADERS, "metadata", "tier")),
        ),
        frozenset((*_OBJECTS, can.PresignPost, can.Multipart, can.Sweep)),
        "https://storage.googleapis.com/{name}",
    ),
    "azure": Profile(
        Traits("azure", keeps=frozenset((*_HEADERS, "metadata", "tags", "tier"))),
        frozenset((*_OBJECTS, can.Append, can.Tags, can.Leases)),
        "https://{name}.blob.core.windows.net/{name}",
    ),
    "ftp": Profile(
        Traits(
            "ftp",
            folders="real",
            atomic=False,
            atomic_append=False,
            ordered=True,
            conditions=frozenset(),
            keeps=frozenset(("visibility",)),
            segment_bytes=255,
            outer_spaces=False,
        ),
        frozenset((*_SERVERS, can.Checksum)),
        None,
    ),
    "sftp": Profile(
        Traits(
            "sftp",
            folders="real",
            atomic_append=False,
            ordered=True,
            conditions=frozenset(("overwrite",)),
            keeps=frozenset(("visibility",)),
            segment_bytes=255,
        ),
        frozenset((*_SERVERS, can.Copy, can.CopyFrom, can.Origin)),
        None,
    ),
}
"""Each service as its driver shows it where nobody configures it; presets of S3 have its profile."""
