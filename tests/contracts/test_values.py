"""Values: frozen, checked, and readable as mappings where people expect one."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from storeroom.contracts.errors import InvalidArgument, NotFound
from storeroom.contracts.values import (
    ANY,
    DEEP,
    PLAIN,
    SHALLOW,
    WHOLE,
    Folder,
    ReadOptions,
    Report,
    Stat,
    Traits,
    WriteOptions,
    check_visibility,
)


def test_a_stat_is_also_a_mapping() -> None:
    stat = Stat("a", size=5, content_type="text/plain")
    assert stat["size"] == stat.size == 5
    assert dict(stat)["path"] == "a"
    assert set(stat) >= {"path", "size", "modified", "etag", "content_type", "metadata"}
    assert stat.get("no such") is None
    assert len(stat) == len(list(stat))
    with pytest.raises(KeyError):
        stat["at"]


def test_a_stat_is_the_same_under_another_path() -> None:
    assert Stat("a", size=5).at("b/c") == Stat("b/c", size=5)
    assert Folder("a").at("b") == Folder("b")


@pytest.mark.parametrize("value", [Stat("a"), Folder("a"), PLAIN, WHOLE, ANY, DEEP, Traits("x")])
def test_a_value_is_frozen_and_slotted(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, "b")
    assert not hasattr(value, "__dict__")
    assert hash(value) == hash(value)


def test_values_with_mappings_are_hashable_too() -> None:
    assert len({Stat("a", metadata={"a": "b"}), Stat("a", metadata={"c": "d"})}) == 2
    assert hash(WriteOptions(metadata={"a": "b"}, tags={"c": "d"}))


@pytest.mark.parametrize(
    "range_", [{"start": -1}, {"stop": -1}, {"start": 5, "stop": 4}, {"chunk_size": 0}], ids=str
)
def test_a_bad_range_is_refused(range_: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument):
        ReadOptions(**range_)  # type: ignore[arg-type]


def test_a_negative_range_says_what_to_write() -> None:
    with pytest.raises(InvalidArgument, match="for the last n bytes use start=size - n"):
        ReadOptions(start=-5)


@pytest.mark.parametrize("value", ["Public", "", "world", 1, True], ids=repr)
def test_an_unknown_visibility_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="'public' or 'private'"):
        WriteOptions(visibility=value)
    with pytest.raises(InvalidArgument):
        check_visibility(value)


@pytest.mark.parametrize("name", ["metadata", "tags"])
def test_pairs_are_checked(name: str) -> None:
    def options(pairs: Any) -> WriteOptions:
        return WriteOptions(**{name: pairs})

    assert options({"a": "", "é": "ü"})
    for wrong in ([("a", "b")], {"a": 1}, {1: "a"}, {"a": b"b"}, {"a": None}, "ab"):
        with pytest.raises(TypeError, match=name):
            options(wrong)
    for bad in ({"": "a"}, {"a\n": "b"}, {"a": "b\r\nx: y"}, {"a": "\x7f"}):
        with pytest.raises(InvalidArgument, match=name):
            options(bad)


def test_a_report_is_ok_while_nothing_failed() -> None:
    assert Report({"a": 1}).ok
    Report({"a": 1}).raise_failures()
    report = Report({"a": 1}, {"b": NotFound("why", path="b"), "c": ValueError("x")})
    assert not report.ok
    with pytest.raises(ExceptionGroup, match="2 of 3 paths failed") as caught:
        report.raise_failures()
    assert [type(error) for error in caught.value.exceptions] == [NotFound, ValueError]


def test_the_shared_options_are_what_they_are_called() -> None:
    assert (WHOLE.start, WHOLE.stop, DEEP.deep, SHALLOW.deep) == (0, None, True, False)
    assert (ANY.if_match, PLAIN.overwrite, PLAIN.carried) == (None, True, False)
