"""Refusals as Google words them: reasons of the JSON API, codes of the XML API.

https://cloud.google.com/storage/docs/json_api/v1/status-codes
https://cloud.google.com/storage/docs/xml-api/reference-status
"""

from collections.abc import Mapping

from tests.servers._strict.reply import Refusal

REASONS = {
    304: "notModified",
    400: "invalid",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    408: "uploadBrokenConnection",
    409: "conflict",
    410: "gone",
    411: "lengthRequired",
    412: "conditionNotMet",
    413: "uploadTooLarge",
    416: "requestedRangeNotSatisfiable",
    429: "rateLimitExceeded",
    499: "cancelled",
    500: "backendError",
    501: "notImplemented",
    502: "badGateway",
    503: "backendError",
    504: "gatewayTimeout",
}
CODES = {
    304: "NotModified",
    400: "InvalidArgument",
    401: "AuthenticationRequired",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "Conflict",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    416: "InvalidRange",
    429: "SlowDown",
    500: "InternalError",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}


class Refused(Refusal):
    """An answer that is an error.

    `reason` is that of the JSON API and `code` that of the XML API, where they are not the usual
    ones of the status; `location` is the header or parameter at fault. `told` is the body where a
    service has words of its own.
    """

    def __init__(
        self,
        status: int,
        message: str = "",
        /,
        *,
        reason: str | None = None,
        code: str | None = None,
        details: str | None = None,
        location: str | None = None,
        headers: Mapping[str, str] | None = None,
        told: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.reason = reason or REASONS.get(status, "unknown")
        self.code = code or CODES.get(status, "InternalError")
        self.details = details
        self.location = location
        self.headers = dict(headers or {})
        self.told = told


def invalid(message: str, /, *, location: str | None = None) -> Refused:
    return Refused(400, message, location=location)


def no_bucket() -> Refused:
    return Refused(404, "The specified bucket does not exist.", code="NoSuchBucket")


def no_object(bucket: str, key: str, /) -> Refused:
    return Refused(
        404, f"No such object: {bucket}/{key}", details=f"No such object: {bucket}/{key}"
    )


def unmet(location: str, /) -> Refused:
    return Refused(
        412,
        "At least one of the pre-conditions you specified did not hold.",
        location=location,
        details=location,
    )
