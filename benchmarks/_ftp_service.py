"""FTP, as it is measured, and the rows of its table."""

from typing import Any

from _ftp_contenders import (
    AIOFTP,
    CONTENDERS,
    CURL,
    DOWNLOADS,
    EACH,
    ONE,
    PACKAGES,
    UPLOADS,
)
from _ftp_server import port_of, vsftpd
from _goals import Goal, Limit
from _servers import HOST, Endpoint
from _service import Service

GOALS = (
    Goal("256 MiB up", CURL, ("upload vsftpd",), "wall", 0.85, 1.1),
    Goal("256 MiB down", CURL, ("download vsftpd",), "wall", 0.85, 1.1),
    Goal("256 MiB up / down", AIOFTP, ("upload vsftpd", "download vsftpd"), "wall"),
    Goal("4 KiB, 16 in flight, put", EACH, ("put vsftpd 16",), "wall", 4, 5),
    Goal("4 KiB, 16 in flight, get", EACH, ("get vsftpd 16",), "wall", 5, 8),
    Goal(
        "4 KiB put / get, 16 in flight", ONE, ("put vsftpd 16", "get vsftpd 16"), "wall", 1.6, 2.3
    ),
    Goal("list 10,000", ONE, ("list vsftpd",), "wall"),
    Goal("4 KiB put / get, 1 in flight", ONE, ("put vsftpd 1", "get vsftpd 1"), "wall"),
    Goal("the same, on our processors", ONE, ("put vsftpd 16", "get vsftpd 16"), "cpu"),
)

LIMITS = (
    Limit("256 MiB upload, growth of memory", "memory upload vsftpd", "MiB", 32, 8),
    Limit("256 MiB download, growth of memory", "memory download vsftpd", "MiB", 32, 8),
    Limit("first use of a disk: longest stall of the loop", "stall", "ms"),
)


def _disk(place: Endpoint) -> dict[str, Any]:
    return {"driver": "ftp", "host": HOST, "port": port_of(place), "tls": False}


SERVICE = Service(
    "ftp",
    PACKAGES,
    CONTENDERS,
    UPLOADS,
    DOWNLOADS,
    _disk,
    (ONE,),
    vsftpd,
    GOALS,
    LIMITS,
)
