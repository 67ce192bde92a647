"""What holds for every test: no setting from outside, and no blocking call on a loop."""

import builtins
import gc
import io
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import ModuleType

import pytest
from blockbuster import BlockBuster, BlockBusterFunction
from hypothesis import settings

import storeroom
import storeroom.testing

pytest_plugins = ["tests.servers.fixtures"]

OUTSIDE = ("AWS_", "FILESYSTEM_", "STOREROOM_")

# Calls of drivers that blockbuster does not watch by itself.
ALSO_BLOCKING: dict[ModuleType, tuple[str, ...]] = {
    builtins: ("open",),
    io: ("open",),
    os: (
        "chmod",
        "copy_file_range",
        "fchmod",
        "fdatasync",
        "fsync",
        "ftruncate",
        "getxattr",
        "listxattr",
        "lstat",
        "open",
        "pread",
        "pwrite",
        "setxattr",
        "utime",
    ),
}

# They answer from the process's own memory: making a path absolute waits for nothing.
NOT_BLOCKING = ("os.getcwd", "os.path.abspath", "os.path.samestat")

# Synchronous by design, so they may touch a file where they are called: {file: (functions, reason)}.
MAY_BLOCK: dict[str, tuple[set[str], str]] = {
    "_cdn/cloudfront.py": ({"_create"}, "a loop of its own, in a worker thread"),
    "_gcs/credentials.py": ({"account", "fetch"}, "a loop of its own, in a worker thread"),
    "_s3/credentials.py": ({"fetch"}, "a loop of its own, in a worker thread"),
    "_s3/sdk.py": ({"_made"}, "a loop of its own, in a worker thread"),
    "storeroom/config/sources.py": ({"look"}, "`disk(name)` reads the configuration, once"),
    "storeroom/contracts/registry.py": ({"_installed"}, "a name not ours: entry points are read"),
    "storeroom/manager/manager.py": ({"fake"}, "the testing kit may block"),
    "linecache.py": ({"checkcache", "updatecache"}, "a traceback shows its source"),
    "<frozen importlib._bootstrap>": ({"_find_and_load"}, "an import is cached"),
}

settings.register_profile("storeroom", deadline=None)
settings.load_profile("storeroom")


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith(OUTSIDE)]:
        del os.environ[name]


def pytest_collection_finish() -> None:
    """Tens of thousands of tests stay to the end: no collection of garbage looks at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_blocking_call_on_a_loop() -> Iterator[BlockBuster]:
    """Watches `storeroom`'s own code; tests, the testing kit's among them, may block."""
    watch = _watch()
    watch.activate()
    yield watch
    watch.deactivate()


@pytest.fixture(autouse=True)
def configuration_of_its_own(storeroom_restored: None) -> None:
    """Each test looks for a configuration where it stands; the plugin puts back what was."""
    storeroom.Storage.configure(None)


@pytest.fixture
def blocking_allowed(no_blocking_call_on_a_loop: BlockBuster) -> Iterator[None]:
    """For the rare test that blocks on purpose, through `storeroom`'s code."""
    no_blocking_call_on_a_loop.deactivate()
    yield
    no_blocking_call_on_a_loop.activate()


def _watch() -> BlockBuster:
    watched, kit = [storeroom], [storeroom.testing]
    watch = BlockBuster(watched, excluded_modules=kit)
    for module, names in ALSO_BLOCKING.items():
        for name in names:
            if hasattr(module, name):
                call = BlockBusterFunction(
                    module, name, scanned_modules=watched, excluded_modules=kit
                )
                watch.functions[call.full_name] = call
    for name in NOT_BLOCKING:
        watch.functions.pop(name, None)
    for call in watch.functions.values():
        for file, (functions, _) in MAY_BLOCK.items():
            call.can_block_in(file, functions)
        call.can_block_predicate = partial(_may_run, call.can_block_predicate)
    return watch


def _may_run(is_harmless: Callable[..., bool], /, *args: object, **kwargs: object) -> bool:
    """Whether a call needs no look by blockbuster, which compares every file of a stack with all names."""
    if is_harmless(*args, **kwargs):
        return True
    frame, is_ours = sys._getframe(2), False
    while frame is not None:
        is_ours = is_ours or _is_ours(frame.f_code.co_filename)
        frame = frame.f_back
    return not is_ours


@cache
def _is_ours(file: str) -> bool:
    kit, ours = (os.path.dirname(str(kind.__file__)) for kind in (storeroom.testing, storeroom))
    return file.startswith(ours) and not file.startswith(kit)
