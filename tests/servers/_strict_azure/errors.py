"""Refusals by the codes of Azure, each with its status."""

from collections.abc import Mapping
from xml.sax.saxutils import escape

from tests.servers._strict.reply import Refusal

# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
STATUS = {
    "AccountIsDisabled": 403,
    "AppendPositionConditionNotMet": 412,
    "AuthenticationFailed": 403,
    "AuthorizationFailure": 403,
    "AuthorizationPermissionMismatch": 403,
    "AuthorizationProtocolMismatch": 403,
    "AuthorizationResourceTypeMismatch": 403,
    "AuthorizationServiceMismatch": 403,
    "AuthorizationSourceIPMismatch": 403,
    "BlobAlreadyExists": 409,
    "BlobArchived": 409,
    "BlobBeingRehydrated": 409,
    "BlobNotFound": 404,
    "BlobTierInadequateForContentLength": 409,
    "BlockCountExceedsLimit": 409,
    "CannotVerifyCopySource": 404,
    "ConditionNotMet": 412,
    "ContainerAlreadyExists": 409,
    "ContainerNotFound": 404,
    "CopyIdMismatch": 409,
    "EmptyMetadataKey": 400,
    "InternalError": 500,
    "InvalidAuthenticationInfo": 401,
    "InvalidBlobOrBlock": 400,
    "InvalidBlobTier": 400,
    "InvalidBlobType": 409,
    "InvalidBlockId": 400,
    "InvalidBlockList": 400,
    "InvalidHeaderValue": 400,
    "InvalidInput": 400,
    "InvalidMd5": 400,
    "InvalidMetadata": 400,
    "InvalidQueryParameterValue": 400,
    "InvalidRange": 416,
    "InvalidResourceName": 400,
    "InvalidUri": 400,
    "InvalidXmlDocument": 400,
    "LeaseAlreadyPresent": 409,
    "LeaseIdMismatchWithBlobOperation": 412,
    "LeaseIdMismatchWithLeaseOperation": 409,
    "LeaseIdMissing": 412,
    "LeaseLost": 412,
    "LeaseNotPresentWithBlobOperation": 412,
    "LeaseNotPresentWithLeaseOperation": 409,
    "MaxBlobSizeConditionNotMet": 412,
    "Md5Mismatch": 400,
    "MetadataTooLarge": 400,
    "MissingContentLengthHeader": 411,
    "MissingRequiredHeader": 400,
    "NoAuthenticationInformation": 401,
    "NoPendingCopyOperation": 409,
    "OperationNotAllowedOnRootBlob": 403,
    "OperationTimedOut": 500,
    "OutOfRangeInput": 400,
    "OutOfRangeQueryParameterValue": 400,
    "PendingCopyOperation": 409,
    "PublicAccessNotPermitted": 409,
    "RequestBodyTooLarge": 413,
    "ResourceNotFound": 404,
    "ServerBusy": 503,
    "SourceConditionNotMet": 412,
    "UnsatisfiableCondition": 400,
    "UnsupportedHeader": 400,
    "UnsupportedHttpVerb": 405,
}


class Refused(Refusal):
    """An answer that is an error: `fields` stand beside Code and Message in its XML."""

    def __init__(
        self,
        code: str,
        message: str = "",
        /,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.status = status or STATUS[code]
        self.message = message or code
        self.headers = dict(headers or {})
        self.fields = fields


def document(code: str, message: str, /, **fields: object) -> bytes:
    """The words of an error, as Azure has them: with the mark of UTF-8 before them."""
    told = "".join(f"<{name}>{escape(str(said))}</{name}>" for name, said in fields.items())
    return (
        '\ufeff<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{told}</Error>"
    ).encode()
