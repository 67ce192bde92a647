"""What a small FTP server holds, and in which ways it is not as it should be."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.servers.certificates import Certificate
from tests.servers.process import HOST


@dataclass(slots=True)
class Lies:
    """What is not as it should be; all may be changed at any time.

    `lacks` are commands that are answered with 502, `answers` have their reply written here (bytes go
    out as they are), `silent` never get one, `leaving` get 421 and the end, `losing` are carried out
    and the connection ends without a word: once each, unless named more often. `slow` are answered after so
    many seconds. A `strict` one takes nothing but RNTO after RNFR, for ever. `after` is called when a command was carried out, `before` when it comes. `links` are folders that are told as such and lie elsewhere. With `takes_one` a command is lost that comes before the last one is answered.
    `lines` are what LIST sends instead. `resets` ends data connections with RST, under TLS without a goodbye, `stops` is said in the middle of an upload that is not read,
    `ends` is said behind a download or a listing, `begins` is how often a transfer begins. The last replies to `twice` are said twice.
    """

    features: tuple[str, ...] = (
        "EPSV",
        "MLST type*;size*;modify*;unix.mode*;",
        "REST STREAM",
        "UTF8",
    )
    lacks: set[str] = field(default_factory=set[str])
    answers: dict[str, str | bytes] = field(default_factory=dict[str, str | bytes])
    silent: set[str] = field(default_factory=set[str])
    leaving: list[str] = field(default_factory=list[str])
    losing: list[str] = field(default_factory=list[str])
    slow: dict[str, float] = field(default_factory=dict[str, float])
    after: dict[str, Callable[[], object]] = field(default_factory=dict[str, Callable[[], object]])
    before: dict[str, Callable[[], object]] = field(default_factory=dict[str, Callable[[], object]])
    links: dict[str, str] = field(default_factory=dict[str, str])
    names: list[bytes] = field(default_factory=list[bytes])
    lines: list[bytes] | None = None
    keeps_half: bool = False
    sends: Callable[[bytes], bytes] = bytes
    size_off: int = 0
    replaces: bool = True
    strict: bool = False
    ends: str = "226 Transfer complete."
    pasv_host: str = HOST
    data_port: int | None = None
    scattered: bool = False
    cut_at: int | None = None
    most: int | None = None
    takes_one: bool = False
    lost: int = 0
    resets: bool = False
    stops: str | None = None
    begins: int = 1
    twice: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class State:
    """The files by absolute path, and the folders; `said` are all commands that came, in order.

    With a `certificate` it speaks TLS from the first byte; `met` counts data connections.
    """

    certificate: Certificate | None = None
    context: ssl.SSLContext | None = None
    met: int = 0
    lies: Lies = field(default_factory=Lies)
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    folders: set[str] = field(default_factory=lambda: {"/"})
    modes: dict[str, str] = field(default_factory=dict[str, str])
    times: dict[str, str] = field(default_factory=dict[str, str])
    said: list[str] = field(default_factory=list[str])

    def asked(self, *verbs: str) -> list[str]:
        """The commands that came: all, or those of these verbs."""
        return [line for line in self.said if not verbs or line.partition(" ")[0] in verbs]

    def left_over(self) -> list[str]:
        """Temporaries that are still there."""
        return [path for path in self.files if "/.storeroom-" in path]
