"""What a test may change about the running server."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Settings:
    """`clock` is the server's, in seconds ahead of ours; `expired` are access keys; sizes in bytes."""

    clock: float = 0.0
    expired: list[str] = field(default_factory=list[str])
    smallest_part: int = 5 << 20
    uniform_parts: bool = False
    largest_copy: int = 5 << 30
    largest_put: int = 5 << 30
    page: int = 1000
