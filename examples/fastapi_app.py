"""Photos over HTTP: uploads are streamed onto a disk, downloads from it, with ranges.

uvicorn fastapi_app:app
curl -F file=@photo.png http://127.0.0.1:8000/photos
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse

from storeroom import (
    InvalidArgument,
    NotFound,
    NotModified,
    PreconditionFailed,
    Storage,
    StorageError,
    Unavailable,
)
from storeroom.contracts import mime

LARGEST = 10 << 20
TYPES = {"image/gif", "image/jpeg", "image/png", "image/webp"}
STATUS: dict[type, int] = {
    NotFound: 404,
    InvalidArgument: 400,
    PreconditionFailed: 412,
    Unavailable: 503,
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Storage:  # closes every disk at the end
        yield


app = FastAPI(lifespan=lifespan)
photos = Storage.scoped("photos")


@app.post("/photos", status_code=201)
async def upload(file: UploadFile) -> dict[str, str]:
    """Store a photo under a name of ours: neither its name nor its type is believed."""
    if file.size is None or file.size > LARGEST:
        raise HTTPException(413, f"a photo has at most {LARGEST:,} bytes")
    kind = mime.by_content(await file.read(mime.HEAD_BYTES))
    if kind not in TYPES:
        raise HTTPException(415, "this is not a photo")
    await file.seek(0)
    return {"path": await photos.put_file("", file, content_type=kind)}


@app.get("/photos")
async def index() -> list[str]:
    return await photos.all_files()


@app.get("/photos/{path:path}")
async def download(path: str, request: Request) -> Response:
    """Stream a photo, or the part that the browser asks for."""
    stat = await photos.metadata(path)
    headers = {
        "ETag": f'"{stat.etag}"',
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    size = stat.size or 0
    part = asked_for(request.headers.get("range"), size)
    known = request.headers.get("if-none-match", "").strip('"') or None
    start, stop = part or (0, size)
    stream = await photos.read_stream(
        path, start=start, stop=stop, if_none_match=known, if_match=stat.etag
    )
    headers["Content-Length"] = str(stop - start)
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return StreamingResponse(stream, 206 if part else 200, headers, stat.content_type)


@app.delete("/photos/{path:path}", status_code=204)
async def delete(path: str) -> None:
    await photos.delete(path)


@app.exception_handler(StorageError)
async def failed(request: Request, error: StorageError) -> Response:
    """An answer by the kind of the error; one that has none here is a bug, and stays a 500."""
    if isinstance(error, NotModified):
        return Response(status_code=304)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    return JSONResponse({"detail": error.reason if status < 500 else "not now"}, status)


def asked_for(header: str | None, size: int) -> tuple[int, int] | None:
    """The range from `start` to `stop` (exclusive); None for the whole (RFC 9110, 14.2)."""
    asked = re.fullmatch("bytes=([0-9]{0,18})-([0-9]{0,18})", header or "")
    if asked is None or asked.groups() == ("", "") or not size:
        return None
    first, last = asked.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(int(last) + 1, size) if first and last else size
    if start >= size:
        raise HTTPException(416, headers={"Content-Range": f"bytes */{size}"})
    return (start, stop) if start < stop else None
