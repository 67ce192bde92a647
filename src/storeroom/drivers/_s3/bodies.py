"""The XML that S3 is sent: removals, the parts of an upload, tags, a restore."""

from collections.abc import Iterable, Mapping

__all__ = [
    "complete_body",
    "delete_body",
    "is_writable",
    "restore_body",
    "tagging_body",
]

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# A parser makes spaces of these, and a line feed of a carriage return.
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&apos;",
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def is_writable(key: str, /) -> bool:
    """Whether XML can hold this key at all; where not, only a request of its own names it."""
    return not any(
        (char < " " and char not in "\t\n\r")
        or char in "\ufffe\uffff"
        or "\ud800" <= char <= "\udfff"
        for char in key
    )


def delete_body(keys: Iterable[str | tuple[str, str]], /, *, quiet: bool = False) -> bytes:
    """The body of DeleteObjects for keys, or keys with a version, each of them `is_writable`."""
    return _document("Delete", f"{'<Quiet>true</Quiet>' if quiet else ''}{_objects(keys)}")


def complete_body(
    parts: Mapping[int, str], /, checksums: Mapping[int, Mapping[str, str]] | None = None
) -> bytes:
    """The body of CompleteMultipartUpload: etags by number, and checksums such as `{"CRC32": ...}`."""
    lines: list[str] = []
    for number in sorted(parts):
        sums = (checksums or {}).get(number, {})
        known = "".join(
            f"<Checksum{name}>{_x(text)}</Checksum{name}>" for name, text in sums.items()
        )
        lines.append(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_x(parts[number])}</ETag>{known}</Part>"
        )
    return _document("CompleteMultipartUpload", "".join(lines))


def tagging_body(tags: Mapping[str, str], /) -> bytes:
    """The body of PutObjectTagging."""
    lines = (f"<Tag><Key>{_x(k)}</Key><Value>{_x(v)}</Value></Tag>" for k, v in tags.items())
    return _document("Tagging", f"<TagSet>{''.join(lines)}</TagSet>")


def restore_body(days: int, tier: str = "Standard", /) -> bytes:
    """The body of RestoreObject: how long the copy stays, and how fast it comes."""
    job = f"<GlacierJobParameters><Tier>{_x(tier)}</Tier></GlacierJobParameters>"
    return _document("RestoreRequest", f"<Days>{days}</Days>{job}")


def _objects(keys: Iterable[str | tuple[str, str]]) -> str:
    lines: list[str] = []
    for entry in keys:
        if isinstance(entry, str):
            lines.append(f"<Object><Key>{_x(entry)}</Key></Object>")
        else:
            key, version = entry
            lines.append(
                f"<Object><Key>{_x(key)}</Key><VersionId>{_x(version)}</VersionId></Object>"
            )
    return "".join(lines)


def _x(text: str) -> str:
    return text.translate(_ESCAPES)


def _document(name: str, content: str) -> bytes:
    return f'<{name} xmlns="{_NAMESPACE}">{content}</{name}>'.encode()
