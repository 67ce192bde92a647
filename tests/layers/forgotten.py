"""What a call leaves to the garbage collector: generators that nobody closed."""

import gc
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from storeroom import MemoryDriver, Unavailable
from storeroom.contracts.body import Body

Hook = Callable[[AsyncGenerator[Any]], object]


class Failing(MemoryDriver):
    """Takes one chunk of each body, and fails."""

    async def write(self, path: str, body: Body, how: Any = None, /) -> Any:
        async with aclosing(body.__aiter__()) as chunks:
            await anext(chunks)
            raise Unavailable("after one chunk")

    extend = write


@contextmanager
def forgotten() -> Iterator[list[str]]:
    """The names of the generators that are begun in the block and not closed by its end."""
    found: list[str] = []
    hooks = sys.get_asyncgen_hooks()
    final: Hook = hooks.finalizer

    def note(generator: AsyncGenerator[Any]) -> None:
        found.append(generator.__qualname__)  # type: ignore[attr-defined]
        final(generator)

    sys.set_asyncgen_hooks(hooks.firstiter, note)
    try:
        yield found
        gc.collect(1)  # they are young
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def two_chunks() -> AsyncGenerator[bytes]:
    yield b"1"
    yield b"2"
