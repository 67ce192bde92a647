"""Traces: a span of OpenTelemetry for each call, by the conventions, and with no secret."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import aws_attributes, rpc_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace import SpanKind, StatusCode

from storeroom import MemoryDriver, MissingPackage, NotFound, StorageManager, Unavailable
from storeroom.contracts.abilities import BulkRemove, CopyFrom, Multipart
from storeroom.contracts.body import Body
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.source import Source
from storeroom.contracts.values import WHOLE, Folder, ReadOptions, Stat, Traits
from storeroom.drivers.s3 import S3Driver
from storeroom.events import Event
from storeroom.layers import Scoped
from storeroom.layers.observe import Observe
from tests.layers.calls import ABILITY_CALLS, answer
from tests.layers.everything import METHODS, Everything, filled
from tests.layers.observe.test_events import SYNCHRONOUS
from tests.servers.s3 import S3Server

SECRET = "s3cr3t"

# What each call of an S3 disk is in Amazon's interface; the others are named by us.
S3_NAMES = {
    "abort_parts": "AbortMultipartUpload",
    "change_attributes": "CopyObject",
    "change_tags": "PutObjectTagging",
    "change_tier": "CopyObject",
    "change_visibility": "PutObjectAcl",
    "complete_parts": "CompleteMultipartUpload",
    "copy_from": "CopyObject",
    "copy_within": "CopyObject",
    "digest": "HeadObject",
    "list_parts": "ListParts",
    "list_versions": "ListObjectVersions",
    "read_tags": "GetObjectTagging",
    "read_version": "GetObject",
    "read_visibility": "GetObjectAcl",
    "remove_version": "DeleteObject",
    "restore_version": "CopyObject",
    "start_parts": "CreateMultipartUpload",
    "write_part": "UploadPart",
}


class Likewise(Everything):
    """A memory disk that says it is S3."""

    bucket = "media"

    @property
    def traits(self) -> Traits:
        return replace(super().traits, service="s3")


class Spans:
    """A provider, and the spans that ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def taken(self) -> list[ReadableSpan]:
        found = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return found

    def names(self) -> list[str]:
        return [span.name for span in self.taken()]

    def one(self) -> tuple[str, Mapping[str, Any]]:
        (span,) = self.taken()
        assert span.kind is SpanKind.CLIENT
        return span.name, dict(span.attributes or {})


@pytest.fixture
def spans() -> Spans:
    return Spans()


def traced(driver: StorageDriver, spans: Spans, **options: Any) -> Observe:
    return Observe(driver, tracing=spans.provider, **options)


async def test_a_call_is_a_span(spans: Spans) -> None:
    disk = traced(MemoryDriver(), spans, name="media")
    await disk.put("a", b"123")
    assert spans.one() == (
        "memory.write",
        {
            "storeroom.disk": "media",
            "storeroom.service": "memory",
            "storeroom.operation": "write",
            "storeroom.verb": "put",
            "storeroom.size": 3,
        },
    )
    await disk.stat("a")
    name, attributes = spans.one()
    assert name == "memory.stat"
    assert "storeroom.verb" not in attributes


async def test_paths_are_told_only_where_they_may_be(spans: Spans) -> None:
    disk = traced(MemoryDriver(), spans, paths=True)
    await disk.put("a b/é.txt", b"")
    assert spans.one()[1]["storeroom.path"] == "a b/é.txt"
    await disk.copy("a b/é.txt", "c")
    assert spans.one()[1]["storeroom.to"] == "c"
    for driver in (MemoryDriver(), Likewise()):
        quiet = traced(driver, spans)
        await quiet.put("secret-path", b"")
        await quiet.copy("secret-path", "secret-to")
        await quiet.all_files("secret-path")
        await quiet.delete_many(["secret-path", "secret-path/../x"])
        assert await quiet.missing("secret-path")
        assert "secret" not in "".join(span.to_json() for span in spans.taken())


@pytest.mark.parametrize("method", sorted(ABILITY_CALLS.keys() - SYNCHRONOUS))
async def test_every_ability_has_its_span(spans: Spans, method: str) -> None:
    driver = Likewise()
    await filled(driver, "a", "a")
    disk = traced(driver, spans)
    native: Any = disk.ability(METHODS[method])
    native.inner_origin = MemoryDriver()
    await answer(lambda: ABILITY_CALLS[method](native, "a", "to"))
    name, attributes = spans.one()
    assert attributes["storeroom.operation"] == method
    named = S3_NAMES.get(method)
    assert name == (f"S3.{named}" if named else f"s3.{method}")
    assert attributes.get("rpc.method") == named
    assert attributes.get("rpc.system") == ("aws-api" if named else None)


