"""Prometheus metrics of this process and, read at each scrape, of the cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from barnhand_desktop.telemetry.catalogue import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

# Fields of the live state of a stream: (field, metric, help, is a counter, factor).
_CAMERA_NUMBERS: tuple[tuple[str, str, str, bool, float], ...] = (
    ("fps", "barnhand_camera_fps", "Pictures decoded per second", False, 1.0),
    ("analysed_fps", "barnhand_camera_analysed_fps", "Pictures analysed per second", False, 1.0),
    ("bitrate_bps", "barnhand_camera_bitrate_bps", "Bits received per second", False, 1.0),
    ("latency_ms", "barnhand_camera_latency_seconds", "Capture to result, median", False, 0.001),
    ("decoded", "barnhand_camera_decoded", "Pictures decoded", True, 1.0),
    ("analysed", "barnhand_camera_analysed", "Pictures analysed", True, 1.0),
    ("dropped", "barnhand_camera_dropped", "Pictures replaced before analysis", True, 1.0),
    ("corrupt", "barnhand_camera_corrupt", "Packets or pictures refused", True, 1.0),
    ("reconnects", "barnhand_camera_reconnects", "Times the camera was opened again", True, 1.0),
)

CameraStates = Callable[[], Sequence[tuple[str, str, Mapping[str, object]]]]
"""Answers (stream id, name, live state) of every camera; empty while the stores are away."""


class CameraCollector(Collector):
    """Turns the live states into metrics when Prometheus asks."""

    def __init__(self, states: CameraStates) -> None:
        self._states = states

    def collect(self) -> Iterable[Metric]:
        """Metrics of every camera with a live state."""
        states = self._states()
        up = GaugeMetricFamily(
            "barnhand_camera_active", "1 while pictures arrive", labels=("stream_id", "camera")
        )
        for stream_id, name, state in states:
            up.add_metric((stream_id, name), 1.0 if state.get("state") == "active" else 0.0)
        yield up
        for field, metric, text, counts, factor in _CAMERA_NUMBERS:
            kind = CounterMetricFamily if counts else GaugeMetricFamily
            family = kind(metric, text, labels=("stream_id", "camera"))
            for stream_id, name, state in states:
                value = _number(state.get(field))
                if value is not None:
                    family.add_metric((stream_id, name), value * factor)
            yield family


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


class ApiMetrics:
    """The counters of one API process."""

    def __init__(self, camera_states: CameraStates, further: Sequence[Collector] = ()) -> None:
        """``further`` collectors are asked at each scrape as well."""
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "barnhand_api_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.latency_s = Histogram(
            "barnhand_api_latency_seconds",
            "Time to answer",
            ("method", "route"),
            buckets=_LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self.socket_clients = Gauge(
            "barnhand_ws_clients", "Open WebSockets", registry=self._registry
        )
        self.socket_sent = Counter(
            "barnhand_ws_messages_sent", "Events sent to WebSockets", registry=self._registry
        )
        self.socket_dropped = Counter(
            "barnhand_ws_clients_dropped",
            "WebSockets closed by the server",
            ("reason",),
            registry=self._registry,
        )
        self.live_state_up = Gauge(
            "barnhand_live_state_up",
            "1 while events arrive from the live-state server",
            registry=self._registry,
        )
        for collector in (CameraCollector(camera_states), *further):
            self._registry.register(collector)

    def figures(self) -> Figures:
        """What consoles show of this process."""
        answered = sum(
            sample.value
            for family in self.requests.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        )
        clients = sum(s.value for family in self.socket_clients.collect() for s in family.samples)
        return {
            "barnhand_ws_clients": {(): float(clients)},
            "barnhand_api_requests": {(): float(answered)},
        }

    def exposition(self, visible: frozenset[str] | None = None) -> bytes:
        """The Prometheus text format. ``visible``: of the cameras only those with these ids."""
        if visible is None:
            return generate_latest(self._registry)
        return generate_latest(_VisibleCameras(self._registry, visible))


class _VisibleCameras(Collector):
    """What a registry collects without the samples of other cameras."""

    def __init__(self, registry: CollectorRegistry, visible: frozenset[str]) -> None:
        self._registry = registry
        self._visible = visible

    def collect(self) -> Iterable[Metric]:
        """Every family with the samples that may be seen."""
        for family in self._registry.collect():
            family.samples = [
                sample
                for sample in family.samples
                if sample.labels.get("stream_id") is None
                or sample.labels["stream_id"] in self._visible
            ]
            yield family
