"""Who signed a request, by Signature Version 4 in headers or in the query.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote, unquote_plus

from tests.servers._strict.reply import iso_date
from tests.servers._strict_s3.call import Call, Signed
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.settings import Settings
from tests.servers.keys import KEYS, REGION, Key

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)
WEEK = 7 * 24 * 3600
_AUTHORIZATION = re.compile(
    ALGORITHM + r" Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+)"
    r",\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_PRESIGNED = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")


class Scope:
    """A credential's parts: key, day, region, service."""

    def __init__(self, credential: str, malformed: str) -> None:
        parts = credential.split("/")
        if len(parts) != 5 or parts[3:] != ["s3", "aws4_request"]:
            raise Refused(malformed, "The Credential is mal-formed; it ends with s3/aws4_request.")
        self.access, self.day, self.region = parts[:3]

    @property
    def text(self) -> str:
        return f"{self.day}/{self.region}/s3/aws4_request"

    def signing_key(self, key: Key) -> bytes:
        secret = f"AWS4{key.secret}".encode()
        for part in (self.day, self.region, "s3", "aws4_request"):
            secret = hmac_of(secret, part)
        return secret


def verify(call: Call, region: str, settings: Settings, now: datetime, /) -> Signed:
    """Who signed for the bucket's region; anonymous if nobody did, `Refused` if wrongly."""
    authorization = call.header("Authorization")
    is_presigned = "X-Amz-Algorithm" in call.query or "X-Amz-Signature" in call.query
    if authorization and is_presigned:
        raise Refused("InvalidArgument", "Only one auth mechanism allowed")
    if is_presigned:
        return _presigned(call, region, settings, now)
    if authorization:
        return _in_headers(call, authorization, region, settings, now)
    if "AWSAccessKeyId" in call.query:
        raise _unknown_mechanism()
    return Signed()


def _in_headers(
    call: Call, authorization: str, region: str, settings: Settings, now: datetime
) -> Signed:
    if not authorization.startswith(ALGORITHM):
        raise _unknown_mechanism()
    found = _AUTHORIZATION.fullmatch(authorization)
    if not found:
        raise Refused("AuthorizationHeaderMalformed", "The authorization header is malformed.")
    scope = Scope(found["credential"], "AuthorizationHeaderMalformed")
    key = known_key(scope.access, call.header("x-amz-security-token"), settings)
    _check_region(scope, region, "AuthorizationHeaderMalformed")
    stamp = call.header("x-amz-date") or ""
    moment = _moment(stamp)
    if moment is None or not stamp.startswith(scope.day):
        raise Refused(
            "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
        )
    if abs(now - moment) > SKEW:
        raise _skewed(stamp, now)
    payload = call.header("x-amz-content-sha256")
    if payload is None:
        raise Refused(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    names = found["headers"].split(";")
    _check_all_signed(call, names)
    secret = scope.signing_key(key)
    text = _string_to_sign(call, names, stamp, scope, payload)
    _compare(hmac_of(secret, text).hex(), found["signature"], text)
    return Signed(key, False, secret, stamp, scope.text, found["signature"])


def _presigned(call: Call, region: str, settings: Settings, now: datetime) -> Signed:
    query = {name: call.query.get(f"X-Amz-{name}") for name in _PRESIGNED}
    if None in query.values() or query["Algorithm"] != ALGORITHM:
        raise _bad_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    scope = Scope(str(query["Credential"]), "AuthorizationQueryParametersError")
    key = known_key(scope.access, call.query.get("X-Amz-Security-Token"), settings)
    _check_region(scope, region, "AuthorizationQueryParametersError")
    _check_expiry(str(query["Date"]), str(query["Expires"]), now)
    names = str(query["SignedHeaders"]).split(";")
    _check_all_signed(call, names)
    payload = (
        call.query.get("X-Amz-Content-Sha256")
        or call.header("x-amz-content-sha256")
        or "UNSIGNED-PAYLOAD"
    )
    secret = scope.signing_key(key)
    text = _string_to_sign(call, names, str(query["Date"]), scope, payload)
    _compare(hmac_of(secret, text).hex(), str(query["Signature"]), text)
    return Signed(key, True, secret, str(query["Date"]), scope.text, str(query["Signature"]))


def known_key(access: str, token: str | None, settings: Settings) -> Key:
    """The key of that name, or `Refused` where it, its token or its time is wrong."""
    key = KEYS.get(access)
    if key is None:
        raise Refused(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            AWSAccessKeyId=access,
        )
    if key.token != token:
        raise Refused("InvalidToken", "The provided token is malformed or otherwise invalid.")
    if access in settings.expired:
        raise Refused("ExpiredToken", "The provided token has expired.")
    return key


def _check_region(scope: Scope, region: str, malformed: str) -> None:
    if scope.region == region:
        return
    headers = {"x-amz-bucket-region": region}
    if scope.region == REGION:  # right for this endpoint, which is not the bucket's
        raise Refused(
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint.",
            headers=headers,
            Endpoint=f"s3.{region}.amazonaws.com",
        )
    raise Refused(
        malformed,
        f"the region '{scope.region}' is wrong; expecting '{region}'",
        headers=headers,
        Region=region,
    )


def _check_expiry(stamp: str, expires: str, now: datetime) -> None:
    moment = _moment(stamp)
    if moment is None:
        raise _bad_query("X-Amz-Date must be in the ISO8601 Long Format")
    if not expires.isdigit() or not 0 < int(expires) <= WEEK:
        raise _bad_query(f"X-Amz-Expires must be a positive number of at most {WEEK} seconds")
    if moment - now > SKEW:
        raise Refused("AccessDenied", "Request is not yet valid", ServerTime=iso_date(now))
    end = moment + timedelta(seconds=int(expires))
    if now > end:
        raise Refused(
            "AccessDenied", "Request has expired", Expires=iso_date(end), ServerTime=iso_date(now)
        )


def _check_all_signed(call: Call, names: Sequence[str]) -> None:
    unsigned = [
        name
        for name in sorted({name.lower() for name in call.headers})
        if (name == "host" or name.startswith("x-amz-")) and name not in names
    ]
    if unsigned:
        raise Refused(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(unsigned),
        )


def _string_to_sign(
    call: Call, names: Sequence[str], stamp: str, scope: Scope, payload: str
) -> str:
    canonical = "\n".join(
        (
            call.method,
            quote(unquote(call.path), safe="/~"),
            _canonical_query(call.query_string),
            *(f"{name}:{_value(call, name)}" for name in names),
            "",
            ";".join(names),
            payload,
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return f"{ALGORITHM}\n{stamp}\n{scope.text}\n{hashed}"


def _canonical_query(query_string: str) -> str:
    pairs = [pair.partition("=") for pair in query_string.split("&") if pair]
    encoded = [
        (quote(unquote_plus(name), safe="~"), quote(unquote_plus(value), safe="~"))
        for name, _, value in pairs
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _value(call: Call, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in call.headers.getall(name, []))


def _compare(right: str, given: str, text: str) -> None:
    if not hmac.compare_digest(right, given):
        raise Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            StringToSign=text,
        )


def hmac_of(secret: bytes, text: str) -> bytes:
    return hmac.new(secret, text.encode(), hashlib.sha256).digest()


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _skewed(stamp: str, now: datetime) -> Refused:
    return Refused(
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        RequestTime=stamp,
        ServerTime=iso_date(now),
        MaxAllowedSkewMilliseconds=900000,
    )


def _bad_query(message: str) -> Refused:
    return Refused("AuthorizationQueryParametersError", message)


def _unknown_mechanism() -> Refused:
    return Refused(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
