"""Errors by kind: one table from Google's reasons and codes, and sentences with the way out."""

from collections.abc import Mapping
from typing import Final

from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    Corrupted,
    InvalidArgument,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.drivers._gcs.target import Target
from storeroom.drivers._http.failures import GONE, Failures, Known, Table
from storeroom.drivers._http.wire import Refused

__all__ = ["FAILURES", "NO_BUCKET", "RETRIED", "THROTTLED", "explaining"]

NO_BUCKET: Final = "NoSuchBucket"
"""The code of a bucket that is not there."""

THROTTLED: Final = frozenset(
    (
        *("rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED"),
        *("SlowDown", "TooManyRequests"),
    )
)
"""Reasons that say: too fast."""

RETRIED: Final = frozenset(
    (
        *THROTTLED,
        *("backendError", "internalError", "uploadBrokenConnection", "requestTimeout"),
        *("InternalError", "ServiceUnavailable", "RequestTimeout"),
    )
)
"""Reasons after which the same request may succeed."""

_NOT_ALLOWED: Final = "the credentials do not allow this"
_TOO_LARGE: Final = (InvalidArgument, "it is larger than the service takes")
_CHANGED: Final = (Corrupted, "the bytes changed on their way")
_QUOTA: Final = (QuotaExceeded, "the project's quota is used up")
_UNKNOWN: Final = (
    PermissionDenied,
    "the service does not know these credentials; check them, and that the endpoint is the right one",
)
_PAYING: Final = (
    ConfigError,
    "the requester pays for this bucket; say which project with user_project",
)
_HELD: Final = (PermissionDenied, "a retention policy or a hold keeps the file as it is")
_CODES: Final[Mapping[str, Known]] = {
    "notFound": (NotFound, GONE),
    "NoSuchKey": (NotFound, GONE),
    "NoSuchVersion": (NotFound, "there is no such version"),
    "conditionNotMet": (PreconditionFailed, "the file is not the one that if_match names"),
    "PreconditionFailed": (PreconditionFailed, "the file is not the one that if_match names"),
    "forbidden": (PermissionDenied, _NOT_ALLOWED),
    "AccessDenied": (PermissionDenied, _NOT_ALLOWED),
    "PERMISSION_DENIED": (PermissionDenied, _NOT_ALLOWED),
    "insufficientPermissions": (
        PermissionDenied,
        "the credentials' scopes do not allow this; get some with devstorage.full_control",
    ),
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": (
        PermissionDenied,
        "the credentials' scopes do not allow this",
    ),
    "authError": _UNKNOWN,
    "UNAUTHENTICATED": _UNKNOWN,
    "AuthenticationRequired": _UNKNOWN,
    "InvalidAuthentication": _UNKNOWN,
    "accountDisabled": (PermissionDenied, "the project's account or its billing is disabled"),
    "UserProjectAccountProblem": (PermissionDenied, "the billing of user_project is in trouble"),
    "userProjectMissing": _PAYING,
    "UserProjectMissing": _PAYING,
    "retentionPolicyNotMet": _HELD,
    "objectUnderActiveHold": _HELD,
    "RetentionPolicyNotMet": _HELD,
    "ObjectUnderActiveHold": _HELD,
    "SignatureDoesNotMatch": (PermissionDenied, "the service computes another signature"),
    "ExpiredToken": (PermissionDenied, "the signature has expired"),
    "RequestTimeTooSkewed": (
        PermissionDenied,
        "this machine's clock is too far from the service's; set it",
    ),
    "PublicAccessPrevention": (
        Unsupported,
        "public access is prevented for this bucket; leave visibility out",
    ),
    "UniformAccess": (
        Unsupported,
        "the bucket has uniform access and no access lists; leave uniform_access=False out",
    ),
    "InvalidStorageClass": (Unsupported, "the service has no such tier"),
    "BadDigest": _CHANGED,
    "InvalidDigest": (Corrupted, "the service takes no such checksum"),
    "uploadTooLarge": _TOO_LARGE,
    "EntityTooLarge": _TOO_LARGE,
    "KeyTooLong": (InvalidPath, "it is longer than the service takes; shorten it"),
    "MetadataTooLarge": (
        InvalidArgument,
        "the metadata is larger than the 8 KiB the service takes",
    ),
    "quotaExceeded": _QUOTA,
    "dailyLimitExceeded": _QUOTA,
    "storageQuotaExceeded": _QUOTA,
    "QuotaExceeded": _QUOTA,
    "notImplemented": (Unsupported, "the service has no such thing"),
    "NotImplemented": (Unsupported, "the service has no such thing"),
    "MethodNotAllowed": (Unsupported, "the service does not allow this here"),
}
FAILURES: Final = Failures(
    _CODES,
    {
        401: _UNKNOWN,
        408: (Timeout, "the service waited for the rest of the request"),
        410: (Unavailable, "what was begun at the service is gone"),
    },
    THROTTLED,
    RETRIED,
    ("x-guploader-uploadid",),
)
"""The errors of Google Cloud Storage by kind."""


def explaining(target: Target, /, *, creating: bool = False) -> Table:
    """`FAILURES`, for one bucket at one endpoint; `creating` makes a failed condition `AlreadyExists`."""

    def table(error: Exception) -> StorageError | None:
        if isinstance(error, Refused):
            if error.code == NO_BUCKET:
                return ConfigError(
                    f"there is no bucket {target.bucket!r} at {target.origin}; make it, or name another"
                )
            if creating and error.status == 412 and error.code != "PublicAccessPrevention":
                return AlreadyExists("there is a file already")
        return FAILURES.kind_of(error, target.origin)

    return table
