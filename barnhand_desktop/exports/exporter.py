"""EXPORT jobs: from a request to a file in the media folder, with its hash and an audit row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from barnhand_desktop.exports.camera_pictures import Recordings
from barnhand_desktop.exports.clip import ClipRequest, write_clip
from barnhand_desktop.exports.names import (
    EXPORTS,
    PART,
    file_name,
    sha256_of,
    shown_name,
    unfinished,
)
from barnhand_desktop.exports.packet import write_packet
from barnhand_desktop.exports.packet_facts import PacketStores, gather
from barnhand_desktop.exports.tables import ending_of, write_tables
from db.repositories.audit import AuditEntry, AuditRepository
from db.repositories.export_rows import TABLES, ExportRows, ExportScope
from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.job_arguments import export_arguments, export_request
from engine.domain.ports import HorseRepository
from engine.domain.recording import (
    ChunkRepository,
    ExportKind,
    ExportRequest,
    Job,
    JobCancelled,
    JobContext,
)
from engine.reanalysis.stored import StoredPast

log = logging.getLogger(__name__)

_ENDINGS = {ExportKind.CLIP: ".mp4", ExportKind.PACKET: ".pdf"}


@dataclass(frozen=True, slots=True)
class ExportStores:
    """Where what is handed out comes from, and where it is noted."""

    rows: ExportRows
    chunks: ChunkRepository
    past: StoredPast
    horses: HorseRepository
    audit: AuditRepository
    packet: PacketStores


class Exporter:
    """Does EXPORT jobs. Used by the node's working thread. ``keypoint_confidence``: landmarks
    below are not drawn."""

    def __init__(
        self, media: Path, stores: ExportStores, keypoint_confidence: Callable[[], float]
    ) -> None:
        self._media = media
        self._stores = stores
        self._confidence = keypoint_confidence

    def export(self, job: Job, context: JobContext) -> Mapping[str, object]:
        """Make the file; the job's result names it (``path``, relative to the media folder), with
        its size, hash and what is in it."""
        request = export_request(job.arguments)
        scope = self._stores.rows.scope(
            job.farm_id, request.stream_ids, request.horse_id, request.start_at, request.end_at
        )
        path = self._path(job, request, scope)
        with unfinished(path) as part:
            details = self._write(request, scope, part, context)
            if context.cancelled:
                raise JobCancelled
        result: dict[str, object] = {
            "path": f"{EXPORTS}/{path.name}",
            "name": shown_name(request.file_name, path.name),
            "size_bytes": path.stat().st_size,
            "sha256": sha256_of(path),
            **details,
        }
        self._stores.audit.add(
            AuditEntry(
                user_id=None,
                username=job.actor[:64],
                api_key_id=None,
                farm_id=job.farm_id,
                action="export.make",
                object_kind="export",
                object_id=str(job.id),
                address=None,
                details={**export_arguments(request), "sha256": result["sha256"]},
            )
        )
        return result

    def sweep(self) -> int:
        """Remove what an export left unfinished when the program was killed; how many. Called
        before the first job."""
        folder = self._media / EXPORTS
        left = list(folder.glob(f"*{PART}*")) if folder.is_dir() else []
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _path(self, job: Job, request: ExportRequest, scope: ExportScope) -> Path:
        if scope.horse is not None:
            who = str(scope.horse["name"] or scope.horse["label"])
        else:
            who = scope.cameras[0][1] if len(scope.cameras) == 1 else "all"
        ending = _ENDINGS.get(request.kind) or ending_of(request.kind, request.tables)
        name = file_name(request.kind.value, who, request.start_at, job.id, ending)
        return self._media / EXPORTS / name

    def _write(
        self, request: ExportRequest, scope: ExportScope, part: Path, context: JobContext
    ) -> dict[str, object]:
        def told(share: float, message: str = "") -> None:
            if context.cancelled:
                raise JobCancelled
            context.progress(min(max(share, 0.0), 0.99), message)

        told(0.0)
        if request.kind is ExportKind.CLIP:
            return self._clip(request, scope, part, told)
        if request.kind is ExportKind.PACKET:
            facts = gather(self._stores.packet, self._recordings(scope.farm_id), scope, told)
            write_packet(facts, part, told)
            return {
                "pages": facts.pages,
                "pictures": len(facts.pictures),
                "elsewhere": facts.elsewhere,
            }
        return self._tables(request, scope, part, told)

    def _clip(
        self, request: ExportRequest, scope: ExportScope, part: Path,
        told: Callable[[float], None],
    ) -> dict[str, object]:  # fmt: skip
        if scope.horse is not None and not request.stream_ids:
            scope_streams = self._cameras_of(scope)
        else:
            scope_streams = tuple(scope.stream_ids)
        asked = ClipRequest(scope_streams, scope.start, scope.end, request.overlays)
        clip = write_clip(self._recordings(scope.farm_id), asked, part, told)
        return {
            "method": clip.method,
            "start_at": clip.start_at.isoformat(),
            "pictures": clip.pictures,
            "covered_s": round(clip.covered_s, 3),
            "chunks": [{"id": str(c.id), "sha256": c.sha256} for c in clip.chunks],
        }

    def _cameras_of(self, scope: ExportScope) -> tuple[StreamId, ...]:
        """The cameras that saw the horse in that time."""
        seen: dict[StreamId, None] = {}
        for strip in self._stores.horses.strips(scope.horse_id, None, scope.start, scope.end):
            seen[strip.stream_id] = None
        if not seen:
            raise OperatorMistake("No camera saw that horse in that time.")
        return tuple(seen)

    def _tables(
        self, request: ExportRequest, scope: ExportScope, part: Path,
        told: Callable[[float, str], None],
    ) -> dict[str, object]:  # fmt: skip
        tables = tuple(dict.fromkeys(request.tables))
        if not tables or not set(tables) <= set(TABLES):
            raise OperatorMistake(f"Tables to export are {', '.join(TABLES)}.")
        whole_s = (scope.end - scope.start).total_seconds()

        def counted(table: str, rows: int, reached: datetime) -> None:
            share = (reached - scope.start).total_seconds() / whole_s
            done = (tables.index(table) + min(max(share, 0.0), 1.0)) / len(tables)
            told(done, f"{rows} rows of {table}")

        counts = write_tables(request.kind, tables, self._stores.rows, scope, part, counted)
        return {"rows": counts}

    def _recordings(self, farm_id: FarmId) -> Recordings:
        names: dict[HorseId, str] = {h.id: h.title for h in self._stores.horses.list(farm_id)}
        return Recordings(
            self._media, self._stores.chunks, self._stores.past, names, self._confidence()
        )
