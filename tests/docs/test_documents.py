"""Every code block of README, CONTRIBUTING and docs runs, or says above itself why it does not.

One page is one program: its Python blocks share a namespace, a loop and an empty working folder, and may `await`
at top level. A block whose first line is a file name (`# app.py`, `# filesystems.toml`) is written there, too.
"""

import ast
import inspect
import json
import re
import shlex
import subprocess
import sys
import tomllib
from asyncio import to_thread
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from storeroom import StorageManager
from tests.docs.blocks import Block, blocks_of
from tests.servers.azure import AzureServer
from tests.servers.ftp import FtpServer
from tests.servers.process import HOST
from tests.servers.s3 import S3Server
from tests.servers.sshd import Sshd
from tests.servers.strict_gcs import StrictGcs

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

# How many blocks of a page are marked `<!-- not run: reason -->`: a new one is a decision, not an accident.
NOT_RUN: dict[str, int] = {}

# Pages whose Python meets a service: what the page finds in the environment leads to a server of the tests.
SERVED = {
    "docs/drivers/s3.md": "on_s3",
    "docs/drivers/gcs.md": "on_gcs",
    "docs/drivers/azure.md": "on_azure",
    "docs/drivers/ftp.md": "on_ftp",
    "docs/drivers/sftp.md": "on_sftp",
}

SHELL = {"bash", "console"}
LANGUAGES = {
    "python",
    "toml",
    "text",
} | SHELL  # a block in `py` or in no language would be left out in silence

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = set(PROJECT["optional-dependencies"])
TARGETS = set(
    re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)
SESSIONS = set(
    re.findall(
        r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE
    )
)


def _name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def _blocks(document: Path, *languages: str) -> list[Block]:
    return [
        block for block in blocks_of(document) if block.language in languages and not block.not_run
    ]


