"""SFTP, as it is measured, and the rows of its table."""

from typing import Any

from _goals import Goal, Limit
from _servers import HOST, Endpoint
from _service import Service
from _sftp_contenders import (
    ASYNCSSH,
    COMMAND,
    CONTENDERS,
    DOWNLOADS,
    EACH,
    PACKAGES,
    STREAMED,
    UPLOADS,
)
from _sftp_server import Server, sshd

GOALS = (
    Goal("256 MiB up", ASYNCSSH, ("upload sshd",), "wall", 1.4, 1.6),
    Goal("256 MiB down", ASYNCSSH, ("download sshd",), "wall", 1.5, 1.8),
    Goal("256 MiB up, streams", STREAMED, ("upload sshd",), "wall"),
    Goal("256 MiB down, streams", STREAMED, ("download sshd",), "wall"),
    Goal("256 MiB up / down", COMMAND, ("upload sshd", "download sshd"), "wall", 1.2, 2),
    Goal("4 KiB, 16 in flight, put", EACH, ("put sshd 16",), "wall", 15, 20),
    Goal("4 KiB, 16 in flight, get", EACH, ("get sshd 16",), "wall", 30, 40),
    Goal("4 KiB put / get, 16 in flight", ASYNCSSH, ("put sshd 16", "get sshd 16"), "wall"),
    Goal("list 10,000", ASYNCSSH, ("list sshd",), "wall"),
    Goal("4 KiB put / get, 1 in flight", ASYNCSSH, ("put sshd 1", "get sshd 1"), "wall"),
)

LIMITS = (
    Limit("256 MiB upload, growth of memory", "memory upload sshd", "MiB", 32, 8),
    Limit("256 MiB download, growth of memory", "memory download sshd", "MiB", 32, 8),
    Limit("first use of a disk: longest stall of the loop", "stall", "ms"),
)


def _disk(place: Endpoint) -> dict[str, Any]:
    return {"driver": "sftp", "host": HOST, **Server.at(place).options()}


SERVICE = Service(
    "sftp",
    PACKAGES,
    CONTENDERS,
    UPLOADS,
    DOWNLOADS,
    _disk,
    (ASYNCSSH,),
    sshd,
    GOALS,
    LIMITS,
)
