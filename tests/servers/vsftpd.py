"""vsftpd: no MLSD, MLST or MFMT; under TLS it wants the order of RFC 4217 and the session reused."""

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.certificates import Certificate
from tests.servers.ftp import FtpServer
from tests.servers.process import HOST, Process

_PLAIN = """
listen=YES
listen_address={host}
listen_port={port}
background=NO
run_as_launching_user=YES
anonymous_enable=YES
local_enable=NO
no_anon_password=YES
anon_root={folder}
anon_umask=022
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
write_enable=YES
anon_world_readable_only=NO
allow_writeable_chroot=YES
seccomp_sandbox=NO
max_per_ip=0
accept_timeout=2
xferlog_enable=NO
"""
_PORTS = """
pasv_min_port={}
pasv_max_port={}
"""
_TLS = """
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=YES
strict_ssl_read_eof=YES
rsa_cert_file={chain}
rsa_private_key_file={key}
"""


@contextmanager
def vsftpd(
    folder: Path, certificate: Certificate | None = None, /, *, passive: range = range(0)
) -> Generator[FtpServer]:
    """A server of the folder, which anyone may change; with a certificate under explicit TLS."""
    authority = certificate.authority if certificate else None
    tls = "explicit" if certificate else False
    with vsftpd_process(folder, certificate, passive=passive) as process:
        yield FtpServer(process.port, folder, tls, authority, None, None, passive)


def vsftpd_process(
    folder: Path, certificate: Certificate | None = None, /, *, passive: range = range(0)
) -> Process:
    """The server as a thing to start and stop."""

    def command(port: int) -> Sequence[object]:
        lines = (_PLAIN + _TLS) if certificate else _PLAIN
        lines += _PORTS.format(passive.start, passive.stop - 1) if passive else ""
        chain, key = (certificate.chain, certificate.key) if certificate else ("", "")
        written = lines.format(host=HOST, port=port, folder=folder, chain=chain, key=key)
        conf = Path(tempfile.mkdtemp(prefix="storeroom-vsftpd-")) / "vsftpd.conf"
        conf.write_text(written.lstrip(), encoding="utf-8")
        return ["vsftpd", conf]

    return Process(command)
