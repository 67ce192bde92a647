"""FTP against curl and aioftp, on vsftpd, in the clear and under TLS; needs vsftpd and curl.

aioftp comes from the extra `ftp`. Files lie in memory (/dev/shm) where there is such a place.
"""

from _ftp_service import SERVICE
from _run import run

if __name__ == "__main__":
    run(SERVICE, __doc__)
