"""Who asks: the owner by key, a token, a signature in the URL, or anyone."""

import hmac

from tests.servers._strict_azure import sas, shared_key
from tests.servers._strict_azure.call import Call, Caller
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.state import KEYS, Store
from tests.servers.azure import TOKEN

_CHALLENGE = (
    "Bearer authorization_uri=https://login.microsoftonline.com/"
    "66666666-7777-8888-9999-000000000000/oauth2/authorize resource_id=https://storage.azure.com"
)


def judged(store: Store, call: Call, /) -> Call:
    """The call with its caller, refused where they are not who they say."""
    scheme, _, said = (call.header("Authorization") or "").partition(" ")
    if scheme == "SharedKey":
        return call.by(shared_key.verify(call, said, store.now()))
    if scheme == "Bearer":
        return call.by(_bearer(store, call, said))
    if scheme:
        raise Refused("InvalidAuthenticationInfo", status=400)
    if "sig" in call.query:
        return call.by(sas.verify(store, call))
    if call.account not in KEYS:
        raise Refused("ResourceNotFound", "No such account.")
    return call


def check(store: Store, call: Call, /) -> None:
    """Refuse what the caller may not do."""
    if call.caller.how == "nobody":
        _check_public(store, call)
        return
    exists = False
    if call.key:
        container = store.containers.get((call.account, call.bucket))
        exists = container is not None and container.entry(call.key).current is not None
    if not sas.permits(call, exists=exists):
        raise Refused(
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )


def _bearer(store: Store, call: Call, token: str) -> Caller:
    if not call.secure:
        raise shared_key.failed("Authentication scheme Bearer is not allowed with HTTP.")
    shared_key.check_version(call)
    if token in store.settings.expired or not hmac.compare_digest(token, TOKEN):
        raise Refused("InvalidAuthenticationInfo", headers={"WWW-Authenticate": _CHALLENGE})
    return Caller("token")


def _check_public(store: Store, call: Call) -> None:
    container = store.containers.get((call.account, call.bucket))
    access = container.access if container else None
    if access and not store.settings.public_access:
        raise Refused("PublicAccessNotPermitted", "Public access is not permitted.")
    if access and call.operation in ("get", "head"):
        return
    if access == "container" and call.operation in ("list", "container"):
        return
    # A container that is not public is as good as none for a stranger.
    if call.bucket and call.method in ("GET", "HEAD"):
        raise Refused("ResourceNotFound", "The specified resource does not exist.")
    raise Refused("NoAuthenticationInformation", headers={"WWW-Authenticate": _CHALLENGE})
