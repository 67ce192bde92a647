"""A fake is one disk for the test and for handlers that run in another thread's loop."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from storeroom import NotFound, Storage, Unavailable

media = Storage.disk("s3")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with Storage:
        yield


async def upload(request: Request) -> Response:
    path = await media.put_file("avatars/ä b", await request.body())
    return JSONResponse({"path": path, "url": media.url(path)})


async def download(request: Request) -> Response:
    try:
        return Response(await media.get(request.path_params["path"]))
    except NotFound:
        return Response(status_code=404)
    except Unavailable:
        return Response(status_code=503)


app = Starlette(
    routes=[
        Route("/", upload, methods=["POST"]),
        Route("/{path:path}", download),
    ],
    lifespan=lifespan,
)


@pytest.mark.parametrize("service", ["s3", "ftp", "local"])
def test_handlers_under_a_test_client_use_the_fake(service: str) -> None:
    faked = Storage.fake("s3", driver=service, url="https://files.example")
    with faked as disk, TestClient(app) as client:
        stored = client.post("/", content=b"%PDF-1.7").json()
        disk.assert_exists(stored["path"], b"%PDF-1.7").assert_count("avatars/ä b", 1)
        assert stored["url"] == disk.url(stored["path"])
        assert client.get(stored["path"]).content == b"%PDF-1.7"
        assert client.get("/missing").status_code == 404
        disk.fail("get")
        assert client.get(stored["path"]).status_code == 503
        assert ("put_file", stored["path"]) in disk.calls
        client.close()


def test_what_was_stored_is_there_when_the_application_has_ended() -> None:
    with Storage.fake("s3") as disk:
        with TestClient(app) as client:
            path = client.post("/", content=b"x").json()["path"]
        disk.assert_exists(path, b"x")


async def test_handlers_under_a_test_client_use_the_fake_of_an_async_test() -> None:
    with Storage.fake("s3") as disk:
        await media.put("seed é", b"1")

        def use() -> bytes:
            with TestClient(app) as client:
                client.post("/", content=b"x")
                return client.get("/seed é").content

        assert await asyncio.to_thread(use) == b"1"
        disk.assert_count("", 2, recursive=True)


@pytest.mark.parametrize("service", ["s3", "local"])
def test_many_threads_with_their_own_loops_lose_nothing(service: str) -> None:
    with Storage.fake("s3", driver=service) as disk:

        async def work(worker: int) -> None:
            await asyncio.gather(*(media.put(f"{worker}/{n}", b"x") for n in range(25)))
            await media.delete(f"{worker}/0")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda worker: asyncio.run(work(worker)), range(8)))
        disk.assert_count("", 8 * 24, recursive=True)
        assert len(disk.calls) == len(set(disk.calls)) == 8 * 26


def test_exactly_as_many_calls_fail_as_were_ordered() -> None:
    with Storage.fake("s3") as disk:
        disk.fail("put", times=10)

        async def work(worker: int) -> int:
            jobs = [media.put(f"{worker}/{n}", b"x") for n in range(25)]
            done = await asyncio.gather(*jobs, return_exceptions=True)
            return sum(isinstance(one, Unavailable) for one in done)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(lambda worker: asyncio.run(work(worker)), range(8))) == 10
