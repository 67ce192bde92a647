"""What a refusal looks like to boto3."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str, status: int) -> Generator[dict[str, Any]]:
    """The block is refused so; what the server said is in the mapping after it."""
    said: dict[str, Any] = {}
    with pytest.raises(ClientError) as caught:
        yield said
    said.update(cast("dict[str, Any]", caught.value.response))
    found = (said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"])
    assert found == (code, status), said["Error"]
