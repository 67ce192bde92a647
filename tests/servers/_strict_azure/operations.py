"""The names of the operations of Blob Storage."""

from collections.abc import Mapping
from typing import Final

_SERVICE: Final = {
    "batch": "batch",
    "list": "containers",
    "properties": "account",
    "userdelegationkey": "key",
}
_CONTAINER: Final = {
    ("PUT", ""): "create container",
    ("DELETE", ""): "delete container",
    ("GET", "list"): "list",
    ("POST", "batch"): "batch",
    ("GET", "acl"): "get acl",
    ("HEAD", "acl"): "get acl",
    ("PUT", "acl"): "set acl",
    ("PUT", "metadata"): "container metadata",
    ("PUT", "lease"): "container lease",
}
_BLOB: Final = {
    ("GET", "tags"): "get tags",
    ("GET", "blocklist"): "get blocks",
    ("PUT", "appendblock"): "append",
    ("PUT", "block"): "block",
    ("PUT", "blocklist"): "commit",
    ("PUT", "copy"): "abort copy",
    ("PUT", "lease"): "lease",
    ("PUT", "metadata"): "metadata",
    ("PUT", "properties"): "properties",
    ("PUT", "snapshot"): "snapshot",
    ("PUT", "tags"): "tags",
    ("PUT", "tier"): "tier",
    ("PUT", "undelete"): "undelete",
}


def operation(
    method: str, container: str, query: Mapping[str, str], headers: Mapping[str, str], /
) -> str:
    """What the request is: put, create append, block, commit, get, head, delete, list, batch, copy, ...

    Of a blob also "put from url", "block from url", "append", "properties" (to set them), "metadata", "tags", "tier",
    "lease", "snapshot", "undelete", "abort copy", "get tags", "get blocks". Of a container also
    "create container", "delete container", "container" (its properties), "container metadata",
    "container lease", "get acl", "set acl". Of the account "containers", "key", "account".
    """
    component = query.get("comp", "").lower()
    if not container:
        return _SERVICE.get(component, component or "account")
    if query.get("restype", "").lower() == "container":
        return _CONTAINER.get((method, component), component or "container")
    if component == "block" and "x-ms-copy-source" in headers:
        return "block from url"
    if component:
        return _BLOB.get((method, component), component if method == "PUT" else method.lower())
    if method != "PUT":
        return method.lower()
    kind = headers.get("x-ms-blob-type", "")
    if "x-ms-copy-source" in headers:
        return "put from url" if kind == "BlockBlob" else "copy"
    return "create append" if kind == "AppendBlob" else "put"
