"""How S3 fails."""

from dataclasses import dataclass

from tests.servers._strict import faults


@dataclass(frozen=True, slots=True)
class Fault(faults.Fault):
    """An "answer" has the error with `code`; where `status` is 200, as the body of a success."""

    code: str = "InternalError"
