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
    Timeout,
    Unavailable,
    Unsupported,
)
from storeroom.drivers._s3.replies import ErrorReply
from storeroom.drivers._s3.wire import Lost, Refused

__all__ = ["CONFLICT", "RETRIED", "THROTTLED", "explaining", "failed"]

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

_GONE: Final = "there is no such file"
_CODES: Final[Mapping[str, tuple[type[StorageError], str]]] = {
    "NoSuchKey": (NotFound, _GONE),
    "NotFound": (NotFound, _GONE),
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
_STATUSES: Final[Mapping[int, tuple[type[StorageError], str]]] = {
    304: _CODES["NotModified"],
    400: (StorageError, "the service refuses the request"),
    401: _CODES["AccessDenied"],
    403: _CODES["AccessDenied"],
    404: _CODES["NoSuchKey"],
    405: _CODES["MethodNotAllowed"],
    409: (Unavailable, "another request is at work on this"),
    411: (Unsupported, "the service wants the length first"),
    412: _CODES["PreconditionFailed"],
    413: _CODES["EntityTooLarge"],
    501: _CODES["NotImplemented"],
    507: _CODES["XMinioStorageFull"],
}
_MOVED: Final = frozenset(
    (
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    )
)


def failed(error: Exception, /) -> StorageError | None:
    """The kind of a request that failed; None for what is no failure of the service."""
    if isinstance(error, Refused):
        return _refused(error)
    if isinstance(error, ErrorReply):
        return _refused(Refused(200, error.failure, {}))
    return _lost(error) if isinstance(error, Lost) else None


def explaining(
    bucket: str, origin: Callable[[], str], /, *, creating: bool = False
) -> Callable[[Exception], StorageError | None]:
    """`failed`, for one bucket at one endpoint; `creating` makes a failed condition `AlreadyExists`."""

    def table(error: Exception) -> StorageError | None:
        if isinstance(error, Refused) and error.code == "NoSuchBucket":
            return ConfigError(
                f"there is no bucket {bucket!r} at {origin()}; make it, or name another"
            )
        if isinstance(error, Refused) and error.code in _MOVED:
            return _moved(error, bucket, origin())
        if creating and isinstance(error, Refused) and error.status == 412:
            return AlreadyExists("there is a file already")
        found = failed(error)
        if found is not None and isinstance(error, Lost):
            found.reason = f"{origin()} {found.reason}"
        return found

    return table


def _refused(error: Refused) -> StorageError:
    known = _CODES.get(error.code)
    if known is None and error.code in THROTTLED:
        known = (Unavailable, "the service asks for fewer requests")
    if known is None and (error.code in RETRIED or error.status >= 500):
        known = _STATUSES.get(error.status, (Unavailable, "the service failed; try again later"))
    kind, reason = known or _STATUSES.get(
        error.status, (StorageError, f"the service answered with status {error.status}")
    )
    return kind(f"{reason}{_said(error, understood=known is not None)}")


def _said(error: Refused, *, understood: bool) -> str:
    """The code and the request's id; the service's own words where they may say more than ours."""
    words = [f"status {error.status}" if not error.code else error.code]
    if not understood and error.failure.message:
        words[0] += f": {error.failure.message[:200]}"
    number = error.failure.request_id or error.headers.get("x-amz-request-id")
    if number:
        words.append(f"request {number}")
    return f" ({', '.join(words)})"


def _moved(error: Refused, bucket: str, origin: str) -> StorageError:
    region = error.failure.region or error.headers.get("x-amz-bucket-region")
    if region:
        return ConfigError(f"the bucket {bucket!r} is in the region {region!r}; set region to it")
    return ConfigError(f"the bucket {bucket!r} is not at {origin}; set its region or endpoint_url")


def _lost(error: Lost) -> StorageError:
    if error.why == "certificate":
        return ConfigError(
            f"shows a certificate that is not trusted: {error.reason}; give its authority: "
            "verify='ca.pem'"
        )
    if error.why == "idle":
        return Timeout("sent nothing for as long as the time-out; try again, or raise timeout")
    if error.why == "unreachable":
        return Unavailable(
            f"does not answer: {error.reason}; check endpoint_url, and that the service runs"
        )
    return Unavailable(f"dropped the connection: {error.reason}")
