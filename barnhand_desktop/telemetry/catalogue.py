"""Every metric by name: what kind, what labels, what it says. Names stay what they are.

Engine processes publish their figures under these names every two seconds; an API process turns
those of all nodes into Prometheus metrics when it is asked, and adds what it knows itself. The
table in ``docs/manual/operation.md`` is made of the same names, and a test holds the two together.
Units are seconds, bytes, bits a second and shares of 1; counters end in ``_total``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.domain.health import HistogramCounts


class Kind(StrEnum):
    """GAUGE: now. COUNTER: since the start, only growing. HISTOGRAM: counts by size."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its labels; a counter's name is written without ``_total`` here."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


Value = float | HistogramCounts
Figures = Mapping[str, Mapping[tuple[str, ...], Value]]
"""Values by family and label values, in the order of the family's labels."""

_CAMERA = ("stream_id", "camera")
_G, _C, _H = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

NODE = (
    # the engine of a node
    Family("barnhand_camera_result_seconds", _H, "Capture to result available", _CAMERA),
    Family("barnhand_camera_picture_age_seconds", _G, "Since the newest picture", _CAMERA),
    Family("barnhand_stage_seconds", _H, "Time of one batch in one stage", ("stage",)),
    Family("barnhand_batch_pictures", _H, "Pictures analysed together"),
    Family("barnhand_queue_pictures", _G, "Pictures waiting for analysis"),
    Family("barnhand_queue_dropped", _C, "Pictures replaced before analysis, all cameras"),
    Family("barnhand_models_degraded", _G, "1 where a model is absent or reduced", ("task",)),
    Family("barnhand_failed_workers", _G, "Threads that failed too often to start again"),
    Family("barnhand_server_restarts", _C, "Servers of this machine that came back", ("server",)),
    # what leaves it
    Family("barnhand_writer_rows", _C, "Detections written to the database"),
    Family("barnhand_writer_rows_dropped", _C, "Detections that will never be stored"),
    Family("barnhand_writer_up", _G, "1 while the database takes rows"),
    Family("barnhand_writer_queue_items", _G, "Results waiting for the writer"),
    Family("barnhand_spool_rows", _G, "Rows waiting on disk for the database"),
    Family("barnhand_spool_bytes", _G, "Bytes waiting on disk for the database"),
    Family("barnhand_live_items", _C, "Events and states published"),
    Family("barnhand_live_items_dropped", _C, "Events and states never published"),
    Family("barnhand_live_queue_items", _G, "Events and states waiting to be published"),
    Family("barnhand_disk_free_bytes", _G, "Free where recordings are kept"),
    Family("barnhand_backup_age_seconds", _G, "Since the newest good backup"),
    Family("barnhand_backup_bytes", _G, "Size of the newest good backup"),
    Family("barnhand_job_running", _G, "1 while a background job is at work", ("kind",)),
    # the machine
    Family("barnhand_gpu_busy_ratio", _G, "Share of time the GPU computes", ("gpu", "model")),
    Family("barnhand_gpu_memory_used_bytes", _G, "GPU memory in use", ("gpu", "model")),
    Family("barnhand_gpu_memory_total_bytes", _G, "GPU memory there is", ("gpu", "model")),
    Family("barnhand_trace_spans", _C, "Spans sent to the trace collector"),
    Family("barnhand_trace_spans_dropped", _C, "Spans given up"),
    # both kinds of process
    Family("barnhand_process_memory_bytes", _G, "Resident memory", ("process",)),
    Family("barnhand_process_cpu_seconds", _C, "Processor time used", ("process",)),
    Family("barnhand_process_open_files", _G, "Open files and sockets", ("process",)),
    Family("barnhand_process_threads", _G, "Threads", ("process",)),
)
"""Published by every node; the label ``node`` goes before the others."""

FARM = (
    Family("barnhand_database_up", _G, "1 while the database answers the API"),
    Family("barnhand_database_bytes", _G, "Size of the database"),
    Family(
        "barnhand_alerts_unacknowledged",
        _G,
        "Alerts nobody has acknowledged",
        ("rule", "severity"),
    ),
    Family("barnhand_alerts_raised", _C, "Alerts raised and kept", ("rule", "severity")),
    Family("barnhand_jobs", _G, "Background jobs not ended", ("kind", "state")),
    Family("barnhand_jobs_queued", _G, "Background jobs waiting for a node"),
    Family("barnhand_job_oldest_seconds", _G, "Longest wait of a queued job"),
    Family("barnhand_nodes", _G, "Engine nodes that reported lately"),
    Family("barnhand_node_leases", _G, "Cameras a node holds", ("node",)),
)
"""Asked of the shared stores at each scrape; the same from every API process."""

API = (
    Family("barnhand_ws_clients", _G, "Open WebSockets"),
    Family("barnhand_api_requests", _C, "Requests answered"),
)
"""What an API process tells the consoles, beside its process figures; scrapes ask it itself."""

API_PREFIX = "api:"
"""Names of API processes among those that publish figures."""

BY_NAME: Mapping[str, Family] = {family.name: family for family in (*NODE, *FARM, *API)}
