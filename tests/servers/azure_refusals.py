"""What a refusal looks like to Azure's own client."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError


@contextmanager
def refused(code: str | None, status: int) -> Generator[dict[str, Any]]:
    """The block is refused so; the headers of the reply are in the mapping after it."""
    said: dict[str, Any] = {}
    with pytest.raises(HttpResponseError) as caught:
        yield said
    reply = caught.value.response
    assert reply is not None
    said.update({name.lower(): value for name, value in reply.headers.items()})
    assert (said.get("x-ms-error-code"), caught.value.status_code) == (code, status)
