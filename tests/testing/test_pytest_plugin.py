"""The plugin gives every test the disks as they were, and costs nothing where nobody uses them."""

import os
import subprocess
import sys

import pytest

from storeroom import Storage
from storeroom.contracts.errors import ConfigError

pytest_plugins = ["pytester"]

BARE = ("-p", "no:asyncio", "-p", "no:xdist", "-p", "no:timeout", "-p", "no:cacheprovider")

LEAKING = """
    import asyncio
    import unittest
    from pathlib import Path

    import pytest
    from storeroom import ConfigError, MemoryDriver, Storage
    from storeroom.testing import FakeDisk

    media = Storage.disk("local")
    left = []

    @pytest.fixture(scope="module")
    def kept():
        return Storage.fake("kept for the module")

    def test_leaves_everything_behind(kept):
        disk = Storage.fake("local")
        asyncio.run(media.put("a b.txt", "leaked"))
        left.append(Path(disk.path("a b.txt")))
        assert left[0].read_text() == "leaked"
        Storage.fake("memory")
        Storage.fake("unheard of")
        Storage.fake()
        Storage.set_driver(MemoryDriver(), "by hand")
        Storage.extend("acme", MemoryDriver)
        Storage.configure({"default": "other", "disks": {"other": {"driver": "memory"}}})
        asyncio.run(kept.put("a", "1"))

    def test_finds_nothing_of_it(kept):
        assert type(Storage.disk("memory").driver) is MemoryDriver
        assert not left[0].exists() and not left[0].parent.exists()
        for name in ("unheard of", "by hand", "other"):
            with pytest.raises(ConfigError):
                Storage.disk(name)
        with pytest.raises(ConfigError):
            Storage.build({"driver": "acme"})
        assert asyncio.run(Storage.missing("a b.txt"))
        kept.assert_exists("a", "1")
        asyncio.run(Storage.disk("kept for the module").put("b", "2"))
        kept.assert_count("", 2)

    class TestOfTheStandardLibrary(unittest.TestCase):
        def test_1(self):
            Storage.fake("s3 of unittest")

        def test_2(self):
            with self.assertRaises(ConfigError):
                Storage.disk("s3 of unittest")
"""


@pytest.fixture
def alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    pytester.makeini("[pytest]\nfilterwarnings = error")
    return pytester


def test_a_test_that_leaks_does_not_reach_the_next(alone: pytest.Pytester) -> None:
    alone.makepyfile(LEAKING)
    alone.runpytest_subprocess(*BARE).assert_outcomes(passed=4)


def test_without_the_plugin_it_would(alone: pytest.Pytester) -> None:
    alone.makepyfile(LEAKING)
    result = alone.runpytest_subprocess(*BARE, "-p", "no:storeroom")
    result.assert_outcomes(passed=2, failed=2)


def test_it_works_beside_pytest_asyncio(alone: pytest.Pytester) -> None:
    alone.makeini(
        "[pytest]\nasyncio_mode = auto\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = function"
    )
    alone.makepyfile("""
        import pytest
        from storeroom import ConfigError, Storage

        @pytest.fixture
        async def disk():
            disk = Storage.fake("s3")
            await disk.put("seed", "1")
            yield disk
            disk.assert_exists("seed")
            assert await Storage.disk("s3").exists("seed")

        async def test_one(disk):
            await Storage.disk("s3").put("a", "1")
            disk.assert_count("", 2)

        async def test_two(disk):
            disk.assert_count("", 1)

        async def test_three():
            from storeroom.testing import FakeDisk
            Storage.fake("media")

        async def test_four():
            with pytest.raises(ConfigError):
                Storage.disk("media")
    """)
    alone.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=4)


def test_the_marks_of_the_suite_are_known(alone: pytest.Pytester) -> None:
    alone.makepyfile("""
        import pytest
        from storeroom.testing import DriverSuite

        @pytest.mark.heavy
        def test_one():
            assert DriverSuite
    """)
    result = alone.runpytest_subprocess("--strict-markers", *BARE, "-m", "heavy")
    result.assert_outcomes(passed=1)


def test_what_no_test_uses_is_not_loaded(alone: pytest.Pytester) -> None:
    alone.makepyfile("""
        import sys

        def test_one():
            heavy = {"pydantic", "aioboto3", "botocore", "gcloud", "azure", "aioftp", "asyncssh"}
            parts = {"storeroom.testing.fake", "storeroom.config", "storeroom.drivers.local"}
            assert not (heavy | parts) & set(sys.modules)
    """)
    alone.runpytest_subprocess(*BARE).assert_outcomes(passed=1)


def test_the_kit_can_be_imported_without_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from storeroom import Storage\n"
        "from storeroom.testing import FakeDisk, Faults\n"
        "with Storage.fake('s3') as disk: disk.assert_empty()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_fake_loads_no_sdk() -> None:
    code = (
        "import sys\n"
        "from storeroom import Storage\n"
        "for name in ('s3', 'gcs', 'azure', 'ftp', 'sftp'): Storage.fake(name).assert_empty()\n"
        "print(*{'aioboto3', 'botocore', 'gcloud', 'azure', 'aioftp', 'asyncssh'} & {*sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_folders_of_local_fakes_go_with_the_process() -> None:
    code = (
        "import asyncio, os\n"
        "from storeroom import Storage\n"
        "disk = Storage.fake('local')\n"
        "asyncio.run(disk.put('a/b', '1'))\n"
        "assert os.path.isfile(disk.path('a/b'))\n"
        "print(disk.path('a/b'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    path = done.stdout.strip()
    assert "storeroom-fake-" in path
    assert not os.path.exists(os.path.dirname(os.path.dirname(path)))


def test_a_fake_is_left_here() -> None:
    Storage.fake("left by the test above")


def test_and_is_not_found_here() -> None:
    with pytest.raises(ConfigError):
        Storage.disk("left by the test above")
