"""Host keys and logins: checked by default, and each way to fail has its own way out."""

import asyncio
import getpass
import logging
import os
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, PermissionDenied, StorageError, Unavailable
from storeroom.drivers.sftp import SFTPDriver
from tests.drivers.sftp.share import KEY, Share, outcome, read
from tests.servers.lying_sftp import host_key, serving
from tests.servers.process import free_port
from tests.servers.proxy import Proxy
from tests.servers.sftp import SftpServer
from tests.servers.sshd import sshd as run_sshd

OTHER = asyncssh.generate_private_key("ssh-ed25519")
SECRETS = ("a pässword's", "%2F", "hunter2", "PRIVATE KEY", "geheim")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, so that nobody's known hosts count."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def known(server: SftpServer, key: str) -> str:
    return f"[{server.host}]:{server.port} {key}\n"


async def refusal(share: Share, **options: object) -> StorageError:
    """The error of the first verb; it tells no secret."""
    error = await outcome(share.driver(retries=1, **options).has_folder("x"))
    assert isinstance(error, StorageError)
    cause: BaseException | None = error
    while cause is not None:
        assert not any(secret in f"{cause!s} {cause!r}" for secret in SECRETS)
        cause = cause.__cause__
    return error


async def test_an_unknown_host_is_refused_and_its_key_is_told(share: Share, home: Path) -> None:
    error = await refusal(share, host_key=None)
    assert isinstance(error, ConfigError)
    shown = asyncssh.import_public_key(share.server.host_key).get_fingerprint()
    assert "is not known" in error.reason
    assert f"host_key={shown!r}" in error.reason
    assert "~/.ssh/known_hosts" in error.reason
    assert await share.driver(host_key=shown).has_folder("x") is False


async def test_the_users_file_of_known_hosts_counts_unless_another_is_given(
    share: Share, home: Path
) -> None:
    file = home / ".ssh" / "known_hosts"
    file.write_text(known(share.server, share.server.host_key))
    assert await share.driver(host_key=None).has_folder("x") is False
    file.rename(home / "other")
    assert await share.driver(host_key=None, known_hosts="~/other").has_folder("x") is False
    error = await refusal(share, host_key=None, known_hosts="~/missing")
    assert "there is no file of known hosts" in error.reason


async def test_a_changed_host_key_is_an_error_of_its_own(share: Share, home: Path) -> None:
    file = home / ".ssh" / "known_hosts"
    file.write_text(known(share.server, OTHER.export_public_key().decode()))
    error = await refusal(share, host_key=None)
    assert isinstance(error, ConfigError)
    assert "another one is known" in error.reason
    assert "somebody stands between" in error.reason


async def test_a_revoked_host_key_is_refused(share: Share, home: Path) -> None:
    file = home / ".ssh" / "known_hosts"
    line = known(share.server, share.server.host_key)
    file.write_text(line + f"@revoked {line}")
    error = await refusal(share, host_key=None)
    assert isinstance(error, ConfigError)
    assert "revoked" in error.reason


async def test_a_host_key_is_given_as_a_line_or_a_fingerprint(share: Share) -> None:
    public = asyncssh.import_public_key(share.server.host_key)
    for given in (share.server.host_key, public.get_fingerprint(), f"{public.get_fingerprint()}="):
        assert await share.driver(host_key=given).has_folder("x") is False
    for wrong in (OTHER.export_public_key().decode(), OTHER.get_fingerprint()):
        error = await refusal(share, host_key=wrong)
        assert isinstance(error, ConfigError)
        assert "not the one given as host_key" in error.reason
        assert public.get_fingerprint() in error.reason


