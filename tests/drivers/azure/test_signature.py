"""Our signatures are those of Microsoft's own client, and the service takes them."""

import base64
import string
from random import Random
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

from storeroom.contracts.body import Body
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._azure.signature import Signer
from storeroom.drivers._http.canonical import encoded_path, encoded_query
from tests.drivers.azure.container import Container, read
from tests.servers.azure import ACCOUNT, KEY

LETTERS = string.ascii_letters + string.digits + " -_.~!*'();:@&=+$,/?#[]%äß🦔"
PLAIN = string.ascii_letters + string.digits + " -_.;=/\"'"
HEADERS = [
    *("content-encoding", "content-language", "content-md5", "content-type", "if-match"),
    *("if-modified-since", "if-none-match", "if-unmodified-since"),
]
OWN = [
    *("x-ms-blob-type", "x-ms-version", "x-ms-access-tier", "x-ms-tags", "x-ms-lease-id"),
    *("x-ms-blob-content-type", "x-ms-blob-cache-control", "x-ms-copy-source"),
    *("x-ms-meta-a", "x-ms-meta-a_b", "x-ms-meta-ab", "x-ms-meta-A1", "x-ms-meta-_x002D_"),
]
QUERIES = ["comp", "restype", "prefix", "marker", "blockid", "versionid", "maxresults"]


def test_two_thousand_requests_are_signed_as_the_sdk_signs_them() -> None:
    random, signer = Random(7), Signer(ACCOUNT, KEY)
    policy = SharedKeyCredentialPolicy(ACCOUNT, KEY)
    for _ in range(2000):
        method = random.choice(["GET", "PUT", "HEAD", "POST", "DELETE"])
        path = encoded_path("/container/" + text(random, LETTERS, 40))
        names = random.sample(HEADERS, random.randint(0, 4))
        headers = {name: text(random, PLAIN, 12).strip() for name in names}
        for name in random.sample(OWN, random.randint(0, 6)):
            headers[name] = text(random, PLAIN, 20).strip()
        headers["x-ms-date"] = "Sat, 28 Nov 2026 10:00:00 GMT"
        headers["content-length"] = str(random.choice([0, 1, 1000]))
        chosen = random.sample(QUERIES, random.randint(0, 4))
        query = tuple((name, text(random, LETTERS, 10)) for name in chosen)
        asked = encoded_query(query)
        url = f"https://{ACCOUNT}.blob.core.windows.net{path}" + (f"?{asked}" if asked else "")
        ours = signer.authorization(method, path, query, headers)
        assert ours == theirs(policy, method, url, headers), (method, url, headers)


def theirs(
    policy: SharedKeyCredentialPolicy, method: str, url: str, headers: dict[str, str]
) -> str:
    request = Mock(http_request=HttpRequest(method, url, headers))
    policy.on_request(request)
    said: str = request.http_request.headers["Authorization"]
    return said


def text(random: Random, letters: str, longest: int) -> str:
    return "".join(random.choices(letters, k=random.randint(1, longest)))


def test_a_range_is_signed() -> None:
    """The SDK asks by another header, which is why its policy knows none."""
    signer, headers = Signer(ACCOUNT, KEY), {"x-ms-date": "x"}
    assert signer.authorization("GET", "/c/b", (), headers) != signer.authorization(
        "GET", "/c/b", (), {**headers, "range": "bytes=0-1"}
    )


def test_a_signer_tells_no_secret() -> None:
    signer = Signer(ACCOUNT, KEY)
    assert KEY not in repr(signer)
    assert repr(signer) == f"Signer({ACCOUNT!r})"


NAMES = [
    *("a", "a b", "ü", "%2F", "a+b&c=d", "~!*'();:@&=+$,?#[]", "🦔", "a'b\"c`d", "x" * 900),
    *(".hidden/..double", "a/b/c", "{}|<>^", "100%", "é\N{COMBINING ACUTE ACCENT}", "0"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_every_name_is_signed_as_the_service_reads_it(place: Container, name: str) -> None:
    driver = place.driver()
    pairs = {"a_b": "x, y;z", "aB": "ü", "with-dash": " ", "A1": 'q"q'}
    await driver.write(name, Body(name.encode()), WriteOptions(metadata=pairs, tags={"a b": "c+d"}))
    assert await read(driver, name) == name.encode()
    assert (await driver.stat(name)).metadata == pairs
    assert [entry.path async for entry in driver.scan(name.rpartition("/")[0])][-1] == name
    assert await driver.remove_many([name, "missing"]) == {name: True, "missing": False}


async def test_the_query_of_a_signature_goes_with_every_request(container: Container) -> None:
    key = base64.b64encode(b"not the key of the account").decode()
    driver = container.driver(account_key=key)
    told: list[Any] = []
    for verb in (driver.get, driver.exists, driver.delete, driver.files):
        try:
            told.append(await verb("a"))
        except PermissionError as error:
            told.append(str(error))
    assert all("check account_key" in str(one) for one in told)
    assert quote(key) not in str(told)
