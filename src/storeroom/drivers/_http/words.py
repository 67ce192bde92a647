"""Text in headers, which are ASCII: as it is, or as an encoded word (RFC 2047)."""

import re
from base64 import b64encode
from email.header import decode_header, make_header
from typing import Final

__all__ = ["decoded_word", "encoded_word"]

_PLAIN: Final = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


def encoded_word(value: str, /, plain: re.Pattern[str] = _PLAIN) -> str:
    """As it is where it is `plain`, or as an encoded word, which is how Amazon itself answers."""
    if plain.fullmatch(value) and not value.startswith("=?"):
        return value
    return f"=?UTF-8?B?{b64encode(value.encode()).decode()}?="


def decoded_word(value: str, /) -> str:
    """The text that a header's value stands for."""
    if not (value.startswith("=?") and value.endswith("?=")):
        return value
    try:
        return str(make_header(decode_header(value)))
    except (UnicodeDecodeError, LookupError, ValueError):
        return value
