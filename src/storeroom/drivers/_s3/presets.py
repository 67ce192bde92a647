"""What each provider that speaks S3 honours; whoever is not known gets the careful answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.nearest import nearest

__all__ = ["PRESETS", "Checksum", "Conditional", "Preset", "preset_of"]

Checksum = Literal["crc32", "md5", "sha256", "none"]
Conditional = Literal["write", "complete", "copy", "remove"]

_ALL: Final[frozenset[Conditional]] = frozenset(("write", "complete", "copy", "remove"))


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider.

    `endpoint` may hold `{region}` and `{account}`, None where the user names it. `checksum` guards
    what is sent: a CRC-32 or MD5 in a header, or the SHA-256 that the signature covers. `conditions`
    are the requests whose `If-Match` and `If-None-Match` are honoured, `bulk` how many keys one removal
    takes, 0 where there is none, `folders` that a key may end in `/`. `md5_etags` says that the etag of a plain object is its MD5,
    `unpacks` that gzip is unpacked for whoever does not ask for gzip.
    """

    endpoint: str | None = None
    region: str | None = None
    path_style: bool = True
    checksum: Checksum = "sha256"
    acl: bool = False
    tags: bool = False
    tiers: bool = False
    versions: bool = False
    forms: bool = True
    folders: bool = True
    bulk: int = 1000
    md5_etags: bool = True
    unpacks: bool = False
    conditions: frozenset[Conditional] = field(default=frozenset())

    def with_features(self, features: Mapping[str, Any], /) -> "Preset":
        """The same, but for these; an unknown name is a `ConfigError`."""
        names = {item.name for item in fields(self)} - {"endpoint", "region"}
        for name in features:
            if name not in names:
                raise ConfigError(f"there is no feature {name!r}; {nearest(name, names)}")
        changed = dict(features)
        if "conditions" in changed:
            changed["conditions"] = _conditions(changed["conditions"])
        return replace(self, **changed)


def preset_of(provider: str, /) -> Preset:
    """The provider's preset by its name."""
    found = PRESETS.get(provider)
    if found is None:
        raise ConfigError(f"there is no provider {provider!r}; {nearest(provider, PRESETS)}")
    return found


def _conditions(given: Any) -> frozenset[Conditional]:
    if isinstance(given, bool):
        return _ALL if given else frozenset()
    unknown = set(given) - _ALL
    if unknown:
        raise ConfigError(f"conditions are {', '.join(sorted(_ALL))}, not {min(unknown)!r}")
    return frozenset(given)


_SPACES = Preset("https://{region}.digitaloceanspaces.com", path_style=False, acl=True)

PRESETS: Final[Mapping[str, Preset]] = {
    "aws": Preset(
        path_style=False,
        checksum="crc32",
        acl=True,
        tags=True,
        tiers=True,
        versions=True,
        conditions=_ALL,
    ),
    "custom": Preset(),
    # https://github.com/minio/minio/blob/master/docs/metadata-and-acl.md: it has no access lists.
    "minio": Preset(
        region="us-east-1",
        checksum="crc32",
        tags=True,
        versions=True,
        conditions=frozenset(("write", "complete")),
    ),
    # https://developers.cloudflare.com/r2/api/s3/api/
    "r2": Preset(
        "https://{account}.r2.cloudflarestorage.com",
        "auto",
        tiers=True,
        forms=False,
        conditions=frozenset(("write",)),
    ),
    "spaces": _SPACES,
    "digitalocean": _SPACES,
    # https://www.backblaze.com/docs/cloud-storage-s3-compatible-api
    "b2": Preset(
        "https://s3.{region}.backblazeb2.com", path_style=False, versions=True, forms=False
    ),
    "wasabi": Preset(
        "https://s3.{region}.wasabisys.com", path_style=False, acl=True, tags=True, versions=True
    ),
    "ceph": Preset(region="default", acl=True, tags=True, tiers=True, versions=True),
    # https://cloud.google.com/storage/docs/interoperability: no bulk removal, tags or version ids.
    "gcs-interop": Preset(
        "https://storage.googleapis.com",
        "auto",
        acl=True,
        tiers=True,
        bulk=0,
        md5_etags=False,
        unpacks=True,
    ),
}
