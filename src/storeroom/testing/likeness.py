"""What a fake is made after: the configured disk as far as it can be built, else what is known."""

import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storeroom.config import Builder, DiskConfig, Filesystems
from storeroom.config.models import LayerConfig
from storeroom.config.parameters import parameters_of, revealed
from storeroom.contracts.abilities import ABILITIES, PublicUrl, find, has, within
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import ConfigError, MissingPackage, StorageError
from storeroom.contracts.nearest import nearest
from storeroom.contracts.paths import quoted
from storeroom.contracts.values import Traits
from storeroom.drivers._registry import DRIVERS, profile
from storeroom.drivers.local import LocalDriver
from storeroom.drivers.memory import MemoryDriver
from storeroom.testing.faults import Faults
from storeroom.testing.pose import LocalPose, Pose, Service

if TYPE_CHECKING:
    from storeroom.manager import StorageManager

__all__ = ["Likeness", "likeness"]

_UNBUILDABLE = (StorageError, ImportError, LookupError, OSError, TypeError, ValueError)
_LOCAL_NAMES = frozenset(("local", "public"))
_LOCAL_OPTIONS = ("url", "visibility", "directory_visibility", "permissions")
_INWARD = {
    "cache": ("ttl", "negative_ttl", "max_bytes", "max_entries", "max_object"),
    "cdn": ("domain", "cache_control"),
}
_NAMES = ("bucket", "container", "host", "name")


@dataclass(frozen=True, slots=True)
class Likeness:
    """A stand-in: the faked disk's own layers on `faults`, and its folder where it is a local disk."""

    top: StorageDriver
    faults: Faults
    folder: str | None = None


def likeness(
    manager: "StorageManager", name: str, /, *, driver: str | None = None, url: str | None = None
) -> Likeness:
    """A stand-in for the disk; `driver` says what to take it for, `url` where its files are."""
    shelf = manager._shelf  # pyright: ignore[reportPrivateUsage]  # the kit knows the manager
    known, state = shelf.config(), shelf.saved()
    if driver is not None and profile(driver) is None:
        _check(driver, state.extended)
    config = known.disks.get(name) if driver is None else None
    given = _bottom(state.given.get(name)) if driver is None else None
    if given is not None and not isinstance(given, (Pose, LocalPose)):
        config = None  # what was set by hand stands before the configured disk, layers and all
    leaf = None if config is None else _leaf(config, known)
    model = given if leaf is None else _built(name, leaf, state.extended)
    word = driver or _word(name, leaf, model)
    folder = None
    if isinstance(model, LocalDriver) or (model is None and word == "local"):
        folder = _folder()
        faults = Faults(_local(name, folder, leaf, url))
    else:
        faults = Faults(Pose(name, _service(name, word, leaf, model, url)))
    if config is None:
        return Likeness(faults, faults, folder)
    builder = Builder({}, lambda _: faults)  # type: ignore[arg-type, return-value]
    try:
        return Likeness(builder.build(name, _swapped(config, known)), faults, folder)
    except StorageError as error:
        error.located(disk=name)
        raise


def _check(driver: str, extended: Mapping[str, object]) -> None:
    known = {*DRIVERS.entries, *DRIVERS.names(), *extended}
    if driver not in known:
        raise ConfigError(f"there is no driver {driver!r}; {nearest(driver, known)}")


def _leaf(config: DiskConfig, known: Filesystems) -> DiskConfig:
    """The configuration at the bottom of disks that stand on disks."""
    while config.disks:
        first = config.disks[0]
        config = first if isinstance(first, DiskConfig) else known.disk(first)
    return config


def _swapped(config: DiskConfig, known: Filesystems) -> DiskConfig:
    """The same layers over whatever the builder's `disk` gives; of several disks over the first's."""
    inner = config.disks[0] if config.disks else None
    if isinstance(inner, str):
        inner = known.disk(inner)
    below: str | DiskConfig = "fake" if inner is None else _swapped(inner, known)
    own: dict[str, Any] = {"driver": "scoped", "disks": (below,), "options": {}, "retries": None}
    own["layers"] = tuple(_inward(layer) for layer in config.layers)
    own["cache"] = config.cache and _inward(config.cache)
    return config.model_copy(update=own)


