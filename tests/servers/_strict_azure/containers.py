"""Containers themselves, and the account."""

import base64
import os
import re

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply, http_date
from tests.servers._strict.xml import document, node, tag
from tests.servers._strict_azure import facts
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import Refused
from tests.servers._strict_azure.parsing import parse
from tests.servers._strict_azure.state import Container, DelegatedKey, Store, new_etag

_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]|\$root|\$web")


def create(store: Store, call: Call, /) -> Reply:
    if not _NAME.fullmatch(call.bucket):
        raise Refused("InvalidResourceName", "The specified resource name has invalid characters.")
    place = (call.account, call.bucket)
    if place in store.containers:
        raise Refused("ContainerAlreadyExists", "The specified container already exists.")
    access = call.header("x-ms-blob-public-access")
    if access not in (None, "blob", "container"):
        raise Refused("InvalidHeaderValue", HeaderName="x-ms-blob-public-access")
    if access and not store.settings.public_access:
        raise Refused("PublicAccessNotPermitted", "Public access is not permitted.")
    container = Container(call.bucket, store.now(), new_etag(), access, facts.metadata(call))
    store.containers[place] = container
    return Reply(201, headers=_told(container))


def delete(store: Store, call: Call, /) -> Reply:
    store.container(call.account, call.bucket)
    del store.containers[call.account, call.bucket]
    return Reply(202)


def head(store: Store, call: Call, /) -> Reply:
    container = store.container(call.account, call.bucket)
    headers = _told(container)
    headers["x-ms-lease-status"], headers["x-ms-lease-state"] = "unlocked", "available"
    for name, value in container.metadata.items():
        headers[f"x-ms-meta-{name}"] = value
    return Reply(200, headers=headers)


def set_metadata(store: Store, call: Call, /) -> Reply:
    container = store.container(call.account, call.bucket)
    container.metadata = facts.metadata(call)
    container.etag, container.modified = new_etag(), store.now()
    return Reply(200, headers=_told(container))


def get_acl(store: Store, call: Call, /) -> Reply:
    container = store.container(call.account, call.bucket)
    reply = Reply.xml(document("SignedIdentifiers", []))
    reply.headers.update(_told(container))
    return reply


def set_acl(store: Store, call: Call, /) -> Reply:
    """Public access; the policies of signatures are not kept."""
    container = store.container(call.account, call.bucket)
    access = call.header("x-ms-blob-public-access")
    if access and not store.settings.public_access:
        raise Refused("PublicAccessNotPermitted", "Public access is not permitted.")
    container.access = access
    return Reply(200, headers=_told(container))


def list_all(store: Store, call: Call, /) -> Reply:
    """List Containers, in one page."""
    prefix = call.query.get("prefix", "")
    names = sorted(name for account, name in store.containers if account == call.account)
    told = [
        node(
            "Container",
            [
                tag("Name", name),
                node(
                    "Properties",
                    [
                        tag(
                            "Last-Modified", http_date(store.container(call.account, name).modified)
                        ),
                        tag("Etag", store.container(call.account, name).etag.strip('"')),
                    ],
                ),
            ],
        )
        for name in names
        if name.startswith(prefix)
    ]
    body = document("EnumerationResults", [node("Containers", told), tag("NextMarker")])
    return Reply.xml(body)


def account(store: Store, call: Call, /) -> Reply:
    """Get Account Information, and the properties of the service."""
    if call.query.get("comp") == "properties" and call.query.get("restype") == "account":
        told = {"x-ms-sku-name": "Standard_LRS", "x-ms-account-kind": "StorageV2"}
        return Reply(200, headers=CIMultiDict({**told, "x-ms-is-hns-enabled": "false"}))
    return Reply.xml(document("StorageServiceProperties", []))


def key(store: Store, call: Call, /) -> Reply:
    """Get User Delegation Key, for who has a token."""
    if call.caller.how != "token":
        raise Refused("AuthenticationFailed", "Only authentication scheme Bearer is supported")
    asked = parse(call.body, "KeyInfo")
    start, expiry = asked.findtext("Start") or "", asked.findtext("Expiry") or ""
    said = (
        "11111111-2222-3333-4444-555555555555",
        "66666666-7777-8888-9999-000000000000",
        start or f"{store.now():%Y-%m-%dT%H:%M:%SZ}",
        expiry,
        "b",
        call.header("x-ms-version") or "",
    )
    made = DelegatedKey(said, base64.b64encode(os.urandom(32)).decode())
    made = store.delegated.setdefault(said, made)
    names = ("Oid", "Tid", "Start", "Expiry", "Service", "Version")
    told = [tag(f"Signed{name}", value) for name, value in zip(names, said, strict=True)]
    body = document("UserDelegationKey", [*told, tag("Value", made.value)])
    return Reply.xml(body)


def _told(container: Container) -> CIMultiDict[str]:
    headers = CIMultiDict({"ETag": container.etag})
    headers["Last-Modified"] = http_date(container.modified)
    if container.access:
        headers["x-ms-blob-public-access"] = container.access
    return headers
