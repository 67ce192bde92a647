"""Failover keeps the contract: over two memory disks, a local folder and memory, S3 and memory."""

import pytest

from storeroom.layers.failover import Failover
from storeroom.testing.suite import DriverSuite
from tests.layers.pairs import HIDES, Pairs
from tests.layers.places import (
    LOCAL_HAS_NOT,
    MEMORY_HAS_NOT,
    S3_HAS_NOT,
    OnLocal,
    OnMemory,
    OnRealFolders,
    OnS3,
)


class Failovers(Pairs):
    kind = Failover


class TestFailoverOnMemory(Failovers, OnMemory, DriverSuite):
    allowed_skips = MEMORY_HAS_NOT | HIDES


@pytest.mark.long
class TestFailoverOnRealFolders(Failovers, OnRealFolders):
    allowed_skips = MEMORY_HAS_NOT | HIDES


class TestFailoverOnLocal(Failovers, OnLocal):
    allowed_skips = LOCAL_HAS_NOT | HIDES


class TestFailoverOnS3(Failovers, OnS3):
    allowed_skips = S3_HAS_NOT | HIDES | {"Tiers": "each service has names of its own"}
