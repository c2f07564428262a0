"""The metrics of the manual as a table for people: work, machine, stores and the whole barn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from engine.domain.health import HistogramCounts
from ui.diagnostics.diagnostics_page import FactTable
from ui.wording import duration, size

Value = float | HistogramCounts
Figures = Mapping[str, Mapping[tuple[str, ...], Value]]
Row = tuple[str, str, str]


def _tr(text: str) -> str:
    return QCoreApplication.translate("FiguresSection", text)


class FiguresSection(FactTable):
    """What is measured now, in words, with the metric's name for whoever watches it elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        heads = [_tr("Figure"), _tr("Now"), _tr("Metric")]
        super().__init__(heads, _tr("Figures"), wide=1)
        self.setParent(parent)

    def show_figures(self, figures: Figures) -> None:
        """Rows of what is known; what this machine does not have is left out."""
        self.fill([row for part in _PARTS for row in part(figures) if row is not None])


def _work(figures: Figures) -> list[Row | None]:
    return [
        _one(figures, _tr("Pictures waiting"), "barnhand_queue_pictures", _count),
        _one(figures, _tr("Pictures replaced while waiting"), "barnhand_queue_dropped", _count),
        _one(figures, _tr("Pictures in a batch"), "barnhand_batch_pictures", _mean),
        _all(figures, _tr("Background job at work"), "barnhand_job_running", _nothing),
        _one(figures, _tr("Threads that gave up"), "barnhand_failed_workers", _count),
        _all(figures, _tr("Servers started again"), "barnhand_server_restarts", _count),
    ]


def _machine(figures: Figures) -> list[Row | None]:
    return [
        _all(figures, _tr("GPU busy"), "barnhand_gpu_busy_ratio", _share),
        _pair(
            figures,
            _tr("GPU memory"),
            ("barnhand_gpu_memory_used_bytes", "barnhand_gpu_memory_total_bytes"),
        ),
        _all(figures, _tr("Memory"), "barnhand_process_memory_bytes", _bytes),
        _all(figures, _tr("Open files and sockets"), "barnhand_process_open_files", _count),
        _all(figures, _tr("Threads"), "barnhand_process_threads", _count),
        _one(figures, _tr("Free for recordings"), "barnhand_disk_free_bytes", _bytes),
    ]


def _stores(figures: Figures) -> list[Row | None]:
    return [
        _one(figures, _tr("Database"), "barnhand_database_bytes", _bytes),
        _one(figures, _tr("Rows written"), "barnhand_writer_rows", _count),
        _one(figures, _tr("Rows given up"), "barnhand_writer_rows_dropped", _count),
        _one(figures, _tr("Results waiting for the writer"), "barnhand_writer_queue_items", _count),
        _one(figures, _tr("Spool"), "barnhand_spool_bytes", _bytes),
        _one(figures, _tr("Rows in the spool"), "barnhand_spool_rows", _count),
        _one(figures, _tr("Live events published"), "barnhand_live_items", _count),
        _one(figures, _tr("Live events given up"), "barnhand_live_items_dropped", _count),
        _one(figures, _tr("Newest good backup"), "barnhand_backup_age_seconds", _ago),
        _one(figures, _tr("Trace spans sent"), "barnhand_trace_spans", _count),
        _one(figures, _tr("Trace spans given up"), "barnhand_trace_spans_dropped", _count),
    ]


def _barn(figures: Figures) -> list[Row | None]:
    return [
        _one(figures, _tr("Engine nodes"), "barnhand_nodes", _count),
        _all(figures, _tr("Cameras held"), "barnhand_node_leases", _count),
        _one(figures, _tr("Jobs waiting"), "barnhand_jobs_queued", _count),
        _all(figures, _tr("Jobs by kind"), "barnhand_jobs", _count),
        _all(
            figures,
            _tr("Alerts not acknowledged"),
            "barnhand_alerts_unacknowledged",
            _count,
            zeros=False,
        ),
        _one(figures, _tr("Remote clients"), "barnhand_ws_clients", _count),
        _one(figures, _tr("Requests answered"), "barnhand_api_requests", _count),
    ]


_PARTS: tuple[Callable[[Figures], list[Row | None]], ...] = (_work, _machine, _stores, _barn)
Wording = Callable[[Value], str]


def _one(figures: Figures, title: str, name: str, wording: Wording) -> Row | None:
    """A figure without labels; None while it is not known."""
    value = figures.get(name, {}).get(())
    return None if value is None else (title, wording(value), name)


def _all(
    figures: Figures, title: str, name: str, wording: Wording, zeros: bool = True
) -> Row | None:
    """A figure with labels: each of them with its value, in the order of the labels; none where
    it is known that there is none."""
    values = figures.get(name, {})
    told = [
        " ".join(filter(None, (" ".join(filter(None, labels)), wording(value))))
        for labels, value in sorted(values.items(), key=lambda item: item[0])
        if zeros or value
    ]
    if not told:
        return (title, _tr("none"), name) if name in figures else None
    return title, " · ".join(told), name


def _pair(figures: Figures, title: str, names: Sequence[str]) -> Row | None:
    used, total = (figures.get(name, {}) for name in names)
    told = [
        _tr("{0}: {1} of {2}").format(" ".join(labels), _bytes(value), _bytes(total[labels]))
        for labels, value in sorted(used.items(), key=lambda item: item[0])
        if labels in total
    ]
    return (title, " · ".join(told), names[0]) if told else None


def _number(value: Value) -> float:
    return value.total if isinstance(value, HistogramCounts) else value


def _count(value: Value) -> str:
    return f"{_number(value):,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _bytes(value: Value) -> str:
    return size(_number(value))


def _share(value: Value) -> str:
    return f"{_number(value) * 100:.0f} %"


def _ago(value: Value) -> str:
    return _tr("{0} ago").format(duration(_number(value)))


def _nothing(value: Value) -> str:
    return ""


def _mean(value: Value) -> str:
    """The mean of a histogram and how many values it holds."""
    if not isinstance(value, HistogramCounts) or not sum(value.counts):
        return "–"
    count = sum(value.counts)
    return _tr("{0} on average, {1} batches").format(f"{value.total / count:.1f}", _count(count))
