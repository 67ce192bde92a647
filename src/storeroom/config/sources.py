"""Where the configuration comes from: a mapping, a file, or the environment alone."""

import os
import re
import runpy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from storeroom.config.urls import from_url, is_url
from storeroom.contracts.errors import ConfigError

__all__ = ["Found", "from_environment", "from_file", "look"]

_HERE = ("config/filesystems.py", "filesystems.toml")
_PLACEHOLDER = re.compile(r"\$(\$?)\{(\w+)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Found:
    """A configuration not checked yet, and the folder that its relative paths start from."""

    values: Mapping[str, Any]
    folder: str
    origin: str


def look(source: Mapping[str, Any] | str | os.PathLike[str] | None = None, /) -> Found:
    """What `source` says; without one what `STOREROOM_CONFIG` names, what lies here, or the environment."""
    here = os.getcwd()
    if isinstance(source, Mapping):
        return Found(_with_default(source), here, "the configuration given")
    named = source or os.environ.get("STOREROOM_CONFIG")
    if named:
        return from_file(os.path.join(here, os.path.expanduser(named)))
    for name in _HERE:
        if os.path.isfile(os.path.join(here, name)):
            return from_file(os.path.join(here, name))
    return from_environment(here)


def from_file(path: str, /) -> Found:
    """A `.toml` file, or a `.py` file with `FILESYSTEMS`; a relative root starts at its folder.

    For a file in a folder `config` that is the folder above, the project's.
    """
    if not os.path.isfile(path):
        raise ConfigError(f"there is no configuration file {path!r}")
    if path.endswith(".toml"):
        values = _from_toml(path)
    elif path.endswith(".py"):
        values = _from_python(path)
    else:
        raise ConfigError(f"a configuration is a .toml or a .py file, not {path!r}")
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.basename(folder) == "config":
        folder = os.path.dirname(folder)
    return Found(_with_chosen(values), folder, path)


def from_environment(folder: str, /) -> Found:
    """Disks `local`, `memory` and `s3` from the variables that Laravel and AWS use."""
    local = {"driver": "local", "root": os.environ.get("FILESYSTEM_ROOT") or "storage/app"}
    if os.environ.get("FILESYSTEM_URL"):
        local["url"] = os.environ["FILESYSTEM_URL"]
    s3 = {key: os.environ[name] for name, key in _S3.items() if os.environ.get(name)}
    disks = {"local": local, "memory": {"driver": "memory"}, "s3": {"driver": "s3", **s3}}
    values = {"default": "local", "disks": disks}
    return Found(_with_chosen(values), folder, "the environment")


def _with_default(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return values if values.get("default") is not None else _with_chosen(values)


def _with_chosen(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`FILESYSTEM_DISK` over the default of a file: a disk's name, or a URL that becomes a disk."""
    chosen = os.environ.get("FILESYSTEM_DISK")
    if not chosen:
        return values
    if not is_url(chosen):
        return {**values, "default": chosen}
    disks = {**cast(Mapping[str, Any], values.get("disks") or {}), "default": from_url(chosen)}
    return {**values, "default": "default", "disks": disks}


def _from_toml(path: str) -> Mapping[str, Any]:
    with open(path, "rb") as file:
        try:
            values = tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path!r} is not TOML: {error}") from None
    filled: Mapping[str, Any] = _filled(values, path)
    return filled


def _from_python(path: str) -> Mapping[str, Any]:
    values = runpy.run_path(path).get("FILESYSTEMS")
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path!r} has no FILESYSTEMS = {{...}}")
    return cast(Mapping[str, Any], values)


def _filled(value: Any, where: str) -> Any:  # whatever TOML holds
    """The value with `${NAME}` and `${NAME:-default}` taken from the environment, `$${` being `${`."""
    if isinstance(value, dict):
        table = cast(dict[str, Any], value)
        return {key: _filled(item, f"{where}: {key}") for key, item in table.items()}
    if isinstance(value, list):
        return [_filled(item, where) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return _substituted(value, where) if isinstance(value, str) else value


def _substituted(text: str, where: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match.group()[1:]
        value = os.environ.get(name)
        if not value and default is not None:
            return default
        if value is None:
            raise ConfigError(
                f"{where}: the variable {name} is not set; set it or write ${{{name}:-default}}"
            )
        return value

    return _PLACEHOLDER.sub(replaced, text)


_S3 = {
    "AWS_BUCKET": "bucket",
    "AWS_DEFAULT_REGION": "region",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_PROFILE": "profile",
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_ENDPOINT": "endpoint",
    "AWS_URL": "url",
    "AWS_USE_PATH_STYLE_ENDPOINT": "use_path_style_endpoint",
}
