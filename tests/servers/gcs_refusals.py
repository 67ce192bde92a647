"""What a refusal looks like to Google's own client."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from google.api_core.exceptions import GoogleAPICallError


@contextmanager
def refused(status: int, words: str = "") -> Generator[None]:
    """The block is refused so, with these words in the message."""
    with pytest.raises(GoogleAPICallError) as caught:
        yield
    assert caught.value.code == status, caught.value
    assert words in str(caught.value)
