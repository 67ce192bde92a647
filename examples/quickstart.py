"""The words most programs need, on the default disk: no configuration, files under `storage/app`."""

import asyncio

from storeroom import NotFound, Storage


async def main() -> None:
    path = await Storage.put("reports/2024.csv", "year,total\n2024,42\n")
    print("stored  ", path, "at", Storage.path(path))
    print("address ", Storage.url(path))
    print("text    ", (await Storage.text(path)).splitlines())

    await Storage.append(path, "2025,43\n", separator="")
    async with Storage.read_stream(path) as stream:
        print("type    ", stream.stat.content_type)
        async for line in stream.lines():
            print("line    ", line)

    await Storage.copy(path, "archive/2024.csv")
    await Storage.put_json("archive/index.json", {"files": ["2024.csv"]})
    print("files   ", await Storage.all_files())
    print("sha256  ", await Storage.checksum(path))

    print("deleted ", await Storage.delete(path), "then", await Storage.delete(path))
    try:
        await Storage.get(path)
    except NotFound as error:
        print("error   ", error)
    await Storage.delete_directory("archive")


if __name__ == "__main__":
    asyncio.run(main())
