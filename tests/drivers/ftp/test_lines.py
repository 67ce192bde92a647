"""Lines of listings as real servers write them, and what is no line for a name."""

from datetime import UTC, datetime

import pytest

from storeroom.drivers._ftp.facts import entry_of, mode_of, moment
from storeroom.drivers._ftp.lines import listed_as
from storeroom.drivers._tree.entry import Entry

# What `ls -l` and its like print, from vsftpd, ProFTPD, Pure-FTPd, wu-ftpd, NAS boxes and printers.
UNIX = {
    "-rw-r--r--    1 1000     1000          531 Jan 29 03:26 README": ("README", "file", 531),
    "drwxr-xr-x    2 0        0            4096 Mar  1  2018 pub": ("pub", "folder", None),
    "-rw-r--r--   1 root     other        531 Jan 29 23:59 a name with  spaces.txt": (
        "a name with  spaces.txt",
        "file",
        531,
    ),
    "-rwsr-Sr-t+  1 me       staff          0 Feb 29 12:00 modes": ("modes", "file", 0),
    "drwxrwsr-x.  3 me       staff        512 Dec 31 1999 selinux": ("selinux", "folder", None),
    "lrwxrwxrwx   1 root     root          11 Jan  9 00:00 latest -> v1.0/a -> b": (
        "latest",
        "other",
        None,
    ),
    "crw-rw-rw-   1 root     root      1,   3 Jan  9 00:00 null": ("null", "other", None),
    "brw-rw----   1 root     disk      8,   0 Jan  9 00:00 sda": ("sda", "other", None),
    "prw-r--r--   1 root     root           0 Jan  9 00:00 pipe": ("pipe", "other", None),
    "srwxrwxrwx   1 root     root           0 Jan  9 00:00 socket": ("socket", "other", None),
    "-rw-r--r--   1 Domain Users  Some Group 77 Jan  9 00:00 owners with spaces": (
        "owners with spaces",
        "file",
        77,
    ),
    "-rw-r--r-- 1 nogroup 88 Jan 09 2024 no group": ("no group", "file", 88),
    "----------   1 owner    group         1803128 Jul 10 10:18 ls-lR.Z": (
        "ls-lR.Z",
        "file",
        1803128,
    ),
    "d---------   1 owner    group               0 May  9 19:45 Softlib": (
        "Softlib",
        "folder",
        None,
    ),
    "-rw-r--r--  1 me me 12345678901234 Jan  1 2024 huge": ("huge", "file", 12345678901234),
    "-rw-r--r--  1 me me 5 2024-02-29 12:34 iso": ("iso", "file", 5),
    "-rw-r--r--  1 me me 5 2024-02-29 12:34:56.000000000 +0100 full iso": ("full iso", "file", 5),
    "-rw-r--r--  1 me me 5 29 Feb 12:34 day first": ("day first", "file", 5),
    "-rw-r--r--  1 me me 5 Mär 12 12:34 umlaut": ("umlaut", "file", 5),
    "-rw-r--r--  1 me me 5 déc. 12 2023 dotted month": ("dotted month", "file", 5),
    "-rw-r--r--  1 me me 5 Jan  9 00:00 Jan 10 11:11 dated name": (
        "Jan 10 11:11 dated name",
        "file",
        5,
    ),
    "-rw-r--r--  1 me me 5 Jan  9 00:00 12 34": ("12 34", "file", 5),
    "-rw-r--r--  1 me me 5 Jan  9 00:00  leading space": (" leading space", "file", 5),
    "-rw-r--r--  1 me me 5 Jan  9 00:00 trailing space ": ("trailing space ", "file", 5),
    "-rw-r--r--  1 me me 5 Jan  9 00:00 日本語 😀": ("日本語 😀", "file", 5),
    "-rw-r--r--  1 me me 5 Jan  9 00:00 -rf": ("-rf", "file", 5),
}
# What `dir` prints, from IIS and FileZilla Server.
DOS = {
    "02-29-24  11:59PM       <DIR>          a folder": ("a folder", "folder", None),
    "02-29-24  11:59PM             123,456 file.txt": ("file.txt", "file", 123456),
    "02-29-2024  11:59AM                  0 empty": ("empty", "file", 0),
    "2024-02-29  23:59               12.345 dotted size": ("dotted size", "file", 12345),
    "29.02.2024  23:59       <DIR>          german": ("german", "folder", None),
    "02-29-24  11:59PM       <JUNCTION>     junction": ("junction", "other", None),
    "02-29-24  11:59PM       <SYMLINKD>     link": ("link", "other", None),
    "02-29-24  11:59P                     5 one letter": ("one letter", "file", 5),
    "02-29-24  11:59PM                    5 two  spaces": ("two  spaces", "file", 5),
}
NO_LINES = [
    *("", " ", "total 42", "total 42 blocks", "README", "d", "-rw-r--r--", "550 No such file"),
    "-rw-r--r--    1 1000     1000          531 README",
    "-rw-r--r--    1 1000     1000          531 Jan 29 03:26",
    "-rw-r--r--    1 1000     1000          531 Jan 29 03:26 ",
    "-rw-r--r--    1 1000     1000          many Jan 29 03:26 README",
    "zrw-r--r--    1 1000     1000          531 Jan 29 03:26 README",
    "02-29-24  11:59PM       <DIR>",
    "02-29-24                <DIR>          no time",
    "-rw-r--r-- 1 me me 5 Jan 9 00:00 " + "x" * 9000,
    "-rw-r--r-- " + "1 " * 4000,
]
MOMENTS = {
    "20240229123456": datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC),
    "20240229123456.5": datetime(2024, 2, 29, 12, 34, 56, 500_000, tzinfo=UTC),
    "20240229123456.123456789": datetime(2024, 2, 29, 12, 34, 56, 123_456, tzinfo=UTC),
    "20161231235960": datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC),
    " 20240229123456 ": datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC),
    **dict.fromkeys(("", "2024022912345", "20230229123456", "19991331000000", "now", "-1")),
}


