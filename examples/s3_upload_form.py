"""A browser uploads a photo straight to S3, by a form signed here: the bytes do not pass through.

AWS_BUCKET=media AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... uvicorn s3_upload_form:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from storeroom import Storage

LARGEST = 10 << 20
PAGE = """<!doctype html>
<title>A photo for S3</title>
<form action="{action}" method="post" enctype="multipart/form-data">
{fields}
<input type="file" name="file" accept="image/png" required>
<button>Upload</button>
</form>
<p><a href="/photos/{name}">See it</a> once it is there.</p>
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


async def form(request: Request) -> Response:
    """A form for one PNG of 10 MiB at most, good for ten minutes, under a name of ours.

    S3 refuses another name, another type and a larger file. Put your own log-in before this.
    """
    name = f"{uuid4()}.png"
    upload = await Storage.temporary_upload_url(
        f"photos/{name}", 600, content_type="image/png", max_size=LARGEST
    )
    fields = "\n".join(
        f'<input type="hidden" name="{escape(field)}" value="{escape(value)}">'
        for field, value in upload.fields.items()
    )
    return HTMLResponse(PAGE.format(action=escape(upload.url), fields=fields, name=name))


async def photo(request: Request) -> Response:
    """S3 serves the photo, too, for a minute and to whoever has the address."""
    url = await Storage.temporary_url(f"photos/{request.path_params['name']}", 60)
    return RedirectResponse(url)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with Storage:
        yield


app = Starlette(routes=[Route("/", form), Route("/photos/{name}", photo)], lifespan=lifespan)
