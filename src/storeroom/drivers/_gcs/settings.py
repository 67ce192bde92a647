"""What a driver was told, checked and worked out; nothing here waits or asks anybody."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from storeroom.contracts.errors import ConfigError, Unsupported
from storeroom.contracts.values import Attribute, Traits, Visible, WriteOptions, check_visibility
from storeroom.drivers._gcs.facts import described
from storeroom.drivers._gcs.identity import Given, given_of
from storeroom.drivers._gcs.target import Target
from storeroom.drivers._gcs.uploading import Rules

__all__ = ["Known", "known_of", "rules_of", "tier_of", "traits_of", "visibility_of"]

_QUANTUM: Final = 256 << 10
_HEADERS: Final[tuple[Attribute, ...]] = (
    *("content_type", "cache_control", "content_disposition", "content_encoding"),
    *("content_language", "metadata"),
)


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """Whose credentials were given; with neither it is whoever Google's own clients would find."""

    given: Given | None
    path: str | None
    anonymous: bool

    @property
    def mark(self) -> tuple[str | None, str | None, bool]:
        """The same for those who come with the same credentials, and it tells none of them."""
        text = None if self.given is None else json.dumps(dict(self.given), sort_keys=True)
        return text and sha256(text.encode()).hexdigest(), self.path, self.anonymous


def known_of(
    credentials_path: str | None,
    credentials: Mapping[str, Any] | str | None,
    key_file: Mapping[str, Any] | str | None,
    target: Target,
    *,
    anonymous: bool,
    emulated: bool,
) -> Known:
    """Who asks, by the one of the options that was given."""
    told = {
        "credentials_path": credentials_path,
        "credentials": credentials,
        "key_file": key_file,
    }
    given = [name for name, value in told.items() if value]
    if len(given) > 1:
        raise ConfigError(f"{given[0]} and {given[1]} say the same in two ways; give one of them")
    if given and anonymous:
        raise ConfigError(f"an anonymous disk shows no credentials; leave {given[0]} out")
    if anonymous or (emulated and not given):
        return Known(None, None, anonymous=True)
    if target.is_open:
        raise ConfigError(
            "credentials would go in the clear over http; give an https endpoint_url, or "
            "anonymous=True for an emulator"
        )
    if isinstance(key_file, str) and key_file:
        return Known(None, key_file, anonymous=False)
    if credentials_path:
        return Known(None, credentials_path, anonymous=False)
    contents = credentials or key_file
    return Known(given_of(contents, given[0]) if contents else None, None, anonymous=False)


def visibility_of(visibility: Visible | None, /, *, uniform: bool) -> Visible | None:
    """What goes with every write that says nothing itself."""
    if visibility is not None:
        check_visibility(visibility)
        if uniform:
            raise ConfigError(
                "a bucket with uniform access has no visibility by file; leave visibility out, or set "
                "uniform_access=False if the bucket has access lists"
            )
    return visibility


def tier_of(tier: str | None, /) -> str | None:
    """The tier of every write that names none."""
    try:
        described(WriteOptions(tier=tier))
    except Unsupported as error:
        raise ConfigError(error.reason) from None
    return tier


def rules_of(*, part_size: int, multipart_threshold: int, download_concurrency: int) -> Rules:
    """How bodies go up."""
    if part_size < _QUANTUM or part_size % _QUANTUM:
        raise ConfigError(
            f"part_size is a multiple of 256 KiB, {_QUANTUM:,} bytes, not {part_size:,}"
        )
    if multipart_threshold < 0:
        raise ConfigError("multipart_threshold is 0 bytes or more")
    if download_concurrency < 1:
        raise ConfigError("download_concurrency is at least 1, a single stream")
    return Rules(part_size, multipart_threshold)


def traits_of(paths: Literal["strict", "service"], /, *, uniform: bool) -> Traits:
    """What is true of the bucket."""
    if paths not in ("strict", "service"):
        raise ConfigError(f"paths is 'strict' or 'service', not {paths!r}")
    more: tuple[Attribute, ...] = ("tier",) if uniform else ("tier", "visibility")
    return Traits(
        "gcs",
        ordered=True,
        keeps=frozenset((*_HEADERS, *more)),
        strict_paths=paths == "strict",
    )