async def test_a_certificate_of_a_known_authority_is_enough(tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_host_certificate(host_key(), "files", principals=["127.0.0.1"])
    public = authority.export_public_key().decode()
    async with serving(tmp_path, certificate=certificate) as server:
        share = Share(server, "")
        for key, is_known in ((public, True), (OTHER.export_public_key().decode(), False)):
            file = tmp_path / "hosts"
            file.write_text(f"@cert-authority {known(server, key)}")
            options = {"host_key": None, "known_hosts": str(file)}
            if is_known:
                assert await share.driver(**options).has_folder("x") is False
            else:
                assert isinstance(await refusal(share, **options), ConfigError)
        await share.aclose()


async def test_a_server_without_such_a_key_is_another_server(share: Share, home: Path) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    error = await refusal(share, host_key=other)
    assert isinstance(error, ConfigError)
    assert "not the one given as host_key" in error.reason
    (home / ".ssh" / "known_hosts").write_text(known(share.server, other))
    error = await refusal(share, host_key=None)
    assert "another one is known" in error.reason


async def test_refusing_the_check_warns(
    share: Share, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "storeroom"):
        driver = share.driver(host_key=None, verify=False)
    assert "is not checked (verify=False)" in caplog.text
    assert await driver.has_folder("x") is False


async def test_a_wrong_password_is_denied(asyncssh_server: SftpServer) -> None:
    share = Share(asyncssh_server, "")
    error = await refusal(share, password="hunter2")
    assert isinstance(error, PermissionDenied)
    assert "does not let this user in" in error.reason
    assert not error.retryable
    error = await refusal(share, username="eve")
    assert isinstance(error, PermissionDenied)
    await share.aclose()


async def test_a_wrong_key_is_denied(share: Share) -> None:
    error = await refusal(share, private_key=OTHER.export_private_key().decode())
    assert isinstance(error, PermissionDenied)


async def test_a_server_that_has_enough_of_wrong_keys_is_not_asked_again(tmp_path: Path) -> None:
    with run_sshd(tmp_path / "sshd", more="MaxAuthTries 1") as running:
        share = Share(running.server, "")
        async with Proxy(share.port) as proxy:
            key = OTHER.export_private_key().decode()
            error = await outcome(share.driver(proxy.port, private_key=key).has_folder("x"))
            assert isinstance(error, PermissionDenied)
            assert "too many" in error.reason
            assert proxy.connections == 1
        await share.aclose()


async def test_a_key_is_a_file_or_text_with_or_without_a_passphrase(
    share: Share, tmp_path: Path
) -> None:
    assert share.server.private_key is not None
    key = asyncssh.read_private_key(share.server.private_key)
    plain = key.export_private_key().decode()
    closed = key.export_private_key("pkcs8-pem", passphrase="geheim").decode()
    file = tmp_path / "key"
    file.write_text(closed)
    assert await share.driver(private_key=plain).has_folder("x") is False
    for given in (closed, str(file)):
        assert await share.driver(private_key=given, passphrase="geheim").has_folder("x") is False
        error = await refusal(share, private_key=given, passphrase="hunter2")
        assert isinstance(error, ConfigError)
        assert "passphrase" in error.reason
        error = await refusal(share, private_key=given)
        assert "passphrase" in error.reason


async def test_a_key_that_is_none_is_an_error_that_says_so(share: Share, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("geheim")
    for given in (str(tmp_path / "key"), str(tmp_path / "no"), "-----BEGIN PRIVATE KEY-----\nx"):
        error = await refusal(share, private_key=given)
        assert isinstance(error, ConfigError)
        assert error.reason.startswith("private_key")


async def test_a_key_that_is_given_as_bare_base64_shows_in_no_traceback(share: Share) -> None:
    lines = OTHER.export_private_key().decode().splitlines()
    for bare in ("".join(lines[1:-1]), "\n".join(lines[1:-1]), "geheim\0"):
        error = await outcome(share.driver(private_key=bare, retries=0).has_folder("x"))
        assert isinstance(error, ConfigError)
        assert "give a path, or the key itself" in error.reason
        shown = "".join(traceback.format_exception(error))
        assert not any(line in shown for line in bare.splitlines())


async def test_a_file_of_known_hosts_that_is_none_is_told(share: Share, home: Path) -> None:
    file = home / ".ssh" / "known_hosts"
    file.write_bytes(b"nonsense\x1b\n")
    error = await refusal(share, host_key=None)
    assert isinstance(error, ConfigError)
    assert "known_hosts' cannot be understood" in error.reason
    assert error.reason.isprintable()
    assert "ciphers" not in error.reason
    file.write_bytes(b"# M\xfcller\n" + known(share.server, share.server.host_key).encode())
    assert await share.driver(host_key=None).has_folder("x") is False


async def test_no_file_of_the_home_is_used_unasked(share: Share, home: Path) -> None:
    shutil.copy(str(share.server.private_key), home / ".ssh" / "id_ed25519")
    _, _, login = share.driver()._neighbours
    _, options = await asyncio.to_thread(login._prepared)
    assert options.x509_trusted_certs is None
    error = await refusal(share, private_key=None, agent=str(home / "no-agent"))
    assert isinstance(error, ConfigError)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """A running ssh-agent: the path of its socket."""
    program = shutil.which("ssh-agent")
    assert program, "ssh-agent is missing; install openssh-client"
    place = str(tmp_path / "agent")
    child = subprocess.Popen([program, "-D", "-a", place], stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(place):
            assert child.poll() is None
        yield place
    finally:
        child.kill()
        child.wait()


async def test_an_agent_is_asked_only_where_that_is_said(
    share: Share, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "SSH_AUTH_SOCK": agent}
    await asyncio.to_thread(
        subprocess.run,
        ["ssh-add", "-q", str(share.server.private_key)],
        env=environment,
        check=True,
    )
    assert await share.driver(private_key=None, agent=agent).has_folder("x") is False
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    assert await share.driver(private_key=None, agent=True).has_folder("x") is False
    assert isinstance(await refusal(share, private_key=None, password="hunter2"), PermissionDenied)


async def test_an_agent_that_is_not_there_is_told(
    share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "agent.sock")
    error = await refusal(share, private_key=None, agent=path)
    assert isinstance(error, ConfigError)
    assert f"no SSH agent at {path!r}" in error.reason
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    error = await refusal(share, private_key=None, agent=True)
    assert isinstance(error, ConfigError)
    assert "SSH_AUTH_SOCK is not set" in error.reason
    assert await share.driver(agent=path).has_folder("x") is False  # the key is enough


async def test_a_server_that_speaks_none_of_the_ciphers_is_told_apart(tmp_path: Path) -> None:
    async with serving(tmp_path, encryption_algs=["aes256-ctr"]) as server:
        share = Share(server, "")
        error = await refusal(share, ciphers=["aes128-gcm@openssh.com"])
        assert isinstance(error, ConfigError)
        assert "ciphers" in error.reason
        assert await share.driver().has_folder("x") is False
        await share.aclose()


async def test_a_cipher_that_does_not_exist_is_told(share: Share) -> None:
    error = await refusal(share, ciphers=["rot13"])
    assert isinstance(error, ConfigError)
    assert "ciphers" in error.reason


async def test_the_fastest_cipher_comes_first(share: Share) -> None:
    driver = share.driver()
    await driver.write(KEY, Body(b"x"))
    session = await driver._service.session()
    assert session._connection.get_extra_info("send_cipher") == "aes128-gcm@openssh.com"
    assert await read(driver) == b"x"


async def test_a_server_that_is_not_there_is_unavailable(share: Share) -> None:
    driver = share.driver(free_port(), retries=0)
    error = await outcome(driver.stat(KEY))
    assert isinstance(error, Unavailable)
    assert "does not answer" in error.reason
    assert error.retryable
    options = share.server.options()
    lost = SFTPDriver("no-such-host.invalid", **{**options, "retries": 0})
    error = await outcome(lost.stat(KEY))
    assert isinstance(error, Unavailable)
    assert f"(no-such-host.invalid:{share.port})" in error.reason


async def test_a_user_without_a_name_is_told_what_to_set(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs under any number."""
    for kind in (KeyError, OSError):

        def nobody(kind: type[Exception] = kind) -> str:
            raise kind("getpwuid(): uid not found: 1000680000")

        monkeypatch.setattr(getpass, "getuser", nobody)
        error = await outcome(share.driver().has_folder("x"))
        assert isinstance(error, ConfigError)
        assert error.reason.endswith("set the environment variable LOGNAME")


def test_a_disk_is_the_one_of_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    places: set[str] = set()
    for user in ("ada", "bob"):
        monkeypatch.setattr(getpass, "getuser", lambda user=user: user)
        places |= {
            SFTPDriver("h", agent=True).place,
            SFTPDriver("h", username="eve", agent=True).place,
        }
    assert places == {f"sftp://{user}@h:22/" for user in ("ada", "bob", "eve")}


async def test_a_server_without_sftp_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        acceptor = await asyncssh.listen(
            server.host,
            0,
            server_factory=_Open,
            server_host_keys=[OTHER],
        )
        share = Share(server.at(acceptor.get_port()), "")
        error = await refusal(share, host_key=OTHER.export_public_key().decode())
        assert isinstance(error, Unavailable)
        assert "SFTP" in error.reason
        await share.aclose()
        acceptor.close()
        await acceptor.wait_closed()


class _Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"private_key": None}, "nothing to come in with"),
        ({"private_key": None, "password": "x", "passphrase": "y"}, "passphrase"),
        ({"port": 0}, "port"),
        ({"timeout": 0}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"connections": 0}, "connections"),
        ({"host_key": "ssh-rsa nonsense"}, "host_key"),
        ({"known_hosts": "x"}, "known_hosts"),
        ({"verify": False}, "verify"),
        ({"verify": False, "host_key": None, "known_hosts": "x"}, "known_hosts"),
        ({"verify": 0, "host_key": None}, "verify"),
        ({"verify": "no", "host_key": None}, "verify"),
        ({"ciphers": []}, "ciphers"),
        ({"root": "a\0b"}, "root"),
        ({"durability": "full"}, "durability"),
        ({"paths": "any"}, "paths"),
        ({"permissions": {"files": {}}}, "permissions"),
        ({"permissions": {"file": {"public": "644"}}}, "mode"),
        ({"visibility": "hidden"}, "visibility"),
    ],
)
def test_options_that_cannot_be_are_refused_at_once(options: dict[str, object], word: str) -> None:
    key = OTHER.export_public_key().decode()
    with pytest.raises(ValueError, match=word):
        SFTPDriver("h", **{"private_key": "/k", "host_key": key, **options})  # type: ignore[arg-type]


def test_a_host_is_no_url() -> None:
    for host in ("", "sftp://h", "user@h", "h\n"):
        with pytest.raises(ConfigError, match="host"):
            SFTPDriver(host, password="x")


async def test_no_secret_is_logged(
    asyncssh_server: SftpServer, caplog: pytest.LogCaptureFixture
) -> None:
    asyncssh.set_debug_level(2)
    share = Share(asyncssh_server, "")
    try:
        with caplog.at_level(logging.DEBUG):
            assert await share.driver().has_folder("x") is False
            await refusal(share, password="hunter2")
            await share.aclose()
    finally:
        asyncssh.set_debug_level(1)
    assert "password" in caplog.text
    assert not any(secret in caplog.text for secret in SECRETS)


def test_no_secret_shows_in_a_repr() -> None:
    driver = SFTPDriver("h", password="hunter2", private_key="PRIVATE KEY geheim", passphrase="%2F")
    shown = f"{driver!r} {vars(driver)!r}"
    assert not any(secret in shown for secret in SECRETS)
