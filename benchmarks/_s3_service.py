"""S3, as it is measured."""

from functools import partial
from typing import Any

from _s3_contenders import CONTENDERS, PACKAGES, SHARED
from _s3_goals import GOALS, LIMITS
from _s3_large import DOWNLOADS, UPLOADS
from _s3_servers import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, rclone
from _servers import Endpoint, stub
from _service import Service


def _disk(place: Endpoint) -> dict[str, Any]:
    words = {"endpoint": place.url, "key": ACCESS_KEY, "secret": SECRET_KEY, "region": REGION}
    return {"driver": "s3", "bucket": BUCKET, **words}


SERVICE = Service(
    "s3",
    PACKAGES,
    CONTENDERS,
    UPLOADS,
    DOWNLOADS,
    _disk,
    (SHARED,),
    partial(stub, "_s3_stub.py"),
    GOALS,
    LIMITS,
    {"rclone": rclone},
)
