"""OpenSSH's sshd with its own sftp-server: key logins, and all of its extensions."""

import getpass
import os
import shutil
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncssh

from tests.servers.process import HOST, Process
from tests.servers.sftp import SftpServer

__all__ = ["Sshd", "sshd"]

_SETTINGS = """
ListenAddress {host}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
PidFile none
LogLevel VERBOSE
MaxStartups 500
LoginGraceTime 60
Subsystem sftp internal-sftp
{more}
"""


class Sshd:
    """A server of `folder`, which may be stopped with all its sessions, and started again."""

    def __init__(self, folder: Path, /, *, more: str = "") -> None:
        self._conf = folder / "conf"
        self._conf.mkdir(parents=True)
        self.files = folder / "files"
        self.files.mkdir()
        self.host_key = _key(self._conf / "host_key")
        authorized = _key(self._conf / "client_key")
        (self._conf / "authorized_keys").write_text(f"{authorized}\n")
        text = _SETTINGS.format(host=HOST, folder=self._conf, more=more)
        (self._conf / "sshd_config").write_text(text)
        self.process = Process(self._command)

    @property
    def server(self) -> SftpServer:
        """The running server."""
        return SftpServer(
            self.process.port,
            getpass.getuser(),
            self.files,
            str(self.files),
            self.host_key,
            private_key=self._conf / "client_key",
        )

    def stop(self) -> None:
        """End the listener and every session."""
        sessions = _below(self.process.pid) if self.process.pid else []
        self.process.stop()
        for pid in sessions:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.process.start()

    def sessions(self) -> int:
        """How many clients it has: their processes."""
        return len(_below(self.process.pid)) if self.process.pid else 0

    def open_files(self, name: str, /) -> int:
        """How often the sessions hold a file of this name open."""
        count = 0
        for pid in _below(self.process.pid) if self.process.pid else []:
            for entry in Path(f"/proc/{pid}/fd").glob("*"):
                with suppress(OSError):
                    count += os.readlink(entry).endswith(name)
        return count

    def _command(self, port: int) -> list[object]:
        return [_program(), "-D", "-e", "-f", self._conf / "sshd_config", "-p", port]


@contextmanager
def sshd(folder: Path, /, *, more: str = "") -> Generator[Sshd]:
    """A running one, with further lines of configuration."""
    made = Sshd(folder, more=more)
    made.process.start()
    try:
        yield made
    finally:
        made.stop()


def _program() -> str:
    """It lies where the paths of users do not lead, and wants to be called by its full name."""
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found, "sshd is missing; install openssh-server"
    return found


def _key(file: Path) -> str:
    """A fresh private key in the file, which only its owner may read: its public half."""
    made = asyncssh.generate_private_key("ssh-ed25519")
    file.touch(mode=0o600)
    file.write_bytes(made.export_private_key())
    return made.export_public_key().decode().strip()


def _below(pid: int) -> list[int]:
    """The processes that this one has started, and theirs."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]
