"""The configuration as checked values; secrets in them show in no repr and no error."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    SecretStr,
    TypeAdapter,
    ValidationError,
)

from storeroom.config.parameters import concealed, explained, unknown_key
from storeroom.config.sources import Found
from storeroom.config.urls import from_url, is_url
from storeroom.contracts.errors import ConfigError
from storeroom.contracts.nearest import nearest
from storeroom.drivers._registry import DRIVERS, PROVIDERS
from storeroom.layers._registry import LAYERS
from storeroom.signing import SigningKeys

__all__ = [
    "COMMON",
    "STANDS_ON",
    "DiskConfig",
    "Filesystems",
    "LayerConfig",
    "disk_config",
    "filesystems",
]

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_MODEL = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
_TABLE = TypeAdapter(dict[str, Any])
_TOP = ("default", "disks", "signing_key")

_YES_OR_NO = {"true": "explicit", "1": "explicit", "false": False, "0": False}
_STORES = ("memory", "redis")  # of a cache; any other is a disk
_YES_OR_NO_OF_ANY = {"true": True, "1": True, "false": False, "0": False, "none": False}
_AROUND = ("prefix", "read_only", "retries", "cache", "layers")
_LEAST = 2
_COMMON_ALIASES = {"path_prefix": "prefix", "read-only": "read_only"}

COMMON = frozenset(
    ("cache", "driver", "layers", "prefix", "read_only", "retries", "timeout", "visibility")
)
"""Keys that every disk has; `timeout` and `visibility` belong to the driver."""

_Key = Literal["disk", "disks"]
STANDS_ON: Mapping[str, _Key] = {
    "scoped": "disk",
    "mirror": "disks",
    "failover": "disks",
    "readthrough": "disks",
}
"""Drivers made of other disks, each with the key that names them."""


class LayerConfig(BaseModel):
    """One layer of a disk: its name and the options of its class; `store` is the disk that holds what it caches."""

    model_config = _MODEL
    layer: str
    store: str | None = None
    options: dict[str, Any] = Field({}, repr=False)


class DiskConfig(BaseModel):
    """One disk: the driver with its options, and what lies around it, `layers` outermost first.

    `disks` are those it stands on, by name or with a configuration of their own.
    """

    model_config = _MODEL
    driver: str
    disks: tuple["str | DiskConfig", ...] = ()
    prefix: str | None = None
    read_only: bool = False
    retries: NonNegativeInt | None = None
    cache: LayerConfig | None = None
    layers: tuple[LayerConfig, ...] = ()
    options: dict[str, Any] = Field({}, repr=False)

    def inner(self) -> Iterator[tuple[str, "str | DiskConfig"]]:
        """The disks it stands on, each with the place in the configuration that names it."""
        yield from _placed(STANDS_ON[self.driver], self.disks) if self.disks else ()


@dataclass(frozen=True, slots=True)
class Filesystems:
    """All disks, the default one's name (None where nothing says), and the keys that sign."""

    default: str | None
    disks: Mapping[str, DiskConfig]
    keys: SigningKeys | None

    def disk(self, name: str, /) -> DiskConfig:
        """The disk of this name, or a `ConfigError` that says which there are."""
        if name not in self.disks:
            raise ConfigError(f"there is no disk {name!r}; {nearest(name, self.disks)}")
        return self.disks[name]

    def chosen(self) -> str:
        """The default disk's name."""
        if self.default is None:
            names = ", ".join(self.disks) or "none yet"
            raise ConfigError(f"no disk is the default; set `default` to one of: {names}")
        return self.default

    def with_disk(self, name: str, config: DiskConfig, /) -> "Filesystems":
        """The same with one disk more, or another one under this name."""
        self.check_references(name, config)
        return Filesystems(self.default or name, {**self.disks, name: config}, self.keys)

    def check_references(self, name: str, config: DiskConfig, /) -> None:
        """Refuse a disk that stands on one that is not there, or on itself."""
        _check_references(name, config, {**self.disks, name: config})


class _Top(BaseModel):
    model_config = _MODEL
    default: str | None = None
    signing_key: SecretStr | list[SecretStr] | None = None
    disks: dict[str, Any] = Field({}, repr=False)


def filesystems(found: Found, /, *, extended: Collection[str] = ()) -> Filesystems:
    """The configuration that was found, checked; `extended` are drivers known besides ours."""
    for key in found.values:
        if key not in _TOP:
            raise _in(found.origin, unknown_key(str(key), _TOP, None))
    top = _validated(_Top, found.values, None)
    disks = {
        name: disk_config(name, raw, folder=found.folder, extended=extended)
        for name, raw in top.disks.items()
    }
    for name, config in disks.items():
        _check_references(name, config, disks)
    default = _default(top.default, disks)
    return Filesystems(default, disks, _keys(top.signing_key))


