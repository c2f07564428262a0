"""What a scrape of a running demo says, held against the table of the manual."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from engine.pipeline.stages import STAGES
from tests.helpers.metrics_table import metrics_table
from tests.helpers.waiting import wait_until
from tests.integration.operation.conftest import CANARY, Demo

pytestmark = pytest.mark.timeout(300)  # the first of them waits for the demo
TABLE = metrics_table()


@pytest.fixture(scope="module")
def families(exposition: str) -> dict[str, Metric]:
    """Families by the name of the table."""
    found = {}
    for family in text_string_to_metric_families(exposition):
        if not family.name.endswith("_created"):
            found[family.name + ("_total" if family.type == "counter" else "")] = family
    return found


def samples(family: Metric) -> Iterator[tuple[frozenset[str], float]]:
    for sample in family.samples:
        if not sample.name.endswith("_created"):
            yield frozenset(sample.labels) - {"le"}, sample.value


def test_the_table_lists_what_is_exposed_and_nothing_else(families: dict[str, Metric]) -> None:
    assert set(families) == set(TABLE)


def test_every_metric_has_its_labels_and_a_value(families: dict[str, Metric]) -> None:
    for name, row in TABLE.items():
        found = list(samples(families[name]))
        assert found or not row.always, f"{name} says nothing"
        for labels, value in found:
            assert labels == row.labels, name
            assert value == value, name


def test_the_numbers_are_those_of_the_demo(families: dict[str, Metric]) -> None:
    def value(name: str, **labels: str) -> float:
        every = [s for s in families[name].samples if labels.items() <= s.labels.items()]
        assert len(every) == 1, (name, every)
        return float(every[0].value)

    assert value("barnhand_nodes") == 1.0
    assert value("barnhand_database_up") == 1.0
    assert value("barnhand_writer_up") == 1.0
    assert value("barnhand_camera_active", camera="stall") == 1.0
    assert value("barnhand_camera_active", camera="yard") == 0.0
    assert value("barnhand_camera_fps", camera="stall") > 1.0
    assert value("barnhand_process_threads", process="engine") > 5.0
    assert value("barnhand_process_memory_bytes", process="api") > 10_000_000
    stages = {sample.labels["stage"] for sample in families["barnhand_stage_seconds"].samples}
    assert stages == set(STAGES)
    counted = [
        s.value
        for s in families["barnhand_camera_result_seconds"].samples
        if s.name.endswith("_count") and s.labels["camera"] == "stall"
    ]
    assert counted and counted[0] > 0


def test_a_machine_without_a_gpu_has_no_gpu_series(families: dict[str, Metric]) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        assert families["barnhand_gpu_memory_total_bytes"].samples
    else:
        assert not families["barnhand_gpu_memory_total_bytes"].samples
        assert not families["barnhand_gpu_busy_ratio"].samples


def test_no_secret_is_in_the_metrics(exposition: str) -> None:
    assert CANARY not in exposition


def test_promtool_finds_nothing_to_say(exposition: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    said = subprocess.run(
        [promtool, "check", "metrics"], input=exposition, text=True, capture_output=True, timeout=60
    )
    assert (said.returncode, said.stderr, said.stdout) == (0, "", "")


def test_the_file_a_probe_looks_at_is_fresh(demo: Demo, exposition: str) -> None:
    touched = (demo.data / "alive").stat().st_mtime
    wait_until(lambda: (demo.data / "alive").stat().st_mtime > touched, 30.0)
