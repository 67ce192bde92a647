"""A content type by name, else by the first bytes."""

import mimetypes

import pytest

from storeroom.contracts.mime import HEAD_BYTES, by_content, by_name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "text/plain"),
        ("a.JPG", "image/jpeg"),
        ("a b/c.d/e.json", "application/json"),
        ("x.tar.gz", "application/gzip"),
        ("x.svg", "image/svg+xml"),
        ("x.webp", "image/webp"),
        ("x.md", "text/markdown"),
        ("x.html", "text/html"),
        ("x.zst", "application/zstd"),
        (".gitignore", None),
        (".txt", None),
        ("Makefile", None),
        ("a.b/c", None),
        ("x.", None),
        ("x.nosuchtype", None),
    ],
)
def test_a_name_tells_the_type(name: str, kind: str | None) -> None:
    assert by_name(name) == kind


def test_the_machines_own_tables_change_nothing() -> None:
    before = by_name("strange.storeroomtest")
    mimetypes.add_type("text/strange", ".storeroomtest")
    by_name.cache_clear()
    assert by_name("strange.storeroomtest") is before is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"\x00\x00\x00\x20ftypavif", "image/avif"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"", None),
        (b"plain words", None),
    ],
)
def test_first_bytes_tell_the_type(head: bytes, kind: str | None) -> None:
    assert by_content(head) == kind


def test_a_head_is_small() -> None:
    assert 512 <= HEAD_BYTES <= 4096
