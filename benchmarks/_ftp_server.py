"""vsftpd on a port of its own, whose files anyone may change."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from _contender import DATA, PREFIX
from _servers import HOST, Endpoint, free_port, running
from _stub import ENTRIES

_SETTINGS = """
listen=YES
listen_address={host}
listen_port={port}
background=NO
run_as_launching_user=YES
anonymous_enable=YES
no_anon_password=YES
anon_root={files}
anon_umask=022
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
write_enable=YES
anon_world_readable_only=NO
seccomp_sandbox=NO
max_per_ip=0
xferlog_enable=NO
"""


def port_of(place: Endpoint, /) -> int:
    """Where the server listens."""
    port = urlsplit(place.url).port
    assert port is not None
    return port


@contextmanager
def vsftpd() -> Iterator[Endpoint]:
    """A running server of a new folder, in which there is something to list."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        files, conf, port = Path(place, "files"), Path(place, "conf"), free_port()
        (files / PREFIX).mkdir(parents=True)
        (files / "files").mkdir()
        (files / "files/0000.bin").write_bytes(DATA)
        for number in range(ENTRIES):
            (files / PREFIX / f"{number:05}.bin").touch()
        conf.write_text(_SETTINGS.format(host=HOST, port=port, files=files).lstrip())
        program = shutil.which("vsftpd", path=f"{os.environ['PATH']}:/usr/sbin") or "vsftpd"
        with running([program, str(conf)], port):
            yield Endpoint("vsftpd", f"ftp://{HOST}:{port}")
