"""A disk as one URL: `local:///srv/files`, `s3://bucket/prefix?region=eu-west-1`."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from storeroom.contracts.errors import ConfigError

__all__ = ["from_url", "is_url"]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which config keys the parts of a URL are, None where the part must be absent."""

    driver: str
    host: str | None = None
    path: str | None = None
    user: str | None = None
    password: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()


def is_url(text: str, /) -> bool:
    """Whether this is a URL rather than a disk's name."""
    return "://" in text


def from_url(url: str, /) -> dict[str, Any]:
    """The config mapping that the URL stands for; what it gives is text, for the models to read."""
    scheme = url.partition("://")[0].lower()
    shape = _SHAPES.get(scheme, _Shape(scheme))
    parts, port, pairs = _read(scheme, url)
    options = _options(scheme, parts, pairs)
    config: dict[str, Any] = {"driver": shape.driver, **dict(shape.extra)}
    if shape.path == "root" and shape.host is None:
        config["root"] = _local_root(scheme, parts)
        return {**config, **options}
    _take(config, scheme, "host", shape.host, parts.hostname if port else _host(parts))
    _take(config, scheme, "path", shape.path, _path(parts, shape))
    _take(config, scheme, "user", shape.user, unquote(parts.username or ""))
    _take(config, scheme, "password", shape.password, unquote(parts.password or ""))
    if port is not None:
        config["port"] = port
    return {**config, **options}


def _read(scheme: str, url: str) -> tuple[SplitResult, int | None, list[tuple[str, str]]]:
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        return parts, parts.port, pairs
    except ValueError:  # its text repeats what may be a secret
        reason = f"the {scheme} URL cannot be read; percent-encode what is special in it"
    raise ConfigError(reason)


def _options(scheme: str, parts: SplitResult, pairs: list[tuple[str, str]]) -> dict[str, str]:
    if parts.fragment:
        raise ConfigError(f"the {scheme} URL has a '#'; percent-encode it as %23")
    options = dict(pairs)
    if len(options) != len(pairs):
        raise ConfigError(f"the {scheme} URL gives an option twice")
    return options


def _local_root(scheme: str, parts: SplitResult) -> str:
    if scheme == "file" and parts.netloc not in ("", "localhost"):
        raise ConfigError("a file URL has three slashes: file:///srv/files")
    root = unquote(parts.path if scheme == "file" else parts.netloc + parts.path)
    if not root:
        raise ConfigError(f"the {scheme} URL names no folder; write {scheme}:///srv/files")
    return root


def _host(parts: SplitResult) -> str:
    return unquote(parts.netloc.rpartition("@")[2])


def _path(parts: SplitResult, shape: _Shape) -> str:
    """Below the login's own folder; with two slashes, `sftp://host//srv`, from the server's root."""
    if shape.path == "root":
        return unquote(parts.path[1:].rstrip("/"))
    return unquote(parts.path.strip("/"))


def _take(config: dict[str, Any], scheme: str, part: str, key: str | None, value: Any) -> None:
    if not value:
        return
    if key is None:
        raise ConfigError(f"a {scheme} URL has no {part}; give options as {scheme}://?name=value")
    config[key] = value


_OBJECTS = ("prefix", "key", "secret")
_SERVERS = ("root", "username", "password")

_SHAPES = {
    "local": _Shape("local", None, "root"),
    "file": _Shape("local", None, "root"),
    "memory": _Shape("memory"),
    **{
        name: _Shape(name, "bucket", *_OBJECTS)
        for name in (
            "s3",
            "minio",
            "r2",
            "spaces",
            "digitalocean",
            "b2",
            "wasabi",
            "ceph",
            "gcs-interop",
        )
    },
    "gs": _Shape("gcs", "bucket", "prefix"),
    "gcs": _Shape("gcs", "bucket", "prefix"),
    "azure": _Shape("azure", "container", "prefix"),
    "ftp": _Shape("ftp", "host", *_SERVERS, extra=(("tls", False),)),
    "ftps": _Shape("ftp", "host", *_SERVERS, extra=(("tls", "explicit"),)),
    "sftp": _Shape("sftp", "host", *_SERVERS),
}
