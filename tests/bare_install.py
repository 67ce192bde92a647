"""Run by `make bare` in an environment with nothing but `pip install .`, warnings being errors."""

import sys

import storeroom
from storeroom import Storage

LAZY = {
    "aioboto3",
    "aioftp",
    "asyncssh",
    "azure",
    "boto3",
    "botocore",
    "gcloud",
    "magic",
    "pydantic",
}
loaded = LAZY & {name.partition(".")[0] for name in sys.modules}
assert not loaded, f"`import storeroom` loads {sorted(loaded)}"

# Only now: what is imported here must not hide what storeroom imports.
import asyncio  # noqa: E402
import importlib  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402


async def main(root: str) -> None:
    Storage.configure(
        {
            "default": "local",
            "disks": {"local": {"driver": "local", "root": root}, "memory": {"driver": "memory"}},
        },
    )
    async with Storage:
        for name in ("local", "memory"):
            disk = Storage.disk(name)
            assert await disk.put("a folder/ü.txt", "bytes") == "a folder/ü.txt"
            assert await disk.get("a folder/ü.txt") == b"bytes"
            assert await disk.all_files() == ["a folder/ü.txt"]
            assert await disk.delete("a folder/ü.txt")


with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder))
for package, name in (("drivers", "SFTPDriver"), ("layers", "Encryption")):
    offered = importlib.import_module(f"storeroom.{package}")
    assert name in dir(offered)
    try:
        getattr(offered, name)
    except storeroom.MissingPackage:
        continue
    raise AssertionError(f"{name} needs a package that is not here")
where = Path(storeroom.__file__).parent
assert "site-packages" in where.parts, f"this is not the installed package: {where}"
assert (where / "py.typed").is_file()
print(f"bare install: {where} stores on local and memory disks")
