"""Errors by kind: one table from the service's codes, and sentences with the way out.

https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
"""

from collections.abc import Mapping
from typing import Final

from storeroom.contracts.errors import (
    AlreadyExists,
    ConfigError,
    Corrupted,
    InvalidArgument,
    InvalidPath,
    NotFound,
    Obstructed,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Unavailable,
    Unsupported,
)
from storeroom.drivers._http.failures import GONE, Failures, Known, Table
from storeroom.drivers._http.wire import Refused

__all__ = ["EXISTS", "FAILURES", "RETRIED", "THROTTLED", "explaining"]

THROTTLED: Final = frozenset(("ServerBusy", "TooManyRequests"))
"""Codes that say: too fast."""

RETRIED: Final = frozenset((*THROTTLED, "InternalError", "OperationTimedOut"))
"""Codes after which the same request may succeed."""

EXISTS: Final = frozenset(("BlobAlreadyExists", "UnauthorizedBlobOverwrite"))
"""Codes of a file that was to be made and is there."""

_LEASED: Final = "somebody holds a lease on the file; wait until it is given back or over"
_NOT_THE_LEASE: Final = "the lease is not, or no longer, this one"
_RIGHTS: Final = "the credentials do not allow this"
_NO_SOURCE: Final = "there is no such file to copy from"

