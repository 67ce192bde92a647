"""SFTP against asyncssh and the `sftp` command, on OpenSSH's server; needs sshd and sftp.

asyncssh comes from the extra `sftp`. Files lie in memory (/dev/shm) where there is such a place.
"""

from _run import run
from _sftp_service import SERVICE

if __name__ == "__main__":
    run(SERVICE, __doc__)
