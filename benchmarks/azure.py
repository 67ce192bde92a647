"""Azure Blob Storage against everyone who speaks it from asyncio: canned replies, and Azurite.

Contenders come from the extra `bench` (`pip install -e '.[bench]'`); who is missing is named.
Azurite is an npm package: `npm ci` beside `package.json`.
"""

from _azure_service import SERVICE
from _run import run

if __name__ == "__main__":
    run(SERVICE, __doc__)
