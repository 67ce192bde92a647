"""The strict Google server's callers: who issues tokens, and who may do what."""

import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from google.auth import identity_pool, jwt
from google.auth.crypt import RSASigner
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from tests.servers import google_keys
from tests.servers.gcs_refusals import refused
from tests.servers.google_keys import EMAIL, STRANGER_TOKEN
from tests.servers.plain import Answer, send
from tests.servers.strict_gcs import StrictGcs

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
METADATA = "/computeMetadata/v1"


@pytest.fixture
def bucket(strict_gcs: StrictGcs, levers: None) -> str:
    """With one object, `x`."""
    name = strict_gcs.make_bucket()
    strict_gcs.client().bucket(name).blob("x").upload_from_string(b"data")
    return name


def ask(server: StrictGcs, target: str, token: str | None = None) -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return send(server, "GET", target, headers=headers)


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["error"]["errors"][0]["reason"]


def token_of(info: dict[str, Any]) -> str:
    """What Google's own library gets for a file of credentials."""
    kinds = {
        "service_account": service_account.Credentials.from_service_account_info,
        "external_account": identity_pool.Credentials.from_info,
    }
    credentials = kinds[info["type"]](info, scopes=[SCOPE])
    with requests.Session() as session:
        session.trust_env = False
        credentials.refresh(Request(session))
    return str(credentials.token)


@pytest.mark.parametrize("kind", ["service_account", "external", "impersonating"])
def test_google_s_own_library_gets_tokens_that_let_in(
    strict_gcs: StrictGcs, bucket: str, kind: str, tmp_path: Path
) -> None:
    infos = {
        "service_account": strict_gcs.service_account(),
        "external": strict_gcs.external_account(tmp_path / "subject"),
        "impersonating": strict_gcs.external_account(tmp_path / "subject", impersonates=True),
    }
    token = token_of(infos[kind])
    target = f"/storage/v1/b/{bucket}/o/x"
    assert ask(strict_gcs, target, token).status == 200
    strict_gcs.expire_tokens()
    assert error(ask(strict_gcs, target, token)) == (401, "authError")
    assert ask(strict_gcs, target, strict_gcs.token).status == 200


def test_a_person_s_refresh_token_gets_a_token(strict_gcs: StrictGcs, bucket: str) -> None:
    info = strict_gcs.authorized_user()
    said = {"grant_type": "refresh_token", **{k: info[k] for k in ("client_id", "client_secret")}}
    right = post(strict_gcs, {**said, "refresh_token": info["refresh_token"]})
    issued = json.loads(right.body)
    assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 3600)
    assert ask(strict_gcs, f"/storage/v1/b/{bucket}/o/x", issued["access_token"]).status == 200
    wrong = post(strict_gcs, {**said, "refresh_token": "other"})
    assert (wrong.status, json.loads(wrong.body)["error"]) == (400, "invalid_grant")
    stranger = post(strict_gcs, {**said, "client_secret": "other"})
    assert (stranger.status, json.loads(stranger.body)["error"]) == (401, "invalid_client")


def post(server: StrictGcs, said: dict[str, str]) -> Answer:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return send(server, "POST", "/token", headers=kind, body=urlencode(said).encode())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, None),
        ({"aud": "https://oauth2.googleapis.com/token"}, None),
        ({"aud": "https://example.com/token"}, "invalid_grant"),
        ({"iss": "other@test.iam.gserviceaccount.com"}, "invalid_grant"),
        ({"exp": int(time.time()) - 60}, "invalid_grant"),
        ({"exp": int(time.time()) + 7200}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
    ],
)
def test_an_assertion_is_verified(
    strict_gcs: StrictGcs, levers: None, changes: dict[str, Any], error: str | None
) -> None:
    now = int(time.time())
    claims = {"iss": EMAIL, "aud": f"{strict_gcs.url}/token", "iat": now, "exp": now + 3600}
    signer = RSASigner.from_service_account_info(strict_gcs.service_account())
    assertion = jwt.encode(signer, {"scope": SCOPE, **claims, **changes}).decode()
    kind = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    answer = post(strict_gcs, {"grant_type": kind, "assertion": assertion})
    assert json.loads(answer.body).get("error") == error
    assert answer.status == (400 if error else 200)


