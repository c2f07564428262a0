"""The node of this process: every kind of job with what does it."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from barnhand_desktop.installation import Installation
from barnhand_desktop.jobs.capacity import Capacity
from barnhand_desktop.jobs.reanalysis import Reanalysis
from barnhand_desktop.model_store import open_model_store
from db.live.announcer import Announcer
from db.queue.jobs import PostgresJobQueue
from db.queue.node import JobNode
from db.repositories.motion import PostgresMotionRepository
from db.repositories.stored_past import PostgresStoredPast
from engine.domain.ports import StreamRepository
from engine.domain.recording import ChunkRepository, JobKind
from engine.facade import Engine
from engine.models.model_set import load_models
from engine.runtime.clock import SystemClock


@dataclass(frozen=True, slots=True)
class JobStores:
    """What background jobs read and write."""

    pool: ConnectionPool
    streams: StreamRepository
    chunks: ChunkRepository
    jobs: PostgresJobQueue


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
    return JobNode(
        dsn,
        stores.jobs,
        {JobKind.REANALYSE: lane.reanalyse, JobKind.REPROCESS: lane.reprocess},
        has_capacity=Capacity(engine.health, clock),
        feed=lambda: lane.submit_next(stores.jobs, past.farm_of),
        at_rest=lane.at_rest,
    )