def _each(*languages: str) -> pytest.MarkDecorator:
    found = [
        pytest.param(document, block, id=f"{_name(document)}:{block.line}")
        for document in DOCUMENTS
        for block in _blocks(document, *languages)
    ]
    return pytest.mark.parametrize(("document", "block"), found)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's working folder; what it imports from there is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def service(
    document: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new bucket, for the pages that need one."""
    fixture = SERVED.get(_name(document))
    if fixture is not None:
        for name, value in request.getfixturevalue(fixture).items():
            monkeypatch.setenv(name, value)


@pytest.fixture
def on_s3(strict_s3: S3Server) -> dict[str, str]:
    return {
        "AWS_BUCKET": strict_s3.make_bucket(),
        "AWS_ENDPOINT_URL": strict_s3.url,
        "AWS_DEFAULT_REGION": strict_s3.region,
        "AWS_ACCESS_KEY_ID": strict_s3.access_key,
        "AWS_SECRET_ACCESS_KEY": strict_s3.secret_key,
    }


@pytest.fixture
def on_gcs(strict_gcs: StrictGcs, tmp_path: Path) -> dict[str, str]:
    credentials = tmp_path / "service-account.json"
    credentials.write_text(json.dumps(strict_gcs.service_account()), encoding="utf-8")
    return {
        "GCS_BUCKET": strict_gcs.make_bucket(),
        "GCS_ENDPOINT": strict_gcs.url,
        "GCS_CREDENTIALS": str(credentials),
    }


@pytest.fixture
def on_azure(azurite: AzureServer) -> dict[str, str]:
    return {
        "AZURE_CONTAINER": azurite.make_container(),
        "AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string,
    }


@pytest.fixture
def on_ftp(pyftpd_tls: FtpServer) -> dict[str, str]:
    return {
        "FTP_HOST": HOST,
        "FTP_PORT": str(pyftpd_tls.port),
        "FTP_USER": str(pyftpd_tls.username),
        "FTP_PASSWORD": str(pyftpd_tls.password),
        "FTP_CA": str(pyftpd_tls.authority),
    }


@pytest.fixture
def on_sftp(sshd: Sshd) -> dict[str, str]:
    server = sshd.server
    return {
        "SFTP_HOST": HOST,
        "SFTP_PORT": str(server.port),
        "SFTP_USER": server.username,
        "SFTP_KEY": str(server.private_key),
        "SFTP_HOST_KEY": server.host_key,
        "SFTP_ROOT": f"{server.base}/the page of sftp",
    }


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
async def test_the_python_of_a_page_runs(
    document: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)
    for block in _blocks(document, "python", "toml"):
        _write(block, folder)
        if block.language == "python":
            await _run(block, document, page)


def _write(block: Block, folder: Path) -> None:
    if block.file_name:
        file = folder / block.file_name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.code, encoding="utf-8")


async def _run(block: Block, document: Path, page: ModuleType) -> None:
    padded = "\n" * (block.line - 1) + block.code  # a traceback then shows the page's own line
    code = compile(padded, str(document), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if "asyncio.run(" in block.code:  # a loop of its own needs a thread of its own
        await to_thread(eval, code, vars(page))
    elif code.co_flags & inspect.CO_COROUTINE:
        await eval(code, vars(page))
    else:
        eval(code, vars(page))


def _tests() -> list[object]:
    return [
        pytest.param(document, block, id=f"{_name(document)}:{block.line}")
        for document in DOCUMENTS
        for block in _blocks(document, "python")
        if block.has_tests
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("document", "block"), _tests())
def test_the_tests_of_a_page_pass(document: Path, block: Block, folder: Path) -> None:
    for other in _blocks(document, "python", "toml"):
        _write(other, folder)
    (folder / "test_page.py").write_text(block.code, encoding="utf-8")
    settings = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "--rootdir", ".", *settings]
    done = subprocess.run(
        [*command, "test_page.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


@_each("toml")
def test_toml_is_what_the_config_accepts(document: Path, block: Block, folder: Path) -> None:
    content = tomllib.loads(block.code)
    if "disks" in content:
        manager = StorageManager.isolated(content)
        assert all(manager.disk(name) for name in content["disks"])


@_each("bash", "console")
def test_a_command_is_one_that_exists(document: Path, block: Block) -> None:
    for line in _commands(block):
        words = shlex.split(line, comments=True)
        assert not words or _is_known(words), (
            f"{_name(document)}:{block.line}: no such command: {line}"
        )


def _commands(block: Block) -> list[str]:
    lines = block.code.replace("\\\n", " ").splitlines()
    if block.language == "bash":
        return lines
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def _is_known(words: list[str]) -> bool:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        if not _is_read(words.pop(0)):
            return False
    match words:
        case []:
            return True
        case ["pip", "install", *wanted] | ["uv", "add", *wanted]:
            return all(_can_be_installed(name) for name in wanted)
        case ["export", *settings]:
            return all(_is_read(setting) for setting in settings)
        case ["make", *targets]:
            return {target for target in targets if "=" not in target} <= TARGETS
        case ["nox", ("-s" | "--session"), *sessions]:
            return {session.partition("-")[0] for session in sessions} <= SESSIONS
        case ["python", file, *_]:
            return (ROOT / file).is_file()
        case ["uvicorn", app, *_]:
            return (ROOT / (app.partition(":")[0].replace(".", "/") + ".py")).is_file()
        case [".ci/run"] | ["pytest", *_]:
            return True
        case _:
            return False


def _can_be_installed(wanted: str) -> bool:
    """Of ours, extras that are there; of others, what the project itself depends on."""
    if wanted in {"-e", "-U", "--editable", "--upgrade"}:
        return True
    name, *extras = [part.strip() for part in re.split(r"[\[\],]", wanted) if part.strip()]
    if name in {"storeroom", "."}:
        return set(extras) <= EXTRAS
    return name in {re.split(r"[\[<>=]", known)[0] for known in _dependencies()}


def _dependencies() -> list[str]:
    return [
        *PROJECT["dependencies"],
        *(name for names in PROJECT["optional-dependencies"].values() for name in names),
    ]


def _is_read(setting: str) -> bool:
    """A variable a page tells people to set is one that the source, or the safety runs, name."""
    name, given, _ = setting.partition("=")
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests" / "safety").glob("*.py")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    return bool(given) and f'"{name}"' in source


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_a_block_names_a_language_that_is_checked(document: Path) -> None:
    unknown = [
        (block.line, block.language)
        for block in blocks_of(document)
        if block.language not in LANGUAGES
    ]
    assert not unknown, unknown


def test_the_blocks_that_do_not_run_are_these() -> None:
    found = Counter(
        _name(document) for document in DOCUMENTS for block in blocks_of(document) if block.not_run
    )
    assert dict(found) == NOT_RUN
