"""Who the Google servers of the tests know: one service account, one person, one stranger.

The account's key is made once per process and handed to the servers it starts in a file, so that
a server that is started again still knows who signed.
"""

import tempfile
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

EMAIL = "storeroom@test.iam.gserviceaccount.com"
STRANGER = "stranger@test.iam.gserviceaccount.com"
PROJECT = "test"
KEY_ID = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "ya29.storeroom-tests-token"
STRANGER_TOKEN = "ya29.storeroom-tests-stranger"
CLIENT_ID = "storeroom-tests.apps.googleusercontent.com"
CLIENT_SECRET = "storeroom-tests-client-secret"
REFRESH_TOKEN = "1//storeroom-tests-refresh-token"
SUBJECT_TOKEN = "storeroom-tests-subject-token"
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b"


@cache
def private_key() -> RSAPrivateKey:
    """The service account's, as this process made it."""
    return generate_private_key(65537, 2048)


def read_key(file: str, /) -> RSAPrivateKey:
    """The key that another process made."""
    return cast("RSAPrivateKey", load_pem_private_key(Path(file).read_bytes(), None))


def pem(key: RSAPrivateKey, /) -> str:
    """The key as text."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def key_file() -> str:
    """Where a server of ours reads the key, as long as this process lives."""
    return _key_file().name


@cache
def _key_file() -> IO[str]:
    file = tempfile.NamedTemporaryFile("w", prefix="storeroom-key-", suffix=".pem")  # noqa: SIM115
    file.write(pem(private_key()))
    file.flush()
    return file


def service_account(url: str, /) -> dict[str, Any]:
    """The file of a service account, whose tokens come from the server at the URL."""
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": KEY_ID,
        "private_key": pem(private_key()),
        "client_email": EMAIL,
        "client_id": "100000000000000000001",
        "auth_uri": f"{url}/o/oauth2/auth",
        "token_uri": f"{url}/token",
        "universe_domain": "googleapis.com",
    }


def authorized_user(url: str, /) -> dict[str, Any]:
    """The file that `gcloud auth application-default login` writes."""
    return {
        "type": "authorized_user",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "token_uri": f"{url}/token",
        "quota_project_id": PROJECT,
    }


def external_account(url: str, subject: Path, /, *, impersonates: bool = False) -> dict[str, Any]:
    """The file of workload identity federation; the file `subject` has the token to exchange."""
    subject.write_text(SUBJECT_TOKEN)
    account = {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/v1/token",
        "credential_source": {"file": str(subject)},
    }
    if impersonates:
        endpoint = f"{url}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
        account["service_account_impersonation_url"] = endpoint
    return account
