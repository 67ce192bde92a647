"""A browser uploads a large file straight to S3, in parts side by side; a part that fails goes again.

AWS_BUCKET=media AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... uvicorn s3_multipart:app

The bucket must allow PUT from the page's origin (CORS).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from storeroom import Storage
from storeroom.contracts.abilities import Multipart
from storeroom.contracts.values import WriteOptions

PART = 8 << 20
PAGE = """<!doctype html>
<title>A large file for S3</title>
<input type="file"> <progress value="0"></progress> <output></output>
<script type="module">
const [file, bar, said] = document.querySelectorAll("input, progress, output")
const call = async (method, path) => {
  const answer = await fetch(path, {method})
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`)
  return answer.status == 204 ? null : answer.json()
}
const send = async (upload, number, bytes, tries = 3) => {
  const {url, headers} = await call("POST", `/uploads/${upload}/parts/${number}`)
  const answer = await fetch(url, {method: "PUT", headers, body: bytes}).catch(error => ({error}))
  if (answer.ok) bar.value += bytes.size
  else if (tries > 1) await send(upload, number, bytes, tries - 1)
  else throw new Error(`part ${number} failed`)
}
file.onchange = async () => {
  const whole = file.files[0]
  const {upload, part} = await call("POST", "/uploads")
  bar.max = whole.size
  let next = 0
  const worker = async () => {
    for (let at = next++; at * part < Math.max(whole.size, 1); at = next++)
      await send(upload, at + 1, whole.slice(at * part, (at + 1) * part))
  }
  try {
    await Promise.all([worker(), worker(), worker(), worker()])
    said.value = (await call("POST", `/uploads/${upload}`)).path
  } catch (error) {
    await call("DELETE", `/uploads/${upload}`)
    said.value = error
  }
}
</script>
"""

Storage.configure(
    {
        "default": "s3",
        "disks": {
            "s3": {
                "driver": "s3",
                "bucket": os.environ.get("AWS_BUCKET", "media"),
                "region": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
                "endpoint_url": os.environ.get("AWS_ENDPOINT_URL"),
            }
        },
    }
)

under_way: dict[str, tuple[str, str]] = {}  # what the browser calls it -> the path, and S3's id


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def start(request: Request) -> Response:
    """Begin an upload under a name of ours; put your own log-in before this."""
    path, name = f"videos/{uuid4()}", str(uuid4())
    options = WriteOptions(content_type="application/octet-stream")
    under_way[name] = (path, await Storage.ability(Multipart).start_parts(path, options))
    return JSONResponse({"upload": name, "part": PART}, 201)


async def part(request: Request) -> Response:
    """An address for one part, for ten minutes."""
    path, upload = known(request)
    number, expires = request.path_params["number"], datetime.now(UTC) + timedelta(minutes=10)
    given = await Storage.ability(Multipart).presign_part(path, upload, number, expires)
    return JSONResponse({"url": given.url, "headers": dict(given.headers)})


async def complete(request: Request) -> Response:
    """Make the parts the file: S3 says which are there, so the browser need not be believed."""
    path, upload = known(request)
    parts = await Storage.ability(Multipart).list_parts(path, upload)
    if sorted(parts) != list(range(1, len(parts) + 1)) or not parts:
        raise HTTPException(409, "parts are missing")
    stat = await Storage.ability(Multipart).complete_parts(path, upload, parts)
    under_way.pop(request.path_params["name"], None)
    return JSONResponse({"path": path, "etag": stat.etag}, 201)


async def abort(request: Request) -> Response:
    """Throw away what is there."""
    path, upload = known(request)
    await Storage.ability(Multipart).abort_parts(path, upload)
    under_way.pop(request.path_params["name"], None)
    return Response(status_code=204)


def known(request: Request) -> tuple[str, str]:
    try:
        return under_way[request.path_params["name"]]
    except KeyError:
        raise HTTPException(404, "there is no such upload") from None


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with Storage:
        yield


app = Starlette(
    routes=[
        Route("/", page),
        Route("/uploads", start, methods=["POST"]),
        Route("/uploads/{name}", complete, methods=["POST"]),
        Route("/uploads/{name}", abort, methods=["DELETE"]),
        Route("/uploads/{name}/parts/{number:int}", part, methods=["POST"]),
    ],
    lifespan=lifespan,
)
