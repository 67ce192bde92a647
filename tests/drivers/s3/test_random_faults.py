"""Many failures of random kinds at random places: the right object or none, and no parts left."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from storeroom.contracts.body import Body
from storeroom.contracts.errors import Corrupted, StorageError, Timeout, Unavailable
from storeroom.contracts.values import WriteOptions
from storeroom.drivers.s3 import S3Driver
from tests.drivers.s3.bucket import (
    KEY,
    MIB,
    SMALL_PARTS,
    Bucket,
    each,
    files,
    outcome,
    random_bytes,
    read,
    streamed,
)
from tests.servers.proxy import Ending, Proxy
from tests.servers.strict_s3 import Fault

OLD, NEW, BIG = b"old", b"new " * 100, random_bytes(5 * MIB + 1)
CODES = ("InternalError", "SlowDown", "ConditionalRequestConflict")
BATCH = 30
ENDINGS: list[Ending] = ["fin", "rst"]
PART: dict[str, Any] = {"query": "partNumber"}
COMPLETE: dict[str, Any] = {"query": "uploadId", "method": "POST"}


@dataclass(frozen=True, slots=True)
class Work:
    """What is done to `KEY`, and what is there after it; `before` is what may be there if it failed."""

    do: Callable[[S3Driver], Awaitable[object]]
    after: bytes | None
    before: bytes | None = OLD


async def removed(driver: S3Driver) -> None:
    report = await driver.remove_many([KEY])
    told = report[KEY]
    if isinstance(told, StorageError):
        raise told


WORKS = [
    Work(lambda driver: driver.write(KEY, Body(BIG)), BIG),
    Work(lambda driver: driver.write(KEY, streamed(BIG)), BIG),
    Work(lambda driver: driver.write(KEY, streamed(BIG, 7777777)), BIG),
    Work(lambda driver: driver.write(KEY, streamed(BIG), WriteOptions(overwrite=False)), BIG, None),
    Work(lambda driver: driver.write(KEY, Body(NEW)), NEW),
    Work(lambda driver: driver.copy_within("source", KEY), NEW),
    Work(lambda driver: driver.rename("source", KEY), NEW),
    Work(lambda driver: driver.remove(KEY), None),
    Work(removed, None),
    Work(read, OLD),
    Work(files, OLD),
]


def faults(random: Random) -> list[Fault]:
    """One or two; none that leaves an upload nobody knows of, as a lost reply to its creation does."""
    told = Fault("answer", code=random.choice(CODES), retry_after=random.choice([None, 0]))
    flipped, lost = Fault("flip-upload"), Fault("lose")
    kinds = [
        *(replace(told, times=random.randint(1, 3)), Fault("close", times=random.randint(1, 3))),
        *(replace(told, times=9, **PART), replace(told, times=9, **COMPLETE)),
        *(replace(told, method="PUT", times=9), Fault("close", times=9, **PART)),
        *(Fault("close", times=9, **COMPLETE), replace(told, method="DELETE")),
        *(replace(lost, **PART), replace(lost, **COMPLETE), replace(lost, method="PUT")),
        *(replace(lost, times=9, **COMPLETE), replace(lost, times=9, **PART)),
        *(replace(lost, method="DELETE"), Fault("lose", query="delete"), Fault("flip", **COMPLETE)),
        *(replace(flipped, **PART), replace(flipped, **COMPLETE), replace(flipped, method="PUT")),
        *(
            replace(flipped, times=9, **PART),
            Fault("cut", method="GET", after=random.randint(0, 2)),
        ),
        Fault("answer", status=200, **COMPLETE),
    ]
    return random.sample(kinds, random.choice([1, 1, 2]))


@dataclass(frozen=True, slots=True)
class Round:
    """One more failure and what came of it: an answer, or a kind of error."""

    number: int
    bucket: Bucket
    work: Work
    told: object

    def judged(self) -> str:
        """Which kind of error, or "right"; once no fault is left."""
        found = self.bucket.get()
        assert self.bucket.open_uploads() == [], self
        for key in (KEY, "source"):
            self.bucket.remove(key)
        if isinstance(self.told, StorageError):
            assert isinstance(self.told, (Unavailable, Timeout, Corrupted)), self
            assert found in (self.work.before, self.work.after), self
            return type(self.told).__name__
        assert found == self.work.after, self
        return "right"


async def harmed(bucket: Bucket, number: int) -> Round:
    random = Random(number)
    bucket.put(NEW, "source")
    work = random.choice([*WORKS[:4], *WORKS])
    if work.before is not None:
        bucket.put(work.before)
    for fault in faults(random):
        bucket.fail(fault)
    async with Proxy(bucket.port) as proxy:
        if random.random() < 0.4:
            ending = random.choice(ENDINGS)
            proxy.cut("up", after=random.randint(0, len(BIG)), ending=ending)
        driver = bucket.driver(proxy.port, retries=2, concurrency=2, **SMALL_PARTS)
        return Round(number, bucket, work, await outcome(work.do(driver)))


@pytest.mark.rounds(60, 3000)
async def test_random_failures_leave_the_right_object_or_none_and_no_parts(
    bucket: Bucket, rounds: int
) -> None:
    found: Counter[str] = Counter()
    for first in range(0, rounds, BATCH):
        done: list[Round] = []

        async def one(number: int) -> None:
            done.append(await harmed(bucket.sibling(), number))  # noqa: B023

        await each(range(first, first + BATCH), one, at_once=6)
        bucket.strict.reset()
        found.update(one.judged() for one in done)
    print(dict(found))
    assert found["right"] > found["Unavailable"] > 0
