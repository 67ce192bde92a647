"""S3 against everyone who speaks it from asyncio: canned replies show the client's cost, rclone a server.

Contenders come from the extra `bench` (`pip install -e '.[bench]'`); who is missing is named.
"""

from _run import run
from _s3_service import SERVICE

if __name__ == "__main__":
    run(SERVICE, __doc__)
