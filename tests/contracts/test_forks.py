"""What is called in a forked child: the living, with what they are renewed by."""

import gc

from storeroom.contracts import forks
from storeroom.contracts.forks import after_fork


class Held:
    def __init__(self) -> None:
        self.renewed = 0
        after_fork(self, Held.renew)

    def renew(self) -> None:
        self.renewed += 1


def test_the_living_are_renewed() -> None:
    held = [Held() for _ in range(3)]
    del held[1]
    gc.collect(1)
    forks._forked()
    assert [one.renewed for one in held] == [1, 1]
