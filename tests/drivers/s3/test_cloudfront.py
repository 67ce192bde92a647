"""CloudFront's URLs and cookies agree with botocore's, and hold under the public key."""

import json
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from storeroom.contracts.errors import ConfigError, InvalidArgument
from storeroom.drivers._s3.cloudfront import CloudFront, Window

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
STARTS = datetime(2029, 1, 1, tzinfo=UTC)
URLS = (
    "https://d111.cloudfront.net/a.jpg",
    "https://cdn.example.com/a%20b/%252F/%C3%A9%2B.jpg",
    "https://cdn.example.com/a.jpg?size=large&x=%26",
    "https://cdn.example.com/it's%22.jpg",
)

ours = CloudFront("K2JCJMDEHXQW5F", PEM)
theirs = CloudFrontSigner(
    "K2JCJMDEHXQW5F", lambda message: KEY.sign(message, padding.PKCS1v15(), SHA1())
)


def decoded(text: str) -> bytes:
    return b64decode(text.translate(str.maketrans("-_~", "+=/")))


def verify(policy: bytes, signature: str) -> None:
    KEY.public_key().verify(decoded(signature), policy, padding.PKCS1v15(), SHA1())


def canned(resource: str) -> bytes:
    return (
        f'{{"Statement":[{{"Resource":"{resource}","Condition":'
        f'{{"DateLessThan":{{"AWS:EpochTime":{int(EXPIRES.timestamp())}}}}}}}]}}'
    ).encode()


def query(url: str) -> Mapping[str, list[str]]:
    return parse_qs(urlsplit(url).query)


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_signed_as_botocore_signs_it(url: str) -> None:
    assert ours.signed_url(url, Window(EXPIRES)) == theirs.generate_presigned_url(
        url, date_less_than=EXPIRES
    )


@pytest.mark.parametrize("starts", [None, STARTS])
@pytest.mark.parametrize("ip", [None, "203.0.113.7", "203.0.113.0/24"])
@pytest.mark.parametrize("url", URLS)
def test_a_custom_policy_is_signed_as_botocore_signs_it(
    url: str, starts: datetime | None, ip: str | None
) -> None:
    if starts is None and ip is None:
        return
    policy = theirs.build_policy(url, EXPIRES, starts, ip)
    assert ours.signed_url(url, Window(EXPIRES, starts, ip)) == theirs.generate_presigned_url(
        url, policy=policy
    )


@pytest.mark.parametrize("url", URLS)
def test_a_url_holds_under_the_public_key(url: str) -> None:
    found = query(ours.signed_url(url, Window(EXPIRES)))
    verify(canned(url), found["Signature"][0])
    with pytest.raises(InvalidSignature):
        verify(canned(f"{url}x"), found["Signature"][0])


def test_a_wider_resource_makes_a_custom_policy() -> None:
    url = ours.signed_url(URLS[0], Window(EXPIRES), resource="https://d111.cloudfront.net/*.jpg")
    found = query(url)
    policy = decoded(found["Policy"][0])
    verify(policy, found["Signature"][0])
    assert json.loads(policy)["Statement"][0]["Resource"] == "https://d111.cloudfront.net/*.jpg"
    assert "Expires" not in found


def test_cookies_for_one_address_are_canned() -> None:
    cookies = ours.signed_cookies(URLS[0], Window(EXPIRES))
    assert cookies.keys() == {
        "CloudFront-Expires",
        "CloudFront-Signature",
        "CloudFront-Key-Pair-Id",
    }
    assert cookies["CloudFront-Expires"] == str(int(EXPIRES.timestamp()))
    verify(canned(URLS[0]), cookies["CloudFront-Signature"])


@pytest.mark.parametrize(
    ("resource", "window"),
    [
        ("https://cdn.example.com/a/*", Window(EXPIRES)),
        ("https://cdn.example.com/a.jpg", Window(EXPIRES, STARTS)),
        ("https://cdn.example.com/a.jpg", Window(EXPIRES, None, "10.0.0.0/8")),
    ],
)
def test_cookies_for_many_addresses_carry_their_policy(resource: str, window: Window) -> None:
    cookies = ours.signed_cookies(resource, window)
    policy = decoded(cookies["CloudFront-Policy"])
    verify(policy, cookies["CloudFront-Signature"])
    statement = json.loads(policy)["Statement"][0]
    assert statement["Resource"] == resource
    assert ("DateGreaterThan" in statement["Condition"]) == (window.starts is not None)
    assert "CloudFront-Expires" not in cookies


def test_a_part_of_a_second_is_not_lost() -> None:
    url = ours.signed_url(URLS[0], Window(EXPIRES - timedelta(milliseconds=1)))
    assert query(url)["Expires"] == [str(int(EXPIRES.timestamp()))]


def test_a_window_has_zones_and_an_order() -> None:
    with pytest.raises(InvalidArgument, match="zone"):
        Window(datetime(2030, 1, 1))
    with pytest.raises(InvalidArgument, match="after it expires"):
        Window(STARTS, EXPIRES)


LOCKED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
CURVE = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@pytest.mark.parametrize("pem", ["", "hello the secret", PEM[:200], LOCKED, CURVE])
def test_a_key_that_is_none_is_refused_without_showing_it(pem: str | bytes) -> None:
    with pytest.raises(ConfigError, match="RSA key in PEM") as caught:
        CloudFront("K", pem)
    assert "secret" not in f"{caught.value!r}{caught.value}"
    assert PEM[40:80] not in str(caught.value)


def test_the_older_form_of_a_key_is_taken_and_never_shown() -> None:
    older = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert CloudFront("K", older).signed_url(URLS[0], Window(EXPIRES)) == CloudFront(
        "K", PEM
    ).signed_url(URLS[0], Window(EXPIRES))
    assert repr(CloudFront("K", older)) == "CloudFront('K')"
