"""The way in of tests to a strict server: they set it up, have it fail, and ask what it saw."""

import json
import ssl
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.servers._strict.faults import Fault
from tests.servers._strict.wire import Exchange, Wire


class Levers:
    """`reset()` puts all of them back and forgets no object."""

    __slots__ = ()

    url: str
    authority: Path | None

    def fail(self, fault: Fault, /) -> None:
        """From now on; faults that are met often enough are gone."""
        self._admin("fault", asdict(fault))

    def faults_left(self) -> int:
        left: int = self._admin("faults")
        return left

    def settings(self, **changes: Any) -> None:
        """Change some of the server's `Settings`."""
        self._admin("settings", changes)

    def reset(self) -> None:
        self._admin("reset")

    @contextmanager
    def watching(self) -> Generator[Wire]:
        """The requests of the block, without their secrets."""
        wire, since = Wire(), self._admin("seen")
        try:
            yield wire
        finally:
            said = self._admin(f"requests?since={since}")
            wire.requests = [Exchange(**seen) for seen in said]

    def _admin(self, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_admin/{path}", json.dumps(body).encode(), method="POST"
        )
        tls = ssl.create_default_context(cafile=self.authority) if self.authority else None
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return json.loads(answer.read())
