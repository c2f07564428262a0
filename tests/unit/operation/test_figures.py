"""Figures on their way between processes, and what becomes of them in a scrape."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from barnhand_desktop.api.operation import metric
from barnhand_desktop.telemetry import gpu
from barnhand_desktop.telemetry.catalogue import BY_NAME, Figures, Kind
from barnhand_desktop.telemetry.document import decode, encode
from barnhand_desktop.telemetry.reporter import NodeReporter
from engine.runtime.meters import Histogram
from tests.helpers.waiting import wait_until

STAGE = "barnhand_stage_seconds"


def test_a_histogram_counts_every_value_once() -> None:
    rng = np.random.default_rng(4)
    values = [0.01, 0.1, *rng.uniform(0.0, 2.0, 500).tolist()]
    histogram = Histogram((0.01, 0.1, 1.0))
    for value in values:
        histogram.add(value)
    told = histogram.counts()
    assert told.counts == tuple(
        sum(low < v <= high for v in values)
        for low, high in ((-1.0, 0.01), (0.01, 0.1), (0.1, 1.0), (1.0, 99.0))
    )
    assert told.total == pytest.approx(sum(values))


def test_figures_survive_the_way() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.5, 5.0):
        histogram.add(value)
    figures: Figures = {
        STAGE: {("detect",): histogram.counts()},
        "barnhand_spool_rows": {(): 7.0},
        "barnhand_camera_picture_age_seconds": {("id", "Yard ☀"): 0.25},
    }
    assert decode(encode(figures)) == figures


def test_numbers_that_are_none_are_left_out() -> None:
    figures: Figures = {"barnhand_spool_rows": {(): float("nan")}}
    assert decode(encode(figures)) == {"barnhand_spool_rows": {}}


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*BY_NAME, "barnhand_unheard_of"]), _ANY) | _ANY)
def test_a_damaged_sender_cannot_break_a_scrape(document: object) -> None:
    payload = json.dumps(document).encode()
    found = decode(payload)
    for name, samples in found.items():
        generate_latest(registry_of(metric(BY_NAME[name], list(samples.items()))))
    assert decode(payload[:-1] + b"\xff") == {} or isinstance(document, int | float)


@pytest.mark.parametrize(
    "row",
    [
        [["detect"], [[1.0, 0.5], [0, 0, 0], 0.0]],
        [["detect"], [[0.5], [1], 0.0]],
        [["detect"], 4.0],
        [["detect", "more"], [[0.5], [1, 2], 3.0]],
        [["detect"], [[0.5], ["a", 2], 3.0]],
    ],
)
def test_a_histogram_that_is_none_is_left_out(row: list[Any]) -> None:
    assert decode(json.dumps({STAGE: [row]}).encode()) == {STAGE: {}}


def test_buckets_grow_and_end_with_everything() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.5, 0.6, 5.0):
        histogram.add(value)
    family = metric(BY_NAME[STAGE], [(("n", "detect"), histogram.counts())], ("node", "stage"))
    text = generate_latest(registry_of(family)).decode()
    (parsed,) = text_string_to_metric_families(text)
    values = {(s.name, s.labels.get("le")): s.value for s in parsed.samples}
    assert values[f"{STAGE}_bucket", "0.1"] == 1
    assert values[f"{STAGE}_bucket", "1"] == 3
    assert values[f"{STAGE}_bucket", "+Inf"] == values[f"{STAGE}_count", None] == 4
    assert values[f"{STAGE}_sum", None] == pytest.approx(6.15)


def test_names_keep_to_the_customs_of_prometheus() -> None:
    for name, family in BY_NAME.items():
        assert name == name.lower() and name.startswith("barnhand_")
        assert not name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert family.text and not family.text.endswith(".")
        assert "_ms" not in name and "percent" not in name
        if family.kind is Kind.HISTOGRAM:
            assert name.endswith(("_seconds", "_pictures"))


class OneFamily(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]


def registry_of(family: Metric) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(OneFamily(family))
    return registry


# --- GPUs ----------------------------------------------------------------------------------------


class Refused(Exception):
    """What the management library raises."""


def library(busy: float | None, lost: bool = False) -> SimpleNamespace:
    """The management library on a machine with one GPU, which no test machine has."""

    def refuse(*_: object) -> None:
        raise Refused("not supported")

    return SimpleNamespace(
        NVMLError=Refused,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=refuse if lost else lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(used=20, total=140),
        nvmlDeviceGetUtilizationRates=(
            refuse if busy is None else lambda device: SimpleNamespace(gpu=busy)
        ),
        nvmlDeviceGetName=lambda device: b"H200",
    )


@pytest.mark.parametrize(("busy", "told"), [(42, 0.42), (None, None)])
def test_a_gpu_is_told(
    busy: float | None, told: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library(busy))
    (found,) = gpu.GpuMeter().read()
    assert found == gpu.GpuFigures(0, "H200", told, 20, 140)


def test_a_gpu_that_is_lost_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library(42, lost=True))
    assert gpu.GpuMeter().read() == ()


def test_without_a_library_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert gpu.GpuMeter().read() == ()


# --- the file a probe looks at -------------------------------------------------------------------


@pytest.mark.parametrize(("failed", "fresh"), [(0.0, True), (1.0, False)])
def test_a_node_with_a_failed_part_is_not_alive(failed: float, fresh: bool, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    seen: list[int] = []

    def read() -> Figures:
        seen.append(1)
        return {"barnhand_failed_workers": {(): failed}}

    reporter = NodeReporter("node", "redis://127.0.0.1:9/0", read, alive)
    reporter.start()
    wait_until(lambda: alive.exists() if fresh else len(seen) > 1)
    assert alive.exists() is fresh
    assert reporter.stop(20.0) == ()
    assert not alive.exists()
