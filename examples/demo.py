"""Store a real folder on the local disk, read every byte back, and see what else a disk can do.

    make demo                        this repository's own docs, examples and sources
    make demo DIR=some/folder        any other folder
    python examples/demo.py some/folder

It writes to `storage/app/demo` of the working folder, which it empties first. The exit status is 1
if a single byte differs or a step fails, and the last lines say which.
"""

import asyncio
import hashlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from time import perf_counter

from storeroom import PermissionDenied, Storage, StorageError, Unavailable
from storeroom.files import Files

REPOSITORY = Path(__file__).resolve().parents[1]
OWN_FOLDERS = ("docs", "examples", "src")
AT_ONCE = 16
SAMPLE_BYTES = 4 << 20
LABEL = 50
TRIED = "tried by the demo"


@dataclass
class Run:
    """What is stored where, and what became of each check."""

    base: Path
    paths: list[str]
    disk: Files
    stored: list[str] = field(default_factory=list)
    passed: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self, label: str, seen: object, ok: bool) -> None:  # noqa: FBT001
        self.passed += ok
        if not ok:
            self.failures.append(f"{label}: {seen}")
        print(f"  {'ok  ' if ok else 'FAIL'}  {label:<{LABEL}}  {seen}")


@dataclass(frozen=True, slots=True)
class Row:
    """One file as it came back."""

    path: str
    size: int = 0
    kind: str = ""
    digest: str = ""
    url: str = ""
    problem: str | None = None


async def demo(run: Run) -> int:
    """Every section on the run's disk: 0 if all went well, else 1."""
    began = perf_counter()
    await store_and_read_back(run)
    for section in SECTIONS if run.stored else ():
        print(f"\n{section.__doc__}")
        try:
            await section(run)
        except (StorageError, OSError, AssertionError) as error:
            seen = f"{type(error).__name__}: {error}"
            run.check(f"{section.__name__} ended early", seen, ok=False)
    return conclusion(run, perf_counter() - began)


async def store_and_read_back(run: Run) -> None:
    began = perf_counter()
    contents = ((path, run.base / path) for path in run.paths)
    stored = await run.disk.put_many(contents, concurrency=AT_ONCE)
    run.stored = sorted(stored.done)
    between = perf_counter()
    turn = asyncio.Semaphore(AT_ONCE)
    rows = await asyncio.gather(*(read_back(run, path, turn) for path in run.stored))
    rows += [Row(path, problem=str(error)) for path, error in stored.failed.items()]
    rows.sort(key=lambda row: row.path)
    ended = perf_counter()
    print("\nEvery file, stored and read back")
    print_table(rows)
    total = readable(sum(row.size for row in rows))
    print(
        f"\n  {len(rows):,} files, {total}: "
        f"stored in {between - began:.2f} s, streamed back and compared in {ended - between:.2f} s"
    )
    wrong = [row for row in rows if row.problem]
    for row in wrong:
        run.check(row.path, row.problem, ok=False)
    if not wrong:
        run.check("SHA-256 of what was read = of the source", f"all {len(rows):,}", ok=True)


async def read_back(run: Run, path: str, turn: asyncio.Semaphore) -> Row:
    async with turn:
        hasher, size = hashlib.sha256(), 0
        try:
            source = await asyncio.to_thread(digest_of, run.base / path)
            async with run.disk.read_stream(path) as stream:
                async for chunk in stream:
                    hasher.update(chunk)
                    size += len(chunk)
            url = run.disk.url(path)
        except (StorageError, OSError) as error:
            return Row(path, size, problem=str(error))
    digest, kind = hasher.hexdigest(), stream.stat.content_type or "-"
    problem = None if digest == source else f"read {digest}, but the source is {source}"
    return Row(path, size, kind, digest, url, problem)


async def ranges(run: Run) -> None:
    """Ranges"""
    path, source = sample_of(run)
    first = await run.disk.get(path, start=0, stop=24)
    run.check("get(path, start=0, stop=24)", first, first == source[:24])
    last = await run.disk.get(path, start=max(0, len(source) - 24))
    run.check("get(path, start=size - 24)", last, last == source[-24:])
    async with run.disk.read_stream(path, start=10, stop=1034, chunk_size=256) as stream:
        sizes = [len(chunk) async for chunk in stream]
    expected = len(source[10:1034])
    run.check("read_stream(path, chunk_size=256, ...)", sizes, sum(sizes) == expected)
    after = await run.disk.get(path, start=len(source))
    run.check("a range behind the end is empty", after, after == b"")


