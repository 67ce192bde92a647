"""A tree that moves from a real sshd to a server that judges S3's signatures."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.servers.s3 import S3Server
from tests.servers.sshd import Sshd

EXAMPLE = Path(__file__).parents[2] / "examples" / "sftp_to_s3.py"
TREE = {"2024/1.pdf": b"%PDF-1", "2024/a b/%2F.pdf": b"", "2025/large.bin": bytes(9 << 20)}


@pytest.fixture
def tree(sshd: Sshd) -> Path:
    """The folder to move, by a name that no other test has."""
    root = sshd.files / "sftp_to_s3"
    for path, data in TREE.items():
        file = root / "invoices" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return root


def run(sshd: Sshd, root: Path, s3: S3Server, bucket: str) -> "subprocess.CompletedProcess[str]":
    server = sshd.server
    sftp = urlencode({"private_key": server.private_key, "host_key": server.host_key})
    target = urlencode(
        {
            "endpoint_url": s3.url,
            "region": s3.region,
            "access_key": s3.access_key,
            "secret_key": s3.secret_key,
        }
    )
    env = {
        **os.environ,
        "SFTP_URL": f"sftp://{server.username}@127.0.0.1:{server.port}/{quote(str(root))}?{sftp}",
        "S3_URL": f"s3://{bucket}?{target}",
    }
    command = [sys.executable, "-W", "error", str(EXAMPLE), "invoices"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_tree_moves_and_is_compared_before_it_is_removed(
    sshd: Sshd, tree: Path, strict_s3: S3Server
) -> None:
    bucket = strict_s3.make_bucket()
    done = run(sshd, tree, strict_s3, bucket)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same ") == len(TREE)
    s3 = strict_s3.client()
    for path, data in TREE.items():
        assert s3.get_object(Bucket=bucket, Key=f"invoices/{path}")["Body"].read() == data
    assert not (tree / "invoices").exists()


def test_what_cannot_be_copied_stays(sshd: Sshd, tree: Path, strict_s3: S3Server) -> None:
    done = run(sshd, tree, strict_s3, "no-such-bucket")
    assert done.returncode != 0
    assert "there is no bucket 'no-such-bucket'" in done.stdout
    assert (tree / "invoices" / "2025" / "large.bin").exists()
