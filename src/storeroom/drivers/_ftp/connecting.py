"""From a host and a password to a connection that takes commands (RFC 4217, RFC 2389, RFC 2640)."""

import asyncio
import codecs
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final

import aioftp

from storeroom.contracts import threads
from storeroom.contracts.errors import ConfigError, PermissionDenied, Timeout
from storeroom.drivers._ftp.account import Account
from storeroom.drivers._ftp.channel import Channel
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.replies import Full, Leaving, Refused, Reply
from storeroom.drivers._ftp.server import Server
from storeroom.drivers._http.tls import tls_context
from storeroom.drivers._http.wire import Lost

__all__ = ["connected", "context_of", "reached"]

_SILENT: Final = 60
_KEEPING: Final = ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL")  # seconds, by system
_TOO_MANY: Final = re.compile(
    r"too many|max(imum)?\b.*\b(users|clients|hosts|connections|sessions|logins)",
    re.IGNORECASE,
)
_FACTS = "OPTS MLST type;size;modify;unix.mode;unique;"


async def context_of(account: Account, /) -> ssl.SSLContext | None:
    """Whom to trust; reading the authorities blocks, which is why it is done elsewhere."""
    if account.tls is False:
        return None
    try:
        return await threads.run(lambda: tls_context(verify=account.verify))
    except OSError as error:  # an SSLError is one, too
        raise ConfigError(
            f"verify names a file of authorities that cannot be read: {error.strerror or error}"
        ) from error


async def connected(account: Account, server: Server, tls: ssl.SSLContext | None, /) -> Control:
    """A connection that is logged in, protected where it is to be, and ready for any verb."""
    try:
        channel = await reached((account.host,), account.port, account.timeout)
    except Lost as lost:
        _check_speaks(lost, account)
        raise
    control = Control(
        channel,
        server,
        host=account.host,
        encoding=account.encoding,
        pipelining=account.pipelining,
        passive=account.passive,
        secret=account.password,
    )
    try:
        try:
            await _greeted(control, account, tls)
        except Lost as lost:
            _check_speaks(lost, account)
            raise
        await _logged_in(control, account)
        await _prepared(control, account)
    except BaseException:
        control.drop()
        raise
    return control


def _check_speaks(lost: Lost, account: Account) -> None:
    """Refuse a server that is silent from the beginning: further tries would only last as long again."""
    if lost.why == "idle" or isinstance(lost.__cause__, TimeoutError):
        raise Timeout(
            f"{account.origin} says nothing within {account.timeout:g} s; check host, port and tls, "
            "and whether something on the way drops what is sent"
        ) from lost


async def reached(peer: Sequence[Any], port: int, timeout: float, /) -> Channel:
    """A connection to another port of a peer, which is a name or what a socket tells; `Lost` where nobody answers."""
    host = f"{peer[0]}%{peer[3]}" if len(peer) > 3 and peer[3] else peer[0]
    channel = Channel(timeout)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().create_connection(lambda: channel, host, port)
    except TimeoutError as error:
        raise Lost("unreachable", f"no connection within {timeout:g} s") from error
    except OSError as error:
        raise Lost("unreachable", error.strerror or str(error)) from error
    _keep_alive(channel.about("socket"))
    return channel


def _keep_alive(raw: socket.socket) -> None:
    """A long transfer leaves the control connection silent, which gateways take for dead in minutes."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in _KEEPING:
        if hasattr(socket, name):
            raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), _SILENT)


async def _greeted(control: Control, account: Account, tls: ssl.SSLContext | None) -> None:
    if tls is not None and account.tls == "implicit":
        await control.secure(tls)
    try:
        await control.greeting()
    except (Refused, Leaving) as error:
        raise Full(error) from error
    if tls is not None and account.tls == "explicit":
        await _upgraded(control, tls)
    control.protected = tls is not None


async def _upgraded(control: Control, tls: ssl.SSLContext) -> None:
    try:
        await control.do("AUTH TLS")
    except Refused as refused:
        raise ConfigError(
            "the server offers no TLS by AUTH; use tls='implicit' where it listens with TLS, or "
            f"tls=False to send the password and all files in the clear ({refused})"
        ) from refused
    await control.secure(tls)


async def _logged_in(control: Control, account: Account) -> None:
    try:
        await control.login(account.username, account.password)
    except Leaving as leaving:
        raise Full(leaving) from leaving
    except Refused as refused:
        if _TOO_MANY.search(refused.reply.words):
            raise Full(refused) from refused
        raise PermissionDenied(
            f"the server does not let {account.username!r} in; check username and password "
            f"({refused})"
        ) from refused
    except aioftp.StatusCodeError:  # it holds what the server said as it was said
        raise PermissionDenied("the server asks for more than a name and a password") from None


async def _prepared(control: Control, account: Account) -> None:
    """All that is left to say, at once; the first connection also asks what the server can."""
    server = control.server
    protecting = ["PBSZ 0", "PROT P"] if control.protected else []
    asking = ["FEAT"] if server.features is None else []
    control.send(*protecting, *asking)
    for _ in protecting:
        _check_protected(control, await control.reply())
    for _ in asking:
        server.learn(await control.reply())
    wanted, finding = _wanted(server, account.encoding), ["PWD"] if server.base is None else []
    control.send("TYPE I", *wanted, *finding)
    control.checked(await control.reply())
    for _ in wanted:
        await control.reply()
    for _ in finding:
        server.base = _based(control, account.root, await control.reply())


def _check_protected(control: Control, reply: Reply) -> None:
    if not reply.is_good:
        raise ConfigError(
            "the server does not protect data connections, so files would travel in the clear; "
            f"tls=False accepts that ({control.refusal(reply)})"
        )


def _wanted(server: Server, encoding: str) -> list[str]:
    """What is switched on where the server has it; a refusal is no harm."""
    wanted: list[str] = []
    if server.has("UTF8") and codecs.lookup(encoding).name == "utf-8":
        wanted.append("OPTS UTF8 ON")
    offered = server.details("MLST").split(";")
    if (
        "unix.mode" in offered or "unique" in offered
    ):  # there, and off: a star would say that it is on
        wanted.append(_FACTS)
    return wanted


def _based(control: Control, root: str, reply: Reply) -> str:
    """Paths are absolute: what a connection's working folder is makes no difference."""
    if root and not (root.startswith("/") or reply.is_good):
        raise ConfigError(
            f"the server does not say in which folder a login begins ({control.refusal(reply)}); "
            f"give root from '/' on, not {root!r}"
        )
    home = str(control.parse_directory_response(reply.lines[-1])) if reply.is_good else "/"
    whole = root if root.startswith("/") else f"{home}/{root}"
    return "".join(f"/{part}" for part in whole.split("/") if part not in ("", "."))
