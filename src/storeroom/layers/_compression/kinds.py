"""Content types whose bytes are compressed already."""

__all__ = ["is_compressed"]

_FAMILIES = ("audio/", "image/", "video/")
_PLAIN = frozenset(
    (
        *("audio/aiff", "audio/basic", "audio/l16", "audio/midi", "audio/wav", "audio/x-aiff"),
        *("audio/x-wav", "audio/vnd.wave", "image/bmp", "image/svg+xml", "image/tiff"),
        *("image/vnd.microsoft.icon", "image/x-icon", "image/x-ms-bmp"),
        *("image/x-portable-anymap", "image/x-portable-bitmap", "image/x-portable-graymap"),
        *("image/x-portable-pixmap", "image/x-tga", "image/vnd.adobe.photoshop"),
    )
)
_PACKED = frozenset(
    (
        *("application/epub+zip", "application/gzip", "application/java-archive"),
        *(
            "application/vnd.android.package-archive",
            "application/vnd.rar",
            "application/x-7z-compressed",
        ),
        *("application/x-brotli", "application/x-bzip2", "application/x-gzip", "application/x-lz4"),
        *("application/x-rar-compressed", "application/x-xz", "application/x-zip-compressed"),
        *("application/zip", "application/zstd", "font/woff", "font/woff2"),
        *(
            "application/vnd.oasis.opendocument.presentation",
            "application/vnd.oasis.opendocument.text",
        ),
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    )
)


def is_compressed(content_type: str | None, /) -> bool:
    """Whether bytes of this type are not worth trying."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind in _PACKED or (kind.startswith(_FAMILIES) and kind not in _PLAIN)
