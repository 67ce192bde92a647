"""Metadata: any names and values, in headers whose names have to be identifiers of C#.

Other characters of a name are written as .NET's XmlConvert.EncodeName does, `with-dash` as
`with_x002D_dash`; values that are not plain ASCII are encoded words (RFC 2047). Capitals are kept,
though the service does not tell them apart.
https://learn.microsoft.com/dotnet/api/system.xml.xmlconvert.encodename
"""

import re
from collections.abc import Mapping
from typing import Final

from storeroom.contracts.errors import InvalidArgument
from storeroom.drivers._http.framing import Headers
from storeroom.drivers._http.words import decoded_word, encoded_word

__all__ = ["decoded_name", "encoded_name", "read_metadata", "write_metadata"]

_META: Final = "x-ms-meta-"
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_]|^[0-9]|_(?=x(?:[0-9A-Fa-f]{4}|[0-9A-Fa-f]{8})_)")
_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4}|[0-9A-Fa-f]{8})_")
# An empty value is refused by some of the service's clients, and inner spaces may be made one.
_PLAIN: Final = re.compile(r"[!-~]+(?: [!-~]+)*")


def write_metadata(pairs: Mapping[str, str], /) -> dict[str, str]:
    """The headers that hold the pairs."""
    headers = {
        f"{_META}{encoded_name(name)}": encoded_word(value, _PLAIN) for name, value in pairs.items()
    }
    if len({name.lower() for name in headers}) < len(pairs):
        raise InvalidArgument(
            "metadata has two names that differ in capitals only; the service takes them for one"
        )
    return headers


def read_metadata(headers: Mapping[str, str], /) -> dict[str, str]:
    """The pairs that headers hold, also those of other clients."""
    names = [name for name in headers if name[:10].lower() == _META]
    if not names:
        return {}
    spelled = _spelling(headers)
    return {
        decoded_name(spelled.get(name, name)[len(_META) :]): decoded_word(headers[name])
        for name in names
    }


def encoded_name(name: str, /) -> str:
    """The name as an identifier."""
    if _IDENTIFIER.fullmatch(name) and "_x" not in name:
        return name
    return _FOREIGN.sub(_escaped, name)


def decoded_name(name: str, /) -> str:
    """The name that an identifier stands for."""
    return _ESCAPE.sub(_unescaped, name) if "_x" in name else name


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"_x{code:04X}_" if code < 0x10000 else f"_x{code:08X}_"


def _unescaped(match: re.Match[str]) -> str:
    code = int(match.group(1), 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else match.group()


def _spelling(headers: Mapping[str, str]) -> dict[str, str]:
    """The names as they came, by their small letters."""
    if not isinstance(headers, Headers):
        return {}
    names = (line.partition(":")[0] for line in headers.lines)
    return {name.lower(): name for name in names}
