"""Private keys of accounts: read once, for checking one takes longer than all else that a token does."""

from functools import lru_cache
from typing import TYPE_CHECKING

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.extras import extra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["private_key", "signed"]


@lru_cache(maxsize=16)
def private_key(pem: str, /) -> "RSAPrivateKey":
    """The key that a PEM text holds; takes 50 ms, so that it is for a worker thread."""
    with extra("gcs", "gcloud-aio-storage"):
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("the credentials' private_key is no RSA key; fetch the file again")
    return key


def signed(pem: str, text: bytes, /) -> bytes:
    """The signature of a text by RSA with SHA-256; for a worker thread."""
    key = private_key(pem)
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return key.sign(text, PKCS1v15(), SHA256())
