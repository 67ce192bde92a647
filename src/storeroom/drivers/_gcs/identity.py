"""Who the credentials are: what was given, or what Google's own clients would find."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from storeroom.contracts.errors import ConfigError

__all__ = ["Account", "Given", "account_in", "given_of", "metadata_address", "read_file"]

Given = Mapping[str, Any]
"""The contents of a credentials file; empty for the machine's own account."""

_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "service_account": ("client_email", "private_key"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
    "external_account": ("audience", "subject_token_type", "token_url", "credential_source"),
    "impersonated_service_account": ("service_account_impersonation_url", "source_credentials"),
}
_IMPERSONATED: Final = re.compile(r"/serviceAccounts/([^/:?]+):")
_METADATA: Final = "metadata.google.internal"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account that can sign; `key` is PEM, None where only Google has it."""

    email: str
    key: str | None = field(default=None, repr=False)


def given_of(value: Given | str, key: str, /) -> Given:
    """The contents of a credentials file, as a mapping or its JSON; no error quotes any of it."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ConfigError(
                f"{key} is no JSON; give the contents of a credentials file"
            ) from None
    if not isinstance(cast(object, value), Mapping):
        raise ConfigError(f"{key} holds no credentials; give the contents of a credentials file")
    given = cast(Given, value)
    kind = given.get("type")
    wanted = _FIELDS.get(kind) if isinstance(kind, str) else None
    if wanted is None:
        raise ConfigError(f"{key} holds credentials of no known type: {', '.join(_FIELDS)}")
    missing = [name for name in wanted if not given.get(name)]
    if missing:
        raise ConfigError(f"{key} holds credentials without {missing[0]}; fetch the file again")
    _check_source(given.get("credential_source"), key)
    return given


def _check_source(source: object, key: str) -> None:
    """gcloud-aio-auth reads a foreign token from a file or an address only."""
    if isinstance(source, Mapping) and not {"environment_id", "executable"}.isdisjoint(
        cast(Mapping[str, Any], source)
    ):
        raise ConfigError(
            f"{key} holds credentials of AWS or of a program, which gcloud-aio-auth cannot use; give "
            "ones whose credential_source is a file or a url"
        )


def read_file(path: str | None, /) -> Given:
    """The file given, or named by the environment, or of gcloud's; empty where there is none. Blocks."""
    known = path or os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    name = known or _of_gcloud()
    try:
        with open(name, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        if known is None:
            return {}
        raise ConfigError(f"there is no credentials file {name!r}") from None
    except OSError as error:
        raise ConfigError(f"the credentials file {name!r}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the credentials file {name!r} is no text") from None
    return given_of(text, f"the file {name!r}")


def account_in(given: Given, /) -> Account | None:
    """The service account that the credentials are or become; None for people and strangers."""
    if given.get("type") == "service_account":
        return Account(str(given["client_email"]), str(given["private_key"]))
    found = _IMPERSONATED.search(str(given.get("service_account_impersonation_url") or ""))
    return None if found is None else Account(found[1])


def metadata_address(path: str, /) -> str:
    """Where this machine asks for its own account; the environment may say that it is elsewhere."""
    environ = os.environ
    host = environ.get("GCE_METADATA_HOST") or environ.get("GCE_METADATA_ROOT") or _METADATA
    return f"http://{host}/computeMetadata/v1/instance/service-accounts/default/{path}"


def _of_gcloud() -> str:
    """https://cloud.google.com/docs/authentication/application-default-credentials#personal"""
    folder = os.environ.get("CLOUDSDK_CONFIG")
    if folder is None and os.name == "nt":
        folder = os.path.join(os.environ.get("APPDATA", ""), "gcloud")
    if folder is None:
        folder = os.path.join(os.path.expanduser("~"), ".config", "gcloud")
    return os.path.join(folder, "application_default_credentials.json")
