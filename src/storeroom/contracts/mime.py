"""A content type by a file's name, or by its first bytes."""

import mimetypes
from functools import lru_cache

__all__ = ["HEAD_BYTES", "by_content", "by_name", "extension_for", "may_be"]

HEAD_BYTES = 2048
"""How many first bytes `by_content` wants."""

_NAMES = {
    ".7z": "application/x-7z-compressed",
    ".avif": "image/avif",
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".gz": "application/gzip",
    ".ics": "text/calendar",
    ".js": "text/javascript",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mkv": "video/x-matroska",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".parquet": "application/vnd.apache.parquet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rar": "application/vnd.rar",
    ".rtf": "application/rtf",
    ".tgz": "application/gzip",
    ".toml": "application/toml",
    ".ts": "text/plain",
    ".ttf": "font/ttf",
    ".vcf": "text/vcard",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
_BUILTIN = mimetypes.MimeTypes()
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
)
_ALWAYS_SIGNED = frozenset(
    (
        *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"),
        *("application/pdf", "application/gzip", "application/zstd"),
    )
)
_USUAL = {
    "application/gzip": ".gz",
    "audio/mpeg": ".mp3",
    "image/jpeg": ".jpg",
    "text/html": ".html",
    "text/plain": ".txt",
    "video/mp4": ".mp4",
}
_SHARED = frozenset(
    ("application/octet-stream", "application/zip", "application/xml", "text/xml", "text/plain")
)


@lru_cache(maxsize=1024)
def by_name(path: str, /) -> str | None:
    """The type that the extension stands for, None where it stands for none; the same everywhere."""
    name = path.rpartition("/")[2].lower()
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem:
        return None
    known = _NAMES.get(f".{extension}")
    if known:
        return known
    return _BUILTIN.guess_type(f"x.{extension}")[0]


def by_content(head: bytes, /) -> str | None:
    """The type that a small table of signatures sees in the first bytes, None where it sees none."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return "image/avif" if head[8:12] == b"avif" else "video/mp4"
    return None


def may_be(kind: str | None, name: str, /) -> bool:
    """Whether bytes that look like `kind` may be what the name's extension says.

    True where nothing is known of the bytes or many formats look like this (text, zip, xml); but what
    always begins with a signature, such as a PNG, is not believed without it.
    """
    if kind is not None and kind not in _SHARED:
        return by_name(name) == kind
    return by_name(name) not in _ALWAYS_SIGNED


def extension_for(kind: str, /) -> str:
    """The usual extension of a type, with its dot, `""` where there is none; the same everywhere."""
    named = {known: extension for extension, known in _NAMES.items()}
    return _USUAL.get(kind) or named.get(kind) or _BUILTIN.guess_extension(kind) or ""
