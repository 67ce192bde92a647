"""Every example runs as a reader would run it, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
WHERE = os.pathsep.join(filter(None, [str(EXAMPLES), os.environ.get("PYTHONPATH")]))
FILES = sorted(file.name for file in EXAMPLES.glob("*.py"))

# They expose `app` for a server to run, so they are started and stopped: file -> where they are used for real.
APPS = {
    "fastapi_app.py": "tests/examples/test_fastapi_app.py",
    "s3_multipart.py": "tests/examples/test_s3_uploads.py",
    "s3_upload_form.py": "tests/examples/test_s3_uploads.py",
    "temporary_urls.py": "tests/examples/test_temporary_urls.py",
}

START_AND_STOP = """
import sys
from importlib import import_module
from starlette.testclient import TestClient
sys.path.insert(0, sys.argv[1])
with TestClient(import_module(sys.argv[2]).app):
    pass
"""

# They need a service, so they run where a test starts one: file -> where.
SERVED = {"sftp_to_s3.py": "tests/examples/test_sftp_to_s3.py"}

OTHERS = APPS | SERVED
SCRIPTS = [name for name in FILES if name not in OTHERS and not name.startswith("test_")]
TESTS = [name for name in FILES if name.startswith("test_")]


def run(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": WHERE},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_ends_well(name: str, tmp_path: Path) -> None:
    run(tmp_path, str(EXAMPLES / name))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", TESTS)
def test_an_example_of_tests_passes(name: str, tmp_path: Path) -> None:
    settings = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    run(tmp_path, "-m", "pytest", "-q", "--rootdir", ".", *settings, str(EXAMPLES / name))


@pytest.mark.parametrize("name", APPS)
def test_an_app_starts_and_stops(name: str, tmp_path: Path) -> None:
    run(tmp_path, "-c", START_AND_STOP, str(EXAMPLES), name.removesuffix(".py"))


@pytest.mark.parametrize(("name", "used_in"), OTHERS.items())
def test_what_needs_a_server_is_used_for_real(name: str, used_in: str) -> None:
    test = Path(__file__).parents[1] / used_in
    assert name.removesuffix(".py") in test.read_text(encoding="utf-8")
