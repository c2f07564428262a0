"""What a node knows of itself, gathered for monitors and the diagnostics page."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from barnhand_desktop.servers.supervisor import ServerSupervisor
from barnhand_desktop.telemetry.catalogue import Figures, Value
from barnhand_desktop.telemetry.gpu import GpuMeter
from barnhand_desktop.telemetry.process import ProcessMeter
from db.delivery import WriterState
from db.live.publisher import LivePublisher
from db.queue.node import JobNode
from db.writer import DetectionWriter
from engine.domain.backups import Backup, BackupDesk, newest_good
from engine.domain.errors import BarnhandError
from engine.facade import Engine

if TYPE_CHECKING:
    from barnhand_desktop.telemetry.traces import Traces

log = logging.getLogger(__name__)

_BACKUPS_EVERY_S = 60.0
_TAKES_ROWS = (WriterState.OK, WriterState.REPLAYING)
Found = dict[str, dict[tuple[str, ...], Value]]


@dataclass(frozen=True, slots=True)
class NodeParts:
    """Whose numbers are told; ``traces`` and ``backups`` None where there are none."""

    engine: Engine
    writer: DetectionWriter
    publisher: LivePublisher
    jobs: JobNode
    supervisor: ServerSupervisor
    media: Path
    traces: Traces | None = None
    backups: BackupDesk | None = None


class NodeMeter:
    """Reads all figures of this process; used by one thread."""

    def __init__(self, parts: NodeParts) -> None:
        self._parts = parts
        self._gpu = GpuMeter()
        self._process = ProcessMeter("engine")
        self._backup: Backup | None = None
        self._backup_mono_s = -_BACKUPS_EVERY_S

    def figures(self) -> Figures:
        """Every figure now, by the names of the catalogue."""
        found: Found = {}
        for some in (
            self._engine(),
            self._histograms(),
            self._stores(),
            self._machine(),
            self._backups(),
            self._process.figures(),
        ):
            found |= some
        return found

    def _engine(self) -> Found:
        health = self._parts.engine.health()
        names = {stream.id: stream.name for stream in self._parts.engine.streams()}
        return {
            "barnhand_camera_picture_age_seconds": {
                (str(one.stream_id), names.get(one.stream_id, "")): one.last_frame_age_s
                for one in health.streams
                if one.last_frame_age_s is not None
            },
            "barnhand_queue_pictures": {(): float(health.queue_depth)},
            "barnhand_queue_dropped": {(): float(sum(s.dropped for s in health.stages))},
            "barnhand_models_degraded": {
                (model.task,): float(model.degraded) for model in health.models
            },
            "barnhand_failed_workers": {(): float(len(health.failed_workers))},
            "barnhand_server_restarts": {
                (server.name,): float(server.restarts) for server in self._parts.supervisor.status()
            },
        }

    def _histograms(self) -> Found:
        times = self._parts.engine.histograms()
        names = {stream.id: stream.name for stream in self._parts.engine.streams()}
        return {
            "barnhand_camera_result_seconds": {
                (str(stream_id), names.get(stream_id, "")): counts
                for stream_id, counts in times.latency_s.items()
            },
            "barnhand_stage_seconds": {(name,): counts for name, counts in times.stage_s.items()},
            "barnhand_batch_pictures": {(): times.batch},
        }

    def _stores(self) -> Found:
        writer, publisher = self._parts.writer, self._parts.publisher
        running = self._parts.jobs.running
        return {
            "barnhand_writer_rows": {(): float(writer.rows_written)},
            "barnhand_writer_rows_dropped": {(): float(writer.rows_dropped)},
            "barnhand_writer_up": {(): float(writer.state in _TAKES_ROWS)},
            "barnhand_writer_queue_items": {(): float(writer.waiting)},
            "barnhand_spool_rows": {(): float(writer.rows_spooled)},
            "barnhand_spool_bytes": {(): float(writer.spool_bytes)},
            "barnhand_live_items": {(): float(publisher.published)},
            "barnhand_live_items_dropped": {(): float(publisher.dropped)},
            "barnhand_live_queue_items": {(): float(publisher.waiting)},
            "barnhand_job_running": {} if running is None else {(running.kind.value,): 1.0},
        }

    def _machine(self) -> Found:
        found: Found = {}
        for gpu in self._gpu.read():
            key = (str(gpu.number), gpu.model)
            if gpu.busy_ratio is not None:
                found.setdefault("barnhand_gpu_busy_ratio", {})[key] = gpu.busy_ratio
            used = found.setdefault("barnhand_gpu_memory_used_bytes", {})
            used[key] = float(gpu.used_bytes)
            total = found.setdefault("barnhand_gpu_memory_total_bytes", {})
            total[key] = float(gpu.total_bytes)
        free = free_bytes(self._parts.media)
        if free is not None:
            found["barnhand_disk_free_bytes"] = {(): float(free)}
        if self._parts.traces is not None:
            sent, given_up = self._parts.traces.counts()
            found["barnhand_trace_spans"] = {(): float(sent)}
            found["barnhand_trace_spans_dropped"] = {(): float(given_up)}
        return found

    def _backups(self) -> Found:
        if self._parts.backups is None:
            return {}
        now_mono_s = time.monotonic()
        if now_mono_s - self._backup_mono_s >= _BACKUPS_EVERY_S:
            self._backup_mono_s = now_mono_s
            try:
                self._backup = newest_good(self._parts.backups.list())
            except BarnhandError as error:
                self._backup = None
                log.info("the backups were not looked at: %s", error)
        if self._backup is None:
            return {}
        age_s = (datetime.now(UTC) - self._backup.created_at).total_seconds()
        return {
            "barnhand_backup_age_seconds": {(): max(age_s, 0.0)},
            "barnhand_backup_bytes": {(): float(self._backup.size_bytes)},
        }


def free_bytes(folder: Path) -> int | None:
    """Room on the disk of a folder; None where the machine cannot tell."""
    for place in (folder, *folder.parents):  # before the first recording there is no folder
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