async def copies(run: Run) -> None:
    """Copy and move"""
    path, source = sample_of(run)
    digest = hashlib.sha256(source).hexdigest()
    copy = await run.disk.copy(path, f"{TRIED}/a copy, 100%.bin")
    run.check("copy", copy, await run.disk.checksum(copy) == digest)
    moved = await run.disk.move(copy, f"{TRIED}/там/file #1.bin")
    run.check("move", moved, await run.disk.checksum(moved) == digest)
    run.check("the copy is gone", f"missing: {copy}", await run.disk.missing(copy))
    url = run.disk.url(moved)
    run.check("its URL, each segment encoded once", url, url.endswith("/file%20%231.bin"))

    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"half of a new file"
        raise EOFError("the client went away")

    error = await failure(EOFError, run.disk.put(moved, breaks_off()))
    same = error is not None and await run.disk.checksum(moved) == digest
    run.check("an upload that breaks off changes nothing", error, same)


async def metadata(run: Run) -> None:
    """Metadata"""
    path = await run.disk.put(
        f"{TRIED}/2024.csv",
        "year,total\n2024,1\n",
        metadata={"author": "Ada"},
        cache_control="max-age=60",
    )
    stat = await run.disk.metadata(path)
    run.check("size", stat.size, stat.size == 18)
    run.check("content_type, from the name", stat.content_type, stat.content_type == "text/csv")
    run.check("modified", f"{stat.modified:%Y-%m-%d %H:%M:%S} UTC", stat.modified is not None)
    run.check("etag", stat.etag, stat.etag is not None)
    if "metadata" in run.disk.driver.traits.keeps:
        run.check("metadata", dict(stat.metadata or {}), stat.metadata == {"author": "Ada"})
    gone = await run.disk.delete(path)
    run.check("delete", f"{gone}: it was there", gone is True)


async def listings(run: Run) -> None:
    """Listing"""
    gone = await run.disk.delete_directory(TRIED)
    run.check("delete_directory", TRIED, gone is True)
    files = await run.disk.all_files()
    run.check("all_files()", f"{len(files):,} files, as stored", files == run.stored)
    top = await run.disk.directories()
    expected = sorted({path.split("/")[0] for path in files if "/" in path})
    run.check("directories()", ", ".join(top) or "none", top == expected)
    python = await run.disk.glob("**/*.py")
    run.check('glob("**/*.py")', f"{len(python):,} files", all(p.endswith(".py") for p in python))
    count = len([entry async for entry in run.disk.entries(recursive=True)])
    run.check("entries(recursive=True)", f"{count:,} files and folders", count >= len(files))
    old = await run.disk.find_files_older_than(timedelta(days=1))
    run.check("find_files_older_than(one day)", f"{len(old)} files", not old)


async def temporary_urls(run: Run) -> None:
    """A temporary URL"""
    path, _ = sample_of(run)
    url = await run.disk.temporary_url(path, 300, filename="for you.txt")
    print(f"        {url}")
    grant = await run.disk.verify_temporary_url(url)
    run.check("verified: it grants", f"{grant.method} {grant.path}", grant.path == path)
    until = f"{grant.expires:%H:%M:%S} UTC, saved as {grant.filename!r}"
    run.check("until", until, grant.filename == "for you.txt")
    changed = url[:-1] + ("0" if url[-1] != "0" else "1")
    error = await failure(PermissionDenied, run.disk.verify_temporary_url(changed))
    run.check("tampered with: refused", error, error is not None)
    error = await failure(PermissionDenied, run.disk.verify_temporary_url(url, method="PUT"))
    run.check("used to write: refused", error, error is not None)


async def two_disks(run: Run) -> None:
    """Two disks at once"""
    memory = Storage.disk("memory")
    few = small_files_of(run)
    began = perf_counter()
    digests, copied = await asyncio.gather(
        asyncio.gather(*(run.disk.checksum(path) for path in few)),
        asyncio.gather(*(run.disk.copy(path, path, disk=memory) for path in few)),
    )
    same = [await memory.checksum(path) for path in copied] == digests
    took = f"{len(few)} files in {perf_counter() - began:.2f} s"
    run.check("local to memory, while local is being hashed", took, same)

    async def write(disk: Files, name: str) -> bool:
        for number in range(20):
            await disk.put(f"{TRIED}/path.txt", f"{name} {number}")
            await asyncio.sleep(0)
            if await disk.text(f"{TRIED}/path.txt") != f"{name} {number}":
                return False
        return True

    apart = await asyncio.gather(write(run.disk, "local"), write(memory, "memory"))
    seen = "never mixed" if all(apart) else "mixed"
    run.check("two tasks, one path, two disks", seen, all(apart))
    gone = await run.disk.delete(f"{TRIED}/path.txt")
    kept = await memory.text(f"{TRIED}/path.txt")
    run.check("deleted from local, kept in memory", kept, gone and kept.startswith("memory"))


