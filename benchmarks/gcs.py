"""Google Cloud Storage against everyone who speaks it from asyncio, on canned replies.

Contenders come from the extra `bench` (`pip install -e '.[bench]'`); who is missing is named.
"""

from _gcs_service import SERVICE
from _run import run

if __name__ == "__main__":
    run(SERVICE, __doc__)
