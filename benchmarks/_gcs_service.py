"""Google Cloud Storage, as it is measured."""

from functools import partial
from typing import Any

from _gcs_contenders import BUCKET, CONTENDERS, PACKAGES, SHARED
from _gcs_goals import GOALS, LIMITS
from _gcs_large import DOWNLOADS, UPLOADS
from _servers import Endpoint, stub
from _service import Service


def _disk(place: Endpoint) -> dict[str, Any]:
    return {"driver": "gcs", "bucket": BUCKET, "anonymous": True, "endpoint_url": place.url}


SERVICE = Service(
    "gcs",
    PACKAGES,
    CONTENDERS,
    UPLOADS,
    DOWNLOADS,
    _disk,
    (SHARED,),
    partial(stub, "_gcs_stub.py"),
    GOALS,
    LIMITS,
)
