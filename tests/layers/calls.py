"""Every method of every ability and every verb as a call on a path, for tables of them."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from storeroom.contracts.body import Body
from storeroom.contracts.errors import StorageError
from storeroom.contracts.values import Grant, WriteOptions

UNTIL = datetime.now(UTC) + timedelta(hours=1)


def body(text: str = "new") -> Body:
    return Body(text.encode())


# Each method of each ability on one path; `other` is a second one.
ABILITY_CALLS: dict[str, Callable[[Any, str, str], Any]] = {
    "public_url": lambda native, path, other: native.public_url(path),
    "presign_read": lambda native, path, other: native.presign_read(Grant(path, "GET", UNTIL)),
    "presign_write": lambda native, path, other: native.presign_write(Grant(path, "PUT", UNTIL)),
    "presign_post": lambda native, path, other: native.presign_post(Grant(path, "PUT", UNTIL)),
    "copy_within": lambda native, path, other: native.copy_within(path, other),
    "copy_from": lambda native, path, other: native.copy_from(native.inner_origin, "src", path),
    "origin": lambda native, path, other: native.origin(path),
    "rename": lambda native, path, other: native.rename(path, other),
    "extend": lambda native, path, other: native.extend(path, body()),
    "read_visibility": lambda native, path, other: native.read_visibility(path),
    "change_visibility": lambda native, path, other: native.change_visibility(path, "public"),
    "has_folder": lambda native, path, other: native.has_folder(path),
    "make_folder": lambda native, path, other: native.make_folder(path),
    "remove_folder": lambda native, path, other: native.remove_folder(path),
    "digest": lambda native, path, other: native.digest(path, "sha256"),
    "start_parts": lambda native, path, other: native.start_parts(path),
    "write_part": lambda native, path, other: native.write_part(path, "id", 1, body()),
    "presign_part": lambda native, path, other: native.presign_part(path, "id", 1, UNTIL),
    "list_parts": lambda native, path, other: native.list_parts(path, "id"),
    "complete_parts": lambda native, path, other: native.complete_parts(path, "id", {}),
    "abort_parts": lambda native, path, other: native.abort_parts(path, "id"),
    "change_attributes": lambda native, path, other: native.change_attributes(
        path, WriteOptions(content_type="text/x")
    ),
    "change_time": lambda native, path, other: native.change_time(path, UNTIL),
    "read_tags": lambda native, path, other: native.read_tags(path),
    "change_tags": lambda native, path, other: native.change_tags(path, {"k": "v"}),
    "change_tier": lambda native, path, other: native.change_tier(path, "cold"),
    "list_versions": lambda native, path, other: collected(native.list_versions(path)),
    "read_version": lambda native, path, other: native.read_version(path, "m-1"),
    "restore_version": lambda native, path, other: native.restore_version(path, "m-1"),
    "remove_version": lambda native, path, other: native.remove_version(path, "m-1"),
    "acquire_lease": lambda native, path, other: native.acquire_lease(path, timedelta(9)),
    "renew_lease": lambda native, path, other: native.renew_lease(path, "id"),
    "release_lease": lambda native, path, other: native.release_lease(path, "id"),
    "local_path": lambda native, path, other: native.local_path(path),
}
# Each people's verb on one path.
VERB_CALLS: dict[str, Callable[[Any, str], Any]] = {
    "put": lambda files, path: files.put(path, "x"),
    "put_json": lambda files, path: files.put_json(path, {}),
    "write_stream": lambda files, path: files.write_stream(path, [b"x"]),
    "open_writer": lambda files, path: written(files.open_writer(path)),
    "put_file_as": lambda files, path: files.put_file_as("", b"x", path),
    "append": lambda files, path: files.append(path, "x"),
    "prepend": lambda files, path: files.prepend(path, "x"),
    "upload_from": lambda files, path: files.upload_from(__file__, path),
    "get": lambda files, path: files.get(path),
    "text": lambda files, path: files.text(path),
    "json": lambda files, path: files.json(path),
    "read_stream": lambda files, path: awaited(files.read_stream(path)),
    "download_to": lambda files, path: files.download_to(path, "got/a"),
    "exists": lambda files, path: files.exists(path),
    "missing": lambda files, path: files.missing(path),
    "metadata": lambda files, path: files.metadata(path),
    "size": lambda files, path: files.size(path),
    "last_modified": lambda files, path: files.last_modified(path),
    "mime_type": lambda files, path: files.mime_type(path),
    "checksum": lambda files, path: files.checksum(path),
    "visibility": lambda files, path: files.visibility(path),
    "set_visibility": lambda files, path: files.set_visibility(path, "public"),
    "set_attributes": lambda files, path: files.set_attributes(path, content_type="text/x"),
    "delete": lambda files, path: files.delete(path),
    "copy": lambda files, path: files.copy("own", path),
    "move": lambda files, path: files.move("own", path),
    "url": lambda files, path: files.url(path),
    "path": lambda files, path: files.path(path),
    "temporary_url": lambda files, path: files.temporary_url(path, 60),
    "temporary_upload_url": lambda files, path: files.temporary_upload_url(path, 60),
}
# Each people's verb on one folder.
FOLDER_CALLS: dict[str, Callable[[Any, str], Any]] = {
    "put_file": lambda files, path: files.put_file(path, b"x"),
    "upload_directory": lambda files, path: files.upload_directory(Path(__file__).parent, path),
    "download_directory": lambda files, path: files.download_directory(path, "got"),
    "directory_exists": lambda files, path: files.directory_exists(path),
    "directory_missing": lambda files, path: files.directory_missing(path),
    "files": lambda files, path: files.files(path),
    "all_files": lambda files, path: files.all_files(path),
    "directories": lambda files, path: files.directories(path),
    "all_directories": lambda files, path: files.all_directories(path),
    "entries": lambda files, path: collected(files.entries(path)),
    "glob": lambda files, path: files.glob(f"{path}/*"),
    "find_files_older_than": lambda files, path: files.find_files_older_than(0, path),
    "make_directory": lambda files, path: files.make_directory(path),
    "delete_directory": lambda files, path: files.delete_directory(path),
    "copy_directory": lambda files, path: files.copy_directory("own folder", path),
    "move_directory": lambda files, path: files.move_directory("own folder", path),
}


async def collected(items: Any) -> list[Any]:
    return [item async for item in items]


async def written(writer: Any) -> None:
    async with writer as open_writer:
        await open_writer.write(b"x")


async def awaited(opening: Any) -> Any:
    return await opening


async def outcome(call: Callable[[], Any]) -> Any:
    result = call()
    return await result if inspect.isawaitable(result) else result


async def answer(call: Callable[[], Any]) -> Any:
    """What the call returns, or the failure it raises."""
    try:
        return await outcome(call)
    except (StorageError, OSError, ValueError) as error:
        return error
