"""Server-side encryption as it is asked for, and the customer's key asked for again."""

import base64
import hashlib

from tests.servers._strict_s3.call import Call
from tests.servers._strict_s3.errors import Refused
from tests.servers._strict_s3.state import Encryption, Version

_SERVER = "x-amz-server-side-encryption"
_CUSTOMER = "x-amz-server-side-encryption-customer"
_SOURCE = "x-amz-copy-source-server-side-encryption-customer"
_OWN_KEY = "arn:aws:kms:us-east-1:000000000000:key/aws-s3"


def asked(call: Call, /) -> Encryption:
    """What the object shall be encrypted with."""
    customer = _customer(call, _CUSTOMER)
    algorithm, key_id = call.header(_SERVER), call.header(f"{_SERVER}-aws-kms-key-id")
    if customer and (algorithm or key_id):
        raise Refused(
            "InvalidArgument", "SSE-C and another server side encryption were both asked."
        )
    if customer:
        return customer
    if key_id and algorithm not in ("aws:kms", "aws:kms:dsse"):
        raise Refused("InvalidArgument", "A KMS key id needs x-amz-server-side-encryption: aws:kms")
    if algorithm in ("aws:kms", "aws:kms:dsse"):
        return Encryption(algorithm, key_id or _OWN_KEY)
    if algorithm not in (None, "AES256"):
        raise Refused("InvalidArgument", "The encryption method specified is not supported")
    return Encryption()


def check_read(call: Call, version: Version, /) -> None:
    """The customer's key where the object has one, and no header that belongs to writing."""
    if call.header(_SERVER):
        raise Refused("InvalidArgument", "x-amz-server-side-encryption header is not supported.")
    _check(_customer(call, _CUSTOMER), version.facts.encryption)


def check_copied(call: Call, version: Version, /) -> None:
    """The same for the source of a copy."""
    _check(_customer(call, _SOURCE), version.facts.encryption)


def check_part(call: Call, encryption: Encryption, /) -> None:
    """Every part brings the key that the upload was begun with."""
    _check(_customer(call, _CUSTOMER), encryption)


def headers(encryption: Encryption, /) -> dict[str, str]:
    """What an answer says about the encryption."""
    if encryption.customer:
        return {
            f"{_CUSTOMER}-algorithm": "AES256",
            f"{_CUSTOMER}-key-MD5": encryption.customer,
        }
    shown = {_SERVER: encryption.algorithm}
    if encryption.key_id:
        shown[f"{_SERVER}-aws-kms-key-id"] = encryption.key_id
    return shown


def _customer(call: Call, prefix: str) -> Encryption | None:
    given = [call.header(f"{prefix}-{name}") for name in ("algorithm", "key", "key-MD5")]
    if given == [None, None, None]:
        return None
    if not call.secure:
        raise Refused(
            "InvalidRequest",
            "Requests specifying Server Side Encryption with Customer provided keys must be made "
            "over a secure connection.",
        )
    algorithm, key, md5 = given
    if algorithm != "AES256":
        raise Refused(
            "InvalidEncryptionAlgorithmError", "The Encryption request you specified is not valid."
        )
    if key is None or md5 is None:
        raise Refused(
            "InvalidArgument",
            "Requests specifying Server Side Encryption with Customer provided keys must provide "
            "the secret key and its MD5.",
        )
    raw = _decoded(key, 32, "The secret key was invalid for the specified algorithm.")
    if _decoded(md5, 16, "The MD5 of the key is invalid.") != hashlib.md5(raw).digest():
        raise Refused(
            "InvalidArgument",
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        )
    return Encryption(customer=md5, key_hash=hashlib.sha256(raw).hexdigest())


def _decoded(value: str, size: int, otherwise: str) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise Refused("InvalidArgument", otherwise)
    return raw


def _check(given: Encryption | None, stored: Encryption) -> None:
    if given is None and stored.customer:
        raise Refused(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters "
            "must be provided to retrieve the object.",
        )
    if given and not stored.customer:
        raise Refused(
            "InvalidRequest", "The encryption parameters are not applicable to this object."
        )
    if given and given.key_hash != stored.key_hash:
        raise Refused(
            "AccessDenied", "The customer's key is not the one that the object was stored with."
        )
