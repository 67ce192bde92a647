"""XML as services write it."""

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]")


def tag(name: str, value: object = "", /) -> str:
    """An element with text; True and False are written as XML Schema has them."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    safe = _CONTROL.sub(lambda found: f"&#x{ord(found[0]):x};", escape(text))
    return f"<{name}>{safe}</{name}>"


def node(name: str, children: Iterable[str], /) -> str:
    """An element of elements."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, children: Iterable[str], /, *, namespace: str = "") -> bytes:
    """A whole document."""
    space = f' xmlns="{namespace}"' if namespace else ""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}<{name}{space}>{''.join(children)}</{name}>".encode()
