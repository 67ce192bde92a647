"""Whom to trust when a service shows its certificate."""

import ssl
from functools import lru_cache

__all__ = ["tls_context"]


@lru_cache(maxsize=16)
def tls_context(*, verify: bool | str) -> ssl.SSLContext:
    """A context, shared by all who verify alike; reading the authorities blocks."""
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
