"""The table of figures in the diagnostics: in words, without what this machine does not have."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.domain.health import HistogramCounts
from tests.helpers.metrics_table import metrics_table
from ui.diagnostics.diagnostics_page import DiagnosticsPage
from ui.diagnostics.figures_section import FiguresSection

FIGURES: dict[str, dict[tuple[str, ...], float | HistogramCounts]] = {
    "barnhand_queue_pictures": {(): 3.0},
    "barnhand_batch_pictures": {(): HistogramCounts((1.0, 2.0), (1, 2, 1), 9.0)},
    "barnhand_process_memory_bytes": {("api",): 210e6, ("engine",): 797e6},
    "barnhand_gpu_memory_used_bytes": {("0", "H200"): 20e9},
    "barnhand_gpu_memory_total_bytes": {("0", "H200"): 140e9},
    "barnhand_gpu_busy_ratio": {("0", "H200"): 0.42},
    "barnhand_alerts_unacknowledged": {("lying_long", "critical"): 2.0, ("late", "info"): 0.0},
    "barnhand_jobs": {},
    "barnhand_backup_age_seconds": {(): 7200.0},
    "barnhand_writer_rows": {(): 1_234_567.0},
}


def rows(section: FiguresSection) -> dict[str, tuple[str, str]]:
    found = [line.split("\t") for line in section.lines()[1:]]
    return {title: (now, metric) for title, now, metric in found}


def test_figures_are_told_in_words(dressed: QApplication, qtbot: QtBot) -> None:
    section = FiguresSection()
    qtbot.addWidget(section)
    section.show_figures(FIGURES)
    told = rows(section)
    assert told["Pictures in a batch"][0] == "2.2 on average, 4 batches"
    assert told["Memory"][0] == "api 210 MB · engine 797 MB"
    assert told["GPU busy"][0] == "0 H200 42 %"
    assert told["GPU memory"][0] == "0 H200: 20 GB of 140 GB"
    assert told["Alerts not acknowledged"][0] == "lying_long critical 2"
    assert told["Jobs by kind"][0] == "none"
    assert told["Newest good backup"][0] == "2 h 00 min ago"
    assert told["Rows written"][0].replace("\N{NARROW NO-BREAK SPACE}", " ") == "1 234 567"
    known = {name.removesuffix("_total") for name in metrics_table()}
    assert {metric for _, metric in told.values()} <= known


def test_what_a_machine_does_not_have_is_left_out(dressed: QApplication, qtbot: QtBot) -> None:
    page = DiagnosticsPage("0.1.0")
    section = FiguresSection()
    page.add_section("Figures", section)
    qtbot.addWidget(page)
    section.show_figures({"barnhand_queue_pictures": {(): 0.0}})
    assert list(rows(section)) == ["Pictures waiting"]
    assert "barnhand_queue_pictures" in page.report()
