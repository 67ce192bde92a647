"""What a driver was told, checked and worked out; nothing here waits or asks anybody."""

from base64 import b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Final, Literal

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.extras import extra
from storeroom.contracts.values import Attribute, Condition, Traits, Visible, check_visibility
from storeroom.drivers._http.place import Place
from storeroom.drivers._http.renewal import Keys
from storeroom.drivers._s3.credentials import Chain
from storeroom.drivers._s3.headers import Encryption
from storeroom.drivers._s3.presets import Checksum, Preset
from storeroom.drivers._s3.presigning import Cdn
from storeroom.drivers._s3.signature import Credentials
from storeroom.drivers._s3.target import target_of
from storeroom.drivers._s3.uploading import LEAST, Rules

__all__ = [
    "Account",
    "acl_of",
    "encryption_of",
    "keys_of",
    "rules_of",
    "target_of",
    "traits_of",
]

_HEADERS: Final[tuple[Attribute, ...]] = (
    *("content_type", "cache_control", "content_disposition", "content_encoding"),
    *("content_language", "metadata"),
)


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """What the SDK's session and client are made of."""

    profile: str | None
    anonymous: bool
    endpoint: str | None
    region: str | None
    path_style: bool
    checksum: Checksum
    verify: bool | str
    timeout: float


def keys_of(
    access_key: str | None,
    secret_key: str | None,
    session_token: str | None,
    profile: str | None,
    *,
    anonymous: bool,
) -> tuple[Keys[Credentials], Chain | None]:
    """Who signs, and the SDK's chain where that is to be asked: for keys, or for the profile's region."""
    if (access_key is None) != (secret_key is None):
        raise ConfigError("access_key and secret_key go together; give both, or neither")
    if anonymous and (access_key is not None or profile is not None):
        raise ConfigError("an anonymous disk signs nothing; leave access_key and profile out")
    if anonymous:
        return Keys[Credentials](None, None), None
    chain = Chain(profile)
    if access_key is not None and secret_key is not None:
        known = Credentials(access_key, secret_key, session_token)
        return Keys(known, None), None if profile is None else chain
    return Keys(None, chain), chain


def acl_of(preset: Preset, visibility: Visible | None, acl: str | None) -> str | None:
    """What goes with every write that says nothing itself."""
    if visibility is not None:
        check_visibility(visibility)
        if acl is not None:
            raise ConfigError("visibility and acl say the same in two ways; give one of them")
        acl = "public-read" if visibility == "public" else "private"
    if acl is not None and not preset.acl:
        raise ConfigError(
            "this provider has no access lists; leave visibility and acl out and use a bucket "
            "policy, or set features = {acl = true} if yours has them"
        )
    return acl


def tier_of(preset: Preset, tier: str | None) -> str | None:
    """The tier of every write that names none."""
    if tier is not None and not preset.tiers:
        raise ConfigError(
            "this provider has no tiers; leave tier out, or set features = {tiers = true} if yours has"
        )
    return tier


def cdn_of(public: Place | None, key_id: str | None, private_key: str | None) -> Cdn | None:
    """Who signs for CloudFront."""
    if key_id is None and private_key is None:
        return None
    if key_id is None or private_key is None or public is None:
        raise ConfigError("cdn_key_id, cdn_private_key and the CDN's url go together")
    with extra("s3", "cryptography"):
        from storeroom.drivers._s3.cloudfront import CloudFront
    return Cdn(public, CloudFront(key_id, private_key))


def encryption_of(
    encryption: str | None, kms_key_id: str | None, customer_key: str | None
) -> Encryption:
    """The headers of server-side encryption."""
    if customer_key is not None:
        if encryption is not None or kms_key_id is not None:
            raise ConfigError("customer_key excludes encryption and kms_key_id")
        return Encryption.by_customer(_customer_key(customer_key))
    if kms_key_id is not None and encryption is None:
        encryption = "aws:kms"
    if encryption is None:
        return Encryption()
    if encryption not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise ConfigError(
            f"encryption is 'AES256', 'aws:kms' or 'aws:kms:dsse', not {encryption!r}"
        )
    if kms_key_id is not None and encryption == "AES256":
        raise ConfigError("kms_key_id goes with encryption 'aws:kms'")
    return Encryption.by_service(encryption, kms_key_id)


def rules_of(
    preset: Preset,
    encryption: Encryption,
    *,
    part_size: int,
    multipart_threshold: int,
    concurrency: int,
    download_concurrency: int,
) -> Rules:
    """How bodies go up."""
    if part_size < LEAST:
        raise ConfigError(f"part_size is at least 5 MiB, {LEAST:,} bytes, not {part_size:,}")
    if multipart_threshold < 0 or concurrency < 1:
        raise ConfigError("multipart_threshold is 0 bytes or more, concurrency at least 1")
    if download_concurrency < 1:
        raise ConfigError("download_concurrency is at least 1, a single stream")
    opening: dict[str, str] = {}
    if preset.checksum == "crc32":
        opening = {
            "x-amz-checksum-algorithm": "CRC32",
            "x-amz-checksum-type": "FULL_OBJECT",
        }
    return Rules(
        part_size,
        multipart_threshold,
        concurrency,
        preset.conditions,
        encryption.reading,
        opening,
    )


def traits_of(preset: Preset, paths: Literal["strict", "service"]) -> Traits:
    """What is true of the bucket."""
    if paths not in ("strict", "service"):
        raise ConfigError(f"paths is 'strict' or 'service', not {paths!r}")
    conditions: list[Condition] = []
    if "write" in preset.conditions:
        conditions.append("overwrite")
        if "remove" in preset.conditions:
            conditions.append("if_match")
    more: dict[Attribute, bool] = {
        "tags": preset.tags,
        "tier": preset.tiers,
        "visibility": preset.acl,
    }
    return Traits(
        "s3",
        ordered=True,
        tells_removed=False,
        conditions=frozenset(conditions),
        keeps=frozenset((*_HEADERS, *(name for name, has in more.items() if has))),
        strict_paths=paths == "strict",
    )


def _customer_key(text: str) -> bytes:
    try:
        key = b64decode(text.removeprefix("base64:"), validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != 32:
        raise ConfigError("customer_key is 32 bytes in base64")
    return key