def test_an_assertion_of_another_key_is_refused(strict_gcs: StrictGcs) -> None:
    info = strict_gcs.service_account()
    other = generate_private_key(65537, 2048)
    pem = google_keys.pem(other)
    with pytest.raises(RefreshError, match="Invalid JWT Signature"):
        token_of({**info, "private_key": pem})


def test_tokens_expire(strict_gcs: StrictGcs, bucket: str) -> None:
    strict_gcs.settings(token_lifetime=600)
    token = token_of(strict_gcs.service_account())
    target = f"/storage/v1/b/{bucket}/o/x"
    strict_gcs.settings(clock=590)
    assert ask(strict_gcs, target, token).status == 200
    strict_gcs.settings(clock=601)
    assert error(ask(strict_gcs, target, token)) == (401, "authError")
    strict_gcs.settings(expired=[strict_gcs.token])
    assert error(ask(strict_gcs, target, strict_gcs.token)) == (401, "authError")


def test_google_s_client_renews_what_has_expired(strict_gcs: StrictGcs, bucket: str) -> None:
    blob = strict_gcs.client().bucket(bucket).blob("x")
    with strict_gcs.watching() as wire:
        blob.reload()
        strict_gcs.expire_tokens()
        blob.reload()
    assert wire.operations == ["token", "get", "get", "token", "get"]
    assert [seen.status for seen in wire.requests] == [200, 200, 401, 200, 200]


@pytest.mark.parametrize("header", ["Bearer other", "Bearer", "Basic eA==", "GOOG1 x:y"])
def test_who_is_not_known_is_refused(strict_gcs: StrictGcs, bucket: str, header: str) -> None:
    target = f"/storage/v1/b/{bucket}/o/x"
    answer = send(strict_gcs, "GET", target, headers={"Authorization": header})
    assert error(answer) == (401, "authError")


def test_nobody_and_a_stranger_may_do_nothing(strict_gcs: StrictGcs, bucket: str) -> None:
    target = f"/storage/v1/b/{bucket}/o"
    for place in (target, f"{target}/x", f"{target}/none", f"/storage/v1/b/{bucket}"):
        assert error(ask(strict_gcs, place)) == (401, "required")
        assert error(ask(strict_gcs, place, STRANGER_TOKEN)) == (403, "forbidden")
    answer = ask(strict_gcs, f"/{bucket}/x")
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_what_is_public_may_be_read_by_anybody(strict_gcs: StrictGcs, bucket: str) -> None:
    blob = strict_gcs.client().bucket(bucket).blob("x")
    readings = (f"/storage/v1/b/{bucket}/o/x", f"/storage/v1/b/{bucket}/o/x?alt=media")
    blob.make_public()
    assert [ask(strict_gcs, it).status for it in (*readings, f"/{bucket}/x")] == [200] * 3
    assert ask(strict_gcs, f"/storage/v1/b/{bucket}/o").status == 401
    blob.make_private()
    assert [ask(strict_gcs, it).status for it in (*readings, f"/{bucket}/x")] == [401, 401, 403]


def test_an_acl_is_read_and_written(strict_gcs: StrictGcs, bucket: str) -> None:
    place = f"/storage/v1/b/{bucket}/o/x/acl"
    strict_gcs.call("POST", place, {"entity": "allUsers", "role": "READER"})
    assert strict_gcs.call("GET", f"{place}/allUsers")["role"] == "READER"
    entities = [it["entity"] for it in strict_gcs.call("GET", place)["items"]]
    assert "allUsers" in entities
    full = strict_gcs.call("GET", f"/storage/v1/b/{bucket}/o/x?projection=full")
    assert [it["entity"] for it in full["acl"]] == entities
    assert "acl" not in strict_gcs.call("GET", f"/storage/v1/b/{bucket}/o/x")
    strict_gcs.call("DELETE", f"{place}/allUsers")
    missing = send(strict_gcs, "DELETE", f"{place}/allUsers", headers=strict_gcs.bearer)
    assert missing.status == 404