_CODES: Final[Mapping[str, Known]] = {
    "BlobNotFound": (NotFound, GONE),
    "ResourceNotFound": (NotFound, GONE),
    "CannotVerifyCopySource": (NotFound, _NO_SOURCE),
    **dict.fromkeys(EXISTS, (AlreadyExists, "there is a file already")),
    "SourceConditionNotMet": (PreconditionFailed, "the source changed while it was copied"),
    "LeaseIdMissing": (PreconditionFailed, _LEASED),
    "LeaseAlreadyPresent": (PreconditionFailed, _LEASED),
    "LeaseIdMismatchWithBlobOperation": (PreconditionFailed, _NOT_THE_LEASE),
    "LeaseIdMismatchWithLeaseOperation": (PreconditionFailed, _NOT_THE_LEASE),
    "LeaseLost": (PreconditionFailed, _NOT_THE_LEASE),
    "LeaseNotPresentWithBlobOperation": (PreconditionFailed, _NOT_THE_LEASE),
    "LeaseNotPresentWithLeaseOperation": (PreconditionFailed, _NOT_THE_LEASE),
    "LeaseIsBreakingAndCannotBeAcquired": (PreconditionFailed, _LEASED),
    "LeaseIsBreakingAndCannotBeChanged": (PreconditionFailed, _NOT_THE_LEASE),
    "LeaseIsBrokenAndCannotBeRenewed": (PreconditionFailed, _NOT_THE_LEASE),
    "BlobArchived": (
        Unsupported,
        "the file is in the archive tier; make it readable first: rehydrate(path)",
    ),
    "BlobBeingRehydrated": (
        Unavailable,
        "the file is on its way out of the archive, which takes hours; try again later",
    ),
    "InvalidBlobTier": (Unsupported, "the service has no such tier, or not for this file"),
    "BlobTierInadequateForContentLength": (Unsupported, "the file is too large for this tier"),
    "BlobImmutableDueToPolicy": (
        PermissionDenied,
        "a policy of the container keeps the file as it is",
    ),
    "BlobImmutableDueToLegalHold": (PermissionDenied, "a legal hold keeps the file as it is"),
    "InvalidBlobType": (
        Unsupported,
        "the file is an append or page blob; remove it before storing more than one request's worth",
    ),
    "BlobTypeNotSupported": (Unsupported, "a file of this kind cannot do that"),
    "PendingCopyOperation": (Unavailable, "a copy to this file is still under way"),
    "FeatureVersionMismatch": (Unsupported, "the service has no such thing for this file"),
    "FeatureNotSupportedForAccount": (Unsupported, "the account has no such thing"),
    "BlobOperationNotSupportedInHierarchicalNamespace": (
        Unsupported,
        "the account has no such thing",
    ),
    "UnsupportedHeader": (Unsupported, "the service does not know something it was told"),
    "NotImplemented": (Unsupported, "the service has no such thing"),
    "APINotImplemented": (Unsupported, "the service has no such thing"),
    "PathAlreadyExists": (Obstructed, "a folder is there"),
    "ResourceTypeMismatch": (Obstructed, "a folder is there"),
    "DirectoryIsNotEmpty": (Obstructed, "a folder is there, and it is not empty"),
    "InvalidResourceName": (InvalidPath, "the service takes no such name"),
    "InvalidUri": (InvalidPath, "the service takes no such name"),
    "OutOfRangeInput": (InvalidArgument, "something is longer than the service takes; shorten it"),
    "MetadataTooLarge": (InvalidArgument, "the metadata is larger than the 8 KB the service takes"),
    "InvalidMetadata": (InvalidArgument, "the service takes no such metadata"),
    "InvalidTag": (InvalidArgument, "the service refuses a tag; it takes 10, short and plain ones"),
    "RequestBodyTooLarge": (InvalidArgument, "it is larger than the service takes at once"),
    "InvalidBlockList": (
        Unavailable,
        "the blocks of the upload are gone, for something else was stored there; store it again",
    ),
    "BlockCountExceedsLimit": (InvalidArgument, "there are more blocks than the service takes"),
    "BlockListTooLong": (InvalidArgument, "there are more blocks than the service takes"),
    "InvalidBlobOrBlock": (
        Unavailable,
        (
            "another program's unfinished upload to this path has blocks of another kind; they are "
            "gone a week after its last one, or when a small file is stored there"
        ),
    ),
    "Md5Mismatch": (Corrupted, "the bytes changed on their way"),
    "Crc64Mismatch": (Corrupted, "the bytes changed on their way"),
    "InvalidMd5": (Corrupted, "the service takes no such checksum"),
    "AuthenticationFailed": (
        PermissionDenied,
        (
            "the service does not accept who asks: check account_key, or whether sas_token or the "
            "token has expired, and this machine's clock"
        ),
    ),
    "InvalidAuthenticationInfo": (PermissionDenied, "the service refuses the token; get a new one"),
    "NoAuthenticationInformation": (
        PermissionDenied,
        "the service wants to know who asks; give account_key, sas_token or credential",
    ),
    "AuthorizationFailure": (PermissionDenied, _RIGHTS),
    "AuthorizationPermissionMismatch": (PermissionDenied, _RIGHTS),
    "AuthorizationProtocolMismatch": (PermissionDenied, "the signature is for https only"),
    "AuthorizationSourceIPMismatch": (PermissionDenied, "the signature is for another address"),
    "AuthorizationServiceMismatch": (PermissionDenied, "the signature is for another service"),
    "AuthorizationResourceTypeMismatch": (PermissionDenied, "the signature is not for this"),
    "InsufficientAccountPermissions": (PermissionDenied, _RIGHTS),
    "PublicAccessNotPermitted": (
        PermissionDenied,
        "the account lets nobody in without credentials",
    ),
    "KeyBasedAuthenticationNotPermitted": (
        PermissionDenied,
        "the account takes no keys; give a credential of Microsoft Entra ID instead of account_key",
    ),
    "AccountIsDisabled": (PermissionDenied, "the account is disabled"),
    "AccountBeingCreated": (Unavailable, "the account is still being made; try again later"),
    "ContainerBeingDeleted": (Unavailable, "the container is being deleted"),
    "ContainerDisabled": (PermissionDenied, "the container is disabled"),
    "AccountLimitExceeded": (QuotaExceeded, "the account is full"),
}
FAILURES: Final = Failures(
    _CODES,
    {411: (Unsupported, "the service wants the length first")},
    THROTTLED,
    RETRIED,
    ("x-ms-request-id",),
)
"""The errors of Blob Storage by kind."""


def explaining(container: str, origin: str, /, *, creating: bool = False) -> Table:
    """`FAILURES`, for one container; `creating` makes a failed condition `AlreadyExists`."""

    def table(error: Exception) -> StorageError | None:
        if not isinstance(error, Refused):
            return FAILURES.kind_of(error, origin)
        if error.code == "ContainerNotFound":
            return ConfigError(
                f"there is no container {container!r} at {origin}; make it, or name another"
            )
        if creating and error.code == "ConditionNotMet":
            return AlreadyExists("there is a file already")
        if error.failure.details.get("HeaderName") == "x-ms-access-tier":
            return Unsupported(_CODES["InvalidBlobTier"][1])
        if error.code == "CannotVerifyCopySource" and error.status != 404:
            return PermissionDenied("the service may not read the file to copy from")
        return FAILURES.kind_of(error, origin)

    return table
