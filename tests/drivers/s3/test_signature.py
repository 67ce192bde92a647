"""Signatures agree with AWS's worked examples and with botocore's signer."""

import random
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from json import loads
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from storeroom.contracts.errors import InvalidArgument
from storeroom.drivers._http.canonical import encoded_path, encoded_query
from storeroom.drivers._s3.signature import (
    EMPTY,
    UNSIGNED,
    Credentials,
    Signer,
)

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = "examplebucket.s3.amazonaws.com"
THEN = datetime(2013, 5, 24, tzinfo=UTC)

WORDS = (
    *("a", "b/c", "with space", "two  spaces", "100%", "%2F", "%25", "a+b", "c&d=e", "~tilde", "."),
    *(
        '"quoted"',
        "it's",
        "(brackets)",
        "[1]",
        "{x}",
        "*",
        "!",
        "é",
        "ﬀ",
        "日本語",
        "👩‍👩‍👧",
        "e\u0301",
    ),
    *(
        "#?;:@",
        "a//b",
        "/",
        "-_.",
        "0",
        "<tag>",
        "a,b",
        "back\\slash",
        "|",
        "^",
        "`",
        "$dollar",
        "==",
    ),
)
HEADERS = (
    *("content-type", "Content-MD5", "Range", "cache-control", "if-match", "User-Agent", "Expect"),
    *(
        "x-amz-meta-name",
        "X-Amz-Meta-Name-2",
        "x-amz-storage-class",
        "X-Amzn-Trace-Id",
        "x-amz-acl",
    ),
)
SIZES = ("", "x" * 10, "y" * 5000)


def _signature(headers: dict[str, str]) -> str:
    return headers["authorization"].rpartition("Signature=")[2]


def _signed(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes = b""
) -> str:
    payload = sha256(body).hexdigest()
    signer = Signer("us-east-1")
    return _signature(signer.sign(method, HOST, path, query, headers, payload, EXAMPLE, THEN))


