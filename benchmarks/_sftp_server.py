"""OpenSSH's sshd on a port of its own, and how its clients reach it: all in one URL."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from _contender import DATA, PREFIX
from _servers import HOST, Endpoint, free_port, running
from _stub import ENTRIES

_SETTINGS = """
ListenAddress {host}
Port {port}
HostKey {keys}/host
AuthorizedKeysFile {keys}/client.pub
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
PidFile none
LogLevel ERROR
MaxStartups 500
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True, slots=True)
class Server:
    """What the URL says."""

    port: int
    user: str
    folder: str
    key: str
    host_key: str

    @classmethod
    def at(cls, place: Endpoint) -> "Server":
        parts = urlsplit(place.url)
        words = parse_qs(parts.query)
        assert parts.port is not None
        return cls(
            parts.port, parts.username or "", parts.path, words["key"][0], words["host_key"][0]
        )

    def options(self) -> dict[str, Any]:
        """Those of our driver."""
        return {
            "port": self.port,
            "username": self.user,
            "private_key": self.key,
            "host_key": self.host_key,
            "root": self.folder,
        }


@contextmanager
def sshd() -> Iterator[Endpoint]:
    """A running server of a new folder, in which there is something to list."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        keys, files, port = Path(place, "keys"), Path(place, "files"), free_port()
        keys.mkdir()
        (files / PREFIX).mkdir(parents=True)
        (files / "files").mkdir()
        (files / "files/0000.bin").write_bytes(DATA)
        for number in range(ENTRIES):
            (files / PREFIX / f"{number:05}.bin").touch()
        for name in ("host", "client"):
            words = ("-q", "-t", "ed25519", "-N", "", "-f", str(keys / name))
            subprocess.run(["ssh-keygen", *words], check=True)
        (keys / "conf").write_text(_SETTINGS.format(host=HOST, port=port, keys=keys))
        shown = subprocess.run(
            ["ssh-keygen", "-lf", str(keys / "host.pub")],
            capture_output=True,
            text=True,
            check=True,
        )
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or "sshd"
        words = f"key={keys}/client&host_key={shown.stdout.split()[1].replace('+', '%2B')}"
        with running([program, "-D", "-f", str(keys / "conf")], port):
            yield Endpoint("sshd", f"sftp://{getpass.getuser()}@{HOST}:{port}{files}?{words}")
