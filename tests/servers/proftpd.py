"""ProFTPD: MLSD, MFMT, HASH and SITE CHMOD; strict about what may follow a command, of one word about most refusals.

Debian: `apt-get install proftpd-core`, which also starts one of the system's own.
"""

import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ftp import USERNAME, FtpServer
from tests.servers.process import HOST, Process

# openssl passwd -6 -salt storeroom "$PASSWORD", the one of tests.servers.ftp
_HASH = "$6$storeroom$Io/mK3EnU6u3hagFt9AS9pd9PGtVbu64KllkRCTgoi.FebrBT7ec8cAbH.wnI2Z62kc05GgTLvSzfIjL5qjLn."
_CONFIG = """
ServerName storeroom
ServerType standalone
DefaultServer on
LoadModule mod_digest.c
DefaultAddress {host}
Port {port}
SocketBindTight on
UseIPv6 off
User {user}
Group {group}
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile {users}
RequireValidShell off
RootLogin on
DefaultRoot ~
PidFile {state}/pid
ScoreboardFile {state}/score
SystemLog {state}/log
WtmpLog off
UseReverseDNS off
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
DelayEngine off
"""


@contextmanager
def proftpd(folder: Path, /) -> Generator[FtpServer]:
    """A server of the folder."""
    state = Path(tempfile.mkdtemp(prefix="storeroom-proftpd-"))
    users = state / "users"
    users.write_text(
        f"{USERNAME}:{_HASH}:{os.getuid()}:{os.getgid()}::{folder}:/bin/false\n", encoding="utf-8"
    )
    users.chmod(0o600)

    def command(port: int) -> Sequence[object]:
        config = state / "proftpd.conf"
        config.write_text(
            _CONFIG.format(
                host=HOST,
                port=port,
                users=users,
                state=state,
                user=f"#{os.getuid()}" if os.getuid() else "root",
                group=f"#{os.getgid()}" if os.getgid() else "root",
            ),
            encoding="utf-8",
        )
        return ["proftpd", "--nodaemon", "--config", config]

    with Process(command) as process:
        yield FtpServer(process.port, folder)
