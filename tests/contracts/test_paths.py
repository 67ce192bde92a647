"""The path rule: accepted byte for byte or refused, with a reason and what to write instead."""

from enum import Enum
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storeroom.contracts.errors import InvalidPath
from storeroom.contracts.paths import (
    RESERVED,
    check_folder,
    check_path,
    inside,
    is_listable,
    quoted,
)
from storeroom.testing._suite.names import HOSTILE, NOT_FOLDERS, UGLY


@pytest.mark.parametrize("path", UGLY.values(), ids=UGLY)
def test_an_ugly_name_is_accepted_as_it_is(path: str) -> None:
    assert check_path(path) == path
    assert is_listable(path)


def test_there_are_at_least_60_hostile_paths() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_a_hostile_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidPath) as caught:
        check_path(path)
    assert caught.value.path == path
    assert caught.value.reason
    assert isinstance(caught.value, ValueError)
    assert not is_listable(path)


@pytest.mark.parametrize("folder", NOT_FOLDERS, ids=ascii)
def test_a_hostile_folder_is_refused(folder: str) -> None:
    with pytest.raises(InvalidPath):
        check_folder(folder)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "a path is empty; name a file, such as"),
        ("a\\b\\c", "write 'a/b/c'"),
        ("/etc/passwd", "write 'etc/passwd'"),
        ("a/b/", "for a file write 'a/b'"),
        ("a//b", "write 'a/b'"),
        ("a/../b", "'..'"),
        ("./a", "'.'"),
        ("a/.storeroom-tmp-1", "choose another name"),
        ("a\x00b", "U+0000 at position 1"),
        ("safe\u202egpj.exe", "U+202E at position 4"),
        ("a\udcff", "not valid UTF-8 at position 1"),
        ("x" * 1025, "1,025 bytes long and 1,024 is the limit"),
        ("/".join("a" * 101), "101 segments and 100 is the limit"),
        ("/", "such as 'notes.txt'"),
    ],
    ids=ascii,
)
def test_the_refusal_says_why_and_what_to_write(path: str, said: str) -> None:
    with pytest.raises(InvalidPath) as caught:
        check_path(path)
    assert said in caught.value.reason


def test_limits_count_bytes_and_not_letters() -> None:
    assert check_path("é" * 512)
    with pytest.raises(InvalidPath):
        check_path("é" * 512 + "x")
    assert check_path("/".join("a" * 100))


def test_a_path_may_be_an_os_path() -> None:
    assert check_path(PurePosixPath("a b/c.txt")) == "a b/c.txt"
    assert check_path(PureWindowsPath("a b\\c.txt")) == "a b/c.txt"
    assert check_folder(Path()) == ""


def test_an_absolute_os_path_is_refused() -> None:
    for path in (PurePosixPath("/etc/passwd"), PureWindowsPath("C:\\a"), PurePosixPath("../a")):
        with pytest.raises(InvalidPath):
            check_path(f"/{path.as_posix()}" if path.drive else path)


def test_a_text_of_another_class_is_a_plain_text() -> None:
    class Name(str, Enum):  # noqa: UP042 - as older code writes it
        REPORT = "reports/a.pdf"

    assert check_path(Name.REPORT) == "reports/a.pdf"
    assert type(check_path(Name.REPORT)) is str


@pytest.mark.parametrize("value", [b"a", 1, None, ["a"], 1.5], ids=repr)
def test_what_is_no_text_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        check_path(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("", ""), ("/", ""), ("a", "a"), ("a/", "a"), ("a/b/", "a/b"), (" a /", " a ")],
)
def test_a_folder_may_be_the_root_or_end_in_a_slash(folder: str, expected: str) -> None:
    assert check_folder(folder) == expected


def test_a_folder_with_two_trailing_slashes_is_refused() -> None:
    for folder in ("a//", "//", "/a/"):
        with pytest.raises(InvalidPath):
            check_folder(folder)


def test_the_services_rule_takes_any_text_it_may_hold() -> None:
    for path in ("a//b", "/a", "a/", "../a", "a\\b", "\u202ea", ".storeroom-x", "a\nb"):
        assert check_path(path, strict=False) == path
        assert is_listable(path, strict=False)
    for path in ("", "a\x00b", "\udcff", "x" * 1025):
        with pytest.raises(InvalidPath):
            check_path(path, strict=False)


def test_inside_is_by_whole_segments() -> None:
    assert inside("foo", "foo/x")
    assert not inside("foo", "foobar/x")
    assert not inside("foo", "foo")
    assert inside("", "anything/at/all")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a b/c", "a%20b/c"),
        ("a%2Fb", "a%252Fb"),
        ("?a=b&c#d", "%3Fa%3Db%26c%23d"),
        ("é/~x_y-z.1", "%C3%A9/~x_y-z.1"),
        ("e\u0301+", "e%CC%81%2B"),
        ("it's (1)!*", "it%27s%20%281%29%21%2A"),
        ("👩‍👧", "%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7"),
    ],
)
def test_a_url_encodes_each_segment_exactly_once(path: str, expected: str) -> None:
    assert quoted(path) == expected


def test_the_reserved_beginning_is_whole() -> None:
    assert check_path(".storeroom") == ".storeroom"
    assert check_path("a.storeroom-x") == "a.storeroom-x"
    assert RESERVED == ".storeroom-"


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_text_is_kept_or_refused_and_listed_alike(text: str) -> None:
    try:
        assert check_path(text) == text
    except InvalidPath:
        assert not is_listable(text)
    else:
        assert is_listable(text)
        assert text.encode().decode() == text
        assert ".." not in text.split("/")