def test_a_bucket_with_uniform_access_has_no_acls(strict_gcs: StrictGcs, levers: None) -> None:
    bucket = strict_gcs.client().bucket(strict_gcs.make_bucket(uniform=True))
    blob = bucket.blob("x")
    with refused(400, "Cannot insert legacy ACL for an object"):
        blob.upload_from_string(b"", predefined_acl="publicRead")
    blob.upload_from_string(b"")
    with refused(400, "Cannot get legacy ACL for an object"):
        blob.acl.reload()
    with refused(400, "uniform bucket-level access"):
        blob.make_public()
    assert ask(strict_gcs, f"/{bucket.name}/x").status == 403
    policy = bucket.get_iam_policy()
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"allUsers"}})
    bucket.set_iam_policy(policy)
    assert ask(strict_gcs, f"/{bucket.name}/x").status == 200
    assert ask(strict_gcs, f"/storage/v1/b/{bucket.name}/o").status == 200


def test_what_shall_never_be_public_is_not_made_so(strict_gcs: StrictGcs, levers: None) -> None:
    configured = {"publicAccessPrevention": "enforced"}
    bucket = strict_gcs.client().bucket(strict_gcs.make_bucket(iamConfiguration=configured))
    with refused(412, "public access prevention is enforced"):
        bucket.blob("x").upload_from_string(b"", predefined_acl="publicRead")


def test_who_may_not_list_does_not_learn_what_is_missing(
    strict_gcs: StrictGcs, bucket: str
) -> None:
    strict_gcs.settings(lists=False)
    target = f"/storage/v1/b/{bucket}/o"
    assert error(ask(strict_gcs, target, strict_gcs.token)) == (403, "forbidden")
    assert error(ask(strict_gcs, f"{target}/none", strict_gcs.token)) == (403, "forbidden")
    assert ask(strict_gcs, f"{target}/x", strict_gcs.token).status == 200


def test_the_account_signs_for_who_may_ask(strict_gcs: StrictGcs) -> None:
    place = f"/v1/projects/-/serviceAccounts/{EMAIL}:signBlob"
    said = strict_gcs.call("POST", place, {"payload": base64.b64encode(b"to sign").decode()})
    signed = base64.b64decode(said["signedBlob"])
    google_keys.private_key().public_key().verify(signed, b"to sign", PKCS1v15(), SHA256())
    assert send(strict_gcs, "POST", place, body=b"{}").status == 401
    other = place.replace(EMAIL, "other@example.com")
    assert send(strict_gcs, "POST", other, headers=strict_gcs.bearer, body=b"{}").status == 404


def test_a_machine_asks_at_home(strict_gcs: StrictGcs, bucket: str) -> None:
    flavor = {"Metadata-Flavor": "Google"}
    account = f"{METADATA}/instance/service-accounts/default"

    def home(path: str) -> Answer:
        return send(strict_gcs, "GET", path, headers=flavor)

    assert home(f"{account}/email").body.decode() == EMAIL
    assert home(f"{METADATA}/project/project-id").body == b"test"
    assert home("/").headers["Metadata-Flavor"] == "Google"
    assert json.loads(home(f"{account}/?recursive=true").body)["email"] == EMAIL
    token = json.loads(home(f"{account}/token").body)["access_token"]
    assert ask(strict_gcs, f"/storage/v1/b/{bucket}/o/x", token).status == 200
    assert send(strict_gcs, "GET", f"{account}/token").status == 403
    assert home(f"{METADATA}/instance/zone").status == 404
