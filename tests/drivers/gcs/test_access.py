"""Who may read a file: by access lists, or by nothing that belongs to the file."""

import pytest

from storeroom.contracts.abilities import Visibility, find
from storeroom.contracts.body import Body
from storeroom.contracts.errors import ConfigError, Unsupported
from storeroom.contracts.values import WriteOptions
from tests.drivers.gcs.bucket import SMALL_PARTS, Bucket
from tests.drivers.s3.bucket import KEY, MIB, random_bytes, streamed


async def test_uniform_access_leaves_no_visibility_to_a_file(bucket: Bucket) -> None:
    driver = bucket.driver()
    assert find(driver, Visibility) is None
    with pytest.raises(Unsupported, match="uniform access, so no file has a visibility of its own"):
        await driver.put("a", b"x", visibility="public")
    await driver.write("a", Body(b"x"), WriteOptions(visibility="public", carried=True))
    assert bucket.resource("a")["acl"][-1]["entity"] != "allUsers"
    with pytest.raises(ConfigError, match="uniform_access=False"):
        bucket.driver(visibility="public")


async def test_a_uniform_bucket_says_so_where_nobody_else_did(bucket: Bucket) -> None:
    mine = bucket.sibling(uniform=True)
    driver = mine.driver(uniform_access=False)
    with pytest.raises(Unsupported, match="uniform access and no access lists"):
        await driver.put("a", b"x", visibility="public")
    await driver.put("a", b"x")
    for work in (driver.set_visibility("a", "public"), driver.visibility("a")):
        with pytest.raises(Unsupported, match="uniform access and no access lists"):
            await work


async def test_public_access_that_is_prevented_is_told(bucket: Bucket) -> None:
    access = {"publicAccessPrevention": "enforced"}
    mine = bucket.sibling(iamConfiguration=access)
    driver = mine.driver(uniform_access=False)
    for how in (
        WriteOptions(visibility="public"),
        WriteOptions(visibility="public", overwrite=False),
    ):
        with pytest.raises(Unsupported, match="public access is prevented"):
            await driver.write("a", Body(b"x"), how)


async def test_a_visibility_goes_with_every_write_and_copy(bucket: Bucket) -> None:
    driver = bucket.driver(uniform_access=False, visibility="public", **SMALL_PARTS)
    await driver.put("small", b"x")
    await driver.write("large", streamed(random_bytes(2 * MIB)))
    await driver.copy("small", "copied")
    await driver.move("copied", "moved")
    upload = await driver.start_parts("parts", WriteOptions(visibility="public"))
    part = await driver.write_part("parts", upload, 1, Body(b"x"))
    await driver.complete_parts("parts", upload, {1: part})
    for name in bucket.names():
        assert await driver.visibility(name) == "public", name
    await driver.put("small", b"x", visibility="private")
    assert await driver.visibility("small") == "private"


async def test_who_was_let_in_by_name_stays_so(bucket: Bucket) -> None:
    entry = {"entity": "user-ada@example.com", "role": "READER"}
    bucket.put(b"x", acl=[entry])
    driver = bucket.driver(uniform_access=False)
    for visible in ("public", "private"):
        await driver.change_visibility(KEY, visible)
        assert await driver.read_visibility(KEY) == visible
    assert entry.items() <= bucket.resource()["acl"][-1].items()


async def test_access_stays_through_moves_tiers_and_restored_generations(bucket: Bucket) -> None:
    """Copies of Google's have the access list of the bucket, not that of the file."""
    mine = bucket.sibling(versioned=True)
    driver = mine.driver(uniform_access=False, visibility="private")
    entry = {"entity": "user-ada@example.com", "role": "READER"}
    mine.put(b"1", KEY, acl=[entry])
    old = await driver.change_attributes(KEY, WriteOptions(visibility="public"))
    await driver.write(KEY, Body(b"22"))
    assert await driver.read_visibility(KEY) == "private"
    await driver.restore_version(KEY, old.version or "")
    await driver.change_tier(KEY, "NEARLINE")
    await driver.move(KEY, "moved")
    assert await driver.read_visibility("moved") == "public"
    assert (await driver.stat("moved")).tier == "NEARLINE"
    await driver.rename("moved", "hidden", WriteOptions(visibility="private"))
    assert await driver.read_visibility("hidden") == "private"
