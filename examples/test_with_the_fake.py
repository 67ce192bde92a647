"""Tests of code that stores files: `pytest test_with_the_fake.py`, with pytest-asyncio in auto mode."""

from contextlib import suppress

import pytest

from storeroom import NotFound, Storage, Unavailable


async def keep_avatar(user: int, image: bytes) -> str:
    """The code under test: it knows nothing of fakes."""
    disk = Storage.disk("s3")
    path = await disk.put(f"avatars/{user}.png", image, visibility="public")
    with suppress(Unavailable):  # the draft expires by itself
        await disk.delete(f"drafts/{user}.png")
    return path


async def test_an_avatar_is_stored() -> None:
    with Storage.fake("s3") as disk:
        await keep_avatar(42, b"an image")
        disk.assert_exists("avatars/42.png", b"an image")


async def test_the_draft_goes() -> None:
    disk = Storage.fake("s3")  # without `with`: the plugin restores the disk after the test
    await disk.put("drafts/42.png", b"a draft")
    await keep_avatar(42, b"an image")
    disk.assert_missing("drafts/42.png")
    disk.assert_count("avatars", 1)
    assert [call.verb for call in disk.calls] == ["put", "put", "delete"]


async def test_a_service_that_is_down_for_a_moment_loses_no_avatar() -> None:
    disk = Storage.fake("s3")
    disk.fail("delete", Unavailable, times=1)
    assert await keep_avatar(42, b"an image") == "avatars/42.png"
    disk.assert_exists("avatars/42.png")


async def test_nothing_is_kept_where_storing_fails() -> None:
    disk = Storage.fake("s3")
    disk.fail("put", Unavailable)
    with pytest.raises(Unavailable):
        await keep_avatar(42, b"an image")
    disk.assert_empty()


async def test_each_test_begins_with_an_empty_disk() -> None:
    with pytest.raises(NotFound):
        await Storage.fake("s3").get("avatars/42.png")
