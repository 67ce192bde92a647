"""Observe keeps the contract, with everything switched on: the core of the suite over it."""

import asyncio

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from storeroom.contracts.driver import StorageDriver
from storeroom.events import Event, Events
from storeroom.layers.observe import Observe
from storeroom.manager.reporting import Reporting
from storeroom.testing.suite import DriverSuite
from tests.layers.places import OnLocal, OnMemory, OnRealFolders, OnS3

TRACES = TracerProvider()
METRICS = MeterProvider()


async def waiting(event: Event) -> None:
    await asyncio.sleep(0)


class Observed:
    """With events, logs, traces and metrics."""

    def layered(self, driver: StorageDriver) -> StorageDriver:
        events = Events()
        events.on("*", waiting)
        return Observe(driver, events=events, log="debug", tracing=TRACES, metrics=METRICS)


class Reported:
    """As a manager's disk is while somebody listens."""

    def layered(self, driver: StorageDriver) -> StorageDriver:
        events = Events()
        events.on("*", lambda event: None)
        return Reporting(driver, name="disk", events=events)


class TestObserveOnMemory(Observed, OnMemory, DriverSuite):
    pass


class TestObserveOnLocal(Observed, OnLocal):
    pass


class TestObserveOnS3(Observed, OnS3):
    pass


class TestReportingOnRealFolders(Reported, OnRealFolders):
    pass
