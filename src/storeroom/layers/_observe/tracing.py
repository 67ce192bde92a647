"""Tracing: one span of OpenTelemetry for each call of a driver."""

from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from storeroom.contracts.abilities import Origin, find
from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import StorageError
from storeroom.contracts.extras import extra
from storeroom.layers._observe.about import About, namespace_of
from storeroom.layers._observe.conventions import S3
from storeroom.layers._observe.watch import Watch

with extra("otel", "opentelemetry-api"):
    from opentelemetry import context
    from opentelemetry.trace import (
        SpanKind,
        StatusCode,
        TracerProvider,
        get_tracer,
        set_span_in_context,
    )

__all__ = ["Tracing"]

T = TypeVar("T")
_Value = str | int | float | bool


class Tracing:
    """Spans are named as the service's conventions say, and else `{service}.{operation}`.

    What failed has its kind in `error.type`; neither messages nor traces of exceptions are recorded,
    for those of a service's client may hold addresses with their signatures.
    """

    def __init__(
        self,
        inner: StorageDriver,
        about: Callable[[], About],
        provider: TracerProvider | None,
        /,
        *,
        paths: bool,
    ) -> None:
        self._inner = inner
        self._about = about
        self._paths = paths
        self._tracer = get_tracer("storeroom", tracer_provider=provider)

    def began(self, watch: Watch, /) -> None:
        """Start the call's span, and make it the current one until `detach`."""
        operation, about = watch.operation, self._about()
        attributes: dict[str, _Value] = {
            "storeroom.disk": about.disk,
            "storeroom.service": about.service,
            "storeroom.operation": operation,
        }
        if watch.verb is not None:
            attributes["storeroom.verb"] = watch.verb
        if self._paths:
            attributes |= _given("storeroom.path", watch.path) | _given("storeroom.to", watch.to)
        name = f"{about.service}.{operation}"
        method = S3.get(operation) if about.service == "s3" else None
        if method is not None:
            name = f"S3.{method}"
            attributes |= self._as_s3(method, watch, about.namespace)
        watch.span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        watch.token = context.attach(set_span_in_context(watch.span))

    def detach(self, watch: Watch, /) -> None:
        """Make the span no longer the current one; it goes on."""
        token, watch.token = watch.token, None
        if token is not None:
            context.detach(token)

    def ended(self, watch: Watch, error: BaseException | None, /) -> None:
        """End the call's span."""
        span, watch.span = watch.span, None
        self.detach(watch)
        for name in ("size", "first_byte", "entries"):
            value = getattr(watch, name)
            if value is not None:
                span.set_attribute(f"storeroom.{name}", value)
        if error is None and watch.refused:
            span.set_attribute("storeroom.failures", len(watch.refused))
            error = watch.refused[0]
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR, type(error).__name__)
        span.end()

    @contextmanager
    def inside(self, watch: Watch, /) -> Generator[None]:
        """The span as the current one, for one step of a stream."""
        token = context.attach(set_span_in_context(watch.span))
        try:
            yield
        finally:
            context.detach(token)

    async def step(self, watch: Watch, items: AsyncIterator[T], /) -> T:
        """The next item, waited for with the span as the current one."""
        with self.inside(watch):
            return await anext(items)

    def _as_s3(self, method: str, watch: Watch, bucket: str | None) -> dict[str, _Value]:
        """The attributes that the conventions have for S3."""
        found: dict[str, _Value] = {
            "rpc.system": "aws-api",
            "rpc.service": "S3",
            "rpc.method": method,
            **_given("aws.s3.bucket", bucket),
        }
        if watch.number is not None:
            found["aws.s3.part_number"] = watch.number
        if not self._paths or not watch.path or method in ("ListObjectsV2", "ListObjectVersions"):
            return found
        if watch.to is None or method != "CopyObject":
            return found | _given("aws.s3.key", _key(self._inner, watch.path))
        driver = self._inner if watch.source is None else watch.source
        at = bucket if watch.source is None else namespace_of(driver)
        source = f"{at}/{_key(driver, watch.path)}" if at else None
        key = _key(self._inner, watch.to)
        return found | _given("aws.s3.key", key) | _given("aws.s3.copy_source", source)


def _key(driver: StorageDriver, path: str) -> str:
    """The path as the service knows it, where the driver tells."""
    native = find(driver, Origin)
    try:
        return path if native is None else native.origin(path)[1]
    except StorageError:
        return path


def _given(name: str, value: str | None) -> dict[str, _Value]:
    return {name: value} if value else {}