def disk_config(
    name: str, raw: Any, /, *, folder: str | None = None, extended: Collection[str] = ()
) -> DiskConfig:
    """One disk from a mapping or a URL; a relative root is taken from `folder`, or the working one."""
    if isinstance(raw, str):
        raw = _from_url(name, raw)
    where: dict[str, Any] = {"folder": folder, "extended": extended}
    given = {_COMMON_ALIASES.get(key, key): value for key, value in _keyed(name, raw).items()}
    if "driver" not in given:
        raise ConfigError("driver is missing; for example driver = 'local'", disk=name)
    driver = given.pop("driver")
    _check_driver(name, driver, extended)
    own = {key: given.pop(key) for key in _AROUND if key in given}
    own["layers"] = [_layer(name, item) for item in _listed(name, own.get("layers", []))]
    own["cache"] = _cache(name, own.get("cache"))
    if driver in STANDS_ON and driver not in extended:
        taken = given.pop(STANDS_ON[driver], None)
        own["disks"] = [
            one if isinstance(one, str) and not is_url(one) else _inner(name, place, one, where)
            for place, one in _stood_on(name, driver, taken)
        ]
        _check_scoped(name, driver, own, given)
    options = {key: concealed(key, value) for key, value in given.items()}
    if driver == "local" and driver not in extended:
        options = _local(options, folder or os.getcwd())
    if driver == "ftp" and driver not in extended:
        options = _ftp(options)
    if driver in PROVIDERS and driver not in extended:
        options = {"provider": driver, **options}
    return _validated(DiskConfig, {"driver": driver, **own, "options": options}, name)


def _from_url(name: str, url: str) -> dict[str, Any]:
    if not is_url(url):
        raise ConfigError("a disk is a mapping or a URL such as 'local:///srv/files'", disk=name)
    try:
        return from_url(url)
    except ConfigError as error:
        error.located(disk=name)
        raise


def _keyed(name: str, raw: Any) -> dict[str, Any]:
    try:
        return _TABLE.validate_python(raw)
    except ValidationError:
        kind = type(raw).__name__
    raise ConfigError(f"this is a mapping with text for keys, not {kind}", disk=name)


def _check_driver(name: str, driver: Any, extended: Collection[str]) -> None:
    if not isinstance(driver, str):
        raise ConfigError(f"driver is a name, not {type(driver).__name__}", disk=name)
    if driver in STANDS_ON or driver in extended or DRIVERS.knows(driver):
        return
    hint = nearest(driver, {*DRIVERS.names(), *STANDS_ON, *extended})
    way_out = "one of your own is made known by Storage.extend before"
    raise ConfigError(f"there is no driver {driver!r}; {hint} ({way_out})", disk=name)


def _stood_on(name: str, driver: str, taken: Any) -> list[tuple[str, Any]]:
    """The disks that a driver of disks names, each a name, a URL or a mapping, and where it stands."""
    key = STANDS_ON[driver]
    if not taken:
        hint = "a scoped disk names both" if key == "disk" else f"a {driver} names two or more"
        raise ConfigError(f"{key} is missing; {hint}", disk=name)
    listed = [taken] if key == "disk" else taken
    if not isinstance(listed, list | tuple):
        raise ConfigError("disks is a list of names, URLs and mappings", disk=name)
    disks = list(cast(list[Any], listed))
    for one in disks:
        if not isinstance(one, str | Mapping):
            kind = type(one).__name__
            raise ConfigError(f"{key}: a disk is a name, a URL or a mapping, not {kind}", disk=name)
        if isinstance(one, str) and disks.count(one) > 1 and not is_url(one):
            raise ConfigError(
                f"disks names {one!r} twice; one disk is no copy of itself", disk=name
            )
    if key == "disks" and (len(disks) < _LEAST or (driver == "readthrough" and disks[_LEAST:])):
        wanted = "two, [fast, origin]" if driver == "readthrough" else "two or more"
        raise ConfigError(f"disks has {len(disks)}; a {driver} stands on {wanted}", disk=name)
    return _placed(key, disks)


def _placed(key: _Key, disks: Sequence[T]) -> list[tuple[str, T]]:
    return [(key if key == "disk" else f"disks[{number}]", one) for number, one in enumerate(disks)]


def _inner(name: str, place: str, raw: Any, where: Mapping[str, Any]) -> "DiskConfig":
    try:
        return disk_config(name, raw, **where)
    except ConfigError as error:
        error.reason = f"{place}: {error.reason}"
        raise