async def fakes(run: Run) -> None:
    """A fake, for tests"""

    async def keep_avatar(user: int, image: bytes) -> str:
        return await Storage.disk("s3").put(f"avatars/{user}.png", image)

    with Storage.fake("s3") as fake:
        path = await keep_avatar(7, b"an image")
        fake.assert_exists(path, b"an image")
        fake.assert_count("avatars", 1)
        run.check('Storage.fake("s3"): assert_exists', path, ok=True)
        fake.fail("put", Unavailable, times=1)
        error = await failure(Unavailable, keep_avatar(8, b"another"))
        run.check("a failure on purpose", error, error is not None)
        fake.assert_missing("avatars/8.png")


async def failure(kind: type[Exception], call: Awaitable[object]) -> str | None:
    """What was wrong, if it was of this kind; None if nothing was."""
    try:
        await call
    except kind as error:
        return getattr(error, "reason", None) or str(error)
    return None


SECTIONS = (ranges, copies, metadata, listings, temporary_urls, two_disks, fakes)


def print_table(rows: list[Row]) -> None:
    cells = [("PATH", "SIZE", "TYPE", "SHA-256", "URL")]
    cells += [
        (elided(row.path, 52), readable(row.size), elided(row.kind, 26), row.digest[:12], row.url)
        for row in rows
    ]
    path, size, kind = (max(len(line[column]) for line in cells) for column in range(3))
    for line in cells:
        cell = f"  {line[0]:<{path}}  {line[1]:>{size}}  {line[2]:<{kind}}"
        print(f"{cell}  {line[3]:<12}  {line[4]}")


def conclusion(run: Run, seconds: float) -> int:
    if run.failures:
        total = run.passed + len(run.failures)
        print(f"\n{len(run.failures)} of {total} checks FAILED in {seconds:.2f} s:")
        print("\n".join(f"  {failure}" for failure in run.failures))
        return 1
    print(f"\nAll {run.passed} checks passed in {seconds:.2f} s.")
    return 0


def files_under(base: Path, folders: tuple[str, ...]) -> Iterator[str]:
    """The regular files in sorted order; no links, no `__pycache__`, nothing this demo stores."""
    own = Path("storage").resolve()
    for folder in folders:
        for parent, names, files in os.walk(base / folder):
            names[:] = sorted(n for n in names if n != "__pycache__" and Path(parent, n) != own)
            for name in sorted(files):
                file = Path(parent, name)
                if file.is_file() and not file.is_symlink():
                    yield file.relative_to(base).as_posix()


def sample_of(run: Run) -> tuple[str, bytes]:
    """The largest file that is small enough to hold."""
    path = small_files_of(run)[-1]
    return path, (run.base / path).read_bytes()


def small_files_of(run: Run) -> list[str]:
    """The smaller files, by size, as many as `SAMPLE_BYTES` hold."""
    by_size = sorted(((run.base / path).stat().st_size, path) for path in run.stored)
    total = 0
    chosen: list[str] = []
    for size, path in by_size:
        total += size
        if chosen and total > SAMPLE_BYTES:
            break
        chosen.append(path)
    return chosen


def digest_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def readable(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def elided(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    head = width // 3
    return f"{text[:head]}...{text[head + 3 - width :]}"


def configure() -> None:
    Storage.configure(
        {
            "default": "local",
            "signing_key": secrets.token_urlsafe(32),
            "disks": {
                "local": {"driver": "local", "root": "storage/app"},
                "memory": {"driver": "memory"},
            },
        }
    )


async def on_local_disk(base: Path, paths: list[str], view: Callable[[Files], Files]) -> int:
    """The demo in the folder `demo` of the local disk, emptied."""
    async with Storage:
        await Storage.delete_directory("demo")
        return await demo(Run(base, paths, view(Storage.scoped("demo"))))


def main(arguments: list[str], view: Callable[[Files], Files] = lambda disk: disk) -> int:
    """The exit status; `view` may put a layer on the disk."""
    base = Path(arguments[0]).resolve() if arguments else REPOSITORY
    paths = list(files_under(base, ("",) if arguments else OWN_FOLDERS))
    if not paths:
        print(f"There are no files to store in {base}.", file=sys.stderr)
        return 1
    print(f"storeroom {version('storeroom')} stores {len(paths):,} files")
    print(f"  from  {base}\n  to    {Path('storage/app/demo').resolve()}")
    configure()
    return asyncio.run(on_local_disk(base, paths, view))


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):  # a folder may hold any name
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
