"""Which bucket, where, and of which provider: nothing here waits or asks anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storeroom.contracts.errors import ConfigError
from storeroom.drivers._http.place import Place, base_of
from storeroom.drivers._s3.place import aws_place, place_at
from storeroom.drivers._s3.presets import Checksum, Preset, preset_of

__all__ = ["Target", "target_of"]


@dataclass(frozen=True, slots=True)
class Target:
    """A bucket and the service it is at; `endpoint` is None for Amazon, `region` where nobody said."""

    bucket: str
    preset: Preset
    endpoint: str | None
    region: str | None

    def place(self, region: str | None = None, /) -> Place:
        """Where the bucket is, if it is in that region."""
        if self.endpoint is None:
            region = region or self.region
            return aws_place(self.bucket, region, path_style=self.preset.path_style)
        return place_at(self.endpoint, self.bucket, path_style=self.preset.path_style)

    def public(self, url: str | None, key: str, /) -> Place | None:
        """Where the configured `url` leads: to a domain of the bucket's own, or to the service's host.

        That host has many buckets, and then the bucket goes into the path.
        """
        if url is None:
            return None
        scheme, host, base = base_of(url, key)
        if host in self._hosts() and not base.endswith(f"/{self.bucket}"):
            base = f"{base}/{self.bucket}"
        return Place(scheme, host, base)

    def _hosts(self) -> tuple[str, ...]:
        """The service's own, which name no bucket."""
        place = self.place()
        named = not place.base.endswith(f"/{self.bucket}")
        host = place.host.removeprefix(f"{self.bucket}.") if named else place.host
        if host == place.host and named:
            return ()  # an endpoint that is the bucket's by another name
        return (host, "s3.amazonaws.com") if self.endpoint is None else (host,)


def target_of(
    bucket: str,
    *,
    provider: str | None,
    region: str | None,
    endpoint_url: str | None,
    account: str | None,
    path_style: bool | None,
    checksum: Checksum | None,
    features: Mapping[str, Any] | None,
) -> Target:
    """The bucket's place, by the provider's preset and whatever overrides it."""
    if not bucket or any(char in "/?#%\\\x7f" or char <= " " for char in bucket):
        raise ConfigError(f"bucket is a bucket's name, not {bucket!r}")
    preset = preset_of(provider or ("custom" if endpoint_url else "aws"))
    changes: dict[str, Any] = dict(features or {})
    if path_style is not None:
        changes["path_style"] = path_style
    if checksum is not None:
        changes["checksum"] = checksum
    preset = preset.with_features(changes)
    region = region or preset.region
    endpoint = endpoint_url or _endpoint(preset, provider, region, account)
    if endpoint is not None:
        base_of(endpoint, "endpoint_url")
        region = region or "us-east-1"
    return Target(bucket, preset, endpoint, region)


def _endpoint(
    preset: Preset, provider: str | None, region: str | None, account: str | None
) -> str | None:
    template = preset.endpoint
    if template is None:
        if provider not in (None, "aws"):
            raise ConfigError(f"endpoint_url is missing: where is your {provider}?")
        return None
    if "{region}" in template and not region:
        raise ConfigError("region is missing; it is part of this provider's address")
    if "{account}" in template and not account:
        raise ConfigError("account is missing, or endpoint_url; it is part of the address")
    return template.format(region=region, account=account)
