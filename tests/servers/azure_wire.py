"""How Azure names the operations of Blob Storage and words its errors, for an interposer."""

from multidict import CIMultiDict

from tests.servers._strict.reply import Reply
from tests.servers._strict.wire import Exchange
from tests.servers._strict_azure.call import Call
from tests.servers._strict_azure.call import exchange as exchange_of
from tests.servers._strict_azure.faults import AzureFault
from tests.servers._strict_azure.faults import wrong as wrong_of

__all__ = ["AZURE", "AzureFault", "AzureWire"]


class AzureWire:
    """A dialect: `Interposer(port, AZURE)`."""

    def call(self, method: str, target: str, headers: CIMultiDict[str], /) -> Call:
        return Call.of(method, target, headers)

    def exchange(self, call: Call, /) -> Exchange:
        return exchange_of(call)

    def wrong(self, call: Call, fault: AzureFault, /) -> Reply:
        return wrong_of(call, fault)


AZURE = AzureWire()