def _inward(layer: LayerConfig) -> LayerConfig:
    """The layer without what reaches out of the process: a test changes nobody's cache and no CDN."""
    kept = _INWARD.get(layer.layer)
    if kept is None:
        return layer
    options = {key: value for key, value in layer.options.items() if key in kept}
    return layer.model_copy(update={"store": None, "options": options})


def _built(
    name: str, leaf: DiskConfig, extended: Mapping[str, Callable[..., StorageDriver]]
) -> StorageDriver | None:
    """The configured driver, which is only asked what needs no service; None if it cannot be made."""
    bare = {"layers": (), "cache": None, "prefix": None, "read_only": False, "retries": None}
    try:
        return Builder(extended, lambda _: _missing()).build(name, leaf.model_copy(update=bare))
    except _UNBUILDABLE:
        return None


def _missing() -> Any:
    raise ConfigError("a fake builds no second disk")


def _bottom(driver: Any) -> Any:
    """The driver under all layers."""
    while driver is not None and (inner := within(driver)) is not None:
        driver = inner
    return driver


def _word(name: str, leaf: DiskConfig | None, model: StorageDriver | None) -> str:
    """What the disk is, by the driver's name; "memory" where nothing says."""
    if leaf is not None:
        return leaf.driver
    if model is not None:
        return model.traits.service
    if name in _LOCAL_NAMES:
        return "local"
    return name if name in DRIVERS.entries else "memory"


def _folder() -> str:
    """The name of a new folder, which the first write makes: a fake may be put up on a loop."""
    return os.path.join(tempfile.gettempdir(), f"storeroom-fake-{secrets.token_hex(16)}")


def _local(name: str, folder: str, leaf: DiskConfig | None, url: str | None) -> LocalPose:
    given: dict[str, Any] = {}
    if leaf is not None:
        _, given = parameters_of(LocalDriver).arguments({**leaf.options, "root": folder}, name)
    options = {key: given[key] for key in _LOCAL_OPTIONS if key in given}
    if url is not None:
        options["url"] = url
    return LocalPose(name, folder, **options)


def _service(
    name: str, word: str, leaf: DiskConfig | None, model: StorageDriver | None, url: str | None
) -> Service:
    if isinstance(model, Pose) and url is None:
        return model.service
    if model is not None:
        kinds = frozenset(kind for kind in ABILITIES if find(model, kind) is not None)
        public = find(model, PublicUrl)
        address = _under(url) if url else None if public is None else public.public_url
        return Service(model.traits, kinds, address)
    found = profile(word)
    base = url or _base(name, leaf, None if found is None else found.url)
    traits = Traits(word, ordered=True, keeps=_memory().keeps) if found is None else found.traits
    if base is None:
        return Service(traits, _abilities(word), None)
    return Service(traits, _abilities(word) | {PublicUrl}, _under(base))


def _abilities(word: str) -> frozenset[Callable[..., Any]]:
    """What is known of the service, or what the driver's class has."""
    found = profile(word)
    if found is not None:
        return found.abilities
    try:
        owner = DRIVERS.load(word)
    except (ConfigError, MissingPackage):
        owner = MemoryDriver
    return frozenset(kind for kind in ABILITIES if has(owner, kind))


def _memory() -> Traits:
    return MemoryDriver().traits


def _base(name: str, leaf: DiskConfig | None, shape: str | None) -> str | None:
    """What addresses begin with: as configured, else by the bucket's, container's or host's name."""
    options = {} if leaf is None else leaf.options
    if options.get("url"):
        return str(revealed(options["url"]))
    own = next((str(options[key]) for key in _NAMES if options.get(key)), name)
    return None if shape is None else shape.format(name=own)


def _under(base: str) -> Callable[[str], str]:
    start = base.rstrip("/")
    return lambda path: f"{start}/{quoted(path)}"
