"""What shall go wrong with the requests to come, in the words of Azure."""

from dataclasses import dataclass

from multidict import CIMultiDict

from tests.servers._strict.faults import Fault
from tests.servers._strict.reply import Reply
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.errors import STATUS, document


@dataclass(frozen=True, slots=True)
class AzureFault(Fault):
    """A fault that may be about one `operation`; an "answer" has `code`, or `body` as its text.

    `path` is looked for in "/container/blob", decoded.
    """

    operation: str | None = None
    code: str = "InternalError"
    body: str | None = None

    def is_about(self, call: Call) -> bool:  # type: ignore[override]
        # Not super(): a slotted dataclass is another class than the one this body belongs to.
        return self.operation in (None, call.operation) and Fault.is_about(self, call)


def wrong(call: Call, fault: AzureFault, /) -> Reply:
    """The answer that a fault asks for."""
    headers = CIMultiDict(fault.headers)
    headers["Content-Type"] = "application/xml"
    headers["x-ms-error-code"] = fault.code
    headers["x-ms-request-id"] = "00000000-0000-0000-0000-00000fa11700"
    text = document(fault.code, "A fault on demand.") if fault.body is None else fault.body.encode()
    status = fault.status or STATUS.get(fault.code, 500)
    return Reply(status, b"" if call.method == "HEAD" else text, headers)
