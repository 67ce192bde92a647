"""Where things lie in an encrypted file: header, salt and commitment, then chunks of 16 KiB and a tag.

The layout after the header is that of https://c2sp.org/chunked-encryption, as `cryptography` has it.
"""

from typing import Final

__all__ = [
    "CHUNK",
    "HEADER",
    "PRELUDE",
    "STORED_CHUNK",
    "TAG",
    "chunk_at",
    "plain_size",
    "stored_size",
]

HEADER: Final = 512
CHUNK: Final = 16 << 10
TAG: Final = 16
STORED_CHUNK: Final = CHUNK + TAG
PRELUDE: Final = HEADER + 24 + 32
"""The bytes before the first chunk: header, salt, commitment."""


def chunk_at(number: int, /) -> int:
    """Where a chunk begins."""
    return PRELUDE + number * STORED_CHUNK


def stored_size(plain: int, /) -> int:
    """How many bytes are stored for so many; the last chunk is always a short one, maybe empty."""
    return chunk_at(plain // CHUNK) + plain % CHUNK + TAG


def plain_size(stored: int, /) -> int | None:
    """How many bytes are in so many stored ones, None where no file has that size."""
    chunks, last = divmod(stored - PRELUDE, STORED_CHUNK)
    return chunks * CHUNK + last - TAG if stored >= PRELUDE and last >= TAG else None