@pytest.mark.parametrize("line", [*UNIX, *DOS])
def test_a_line_of_list_tells_name_kind_and_size_and_no_time(line: str) -> None:
    name, kind, size = (UNIX | DOS)[line]
    assert listed_as(line) == Entry(name, kind, size)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", NO_LINES, ids=range(len(NO_LINES)))
def test_what_is_no_line_of_list_is_none(line: str) -> None:
    assert listed_as(line) is None


@pytest.mark.parametrize("text", MOMENTS)
def test_a_time_is_utc_to_the_microsecond_or_unknown(text: str) -> None:
    assert moment(text) == MOMENTS[text]


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (
            "Type=file;Size=1024990;Modify=20240302102259;Perm=r; /tmp/cap60.pl198.tar.gz",
            Entry("/tmp/cap60.pl198.tar.gz", "file", 1024990, MOMENTS["20240229123456"]),
        ),
        ("type=dir;modify=19981107085215; a b", Entry("a b", "folder", None, None)),
        ("type=cdir; .", Entry(".", "folder")),
        ("type=pdir; ..", Entry("..", "folder")),
        ("type=OS.unix=symlink;size=7; link", Entry("link", "other")),
        ("type=OS.unix=slink:/target; link", Entry("link", "other")),
        ("type=file;size=; no size", Entry("no size", "file")),
        ("type=file;size=-5; minus", Entry("minus", "file")),
        ("TYPE=FILE;SIZE=5;  lead", Entry(" lead", "file", 5)),
        ("type=file;size=5; trail ", Entry("trail ", "file", 5)),
        ("type=file;x.y=z=a;size=5; ;semi;colon;", Entry(";semi;colon;", "file", 5)),
        (" type=file;size=5; after a space", Entry("after a space", "file", 5)),
        ("size=5; of no type", Entry("of no type", "other")),
    ],
)
def test_a_line_of_mlsd_tells_what_it_tells(line: str, entry: Entry) -> None:
    found = entry_of(line)
    assert found is not None
    assert (found.name, found.kind, found.size) == (entry.name, entry.kind, entry.size)
    assert found.modified is None or found.modified.tzinfo is UTC


@pytest.mark.parametrize("line", ["", "README", "a name", "; ;", "-rw-r--r-- 1 me me 5 x"])
def test_what_is_no_line_of_mlsd_is_none(line: str) -> None:
    assert entry_of(line) is None


@pytest.mark.parametrize(
    ("fact", "mode"),
    [
        ("0644", 0o644),
        ("644", 0o644),
        ("100600", 0o600),
        ("0o755", 0o755),
        *dict.fromkeys(("", "rw-r--r--", "999", "64", "0x1ff")).items(),
    ],
)
def test_a_mode_is_octal_however_it_is_written(fact: str, mode: int | None) -> None:
    assert mode_of(f"type=file;UNIX.mode={fact}; a") == mode
