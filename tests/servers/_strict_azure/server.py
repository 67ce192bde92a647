"""The process: `python -m tests.servers._strict_azure.server PORT [CERTIFICATE KEY]`."""

import asyncio
import sys

from tests.servers._strict.server import serve, server_tls
from tests.servers._strict_azure.service import AzureService

if __name__ == "__main__":
    tls = server_tls(sys.argv[2:])
    asyncio.run(serve(AzureService(tls is not None), int(sys.argv[1]), tls))
