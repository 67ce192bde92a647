"""Errors by kind: one table from the service's codes, and sentences with the way out."""

from collections.abc import Callable, Mapping
from typing import Final

from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    Corrupted,
    InvalidArgument,
    InvalidPath,
    NotFound,
    NotModified,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Unsupported,
)
from storeroom.drivers._http.failures import GONE, Failures, Known, Table
from storeroom.drivers._http.wire import Refused
from storeroom.drivers._s3.replies import ErrorReply

__all__ = ["CONFLICT", "FAILURES", "RETRIED", "THROTTLED", "explaining"]

THROTTLED: Final = frozenset(
    (
        *("SlowDown", "Throttling", "ThrottlingException", "RequestThrottled", "TooManyRequests"),
        *("RequestLimitExceeded", "BandwidthLimitExceeded", "RequestThrottledException"),
    )
)
"""Codes that say: too fast."""

CONFLICT: Final = "ConditionalRequestConflict"
"""The code of a conditional write that met another one."""

RETRIED: Final = frozenset(
    (
        *THROTTLED,
        *("InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException"),
        *("OperationAborted", CONFLICT, "TransactionInProgress"),
    )
)
"""Codes after which the same request may succeed."""

_CODES: Final[Mapping[str, Known]] = {
    "NoSuchKey": (NotFound, GONE),
    "NotFound": (NotFound, GONE),
    "NoSuchVersion": (NotFound, "there is no such version"),
    "NoSuchUpload": (NotFound, "there is no such upload"),
    "InvalidPart": (InvalidArgument, "a part is not there, or its etag is another"),
    "InvalidPartOrder": (InvalidArgument, "the parts are out of order"),
    "EntityTooSmall": (InvalidArgument, "a part is below 5 MiB and not the last"),
    "EntityTooLarge": (InvalidArgument, "it is larger than the service takes"),
    "KeyTooLongError": (InvalidPath, "it is longer than the service takes; shorten it"),
    "MetadataTooLarge": (InvalidArgument, "the metadata is larger than the 2 KB the service takes"),
    "InvalidTag": (InvalidArgument, "the service refuses a tag; it takes 10, short and plain ones"),
    "PreconditionFailed": (PreconditionFailed, "the file is not the one that if_match names"),
    "NotModified": (NotModified, "the file is still the one that if_none_match names"),
    "BadDigest": (Corrupted, "the bytes changed on their way"),
    "InvalidDigest": (Corrupted, "the service takes no such checksum"),
    "XAmzContentSHA256Mismatch": (Corrupted, "the bytes changed on their way"),
    "XAmzContentChecksumMismatch": (Corrupted, "the bytes changed on their way"),
    "IncompleteBody": (Corrupted, "the service got fewer bytes than announced"),
    "NotImplemented": (Unsupported, "the service has no such thing"),
    "MethodNotAllowed": (Unsupported, "the service does not allow this here"),
    "AccessControlListNotSupported": (
        Unsupported,
        "the bucket has its access lists switched off; leave visibility out, or use a bucket policy",
    ),
    "InvalidStorageClass": (Unsupported, "the service has no such tier"),
    "InvalidObjectState": (
        Unsupported,
        "the file is in an archive tier; restore it first: restore_archived(path, days=1)",
    ),
    "QuotaExceeded": (QuotaExceeded, "the account's quota is used up"),
    "ServiceQuotaExceeded": (QuotaExceeded, "the account's quota is used up"),
    "XMinioStorageFull": (QuotaExceeded, "the service's disks are full"),
    "AccessDenied": (PermissionDenied, "the credentials do not allow this"),
    "AllAccessDisabled": (PermissionDenied, "the service has disabled all access to this"),
    "InvalidAccessKeyId": (
        PermissionDenied,
        "the service does not know this access_key; check it, and that the endpoint is the right one",
    ),
    "SignatureDoesNotMatch": (
        PermissionDenied,
        "the service computes another signature; check secret_key and region",
    ),
    "ExpiredToken": (PermissionDenied, "the credentials have expired; get new ones"),
    "InvalidToken": (PermissionDenied, "the service refuses the session token; get a new one"),
    "RequestTimeTooSkewed": (
        PermissionDenied,
        "this machine's clock is too far from the service's; set it",
    ),
}
FAILURES: Final = Failures(
    _CODES,
    {507: _CODES["XMinioStorageFull"]},
    THROTTLED,
    RETRIED,
    ("x-amz-request-id",),
)
"""The errors of S3 by kind."""

_MOVED: Final = frozenset(
    (
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    )
)


def explaining(bucket: str, origin: Callable[[], str], /, *, creating: bool = False) -> Table:
    """`FAILURES`, for one bucket at one endpoint; `creating` makes a failed condition `AlreadyExists`."""

    def table(error: Exception) -> StorageError | None:
        if isinstance(error, Refused) and error.code == "NoSuchBucket":
            return ConfigError(
                f"there is no bucket {bucket!r} at {origin()}; make it, or name another"
            )
        if isinstance(error, Refused) and error.code in _MOVED:
            return _moved(error, bucket, origin())
        if creating and isinstance(error, Refused) and error.status == 412:
            return AlreadyExists("there is a file already")
        if isinstance(error, ErrorReply):
            error = Refused(200, error.failure, {})
        return FAILURES.kind_of(error, origin())

    return table


def _moved(error: Refused, bucket: str, origin: str) -> StorageError:
    region = error.failure.details.get("Region") or error.headers.get("x-amz-bucket-region")
    if region:
        return ConfigError(f"the bucket {bucket!r} is in the region {region!r}; set region to it")
    return ConfigError(f"the bucket {bucket!r} is not at {origin}; set its region or endpoint_url")
