"""Storage: what everybody imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import storeroom
import storeroom.facade
from storeroom import ConfigError, Storage, StorageManager


def run(code: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_processs_manager() -> None:
    assert Storage is storeroom.facade.Storage is StorageManager()


def test_the_front_door_has_what_it_says() -> None:
    assert len(storeroom.__all__) <= 30
    for name in set(storeroom.__all__) - {"Storage"}:
        assert getattr(storeroom, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'storeroom' has no attribute 'S3Drive'"):
        _ = storeroom.S3Drive


def test_five_lines_work_with_no_configuration(tmp_path: Path) -> None:
    printed = run(
        "import asyncio\n"
        "from storeroom import Storage\n"
        "media = Storage.disk('memory')\n"
        "async def main():\n"
        "    path = await Storage.put('avatars/42.png', b'png')\n"
        "    print(await Storage.get(path), Storage.url(path))\n"
        "    await media.put('x', b'')\n"
        "    async for chunk in Storage.read_stream(path): print(chunk)\n"
        "    print(await Storage.delete(path), await Storage.exists(path))\n"
        "asyncio.run(main())\n",
        tmp_path,
    )
    assert printed.split("\n")[:2] == ["b'png' /storage/avatars/42.png", "b'png'"]
    assert printed.split("\n")[2] == "True False"
    assert (tmp_path / "storage/app/avatars").is_dir()


def test_importing_reads_and_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "filesystems.toml").write_text("this is not toml")
    run("import storeroom; media = storeroom.Storage.disk(); print(media)", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["filesystems.toml"]


def test_importing_loads_only_what_every_program_needs(tmp_path: Path) -> None:
    code = "import storeroom, sys; print(*sys.modules)"
    loaded = set(run(code, tmp_path).split())
    assert not loaded & {"pydantic", "tomllib", "importlib.metadata", "storeroom.config"}
    assert not loaded & {"storeroom.drivers.local", "storeroom.drivers.memory", "storeroom.testing"}


def test_an_application_may_close_it_more_than_once(tmp_path: Path) -> None:
    printed = run(
        "import asyncio\n"
        "from storeroom import Storage\n"
        "async def main():\n"
        "    for _ in range(2):\n"
        "        async with Storage:\n"
        "            await Storage.put('x', b'1')\n"
        "            print(await Storage.get('x'))\n"
        "for _ in range(2): asyncio.run(main())\n",
        tmp_path,
    )
    assert printed.split() == ["b'1'"] * 4


@pytest.mark.parametrize("url", ["memory://", "local:///tmp/nowhere"])
def test_one_variable_changes_the_disk(tmp_path: Path, url: str) -> None:
    code = "from storeroom import Storage; print(type(Storage.driver).__name__)"
    name = run(code, tmp_path, FILESYSTEM_DISK=url).strip()
    assert name == ("MemoryDriver" if url.startswith("memory") else "LocalDriver")


def test_s3_needs_its_bucket() -> None:
    disk = Storage.disk("s3")
    with pytest.raises(ConfigError, match="on disk 's3': bucket: Field required"):
        _ = disk.driver
