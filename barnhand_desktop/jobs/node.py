"""The node of this process: every kind of job with what does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from barnhand_desktop import __version__
from barnhand_desktop.exports.exporter import Exporter, ExportStores
from barnhand_desktop.exports.packet_facts import PacketStores
from barnhand_desktop.installation import Installation
from barnhand_desktop.jobs.capacity import Capacity
from barnhand_desktop.jobs.reanalysis import Reanalysis
from barnhand_desktop.jobs.session_stretch import StretchStores
from barnhand_desktop.jobs.sessions import SessionAnalysis, SessionStores
from barnhand_desktop.model_store import open_model_store
from db.live.announcer import Announcer
from db.queue.home import MediaHome
from db.queue.jobs import PostgresJobQueue
from db.queue.node import JobNode
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.audit import AuditRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.export_rows import ExportRows
from db.repositories.horses import PostgresHorseRepository
from db.repositories.motion import PostgresMotionRepository
from db.repositories.sessions import PostgresSessionRepository
from db.repositories.stored_past import PostgresStoredPast
from engine.domain.ports import StreamRepository
from engine.domain.recording import ChunkRepository, JobKind
from engine.facade import Engine
from engine.models.model_set import load_models
from engine.models.store import ModelStore
from engine.runtime.clock import SystemClock


@dataclass(frozen=True, slots=True)
class JobStores:
    """What background jobs read and write."""

    pool: ConnectionPool
    streams: StreamRepository
    chunks: ChunkRepository
    jobs: PostgresJobQueue
    home: MediaHome


def job_node(
    place: Installation, dsn: str, stores: JobStores, engine: Engine, announcer: Announcer
) -> JobNode:
    """A node that is not started yet."""
    past = PostgresStoredPast(stores.pool)
    clock = SystemClock()
    lane = Reanalysis(
        place.folders.media,
        stores.chunks,
        stores.streams,
        past,
        PostgresMotionRepository(stores.pool),
        lambda: place.settings.engine,
        lambda settings: load_models(settings, open_model_store(place.folders), clock),
        announcer.chunk_processed,
    )
    exporter = _exporter(place, stores, past)
    exporter.sweep()
    sessions = _sessions(place, stores, past, lane, clock)
    return JobNode(
        dsn,
        stores.jobs,
        {
            JobKind.REANALYSE: lane.reanalyse,
            JobKind.REPROCESS: lane.reprocess,
            JobKind.EXPORT: exporter.export,
            JobKind.SESSION: sessions.analyse,
        },
        home=stores.home,
        has_capacity=Capacity(engine.health, clock),
        feed=lambda: lane.submit_next(stores.jobs, past.farm_of),
        at_rest=lane.at_rest,
    )


def _sessions(
    place: Installation, stores: JobStores, past: PostgresStoredPast, lane: Reanalysis,
    clock: SystemClock,
) -> SessionAnalysis:  # fmt: skip
    motion = PostgresMotionRepository(stores.pool)
    return SessionAnalysis(
        place.folders.media,
        SessionStores(
            PostgresSessionRepository(stores.pool, stores.jobs.home),
            stores.streams,
            PostgresHorseRepository(stores.pool),
            StretchStores(motion, PostgresChunkRepository(stores.pool), past, stores.streams),
        ),
        lane,
        lambda: place.settings.engine.motion.withers_height_m,
        clock,
        f"Barnhand {__version__}",
    )


def _exporter(place: Installation, stores: JobStores, past: PostgresStoredPast) -> Exporter:
    rows = ExportRows(stores.pool)
    packet = PacketStores(
        PostgresMotionRepository(stores.pool),
        PostgresAlertRepository(stores.pool),
        rows,
        lambda: _hashes(open_model_store(place.folders)),
        f"Barnhand {__version__}",
        PostgresChunkRepository(stores.pool),
    )
    return Exporter(
        place.folders.media,
        ExportStores(
            rows,
            stores.chunks,
            past,
            PostgresHorseRepository(stores.pool),
            AuditRepository(stores.pool),
            packet,
        ),
        lambda: place.settings.engine.pose.keypoint_confidence,
    )


def _hashes(store: ModelStore) -> Mapping[str, str]:
    """SHA-256 by ``name@version`` of the models that are listed with one."""
    return {
        f"{entry.name}@{entry.version}": entry.files[0].sha256
        for entry in store.manifest.model
        if entry.files[0].sha256 is not None
    }
