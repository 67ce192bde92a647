"""What a test may change about the running server."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Settings:
    """`clock` is the server's, in seconds ahead of ours; `expired` are bearer tokens.

    name               is
    token_lifetime     seconds until a token that is issued from now on expires
    page               the most entries of a page of a listing
    rewrite_per_call   the bytes that a call of rewriteTo copies, None: all
    moves              whether objects may be moved
    lists              whether anybody may list: without it, what is missing is 403
    """

    clock: float = 0.0
    expired: list[str] = field(default_factory=list[str])
    token_lifetime: int = 3600
    page: int = 1000
    rewrite_per_call: int | None = None
    moves: bool = False
    lists: bool = True
