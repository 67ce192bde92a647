"""A folder tree from an SSH server to S3: streamed, compared, and only then removed from where it came.

    SFTP_URL='sftp://files@sftp.example.com/outgoing' S3_URL='s3://media?region=eu-west-1' \
        python examples/sftp_to_s3.py invoices

What the URLs leave open comes from ~/.ssh/known_hosts and the usual AWS variables; an agent, a key or a
password goes into the first one as an option: `?private_key=~/.ssh/id_ed25519`.
"""

import asyncio
import os
import sys

from storeroom import Disk, Storage

Storage.configure(
    {
        "default": "s3",
        "disks": {
            "sftp": os.environ.get("SFTP_URL", "sftp://files@localhost/outgoing?agent=true"),
            "s3": os.environ.get("S3_URL", "s3://media?region=eu-west-1"),
        },
    }
)


async def main(folder: str) -> None:
    async with Storage:
        await moved(folder, Storage.disk("sftp"), Storage.disk("s3"))


async def moved(folder: str, sftp: Disk, s3: Disk) -> None:
    """Copy the tree, four files at a time, none of which is ever whole in memory."""
    report = await sftp.copy_directory(folder, folder, disk=s3, concurrency=4, progress=show)
    for path, error in report.failed.items():
        print(f"failed  {path}: {error}")
    report.raise_failures()  # one file that fails stops no other, and here the rest is safe

    for path, copy in report.done.items():
        same = await sftp.checksum(path) == await s3.checksum(copy)
        print(f"{'same   ' if same else 'CHANGED'} {path} -> {copy}")
        if not same:
            raise SystemExit(f"{path} changed while it was copied; run this again")
    await sftp.delete_directory(folder)
    print(f"removed {folder} from the server")


def show(files: int, total: int | None) -> None:
    print(f"copied  {files} of {total or '?'}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "invoices"))
