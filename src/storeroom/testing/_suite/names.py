"""Names that are ugly and allowed, and paths that every driver refuses."""

from storeroom.contracts.values import Traits

__all__ = ["HOSTILE", "NOT_FOLDERS", "UGLY", "fitting", "longest", "segments_too_long"]

UGLY = {
    "brackets": "some/file[name].txt",
    "brackets in a folder": "some[0]/file[10].txt",
    "braces": "some{name}/file{0}.txt",
    "spaces": "some dir/file  name.txt",
    "outer spaces": " lead/trail .txt ",
    "encoded slash": "a%2Fb/c%2f.txt",
    "encoded dots": "..%2F..%2Fetc/%2e%2e",
    "percent": "100%/%/%%25.txt",
    "hash": "#/a#b.txt",
    "question mark": "?a=b/c?d=e&f.txt",
    "plus and ampersand": "a+b/&c&amp;.txt",
    "quotes": 'it\'s/"quoted"/`tick`.txt',
    "shell": "$HOME/a|b;c>d<e*f.txt",
    "punctuation": "a,b;c=d@e!f^g~h(i).txt",
    "emoji with joiners": "family/👩‍👩‍👧‍👦 🏳️‍🌈.png",
    "right to left": "שלום/مرحبا.txt",
    "no letters of ours": "日本語/ファイル.txt",
    "composed": "caf\u00e9/nfc.txt",
    "decomposed": "cafe\u0301/nfd.txt",
    "dotless i": "İstanbul/ıI.txt",
    "astral": "𝒳/𐍈.txt",
    "leading dots": ".hidden/..double/...triple",
    "trailing dots": "a./b../c...",
    "zero": "0",
    "zero in zero": "0/0",
    "false words": "null/None/false",
    "like a url": "https:/example.com/a.txt?b=c#d",
    "like a drive": "C:/windows/con.txt",
    "like an option": "-rf/--help",
    "tilde": "~/~root/.ssh",
    "upper and lower": "UPPER/lower.TXT",
    "no extension": "Makefile",
    "many extensions": "a.tar.gz.b.c.d",
    "non-breaking": "a\u00a0b/soft\u00adhyphen.txt",
    "segment of 255 bytes": "x" * 251 + ".txt",
    "segment of 255 bytes in emoji": "😀" * 63 + "abc",
    "100 segments": "/".join(["d"] * 99 + ["file"]),
}
"""What to call it, and the name."""

HOSTILE = (
    *("", "/", "//", "///", "/a", "//a", "/a/b", "a/", "a/b/", "a//b", "a///b", "a//"),
    *(".", "..", "./", "../", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "a/b/../../c"),
    *("../../etc/passwd", "/etc/passwd", "a/../../b", "../a/../b", "....//a", "a/..//b"),
    *("\\", "a\\b", "..\\a", "a\\..\\b", "C:\\windows\\system32", "\\\\server\\share", "a/b\\"),
    *("http://example.com/a", "file:///etc/passwd", "s3://bucket/key", "~/../x"),
    *("\x00", "a\x00b", "a.txt\x00.png", "\x01", "a\nb", "a\r\nb", "a\tb", "\x1b[31m", "a\x1f"),
    *("a\x7fb", "a\x80b", "a\x85b", "a\x9f", "a\u2028b", "a\u2029b"),
    *("\u202agpj.exe", "a\u202bb", "a\u202cb", "a\u202db", "invoice\u202efdp.exe"),
    *("a\u2066b", "a\u2067b", "a\u2068b", "a\u2069b", "\ufeffa", "a\ufeffb"),
    *("\ud800", "a\udfffb", "a/\udcff", "\udc80\udc81"),
    *(".storeroom-", ".storeroom-tmp-1", ".storeroom-x/a", "a/.storeroom-x", "a/.storeroom-x/b"),
    *("x" * 1025, "é" * 513, "/".join(["x" * 200] * 6), "/".join(["d"] * 101)),
)
"""Paths that no verb takes."""

NOT_FOLDERS = tuple(path for path in HOSTILE if path not in {"", "/", "a/", "a/b/"})
"""Paths that are no folder either; those may be the root or end in a slash."""


def fitting(traits: Traits, path: str, /) -> bool:
    """Whether the service's own limits on names let this one be."""
    if len(path.encode()) > traits.path_bytes or path.count("/") >= traits.segments:
        return False
    if not traits.outer_spaces and any(part != part.strip(" ") for part in path.split("/")):
        return False
    return not segments_too_long(traits, path)


def segments_too_long(traits: Traits, path: str, /) -> bool:
    """Whether a segment is longer than the service takes."""
    limit = traits.segment_bytes
    return limit is not None and any(len(part.encode()) > limit for part in path.split("/"))


def longest(traits: Traits, /) -> str:
    """A path exactly as long as the service takes."""
    size = traits.path_bytes
    piece = min(traits.segment_bytes or 200, 200)
    parts = ["x" * piece] * (size // (piece + 1))
    path = "/".join(parts)
    rest = size - len(path)
    if rest == 1:
        return path[:-1] + "/x" if parts else "x"
    return f"{path}/{'y' * (rest - 1)}" if rest else path
