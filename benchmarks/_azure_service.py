"""Azure Blob Storage, as it is measured."""

from typing import Any

from _azure_contenders import CONTENDERS, PACKAGES, SDK
from _azure_goals import GOALS, LIMITS
from _azure_large import DOWNLOADS, UPLOADS
from _azure_sdk import find
from _azure_servers import CONTAINER, NAMED_KEY, account, azurite
from _servers import Endpoint
from _service import Service

find()


def _disk(place: Endpoint) -> dict[str, Any]:
    return {"driver": "azure", "container": CONTAINER, "endpoint_url": place.url, **NAMED_KEY}


SERVICE = Service(
    "azure",
    PACKAGES,
    CONTENDERS,
    UPLOADS,
    DOWNLOADS,
    _disk,
    (SDK,),
    account,
    GOALS,
    LIMITS,
    {"azurite": azurite},
    mebibytes=64,
)