def test_the_example_of_a_ranged_get_object() -> None:
    assert (
        _signed("GET", "/test.txt", {}, {"Range": "bytes=0-9"})
        == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_the_example_of_put_object() -> None:
    headers = {
        "Date": "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
    }
    assert (
        _signed("PUT", "/test$file.text", {}, headers, b"Welcome to Amazon S3.")
        == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )


def test_the_example_of_a_bucket_s_lifecycle() -> None:
    assert (
        _signed("GET", "/", {"lifecycle": ""}, {})
        == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )


def test_the_example_of_listing_objects() -> None:
    assert (
        _signed("GET", "/", {"prefix": "J", "max-keys": "2"}, {})
        == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_the_example_of_a_presigned_url() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html"""
    signer = Signer("us-east-1")
    url = signer.presign("GET", f"https://{HOST}", "/test.txt", {}, {}, 86400, EXAMPLE, THEN)
    assert url == (
        f"https://{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_the_example_of_a_post_policy() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html"""
    policy = (
        "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAg"
        "ICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAi"
        "dXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25f"
        "cmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxf"
        "dXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQog"
        "ICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRl"
        "LWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAi"
        "Il0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMt"
        "ZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEy"
        "NTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
    )
    key = Signer("us-east-1")._key("20151229", EXAMPLE)
    assert (
        key.hexdigest(policy) == "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
    )


def _text(chance: random.Random, most: int = 4) -> str:
    return "".join(chance.choice(WORDS) for _ in range(chance.randint(0, most)))


def _requests(seed: int, count: int) -> Iterator[tuple[random.Random, str, str, dict[str, str]]]:
    """Methods, ugly paths and ugly headers."""
    chance = random.Random(seed)
    for _ in range(count):
        headers: dict[str, str] = {}
        for name in chance.sample(HEADERS, chance.randint(0, 5)):
            inner = chance.choice((" ", "  ", "\t", "   ")).join(
                _text(chance, 2) for _ in range(chance.randint(1, 3))
            )
            headers[name] = f"{' ' * chance.randint(0, 2)}{inner}{' ' * chance.randint(0, 2)}"
        method = chance.choice(("GET", "PUT", "HEAD", "DELETE", "POST"))
        yield chance, method, f"/{_text(chance)}", headers


def _query(chance: random.Random) -> list[tuple[str, str]]:
    pairs = [(_text(chance, 2) or "uploads", _text(chance, 2)) for _ in range(chance.randint(0, 4))]
    if pairs and chance.random() < 0.5:
        pairs.append((pairs[0][0], _text(chance, 2)))
    return pairs


def _url(base: str, path: str, pairs: list[tuple[str, str]]) -> str:
    """As botocore's caller writes it: encoded, in the given order."""
    search = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)
    return f"{base}{quote(path, safe='/~')}{'?' if search else ''}{search}"


def _credentials(chance: random.Random) -> tuple[Credentials, BotocoreCredentials]:
    token = chance.choice((None, "FwoGZXIvYXdzE/+=token=="))
    secret = chance.choice(("wJalrXUtnFEMI/K7", "with space é", "long" * 40))
    return Credentials("AKID", secret, token), BotocoreCredentials("AKID", secret, token)


def _time(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def test_2_000_random_requests_are_signed_as_botocore_signs_them() -> None:
    signers = {region: Signer(region) for region in ("us-east-1", "auto", "eu-central-1")}
    for number, (chance, method, path, headers) in enumerate(_requests(1, 2000)):
        host = chance.choice(("bucket.s3.amazonaws.com", "localhost:9000", "127.0.0.1"))
        region, body = chance.choice(list(signers)), chance.choice(SIZES).encode()
        pairs, (ours, theirs) = _query(chance), _credentials(chance)
        request = AWSRequest(method, _url(f"http://{host}", path, pairs), dict(headers), body)
        S3SigV4Auth(theirs, "s3", region).add_auth(request)
        signed = signers[region].sign(
            *(method, host, path, pairs, headers, sha256(body).hexdigest(), ours),
            _time(request.headers["X-Amz-Date"]),
        )
        expected = {name.lower(): value for name, value in request.headers.items()}
        assert {name.lower(): value for name, value in signed.items()} == expected, number


def test_2_000_random_urls_are_signed_as_botocore_signs_them() -> None:
    signer = Signer("eu-west-1")
    for number, (chance, method, path, headers) in enumerate(_requests(2, 2000)):
        base = chance.choice(("https://bucket.example.com", "http://localhost:9000"))
        pairs = list(dict(_query(chance)).items())
        expires, (ours, theirs) = chance.randint(1, 604800), _credentials(chance)
        request = AWSRequest(method, _url(base, path, pairs), dict(headers))
        S3SigV4QueryAuth(theirs, "s3", "eu-west-1", expires=expires).add_auth(request)
        expected = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        now = _time(expected["X-Amz-Date"])
        url = signer.presign(method, base, path, pairs, headers, expires, ours, now)
        assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) == expected, number
        assert urlsplit(url).path == urlsplit(request.url).path


def test_forms_are_signed_as_botocore_signs_them() -> None:
    for chance, _, key, _ in _requests(3, 200):
        ours, theirs = _credentials(chance)
        conditions: list[dict[str, str] | list[str | int]] = [
            {"bucket": "media"},
            {"key": key},
            ["starts-with", "$Content-Type", "image/"],
            ["content-length-range", 1, 1000],
        ]
        expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
        request = AWSRequest("POST", "https://media.s3.amazonaws.com/")
        request.context["s3-presign-post-policy"] = {
            "expiration": "2030-01-02T03:04:05Z",
            "conditions": list(conditions),
        }
        S3SigV4PostAuth(theirs, "s3", "us-east-1").add_auth(request)
        expected = request.context["s3-presign-post-fields"]
        now = _time(expected["x-amz-date"])
        fields = Signer("us-east-1").post_policy(conditions, expires, ours, now)
        assert fields == {"key": key, **expected}


def test_a_form_s_policy_says_when_it_expires_and_what_it_asks() -> None:
    paris = timezone(timedelta(hours=1))
    expires = datetime(2030, 1, 1, tzinfo=paris)
    fields = Signer("us-east-1").post_policy(
        [{"key": "a"}, ["content-length-range", 0, 5]], expires, EXAMPLE, THEN
    )
    policy = loads(b64decode(fields["policy"]))
    assert policy["expiration"] == "2029-12-31T23:00:00Z"
    assert policy["conditions"][:2] == [{"key": "a"}, ["content-length-range", 0, 5]]
    assert {"x-amz-date": "20130524T000000Z"} in policy["conditions"]


def test_what_is_signed_is_what_is_sent() -> None:
    assert encoded_path("/a b/%2F/é+~'\"/x//y") == "/a%20b/%252F/%C3%A9%2B~%27%22/x//y"
    assert encoded_query([("b", "2"), ("a-b", "x"), ("a", "2"), ("a", "1 /")]) == (
        "a=1%20%2F&a=2&a-b=x&b=2"
    )
    assert encoded_query({"uploads": ""}) == "uploads="


def test_a_default_port_is_no_part_of_the_host() -> None:
    signer = Signer("us-east-1")
    with_port, without = (
        signer.presign("GET", f"https://{HOST}{port}", "/a", {}, {}, 60, EXAMPLE, THEN)
        for port in (":443", "")
    )
    assert with_port.rpartition("=")[2] == without.rpartition("=")[2]


def test_a_presigned_payload_is_bound_by_its_hash() -> None:
    signer = Signer("us-east-1")
    free, bound = (
        signer.presign("PUT", f"https://{HOST}", "/a", {}, headers, 60, EXAMPLE, THEN)
        for headers in ({}, {"X-Amz-Content-Sha256": EMPTY})
    )
    assert "x-amz-content-sha256" in bound
    assert free.rpartition("=")[2] != bound.rpartition("=")[2]


@pytest.mark.parametrize("seconds", [0, -1, 604801])
def test_a_url_lasts_seven_days_at_most(seconds: int) -> None:
    with pytest.raises(InvalidArgument, match="7 days"):
        Signer("us-east-1").presign("GET", f"https://{HOST}", "/a", {}, {}, seconds, EXAMPLE, THEN)


def test_a_new_day_a_new_secret_and_many_of_them_each_get_their_key() -> None:
    signer = Signer("us-east-1")

    def signature(credentials: Credentials, now: datetime, by: Signer) -> str:
        return _signature(by.sign("GET", HOST, "/", {}, {}, UNSIGNED, credentials, now))

    for number in range(40):
        credentials = replace(EXAMPLE, secret_key=f"secret {number % 20}")
        now = THEN + timedelta(hours=number, seconds=number % 3)
        fresh = Signer("us-east-1")
        assert signature(credentials, now, signer) == signature(credentials, now, fresh)


def test_a_space_that_is_not_ascii_is_kept() -> None:
    """botocore makes it a plain space, and signs what is not sent."""
    signer = Signer("us-east-1")
    plain, other = (
        _signature(signer.sign("GET", HOST, "/", {}, {"x-amz-meta-a": v}, EMPTY, EXAMPLE, THEN))
        for v in ("a b", "a\u00a0b")
    )
    assert plain != other


def test_no_secret_is_shown() -> None:
    credentials = Credentials("AKID", "the secret", "the token")
    signer = Signer("us-east-1")
    signer.sign("GET", HOST, "/", {}, {}, EMPTY, credentials, THEN)
    assert "the" not in f"{credentials!r} {credentials} {signer!r}"
