"""Temporary URLs of a local disk: one route serves and receives what they grant.

uvicorn temporary_urls:app
curl 'http://127.0.0.1:8000/links?path=notes.txt'
"""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from storeroom import AlreadyExists, NotFound, PermissionDenied, Storage
from storeroom.contracts.values import Grant

Storage.configure(
    {
        "default": "local",
        "signing_key": os.environ.get("STOREROOM_SIGNING_KEY") or secrets.token_urlsafe(32),
        "disks": {"local": {"driver": "local", "root": "storage/app", "url": "/storage"}},
    }
)


async def temporary(request: Request) -> Response:
    """Whoever has a signed URL may do what it grants, and nothing else."""
    url = (
        f"{request.scope['raw_path'].decode()}?{request.url.query}"  # as sent: `request.url` is not
    )
    grant = await Storage.verify_temporary_url(url, method=request.method)
    if grant.method == "PUT":
        body = allowed(request, grant)
        await Storage.put(
            grant.path, body, content_type=grant.content_type, overwrite=grant.overwrite
        )
        return Response(status_code=201)
    stream = await Storage.read_stream(grant.path)
    media_type = grant.content_type or stream.stat.content_type
    return StreamingResponse(stream, headers=named(grant), media_type=media_type)


async def allowed(request: Request, grant: Grant) -> AsyncIterator[bytes]:
    """The body as it comes, cut off where it leaves its grant: nothing is stored then."""
    if grant.content_type and request.headers.get("content-type") != grant.content_type:
        raise HTTPException(415, f"this URL takes {grant.content_type}")
    done = 0
    async for chunk in request.stream():
        done += len(chunk)
        if grant.max_size is not None and done > grant.max_size:
            raise HTTPException(413, f"this URL takes {grant.max_size:,} bytes")
        yield chunk


def named(grant: Grant) -> dict[str, str]:
    """Headers that make a browser save the file under the granted name (RFC 6266), never run it."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
    saved = f"; filename*=UTF-8''{quote(grant.filename, safe='')}" if grant.filename else ""
    return {**headers, "Content-Disposition": f"attachment{saved}"}


async def links(request: Request) -> Response:
    """A URL to read the file and one to write it, ten minutes each; put your own log-in before this."""
    path = request.query_params["path"]
    upload = await Storage.temporary_upload_url(
        path, 600, content_type="text/plain", max_size=1 << 20
    )
    return JSONResponse(
        {
            "read": await Storage.temporary_url(path, 600, filename=path.rpartition("/")[2]),
            "write": {"url": upload.url, "method": upload.method, "headers": dict(upload.headers)},
        }
    )


def answer(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": getattr(error, "reason", "")}, status)

    return handler


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with Storage:
        yield


app = Starlette(
    routes=[
        Route("/links", links),
        Route("/storage/{path:path}", temporary, methods=["GET", "PUT"]),
    ],
    exception_handlers={
        PermissionDenied: answer(403),
        NotFound: answer(404),
        AlreadyExists: answer(409),
    },
    lifespan=lifespan,
)
