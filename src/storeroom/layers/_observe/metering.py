"""Metering: OpenDAL's metrics by OpenTelemetry, whose labels are few and never hold a path."""

from collections.abc import Callable

from storeroom.contracts.extras import extra
from storeroom.layers._observe.about import About
from storeroom.layers._observe.conventions import (
    BYTES,
    BYTES_RATE,
    DURATION,
    ENTRIES,
    ENTRIES_RATE,
    FIRST_BYTE,
    OPENDAL,
)
from storeroom.layers._observe.watch import Watch

with extra("otel", "opentelemetry-api"):
    from opentelemetry.metrics import MeterProvider, get_meter

__all__ = ["Metering"]


class Metering:
    """Records each call in histograms, and what failed by kind in a counter."""

    def __init__(self, about: Callable[[], About], provider: MeterProvider | None, /) -> None:
        meter = get_meter("storeroom", meter_provider=provider)
        self._about = about
        self._executing = meter.create_up_down_counter(
            "opendal_operation_executing", description="Operations under way"
        )
        self._errors = meter.create_counter(
            "opendal_operation_errors_total", description="Operations that failed"
        )
        histogram = meter.create_histogram
        self._duration = histogram(
            "opendal_operation_duration_seconds",
            "s",
            "From the beginning to the end of operations that ended well",
            explicit_bucket_boundaries_advisory=DURATION,
        )
        self._first_byte = histogram(
            "opendal_operation_ttfb_seconds",
            "s",
            "From the beginning of a read to its first byte",
            explicit_bucket_boundaries_advisory=FIRST_BYTE,
        )
        self._bytes = histogram(
            "opendal_operation_bytes",
            "By",
            "Bytes that an operation read or wrote",
            explicit_bucket_boundaries_advisory=BYTES,
        )
        # Rates are without a unit: for Prometheus it would become a part of their names.
        self._bytes_rate = histogram(
            "opendal_operation_bytes_rate",
            "",
            "Bytes for each second of an operation",
            explicit_bucket_boundaries_advisory=BYTES_RATE,
        )
        self._entries = histogram(
            "opendal_operation_entries",
            "{entry}",
            "Entries that a listing gave",
            explicit_bucket_boundaries_advisory=ENTRIES,
        )
        self._entries_rate = histogram(
            "opendal_operation_entries_rate",
            "",
            "Entries for each second of a listing",
            explicit_bucket_boundaries_advisory=ENTRIES_RATE,
        )

    def began(self, watch: Watch, /) -> None:
        """Count a call that has begun."""
        watch.labels = self._labels_of(watch)
        self._executing.add(1, watch.labels)

    def ended(self, watch: Watch, error: BaseException | None, /) -> None:
        """Record a call that has ended."""
        labels, seconds = watch.labels, watch.seconds
        self._executing.add(-1, labels)
        for one in watch.refused if error is None else (error,):
            self._errors.add(1, {**labels, "error": type(one).__name__})
        if error is None:
            self._duration.record(seconds, labels)
        if watch.first_byte is not None:
            self._first_byte.record(watch.first_byte, labels)
        if watch.size is not None:
            self._bytes.record(watch.size, labels)
            if watch.size and seconds:
                self._bytes_rate.record(watch.size / seconds, labels)
        if watch.entries is not None:
            self._entries.record(watch.entries, labels)
            if watch.entries and seconds:
                self._entries_rate.record(watch.entries / seconds, labels)

    def _labels_of(self, watch: Watch) -> dict[str, str]:
        about = self._about()
        return {
            "scheme": about.service,
            "namespace": about.namespace or about.disk,
            "operation": OPENDAL.get(watch.operation, watch.operation),
        }
