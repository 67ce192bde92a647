"""Several disks under their names, views of a part of one, and files going from one to another."""

import asyncio

from storeroom import InvalidPath, NotFound, PermissionDenied, Storage

Storage.configure(
    {
        "default": "local",
        "disks": {
            "local": {"driver": "local", "root": "storage/app"},
            "public": {"driver": "local", "root": "storage/public", "url": "/static"},
            "cache": {"driver": "memory"},
            "archive": {"driver": "scoped", "disk": "local", "prefix": "archive"},
        },
    }
)

public = Storage.disk("public")  # may stand at the top of a module: it opens nothing


async def main() -> None:
    async with Storage:
        await asyncio.gather(
            Storage.put("notes.txt", "on the default disk"),
            public.put("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
            Storage.disk("cache").put("notes.txt", "in memory, under the same path"),
        )
        print("default ", await Storage.text("notes.txt"))
        print("cache   ", await Storage.disk("cache").text("notes.txt"))
        print("public  ", public.url("logo.svg"))
        await across()
        await views()


async def across() -> None:
    """A copy and a move between disks: as a stream, verified before the source goes."""
    cache = Storage.disk("cache")
    await Storage.copy("notes.txt", "copied.txt", disk=cache)
    await cache.move("copied.txt", "kept/notes.txt", disk=public)
    report = await public.copy_directory("", "backup", disk=Storage.disk("archive"))
    print("copied  ", dict(report.done), "failed", dict(report.failed))
    print("archive ", await Storage.files("archive/backup"))


async def views() -> None:
    """A tenant's part of a disk, and a disk nobody can change."""
    tenant = public.scoped("tenants/1")
    await tenant.put("logo.svg", "<svg/>")
    print("tenant  ", await tenant.all_files(), "is", await public.files("tenants/1"))
    try:
        await tenant.get("../../logo.svg")
    except InvalidPath as error:
        print("refused ", error)
    try:
        await tenant.read_only().delete("logo.svg")
    except PermissionDenied as error:
        print("refused ", error)
    try:
        await Storage.build("memory://").get("logo.svg")
    except NotFound as error:
        print("not on a new disk:", error)


if __name__ == "__main__":
    asyncio.run(main())
