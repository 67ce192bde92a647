"""Checksums that the server computes, where it can: HASH (draft-ietf-ftpext2-hash), XSHA256, XMD5 ..."""

import re
from typing import Final

from storeroom.contracts.errors import Unsupported
from storeroom.drivers._ftp.control import Control
from storeroom.drivers._ftp.looking import file_at
from storeroom.drivers._ftp.server import Server

__all__ = ["digest"]

_HASH: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}
_OLDER: Final = {
    "md5": ("XMD5", "MD5"),
    "sha1": ("XSHA1", "XSHA"),
    "sha256": ("XSHA256",),
    "sha512": ("XSHA512",),
}
_DIGITS: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


async def digest(control: Control, path: str, algorithm: str, /) -> str:
    """The hash in lower-case hex; `Unsupported` where the server does not compute this one."""
    await file_at(control, path)
    commands = _commands(control.server, control.at(path), algorithm)
    if not commands:
        raise Unsupported(f"the server computes no {algorithm}")
    answers = await control.ask(*commands)
    for answer in answers:
        if answer.is_unknown:
            raise Unsupported(f"the server computes no {algorithm} ({control.refusal(answer)})")
        control.checked(answer)
    said = " ".join(answers[-1].lines).lower()
    found = re.search(rf"(?<![0-9a-f])[0-9a-f]{{{_DIGITS[algorithm]}}}(?![0-9a-f])", said)
    if found is None:
        raise Unsupported(f"the server's answer holds no {algorithm}")
    return found[0]


def _commands(server: Server, whole: str, algorithm: str) -> list[str]:
    name = _HASH.get(algorithm)
    if name is None:
        return []
    known = server.details("HASH").upper().replace("*", "").split(";")
    if name in known:
        return [f"OPTS HASH {name}", f"HASH {whole}"]
    for command in _OLDER[algorithm]:
        if server.has(command):
            return [f'{command} "{whole}"' if " " in whole else f"{command} {whole}"]
    return []
