"""What a test may change about the running server."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Settings:
    """`clock` is the server's, in seconds ahead of ours; sizes are in bytes.

    `versioning` None leaves it to the account: the first has versions, the second none.
    `pending_copies` is how often the status of a copy that may pend is asked until it is done;
    below zero it never is, or not until `finish_copies()`. `failing_copies` is how they end then.
    `open_sources` lets copies that do not pend read their own account without a signature.
    """

    clock: float = 0.0
    expired: list[str] = field(default_factory=list[str])
    versioning: bool | None = None
    pending_copies: int = 0
    failing_copies: bool = False
    open_sources: bool = False
    public_access: bool = True
    largest_put: int = 5000 << 20
    largest_block: int = 4000 << 20
    largest_append: int = 100 << 20
    largest_copy: int = 256 << 20
    most_blocks: int = 50_000
    most_appends: int = 50_000
    page: int = 5000