def _check_scoped(
    name: str, driver: str, own: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    if driver != "scoped":
        return
    if not own.get("prefix"):
        raise ConfigError("prefix is missing; a scoped disk names both", disk=name)
    for key in options:
        raise unknown_key(key, [*COMMON, "disk"], name)


def _cache(name: str, raw: Any) -> LayerConfig | None:
    """`cache`, which is yes, no or the options of the layer."""
    if isinstance(raw, Mapping):
        return _layer(name, {**cast(Mapping[str, Any], raw), "layer": "cache"})
    chosen = _YES_OR_NO_OF_ANY.get(str(raw).lower())
    if chosen is None:
        raise ConfigError(
            "cache is true, false, or a table of the layer's options, such as "
            "{store = 'redis', ttl = 3600}",
            disk=name,
        )
    return _layer(name, "cache") if chosen else None


def _listed(name: str, layers: Any) -> list[Any]:
    if not isinstance(layers, list | tuple):
        raise ConfigError(
            "layers is a list, the outermost first, such as ['compression', {layer = 'retry'}]",
            disk=name,
        )
    return list(cast(list[Any], layers))


def _layer(name: str, raw: Any) -> LayerConfig:
    options: dict[str, Any] = {"layer": raw} if isinstance(raw, str) else {}
    if isinstance(raw, Mapping):
        options = _keyed(name, raw)
    layer = options.pop("layer", None)
    if not isinstance(layer, str):
        raise ConfigError("a layer is a name or {layer = name, ...}", disk=name)
    _check_layer(name, layer)
    store = options.get("store") if layer == "cache" else None
    store = store if isinstance(store, str) and store not in _STORES else None
    hidden = {
        key: concealed(key, value)
        for key, value in options.items()
        if store is None or key != "store"
    }
    return _validated(LayerConfig, {"layer": layer, "store": store, "options": hidden}, name)


def _check_layer(name: str, layer: str) -> None:
    if STANDS_ON.get(layer) == "disks":
        way_out = f'{{"driver": "{layer}", "disks": [...]}}'
        raise ConfigError(
            f"{layer!r} stands on several disks; it is a driver: {way_out}", disk=name
        )
    if not LAYERS.knows(layer):
        known = [one for one in LAYERS.names() if STANDS_ON.get(one) != "disks"]
        raise ConfigError(f"there is no layer {layer!r}; {nearest(layer, known)}", disk=name)


def _local(options: dict[str, Any], folder: str) -> dict[str, Any]:
    """A relative root taken from the folder, and Laravel's word for folders in `permissions`."""
    root, modes = options.get("root"), options.get("permissions")
    if isinstance(root, str | os.PathLike) and root:
        place = os.path.expanduser(os.fspath(cast(str, root)))
        options = {**options, "root": os.path.join(folder, place)}
    if isinstance(modes, Mapping) and "dir" in modes:
        given = cast(Mapping[str, Any], modes)
        renamed = {("folder" if key == "dir" else key): given[key] for key in given}
        options = {**options, "permissions": renamed}
    return options


def _ftp(options: dict[str, Any]) -> dict[str, Any]:
    """Laravel's `ssl`, which is yes or no, as `tls`; a URL and the environment have it as text."""
    if "ssl" in options and "tls" not in options:
        options = {"tls" if key == "ssl" else key: value for key, value in options.items()}
    chosen = _YES_OR_NO.get(str(options.get("tls")).lower())
    return options if chosen is None else {**options, "tls": chosen}


def _check_references(name: str, config: DiskConfig, disks: Mapping[str, DiskConfig]) -> None:
    """Refuse a disk that stands on one that is not there, or on itself over whatever way."""
    sound: set[str] = set()

    def follow(one: DiskConfig, way: list[str]) -> None:
        layers = (*one.layers, *([one.cache] if one.cache else []))
        stores = [layer.store for layer in layers if layer.store is not None]
        for target in (*one.disks, *stores):
            if isinstance(target, DiskConfig):
                follow(target, way)
                continue
            if target in way:
                shown = " -> ".join([*way, target])
                raise ConfigError(f"it stands on itself: {shown}", disk=name)
            if target not in disks:
                known = [*disks, *(_STORES if target in stores else ())]
                reason = f"there is no disk {target!r}; {nearest(target, known)}"
                raise ConfigError(reason, disk=name)
            if target not in sound:
                follow(disks[target], [*way, target])
                sound.add(target)

    follow(config, [name])


def _default(given: str | None, disks: Mapping[str, DiskConfig]) -> str | None:
    if given is not None:
        if given not in disks:
            raise ConfigError(f"the default disk {given!r} is not there; {nearest(given, disks)}")
        return given
    if "local" in disks:
        return "local"
    return next(iter(disks)) if len(disks) == 1 else None


def _keys(given: SecretStr | list[SecretStr] | None) -> SigningKeys | None:
    if given is None:
        secret = os.environ.get("STOREROOM_SIGNING_KEY")
        return SigningKeys(secret) if secret else None
    several = given if isinstance(given, list) else [given]
    return SigningKeys([key.get_secret_value() for key in several])


def _validated(model: type[M], values: Mapping[str, Any], where: str | None) -> M:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        reasons = explained(error)
    raise ConfigError(reasons, disk=where)


def _in(origin: str, error: ConfigError) -> ConfigError:
    error.reason = f"{origin}: {error.reason}"
    return error
