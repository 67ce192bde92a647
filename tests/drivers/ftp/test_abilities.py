"""What some servers can and others cannot: used where it is, and said where it is not."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from storeroom.contracts.abilities import PublicUrl, Visibility, find
from storeroom.contracts.body import Body
from storeroom.contracts.errors import NotFound, Unsupported
from storeroom.contracts.values import WriteOptions
from storeroom.drivers._tree.temporaries import temporary_beside
from tests.drivers.ftp.place import MIB, Place, read
from tests.drivers.s3.bucket import random_bytes, streamed
from tests.servers.ftp import FtpServer
from tests.servers.lying_ftp import LyingFtp

MOMENT = datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)
ZONE = timezone(timedelta(hours=-7))


@pytest.mark.parametrize("feature", ["HASH SHA-1;SHA-256*;MD5", "XSHA256"])
async def test_a_server_that_hashes_is_asked_for_it(lying: LyingFtp, feature: str) -> None:
    lying.lies.features = (*lying.lies.features, feature)
    lying.files["/a b"] = b"content"
    driver = lying.driver()
    assert await driver.digest("a b", "sha256") == hashlib.sha256(b"content").hexdigest()
    assert await driver.checksum("a b", "sha256") == await driver.digest("a b", "sha256")
    assert lying.asked("RETR") == []
    with pytest.raises(Unsupported):
        await driver.digest("a b", "sha512")
    with pytest.raises(NotFound):
        await driver.digest("missing", "sha256")


async def test_where_the_server_does_not_hash_the_bytes_are_read(place: Place) -> None:
    place.put(b"content", "a")
    driver = place.driver()
    with pytest.raises(Unsupported):
        await driver.digest("a", "sha256")
    assert await driver.checksum("a", "sha256") == hashlib.sha256(b"content").hexdigest()


async def test_an_answer_without_a_hash_is_unsupported(lying: LyingFtp) -> None:
    lying.lies.features = (*lying.lies.features, "XSHA256")
    lying.files["/a"] = b"content"
    driver = lying.driver()
    for answer in ("250 done", f"250 {'0' * 63}", f"250 {'0' * 65}"):
        lying.lies.answers["XSHA256"] = answer
        with pytest.raises(Unsupported):
            await driver.digest("a", "sha256")


async def test_a_time_is_set_by_mfmt_else_by_the_other_form_of_mdtm(
    lying: LyingFtp, place: Place
) -> None:
    place.put(b"x", "a")
    await place.driver().change_time("a", MOMENT.astimezone(ZONE))
    assert (place.path / "a").stat().st_mtime == MOMENT.timestamp()
    lying.files["/a"] = b"x"
    lying.lies.features = (*lying.lies.features, "MFMT")
    await lying.driver().change_time("a", MOMENT.astimezone(ZONE))
    assert lying.asked("MFMT") == ["MFMT 20210203040506 /a"]


async def test_a_server_that_sets_no_times_is_unsupported(lying: LyingFtp) -> None:
    lying.files["/a"] = b"x"
    driver = lying.driver()
    for answer in ("550 No such file: 20210203040506 /a", "500 What?"):
        lying.lies.answers["MDTM"] = answer
        with pytest.raises(Unsupported):
            await driver.change_time("a", MOMENT)


async def test_permissions_are_those_of_the_visibility(pyftpd: FtpServer) -> None:
    place = Place(pyftpd)
    driver = place.driver(permissions={"file": {"private": 0o640}, "folder": {"private": 0o750}})
    await driver.write("a", Body(b"x"), WriteOptions(visibility="private"))
    await driver.write("b", Body(b"x"), WriteOptions(visibility="public"))
    await driver.make_folder("f/g", "private")
    await driver.extend("c", Body(b"x"), WriteOptions(visibility="private"))
    modes = {name: (place.path / name).stat().st_mode & 0o777 for name in ("a", "b", "c", "f/g")}
    assert modes == {"a": 0o640, "b": 0o644, "c": 0o640, "f/g": 0o750}
    assert await driver.read_visibility("a") == "private"
    await place.aclose()


async def test_a_disks_own_visibility_is_that_of_every_write(pyftpd: FtpServer) -> None:
    place = Place(pyftpd)
    driver = place.driver(visibility="private")
    await driver.write("a", Body(b"x"))
    await driver.write("b", Body(b"x"), WriteOptions(visibility="public"))
    modes = [(place.path / name).stat().st_mode & 0o777 for name in ("a", "b")]
    assert modes == [0o600, 0o644]
    await place.aclose()


async def test_without_site_chmod_an_asked_for_visibility_is_refused_and_nothing_stored(
    lying: LyingFtp,
) -> None:
    lying.lies.lacks = {"CHMOD"}
    driver = lying.driver()
    assert find(driver, Visibility) is driver
    with pytest.raises(Unsupported):
        await driver.write("a", Body(b"x"), WriteOptions(visibility="private"))
    assert lying.files == {}
    assert find(driver, Visibility) is None
    await driver.write("a", Body(b"x"), WriteOptions(visibility="private", carried=True))
    assert list(lying.files) == ["/a"]


async def test_a_visibility_is_seen_in_list_where_there_is_no_mlst(vsftpd: FtpServer) -> None:
    place = Place(vsftpd)
    driver = place.driver()
    for mode, visible in ((0o644, "public"), (0o600, "private"), (0o640, "private")):
        place.put(b"x", "folder/a file")
        (place.path / "folder/a file").chmod(mode)
        assert await driver.read_visibility("folder/a file") == visible
    await place.aclose()


async def test_a_disk_without_a_url_has_no_public_addresses(lying: LyingFtp) -> None:
    driver = lying.driver()
    assert find(driver, PublicUrl) is None
    with pytest.raises(Unsupported):
        driver.public_url("a")
    named = lying.driver(url="https://cdn.example.com/files/")
    assert named.public_url("a b/c#d") == "https://cdn.example.com/files/a%20b/c%23d"


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 3 * MIB])
async def test_what_is_appended_is_at_the_end(place: Place, size: int) -> None:
    """From a MiB on the bytes go to the server first, and are added when they are all there."""
    driver = place.driver(pool_size=2)
    data = random_bytes(size)
    place.put(b"old", "f/a")
    stat = await driver.extend("f/a", streamed(data))
    assert place.get("f/a") == b"old" + data
    assert stat.size == 3 + size
    await driver.extend("new/a", streamed(data))
    assert place.get("new/a") == data
    assert place.left_over() == []


async def test_sweeping_goes_by_the_later_of_two_clocks(place: Place) -> None:
    driver = place.driver()
    left = temporary_beside("deep/er/a")
    place.put(b"half", left)
    place.put(b"x", "deep/er/.storeroom-other")
    place.put(b"x", "deep/a")
    assert await driver.sweep(timedelta(hours=1)) == 0
    assert await driver.sweep(timedelta(0)) == 1
    assert place.get(left) is None
    assert place.get("deep/a") == b"x"
    assert len(place.left_over()) == 1


async def test_what_may_not_be_listed_or_removed_is_no_end_of_a_sweep(pyftpd: FtpServer) -> None:
    place = Place(pyftpd)
    folders = ("a", "hidden", "sealed", "z")
    for folder in folders:
        place.put(b"half", temporary_beside(f"{folder}/a"))
    assert await place.driver().sweep(timedelta(0)) == 2
    assert [len(list((place.path / folder).iterdir())) for folder in folders] == [0, 1, 1, 0]
    await place.aclose()


async def test_a_copy_goes_through_here_and_never_waits_for_itself(place: Place) -> None:
    data = random_bytes(2 * MIB)
    place.put(data, "a")
    driver = place.driver(pool_size=2)
    assert await driver.copy("a", "b") == "b"
    assert await read(driver, "b") == data
