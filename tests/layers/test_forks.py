"""After a fork: locks that a thread of the parent held, and work that goes on over there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from storeroom import MemoryDriver
from storeroom.contracts import forks
from storeroom.contracts.turns import PathTurns
from storeroom.layers import Cache
from storeroom.layers._cache.debts import Debts
from storeroom.layers._cache.fills import Fills
from storeroom.layers._cache.news import News
from storeroom.layers._cdn.purging import Purging
from storeroom.layers._compression.known import Known
from storeroom.layers._encryption.passphrases import Phrases
from storeroom.layers._several.errands import Errands
from storeroom.layers._several.health import Health
from storeroom.layers._several.ledger import Ledger
from storeroom.manager.shelf import Shelf

REDIS = "redis://localhost:6379/0"


async def purger(addresses: object) -> None:
    raise AssertionError(addresses)


def purging() -> Purging:
    return Purging(purger, batch=1, delay=0, attempts=1, base=0, on_failure=None)


def news() -> News:
    return News(REDIS, "n", heard=lambda change: None, listening=lambda hears: None)


@pytest.mark.parametrize(
    ("make", "lock"),
    [
        (Known, "_lock"),
        (lambda: Ledger(2, 10), "_lock"),
        (lambda: Health(3), "_lock"),
        (PathTurns, "_lock"),
        (Debts, "_lock"),
        (Fills, "lock"),
        (news, "_lock"),
        (purging, "_lock"),
        (lambda: Phrases((), None)._turn, "_lock"),
        (Shelf, "_lock"),
    ],
)
def test_a_lock_that_was_held_holds_up_nobody(make: Callable[[], Any], lock: str) -> None:
    one = make()
    held = getattr(one, lock)
    with held:
        forks._forked()
        now = getattr(one, lock)
        assert now is not held
        assert now.acquire(blocking=False)


def test_a_cache_believes_nothing_until_it_listens_itself() -> None:
    cache = Cache(MemoryDriver(), ttl=60, namespace="n", invalidate=REDIS)
    cache._listening(True)
    forks._forked()
    assert not cache._store.is_believed


def test_a_disk_that_the_parent_tries_is_tried_here_too() -> None:
    health = Health(1)
    health.failed()
    health._until = 0.0
    assert health.is_due()
    assert not health.is_due()
    forks._forked()
    assert health.is_due()


async def test_errands_of_the_parent_are_not_ours() -> None:
    errands = Errands()
    task = asyncio.ensure_future(asyncio.sleep(60))
    errands.keep("x", task)
    assert errands.is_under_way("x")
    forks._forked()
    assert not errands.is_under_way("x")
    await errands.aclose()
    assert not task.cancelled()
    task.cancel()