async def test_the_words_are_those_of_the_conventions(spans: Spans) -> None:
    disk = traced(Scoped(Likewise(), "t1"), spans, paths=True)
    await disk.put("a", b"x")
    name, attributes = spans.one()
    assert name == "S3.PutObject"
    assert attributes[rpc_attributes.RPC_SYSTEM] == "aws-api"
    assert attributes[rpc_attributes.RPC_SERVICE] == "S3"
    assert attributes[rpc_attributes.RPC_METHOD] == "PutObject"
    assert attributes[aws_attributes.AWS_S3_BUCKET] == "media"
    assert attributes[aws_attributes.AWS_S3_KEY] == "t1/a"
    assert attributes["storeroom.path"] == "a"
    await disk.copy("a", "b")
    attributes = spans.one()[1]
    assert attributes[aws_attributes.AWS_S3_KEY] == "t1/b"
    assert attributes[aws_attributes.AWS_S3_COPY_SOURCE] == "media/t1/a"
    with pytest.raises(NotFound):
        await disk.get("missing")
    assert spans.one()[1][error_attributes.ERROR_TYPE] == "NotFound"
    await disk.files("t")
    assert aws_attributes.AWS_S3_KEY not in spans.one()[1]


async def test_a_copy_from_another_bucket_names_that_one(spans: Spans) -> None:
    class Other(Likewise):
        bucket = "other"

        async def copy_from(self, *given: Any) -> Stat:
            return Stat("b")

    source = Scoped(Likewise(), "t2")
    disk = traced(Scoped(Other(), "t1"), spans, paths=True)
    await disk.ability(CopyFrom).copy_from(source, "a", "b")
    attributes = spans.one()[1]
    assert attributes[aws_attributes.AWS_S3_BUCKET] == "other"
    assert attributes[aws_attributes.AWS_S3_KEY] == "t1/b"
    assert attributes[aws_attributes.AWS_S3_COPY_SOURCE] == "media/t2/a"


async def test_a_part_has_its_number(spans: Spans) -> None:
    driver = Likewise()
    driver.parts["a", SECRET] = {}
    disk = traced(driver, spans)
    await disk.ability(Multipart).write_part("a", SECRET, 7, Body(b"x"))
    (span,) = spans.taken()
    assert (span.attributes or {})[aws_attributes.AWS_S3_PART_NUMBER] == 7
    assert SECRET not in span.to_json()


async def test_on_s3(spans: Spans, strict_s3: S3Server) -> None:
    bucket = strict_s3.make_bucket()
    driver = S3Driver(
        bucket,
        endpoint_url=strict_s3.url,
        region=strict_s3.region,
        access_key=strict_s3.access_key,
        secret_key=strict_s3.secret_key,
        provider="aws",
        path_style=True,
    )
    async with traced(driver, spans, namespace=bucket, paths=True) as disk:
        await disk.put("a%2F b", b"12345")
        await disk.get("a%2F b")
        await disk.copy("a%2F b", "c")
        await disk.files()
        await disk.delete_many(["a%2F b", "c"])
        await disk.temporary_url("c", 60)
        with pytest.raises(NotFound):
            await disk.size("c")
    found = spans.taken()
    assert [span.name for span in found] == [
        *("S3.PutObject", "S3.GetObject", "S3.CopyObject", "S3.ListObjectsV2"),
        *("S3.DeleteObjects", "s3.presign_read", "S3.HeadObject"),
    ]
    attributes = [dict(span.attributes or {}) for span in found]
    assert {a.get("aws.s3.bucket") for a in attributes} == {bucket, None}
    assert attributes[1]["aws.s3.key"] == "a%2F b"
    assert attributes[1]["storeroom.size"] == 5
    assert attributes[2]["aws.s3.copy_source"] == f"{bucket}/a%2F b"
    whole = "".join(span.to_json() for span in found)
    assert strict_s3.secret_key not in whole
    assert "Signature" not in whole


async def test_a_failure_is_told_by_its_kind_and_no_more(spans: Spans) -> None:
    class Leaking(MemoryDriver):
        async def stat(self, path: str, /) -> Stat:
            error = Unavailable(f"GET https://x/?signature={SECRET}")
            error.__cause__ = ValueError(SECRET)
            raise error

    with pytest.raises(Unavailable):
        await traced(Leaking(), spans).size("a")
    (span,) = spans.taken()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "Unavailable"
    assert (span.attributes or {})["error.type"] == "Unavailable"
    assert span.events == ()
    assert SECRET not in span.to_json()


async def test_failing_paths_among_many_make_a_failure(spans: Spans) -> None:
    disk = traced(Everything(), spans)
    await disk.ability(BulkRemove).remove_many(["a", "../b"])
    (span,) = spans.taken()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["storeroom.failures"] == 1


