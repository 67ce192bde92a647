from typing import Any, final

SWAP: int
SYNC: int
ORDERED: int
NEW: int

@final
class Found(tuple[int, ...]):
    @property
    def st_ino(self) -> int: ...
    @property
    def st_mode(self) -> int: ...
    @property
    def st_size(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...

@final
class Port:
    def put(
        self,
        token: object,
        keep: object,
        root: int,
        folder: str,
        name: str,
        temporary: str,
        data: bytes,
        kept: bytes | None,
        mode: int,
        flags: int,
        /,
    ) -> bool: ...
    def drop(
        self, token: object, keep: object, root: int, folder: str, name: str, flags: int, /
    ) -> bool: ...
    def withdraw(self, token: object, /) -> bool: ...
    def collect(self) -> list[tuple[Any, Found | bool | int | None]]: ...
    def fileno(self) -> int: ...

def glance(root: int, path: str, /) -> tuple[Found, bytes | None] | bool | None: ...
def grab(
    root: int, path: str, start: int, stop: int, most: int, /
) -> tuple[Found, bytes | None, bytes] | bool | None: ...
def peek(fd: int, count: int, start: int, /) -> bytes | None: ...
def look(folder: int, names: list[str], /) -> list[Found | None]: ...
def forget() -> None: ...
