"""Whom to trust when a service shows its certificate."""

import ssl
from functools import lru_cache

__all__ = ["tls_context", "wider_context"]


@lru_cache(maxsize=16)
def tls_context(*, verify: bool | str) -> ssl.SSLContext:
    """A context, shared by all who verify alike; reading the authorities blocks."""
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=16)
def wider_context(authority: str | None, /) -> ssl.SSLContext:
    """A context that trusts the usual authorities, and those of a file; reading them blocks."""
    context = ssl.create_default_context()
    if authority is not None:
        context.load_verify_locations(authority)
    return context