async def test_what_happens_inside_lies_in_the_span(spans: Spans) -> None:
    tracer = spans.provider.get_tracer("inside")

    class Inner(Everything):
        async def stat(self, path: str, /) -> Stat:
            with tracer.start_as_current_span("request"):
                return await super().stat(path)

        async def read(self, path: str, how: ReadOptions = WHOLE, /) -> Source:
            tracer.start_span("open").end()
            return Source(Stat(path), self.pieces())

        async def pieces(self) -> AsyncIterator[bytes]:
            for piece in (b"1", b"2"):
                tracer.start_span("piece").end()
                yield piece

        async def scan(self, folder: str = "", how: Any = None, /) -> AsyncGenerator[Stat | Folder]:
            for path in ("a", "b"):
                tracer.start_span("page").end()
                yield Stat(path)

    inner = Inner()
    await filled(inner, "a")
    outer = traced(traced(inner, spans, name="in"), spans, name="out")
    outside = trace.get_current_span()
    for call, names in (
        (outer.size("a"), ["request", "memory.stat", "memory.stat"]),
        (outer.get("a"), ["open", "piece", "piece", "memory.read", "memory.read"]),
        (outer.files(), ["page", "page", "memory.scan", "memory.scan"]),
    ):
        await call
        found = spans.taken()
        assert [span.name for span in found] == names
        within, top = found[-2:]
        assert top.parent is None
        assert within.parent is not None
        assert top.context is not None
        assert within.context is not None
        assert within.parent.span_id == top.context.span_id
        for span in found[:-2]:
            assert span.parent is not None
            assert span.parent.span_id == within.context.span_id
    assert trace.get_current_span() is outside


async def test_a_span_lasts_until_its_stream_ends_and_is_not_current_meanwhile(
    spans: Spans,
) -> None:
    disk = traced(MemoryDriver(), spans)
    await disk.put("a", b"x" * 3_000_000)
    spans.taken()
    async with disk.read_stream("a") as stream:
        await anext(stream)
        assert spans.taken() == []
        assert not trace.get_current_span().get_span_context().is_valid
    name, attributes = spans.one()
    assert (name, attributes["storeroom.size"]) == ("memory.read", 1 << 20)
    assert attributes["storeroom.first_byte"] > 0
    entries = disk.scan()
    await anext(entries)
    assert not trace.get_current_span().get_span_context().is_valid
    await entries.aclose()
    assert spans.one()[1]["storeroom.entries"] == 1


async def test_a_dropped_stream_ends_its_span(spans: Spans) -> None:
    disk = traced(MemoryDriver(), spans)
    await disk.put("a", b"x" * 3_000_000)
    source = await disk.read("a")
    spans.taken()
    del source
    await asyncio.sleep(0)
    assert spans.names() == ["memory.read"]


async def test_what_is_logged_and_measured_of_a_call_lies_in_its_span(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    current: list[int] = []

    def note(record: logging.LogRecord) -> bool:
        current.append(trace.get_current_span().get_span_context().span_id)
        return True

    reader = InMemoryMetricReader()
    metrics = MeterProvider(metric_readers=[reader])
    disk = traced(MemoryDriver(), spans, metrics=metrics, log="info")
    caplog.set_level(logging.INFO, "storeroom.observe")
    caplog.handler.addFilter(note)
    await disk.put("a", b"x" * 3_000_000)
    await disk.get("a")
    await disk.files()
    caplog.handler.removeFilter(note)
    found = [span.context.span_id for span in spans.taken() if span.context is not None]
    assert current == found
    data: Any = reader.get_metrics_data()
    (scope,) = data.resource_metrics[0].scope_metrics
    (durations,) = [one for one in scope.metrics if one.name.endswith("duration_seconds")]
    assert [point.exemplars[0].span_id for point in durations.data.data_points] == found
    assert not trace.get_current_span().get_span_context().is_valid


async def test_listeners_lie_outside_of_the_span(spans: Spans) -> None:
    disk = traced(MemoryDriver(), spans)
    current: list[bool] = []

    async def look(event: Event) -> None:
        current.append(trace.get_current_span().get_span_context().is_valid)

    disk.events.on("*", look)
    await disk.put("a", b"")
    await disk.get("a")
    assert current == [False] * 4


async def test_calls_at_once_do_not_nest(spans: Spans) -> None:
    disk = traced(MemoryDriver(), spans)
    await disk.put_many({f"{number}": b"" for number in range(20)})
    assert [span.parent for span in spans.taken()] == [None] * 20


async def test_the_global_provider_serves_too() -> None:
    disk = Observe(MemoryDriver(), tracing=True, metrics=True)
    await disk.put("a", b"")
    layers = [{"layer": "observe", "tracing": True, "metrics": True, "paths": True}]
    disks = {"a": {"driver": "memory", "layers": layers}}
    storage = StorageManager.isolated({"default": "a", "disks": disks})
    await storage.put("a", b"")
    assert storage.stats().total.calls == disk.stats().total.calls == 1


@pytest.mark.parametrize("option", ["tracing", "metrics"])
async def test_a_missing_package_is_an_instruction(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.startswith(("opentelemetry", "storeroom.layers._observe.")):
            monkeypatch.delitem(sys.modules, name)
    for name in ("opentelemetry", "opentelemetry.trace", "opentelemetry.metrics"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(MissingPackage, match=r"pip install 'storeroom\[otel\]'"):
        Observe(MemoryDriver(), **{option: True})
    disk = Observe(MemoryDriver(), log="info")
    await disk.put("a", b"")
    assert disk.stats().total.calls == 1
