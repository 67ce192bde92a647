"""Temporary URLs that a disk signs itself: what they bind, what is refused, how keys rotate."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from storeroom import ConfigError, Disk, Grant, LocalDriver, MemoryDriver, PermissionDenied, Stat
from storeroom.contracts.abilities import PresignRead, PresignWrite, VerifyUrl
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.scoped import Scoped
from storeroom.signing import SigningKeys, UrlSigner, _derived

KEY = "a key of 32 bytes, for the tests"
UGLY = [
    "a b/100%.txt",
    "%2F.txt",
    "q?a=b&c#d+e;f.txt",
    "там/👩‍👩‍👧‍👦.txt",
    "it's (1)/~x.txt",
    "%2e%2e/x.txt",
    ".hidden",
    "signature=x&expires=9",
    "a:b@c/d",
    '"quoted"',
    "0",
    "x" * 255,
]


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def disk(driver: MemoryDriver | None = None, *, name: str = "media", key: object = KEY) -> Disk:
    return Disk(driver or MemoryDriver(), name=name, signing_key=key)


def granted(path: str = "a b.txt", **more: object) -> Grant:
    expires = (datetime.now(UTC) + timedelta(seconds=60)).replace(microsecond=0)
    return Grant(path, "GET", expires, **more)


@pytest.mark.parametrize("path", UGLY)
async def test_any_path_survives_its_url(path: str) -> None:
    signing = disk()
    url = await signing.temporary_url(path, 60)
    assert url.isascii()
    assert " " not in url
    assert (await signing.verify_temporary_url(url)).path == path


@pytest.mark.parametrize("path", UGLY)
async def test_the_url_begins_with_the_public_one(path: str) -> None:
    signing = disk(MemoryDriver(url="https://cdn.test/my%20files"))
    url = await signing.temporary_url(path, 60)
    assert url.startswith(f"{signing.url(path)}?expires=")
    grant = await signing.verify_temporary_url(url)
    assert grant.path == path
    from_its_path_on = url.removeprefix("https://cdn.test")
    assert await signing.verify_temporary_url(from_its_path_on) == grant
    behind_a_proxy = f"http://10.0.0.1:8000{from_its_path_on}"
    assert await signing.verify_temporary_url(behind_a_proxy) == grant


async def test_everything_granted_comes_back() -> None:
    signing = disk()
    moment = datetime(2100, 1, 1, tzinfo=UTC)
    url = await signing.temporary_url("a.bin", moment, filename='ä "b"&c.txt', content_type="a/b")
    assert await signing.verify_temporary_url(url) == Grant(
        "a.bin", "GET", moment, filename='ä "b"&c.txt', content_type="a/b"
    )
    upload = await signing.temporary_upload_url(
        "a.bin", moment, content_type="image/png", max_size=0, overwrite=False
    )
    assert (upload.method, upload.headers) == ("PUT", {"Content-Type": "image/png"})
    assert await signing.verify_temporary_url(upload.url, method="PUT") == Grant(
        "a.bin", "PUT", moment, content_type="image/png", max_size=0, overwrite=False
    )


async def test_a_url_to_read_is_none_to_write_and_the_reverse() -> None:
    signing = disk()
    read = await signing.temporary_url("a.txt", 60)
    write = (await signing.temporary_upload_url("a.txt", 60)).url
    assert (await signing.verify_temporary_url(read, method="HEAD")).method == "GET"
    assert (await signing.verify_temporary_url(write, method="PUT")).method == "PUT"
    for url, method in ((read, "PUT"), (write, "GET"), (write, "HEAD"), (read, "DELETE")):
        with pytest.raises(PermissionDenied):
            await signing.verify_temporary_url(url, method=method)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/notes.txt?", "/other.txt?"),
        ("/notes.txt?", "/notes.txt/?"),
        ("/notes.txt?", "//notes.txt?"),
        ("/notes.txt?", "/./notes.txt?"),
        ("/notes.txt?", "/%6Eotes.txt?"),
        ("/notes.txt?", "/x/../notes.txt?"),
        ("/notes.txt?", "/notes.txt%00?"),
        ("/notes.txt?", "/notes.txt%FF?"),
        ("/notes.txt?", "/notes.txt\n?"),
        ("/notes.txt?", "/nоtes.txt?"),
        ("/storage/", "/other/"),
        ("/storage/", "storage/"),
        ("expires=", "expires=9"),
        ("expires=", "expires=+"),
        ("expires=", "expires=0"),
        ("expires=", "expires=99999999999999999999"),
        ("expires=", "expires=&x="),
        ("?expires=", "?expires=9&expires="),
        ("expires=", "Expires="),
        ("&filename=", "&filename=evil&filename="),
        ("&filename=x", "&filename=y"),
        ("&filename=x", "&filename="),
        ("&filename=x", ""),
        ("&filename=x", "&filename=x&content_type=text%2Fhtml"),
        ("&filename=x", "&filename=x&max_size=5"),
        ("&filename=x", "&filename=x&overwrite=0"),
        ("&filename=x", "&filename=x&overwrite=1"),
        ("&filename=x", "&filename=x&a=b"),
        ("&filename=x", "&filename=x&&"),
        ("&filename=x", "&filename[]=x"),
        ("&signature=", "&signature=0"),
        ("&signature=", "&signature=&x="),
        ("&signature=", "&signature=0&signature="),
        ("&signature=", "#signature="),
        ("&signature=", "&sig="),
    ],
)
async def test_a_changed_url_is_refused(old: str, new: str) -> None:
    signing = disk()
    url = await signing.temporary_url("notes.txt", 60, filename="x")
    changed = url.replace(old, new, 1)
    assert changed != url
    signature = dict(parse_qsl(urlsplit(url).query))["signature"]
    with pytest.raises(PermissionDenied) as caught:
        await signing.verify_temporary_url(changed)
    assert signature not in str(caught.value)


async def test_every_changed_character_is_noticed() -> None:
    signing = disk()
    url = await signing.temporary_url("notes.txt", 60, filename="x")
    for place in range(len(url)):
        for other in "0Az/&=%":
            if url[place] == other:
                continue
            with pytest.raises(PermissionDenied):
                await signing.verify_temporary_url(url[:place] + other + url[place + 1 :])


async def test_a_signature_in_other_letters_is_refused() -> None:
    signing = disk()
    url, _, signature = (await signing.temporary_url("a.txt", 60)).rpartition("=")
    for forged in (
        signature.upper(),
        f"%{ord(signature[0]):02x}x{signature[1:]}",
        "",
        signature[:-1],
    ):
        with pytest.raises(PermissionDenied):
            await signing.verify_temporary_url(f"{url}={forged}")


@pytest.mark.parametrize(
    "junk", ["", "/", "?", "notes.txt", "http://[", "/storage/a?b", "ä", "//x"]
)
async def test_junk_is_no_url_of_ours(junk: str) -> None:
    with pytest.raises(PermissionDenied):
        await disk().verify_temporary_url(junk)


async def test_it_ends_at_its_second() -> None:
    clock = Clock()
    signer = UrlSigner(SigningKeys(KEY), MemoryDriver(), "media", clock=clock)
    grant = granted()
    url = await signer.presign_read(grant)
    clock.now = grant.expires.timestamp() - 0.001
    assert await signer.verify_url(url, "GET") == grant
    clock.now = grant.expires.timestamp()
    with pytest.raises(PermissionDenied, match="expired at 20"):
        await signer.verify_url(url, "GET")


async def test_a_forged_url_is_not_told_that_it_expired() -> None:
    url = await disk(key="another key of 16 bytes or more").temporary_url("a.txt", 60)
    old = re.sub(r"expires=\d+", "expires=1", url)
    with pytest.raises(PermissionDenied, match="does not fit"):
        await disk().verify_temporary_url(old)


async def test_keys_rotate() -> None:
    old, new = secrets.token_urlsafe(), secrets.token_urlsafe()
    before, during, after = disk(key=old), disk(key=[new, old]), disk(key=[new])
    by_old, by_new = await before.temporary_url("a", 60), await during.temporary_url("a", 60)
    assert (await during.verify_temporary_url(by_old)).path == "a"
    assert (await during.verify_temporary_url(by_new)).path == "a"
    assert (await after.verify_temporary_url(by_new)).path == "a"
    with pytest.raises(PermissionDenied):
        await after.verify_temporary_url(by_old)
    with pytest.raises(PermissionDenied):
        await before.verify_temporary_url(by_new)


async def test_two_disks_of_one_key_do_not_know_each_others_urls() -> None:
    url = await disk(name="a").temporary_url("x.txt", 60)
    with pytest.raises(PermissionDenied):
        await disk(name="b").verify_temporary_url(url)


async def test_no_two_grants_have_one_text() -> None:
    keys, names = SigningKeys(KEY), ["1", "", "a", "0", None]
    seen: set[str] = set()
    grants = [
        Grant(path, "GET", datetime(2100, 1, 1, tzinfo=UTC), filename, kind, size)
        for path in ("a", "a1")
        for filename in names
        for kind in names
        for size in (None, 0, 1)
    ]
    for grant in grants:
        for name in ("a", "1a"):
            url = await UrlSigner(keys, MemoryDriver(), name).presign_read(grant)
            seen.add(url.rpartition("=")[2])
    assert len(seen) == 2 * len(grants)


async def test_verifying_touches_no_storage() -> None:
    class Untouchable(MemoryDriver):
        async def stat(self, path: str, /) -> Stat:
            raise AssertionError

        read = write = remove = scan = stat

    signing = disk(Untouchable())
    url = await signing.temporary_url("missing.txt", 60)
    assert (await signing.verify_temporary_url(url)).path == "missing.txt"


async def test_a_disk_without_a_public_url_has_one_by_its_name(tmp_path: object) -> None:
    signing = Disk(LocalDriver(tmp_path, url=None), name="über disk", signing_key=KEY)
    url = await signing.temporary_url("a b.txt", 60)
    assert url.startswith("/storage/%C3%BCber%20disk/a%20b.txt?")
    assert (await signing.verify_temporary_url(url)).path == "a b.txt"


async def test_a_url_where_the_path_is_no_ending_is_not_built_upon() -> None:
    class Query(MemoryDriver):
        def public_url(self, path: str, /) -> str:
            return f"/get?file={path}"

    signing = disk(Query())
    url = await signing.temporary_url("a b.txt", 60)
    assert url.startswith("/storage/media/a%20b.txt?")
    assert (await signing.verify_temporary_url(url)).path == "a b.txt"


async def test_a_view_signs_what_is_inside_of_it_only() -> None:
    signing = disk()
    tenant = signing.scoped("t/1")
    url = await tenant.temporary_url("a.txt", 60)
    assert url.startswith("/storage/t/1/a.txt?")
    assert (await tenant.verify_temporary_url(url)).path == "a.txt"
    assert (await signing.verify_temporary_url(url)).path == "t/1/a.txt"
    upload = await tenant.temporary_upload_url("a.txt", 60, max_size=3)
    assert (await tenant.verify_temporary_url(upload.url, method="PUT")).max_size == 3
    for foreign in ("t/2/a.txt", "t/10/a.txt", "t/1", "a.txt"):
        with pytest.raises(PermissionDenied):
            await tenant.verify_temporary_url(await signing.temporary_url(foreign, 60))


async def test_a_layer_below_the_disk_shows_in_the_url_alone() -> None:
    signing = Disk(Scoped(MemoryDriver(), "t1"), name="media", signing_key=KEY)
    url = await signing.temporary_url("a.txt", 60)
    assert url.startswith("/storage/t1/a.txt?")
    assert (await signing.verify_temporary_url(url)).path == "a.txt"
    with pytest.raises(PermissionDenied):
        await signing.verify_temporary_url(url.replace("/t1/", "/t2/"))


async def test_a_disk_that_cannot_be_written_signs_no_uploads() -> None:
    signing = Disk(ReadOnly(MemoryDriver()), name="media", signing_key=KEY)
    assert signing.supports(PresignRead)
    assert signing.supports(VerifyUrl)
    assert not signing.supports(PresignWrite)
    view = disk().read_only()
    assert view.supports(PresignRead)
    assert not view.supports(PresignWrite)


async def test_without_a_key_the_error_says_what_to_set() -> None:
    keyless = disk(key=None)
    for call in (keyless.temporary_url("a", 60), keyless.temporary_upload_url("a", 60)):
        with pytest.raises(ConfigError, match="set signing_key in the configuration or STOREROOM_"):
            await call
    with pytest.raises(ConfigError, match="signing_key"):
        await keyless.verify_temporary_url("/storage/a?expires=1&signature=x")


@pytest.mark.parametrize("weak", ["", "short", "x" * 15, "base64:c2hvcnQ=", ["x" * 16, "short"]])
def test_a_weak_key_is_refused_and_not_repeated(weak: str | list[str]) -> None:
    with pytest.raises(ConfigError, match="16 or more") as caught:
        SigningKeys(weak)
    assert "short" not in str(caught.value)


def test_a_key_that_is_not_the_base64_it_says_is_refused() -> None:
    with pytest.raises(ConfigError, match="base64"):
        SigningKeys("base64:not base64 at all, but long enough")
    with pytest.raises(ConfigError, match="empty"):
        SigningKeys([])


async def test_a_key_may_be_written_in_base64() -> None:
    plain, encoded = disk(key="x" * 16), disk(key="base64:eHh4eHh4eHh4eHh4eHh4eA==")
    url = await encoded.temporary_url("a", 60)
    assert (await plain.verify_temporary_url(url)).path == "a"


def test_keys_show_in_no_repr() -> None:
    keys = SigningKeys([KEY, KEY[::-1]])
    assert repr(keys) == "SigningKeys(2 hidden)"
    assert KEY not in f"{vars(disk())!r} {disk()!r} {disk()}"


def test_the_key_is_derived_as_rfc_5869_says() -> None:
    """Test case 3 of its appendix A: no salt, no info."""
    derived = _derived(bytes.fromhex("0b" * 22), b"")
    assert derived.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


async def test_an_address_that_a_framework_decoded_already_still_verifies() -> None:
    files = disk()
    for path in ("for you/é ☂.txt", "100% of it.txt", "plain.txt"):
        url = await files.temporary_url(path, 60)
        address, _, query = url.partition("?")
        assert (await files.verify_temporary_url(f"{unquote(address)}?{query}")).path == path


async def test_a_decoded_address_of_another_file_is_refused() -> None:
    url = await disk().temporary_url("a b.txt", 60)
    with pytest.raises(PermissionDenied, match="signature"):
        await disk().verify_temporary_url(unquote(url).replace("a b.txt", "a c.txt"))
