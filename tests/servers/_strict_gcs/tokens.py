"""Who issues tokens, and signs for who has one: OAuth, STS, IAM Credentials, the metadata server.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
https://cloud.google.com/iam/docs/reference/credentials/rest
https://cloud.google.com/compute/docs/metadata/overview
"""

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from multidict import CIMultiDict

from tests.servers import google_keys
from tests.servers._strict.reply import Reply
from tests.servers._strict_gcs.call import Call
from tests.servers._strict_gcs.errors import Refused, invalid
from tests.servers._strict_gcs.state import Store, Token

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
_SUBJECTS = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")
_AUTH = "https://www.googleapis.com/auth/"
# `iam` is enough to impersonate the account.
_SCOPES = (f"{_AUTH}devstorage.", f"{_AUTH}cloud-platform", f"{_AUTH}iam")
_GOOGLE = "https://oauth2.googleapis.com/token"
_HOUR = timedelta(hours=1)
_SKEW = timedelta(minutes=5)


def token(store: Store, call: Call, /) -> Reply:
    """For a service account's assertion, or a person's refresh token."""
    said = dict(parse_qsl(call.body.decode()))
    kind = said.get("grant_type")
    if kind == _JWT:
        _check_assertion(store, call, said.get("assertion", ""))
    elif kind == "refresh_token":
        _check_refresh(said)
    else:
        raise _oauth("unsupported_grant_type", f"Invalid grant_type: {kind}")
    return _issued(store)


def _check_assertion(store: Store, call: Call, assertion: str) -> None:
    header, claims = _jwt(store, assertion)
    now = store.now()
    if header.get("alg") != "RS256" or header.get("kid") not in (None, google_keys.KEY_ID):
        raise _oauth("invalid_grant", "Invalid JWT: unknown key or algorithm.")
    if claims.get("iss") != google_keys.EMAIL:
        raise _oauth("invalid_grant", "Invalid grant: account not found")
    if claims.get("aud") not in (f"{call.origin}/token", _GOOGLE):
        raise _oauth("invalid_grant", "Invalid JWT: Failed audience check.")
    issued, until = (datetime.fromtimestamp(claims.get(it, 0), UTC) for it in ("iat", "exp"))
    if until <= now or issued > now + _SKEW or until - issued > _HOUR:
        raise _oauth(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
            "timeframe. Check your iat and exp values in the JWT claim.",
        )
    _check_scopes(str(claims.get("scope", "")).split())


def _jwt(store: Store, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    signed, _, signature = assertion.rpartition(".")
    head, _, claims = signed.partition(".")
    try:
        key = store.key.public_key()
        key.verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        return json.loads(_decoded(head)), json.loads(_decoded(claims))
    except (ValueError, InvalidSignature) as exc:
        raise _oauth("invalid_grant", "Invalid JWT Signature.") from exc


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_scopes(scopes: list[str]) -> None:
    if not any(scope.startswith(_SCOPES) for scope in scopes):
        raise _oauth("invalid_scope", "Invalid OAuth scope or ID token audience provided.")


def _check_refresh(said: dict[str, str]) -> None:
    client = (said.get("client_id"), said.get("client_secret"))
    if client != (google_keys.CLIENT_ID, google_keys.CLIENT_SECRET):
        raise _oauth("invalid_client", "The OAuth client was not found.", status=401)
    if said.get("refresh_token") != google_keys.REFRESH_TOKEN:
        raise _oauth("invalid_grant", "Token has been expired or revoked.")


def exchange(store: Store, call: Call, /) -> Reply:
    """A token for the subject token of another identity provider."""
    said = dict(parse_qsl(call.body.decode()))
    if said.get("grant_type") != _EXCHANGE or said.get("requested_token_type") != _ACCESS:
        raise _oauth("invalid_request", "Invalid grant_type or requested_token_type.")
    if said.get("audience") != google_keys.AUDIENCE:
        raise _oauth("invalid_target", "The target service indicated by the audience is invalid.")
    is_right = said.get("subject_token") == google_keys.SUBJECT_TOKEN
    if not is_right or said.get("subject_token_type") not in _SUBJECTS:
        raise _oauth("invalid_grant", "The subject token is not valid.")
    _check_scopes(said.get("scope", "").split())
    return _issued(store, issued_token_type=_ACCESS)


def sign_blob(store: Store, call: Call, /) -> Reply:
    _check_account(call)
    payload = base64.b64decode(json.loads(call.body)["payload"], validate=True)
    signed = base64.b64encode(store.key.sign(payload, PKCS1v15(), SHA256())).decode()
    return Reply.json({"keyId": google_keys.KEY_ID, "signedBlob": signed})


def generate(store: Store, call: Call, /) -> Reply:
    """A token of the service account, for who may impersonate it."""
    _check_account(call)
    said = json.loads(call.body)
    _check_scopes(said.get("scope", []))
    lifetime = str(said.get("lifetime", "3600s"))
    if not lifetime.removesuffix("s").isdigit() or int(lifetime.removesuffix("s")) > 3600:
        raise invalid("Request contains an invalid argument.", location="lifetime")
    made, until = _made(store, int(lifetime.removesuffix("s")))
    return Reply.json({"accessToken": made, "expireTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"})


def _check_account(call: Call) -> None:
    if call.place["email"] not in (google_keys.EMAIL, "-"):
        raise Refused(404, "Not found; Gaia id not found for email " + call.place["email"])


def metadata(store: Store, call: Call, /) -> Reply:
    """What a machine of Google's asks at home; the header keeps forged requests out."""
    if call.header("Metadata-Flavor") != "Google":
        raise Refused(403, "Missing required header: Metadata-Flavor")
    reply = _metadata(store, call)
    reply.headers["Metadata-Flavor"] = "Google"
    return reply


def _metadata(store: Store, call: Call) -> Reply:
    path = call.path.removeprefix("/computeMetadata/v1").strip("/")
    for account in ("default", google_keys.EMAIL):
        path = path.replace(f"instance/service-accounts/{account}", "account")
    if path == "account/token":
        return _issued(store)
    if path == "account" and call.query.get("recursive") == "true":
        about = {"email": google_keys.EMAIL, "scopes": [_SCOPES[1]], "aliases": []}
        return Reply.json(about)
    texts = {
        "": "computeMetadata/",
        "account/email": google_keys.EMAIL,
        "account/scopes": f"{_SCOPES[1]}\n",
        "project/project-id": google_keys.PROJECT,
        "universe/universe-domain": "googleapis.com",
    }
    if path not in texts:
        raise Refused(404, "Not Found")
    return Reply(200, texts[path].encode(), CIMultiDict({"Content-Type": "application/text"}))


def _issued(store: Store, **more: str) -> Reply:
    lifetime = store.settings.token_lifetime
    made, _ = _made(store, lifetime)
    told = {"access_token": made, "expires_in": lifetime, "token_type": "Bearer"}
    return Reply.json({**told, **more})


def _made(store: Store, lifetime: int) -> tuple[str, datetime]:
    made = f"ya29.{secrets.token_urlsafe(40)}"
    until = store.now() + timedelta(seconds=lifetime)
    store.tokens[made] = Token(google_keys.EMAIL, until)
    return made, until


def _oauth(error: str, description: str, *, status: int = 400) -> Refused:
    return Refused(status, told={"error": error, "error_description": description})
