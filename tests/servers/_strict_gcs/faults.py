"""How Google Cloud Storage fails."""

from dataclasses import dataclass

from tests.servers._strict import faults
from tests.servers._strict_gcs.call import Call


@dataclass(frozen=True, slots=True)
class Fault(faults.Fault):
    """Also about the one `operation`; an "answer" is 503, with the usual reason of its status."""

    operation: str | None = None
    reason: str | None = None

    def is_about(self, call: Call) -> bool:  # type: ignore[override]
        is_meant = self.operation in (None, call.operation)
        return is_meant and faults.Fault.is_about(self, call)
