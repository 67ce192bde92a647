"""What a driver was told, checked and worked out; nothing here waits or asks anybody."""

from typing import Any, Final, Literal

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.values import Attribute, Traits
from storeroom.drivers._azure.access import Access
from storeroom.drivers._azure.signature import Signer
from storeroom.drivers._azure.target import Account, account_in, is_here
from storeroom.drivers._azure.tokens import Given, Standard, Tokens, Waiting, is_awaited
from storeroom.drivers._azure.uploading import Checksum, Rules

__all__ = ["access_of", "account_and_access", "rules_of", "traits_of"]

_KEPT: Final[tuple[Attribute, ...]] = (
    *("content_type", "cache_control", "content_disposition", "content_encoding"),
    *("content_language", "metadata", "tags", "tier"),
)
_LEAST: Final = 64 << 10
_MOST: Final = 4000 << 20
# Known to everyone: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
_EMULATED: Final = {
    "AccountName": "devstoreaccount1",
    "AccountKey": (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    ),
    "BlobEndpoint": "http://127.0.0.1:10000/devstoreaccount1",
}


def account_and_access(
    account_name: str | None,
    account_key: str | None,
    connection_string: str | None,
    sas_token: str | None,
    credential: Any,
    endpoint_url: str | None,
    *,
    anonymous: bool,
) -> tuple[Account, Access]:
    """Where the account is, and who asks."""
    _check_single(
        account_key=account_key,
        connection_string=connection_string,
        sas_token=sas_token,
        credential=credential,
        anonymous=anonymous or None,
    )
    if connection_string is None:
        account = account_in(account_name, endpoint_url)
        return account, access_of(account, account_key, sas_token, credential, anonymous=anonymous)
    if account_name is not None:
        raise ConfigError("connection_string names the account; leave account_name out")
    said = _parsed(connection_string)
    account = account_in(
        said.get("AccountName"),
        endpoint_url or said.get("BlobEndpoint"),
        suffix=said.get("EndpointSuffix", "core.windows.net"),
        scheme=said.get("DefaultEndpointsProtocol", "https"),
    )
    key, sas = said.get("AccountKey"), said.get("SharedAccessSignature")
    if key is None and sas is None:
        raise ConfigError("connection_string has neither AccountKey nor SharedAccessSignature")
    return account, access_of(account, key, None if key else sas, None, anonymous=False)


def access_of(
    account: Account,
    account_key: str | None,
    sas_token: str | None,
    credential: Any,  # whatever has get_token
    *,
    anonymous: bool,
) -> Access:
    """Who asks: whoever was named, or the default credential where nobody was."""
    if anonymous:
        return Access()
    if account_key is not None:
        if account.name is None:
            raise ConfigError("account_name is missing; the address does not say it")
        return Access(Signer(account.name, account_key), account_key)
    if sas_token is not None:
        if account.scheme != "https" and not is_here(account.host):
            raise ConfigError(
                "a sas_token goes over https only, or to this machine; whoever sees it on its way has it"
            )
        return Access(sas=_sas(sas_token))
    if account.scheme != "https":
        raise ConfigError(
            "a credential's tokens go over https only; give an https endpoint_url, or account_key"
        )
    return Access(tokens=_tokens(credential))


def rules_of(
    *,
    part_size: int,
    multipart_threshold: int,
    concurrency: int,
    download_concurrency: int,
    checksum: Checksum,
) -> Rules:
    """How bodies go up."""
    if checksum not in (None, "md5", "none"):
        raise ConfigError(f"checksum is 'md5', 'none' or left out, not {checksum!r}")
    if not _LEAST <= part_size <= _MOST:
        raise ConfigError(f"part_size is 64 KiB to 4,000 MiB, in bytes, not {part_size:,}")
    if not 0 <= multipart_threshold <= _MOST or concurrency < 1:
        raise ConfigError("multipart_threshold is 0 to 4,000 MiB in bytes, concurrency at least 1")
    if download_concurrency < 1:
        raise ConfigError("download_concurrency is at least 1, a single stream")
    return Rules(part_size, multipart_threshold, concurrency, checksum)


def traits_of(paths: Literal["strict", "service"]) -> Traits:
    """What is true of every container."""
    if paths not in ("strict", "service"):
        raise ConfigError(f"paths is 'strict' or 'service', not {paths!r}")
    return Traits("azure", keeps=frozenset(_KEPT), strict_paths=paths == "strict")


def _check_single(**given: object) -> None:
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ConfigError(f"{' and '.join(named)} say in two ways who asks; give one of them")


def _tokens(credential: Any) -> Tokens:
    if credential is None or credential == "default":
        return Tokens(Standard())
    if not callable(getattr(credential, "get_token", None)):
        raise ConfigError(
            "credential is 'default' or an object with get_token, such as those of azure-identity; a "
            "key goes into account_key, a signature into sas_token"
        )
    return Waiting(credential) if is_awaited(credential) else Tokens(Given(credential))


def _sas(text: str) -> str:
    text = text.strip().removeprefix("?")
    if "sig=" not in text or not text.isascii() or any(char.isspace() for char in text):
        raise ConfigError("sas_token is the query of a signed URL, such as 'sv=...&sig=...'")
    return text


def _parsed(text: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for piece in filter(None, (piece.strip() for piece in text.split(";"))):
        name, equals, value = piece.partition("=")
        if not equals:
            raise ConfigError(
                "connection_string is of pairs such as AccountName=...;AccountKey=..."
            )
        said[_canonical(name)] = value
    if said.get("UseDevelopmentStorage", "").lower() == "true":
        return dict(_EMULATED)
    return said


def _canonical(name: str) -> str:
    return next((known for known in _NAMES if known.lower() == name.lower()), name)


_NAMES: Final = (
    *("AccountName", "AccountKey", "BlobEndpoint", "DefaultEndpointsProtocol", "EndpointSuffix"),
    *("SharedAccessSignature", "UseDevelopmentStorage"),
)
