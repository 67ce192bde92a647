"""Where a bucket of S3 lies, and by which clock its service goes."""

from datetime import UTC, datetime, timedelta

from storeroom.drivers._http.place import Place, base_of
from storeroom.drivers._s3.signature import Signer

__all__ = ["Spot", "aws_place", "place_at"]


class Spot:
    """Where a bucket is and by which clock it goes, as far as is known; shared by all loops."""

    def __init__(self, place: Place, region: str) -> None:
        self.move(place, region)
        self.skew = timedelta(0)

    def move(self, place: Place, region: str) -> None:
        """The bucket turned out to be elsewhere."""
        self.place = place
        self.region = region
        self.signer = Signer(region)

    def now(self) -> datetime:
        """The time at the service."""
        return datetime.now(UTC) + self.skew


def aws_place(bucket: str, region: str | None, /, *, path_style: bool) -> Place:
    """A bucket of Amazon S3; one whose name has dots keeps out of the host, or TLS would fail.

    Without a region it is the address that leads on from anywhere.
    """
    domain = "amazonaws.com.cn" if (region or "").startswith("cn-") else "amazonaws.com"
    host = f"s3.{region}.{domain}" if region else f"s3.{domain}"
    if path_style or "." in bucket:
        return Place("https", host, f"/{bucket}")
    return Place("https", f"{bucket}.{host}")


def place_at(endpoint: str, bucket: str, /, *, path_style: bool) -> Place:
    """A bucket at an endpoint; an endpoint that names the bucket already, as Spaces shows it, is taken so."""
    scheme, host, base = base_of(endpoint, "endpoint_url")
    if path_style or ("." in bucket and scheme == "https"):
        return Place(scheme, host, f"{base}/{bucket}")
    if host.startswith(f"{bucket}."):
        return Place(scheme, host, base)
    return Place(scheme, f"{bucket}.{host}", base)
