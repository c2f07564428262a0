"""The composition root: builds servers, stores, models, engine and API from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg_pool import ConnectionPool

from barnhand_desktop import __version__
from barnhand_desktop.alert_watch import AlertNode
from barnhand_desktop.api.accounts import ensure_admin
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.backup.daily import DailyWork, daily_work
from barnhand_desktop.camera_node import CameraNode, camera_node
from barnhand_desktop.installation import Installation
from barnhand_desktop.jobs.node import JobStores, job_node
from barnhand_desktop.logs import REDACTOR
from barnhand_desktop.model_keeper import ModelKeeper
from barnhand_desktop.model_store import open_model_store
from barnhand_desktop.ptz_memory import PtzMemory
from barnhand_desktop.registry import AnnouncedIdentity, RegistryRelay
from barnhand_desktop.servers.api_process import ApiProcess
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.supervisor import ManagedServer, ServerSupervisor
from barnhand_desktop.servers.telling import tell
from barnhand_desktop.servers.valkey import EmbeddedValkey
from barnhand_desktop.settings.secrets import SecretStore
from barnhand_desktop.telemetry.farm import Overview
from barnhand_desktop.telemetry.figures import NodeMeter, NodeParts
from barnhand_desktop.telemetry.reporter import NodeReporter
from db.identity_feed import PostgresRegistryFeed
from db.live.announcer import Announcer
from db.live.commands import RedisCommandBus
from db.live.node_figures import NodeFigures
from db.live.publisher import LivePublisher
from db.migrate import migrate
from db.pool import open_pool
from db.queue.home import MediaHome
from db.queue.jobs import PostgresJobQueue
from db.queue.node import JobNode
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.bookmarks import PostgresBookmarkRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.edits import PostgresEditRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.horses import PostgresHorseRepository
from db.repositories.identity import PostgresIdentityRepository
from db.repositories.media_folders import PostgresMediaFolders
from db.repositories.models import PostgresModelRegistry
from db.repositories.motion import PostgresMotionRepository
from db.repositories.operation import OperationRepository
from db.repositories.ptz import PostgresPtzRepository
from db.repositories.streams import PostgresStreamRepository
from db.repositories.timeline import PostgresTimelineRepository
from db.repositories.views import PostgresViewRepository
from db.writer import DetectionWriter
from engine.behaviour.rule_catalogue import default_rules
from engine.domain.notices import Notice
from engine.facade import Engine
from engine.models.model_set import load_models, open_chosen
from engine.recording.layout import media_id
from engine.recording.recorder import Recorder
from engine.runtime.clock import SystemClock

if TYPE_CHECKING:
    from barnhand_desktop.telemetry.traces import Traces


@dataclass
class Servers:
    """The servers of this machine that were started, and the addresses to reach all of them."""

    dsn: str
    live_url: str
    started: list[ManagedServer] = field(default_factory=list)
    timescale: bool = False

    @classmethod
    def start(cls, place: Installation) -> Servers:
        """Start the embedded servers that the settings ask for and bring the database up to date.

        Raises EnvironmentFault or OperatorMistake with what to do; what was started is stopped.
        """
        settings, folders = place.settings, place.folders
        servers = cls(
            settings.database.dsn.get_secret_value(), settings.live.url.get_secret_value()
        )
        try:
            if settings.database.mode == "embedded":
                postgres = EmbeddedPostgres(folders.postgres)
                servers.dsn = postgres.start()
                servers.started.append(postgres)
            if settings.live.mode == "embedded":
                valkey = EmbeddedValkey(folders.valkey)
                servers.live_url = valkey.start()
                servers.started.append(valkey)
            REDACTOR.add([servers.dsn, servers.live_url])
            servers.timescale = migrate(servers.dsn).timescale
        except BaseException:
            servers.stop()
            raise
        return servers

    def stop(self) -> None:
        """Stop what was started, the last first."""
        for server in reversed(self.started):
            server.stop()


def api_config(place: Installation, servers: Servers, secrets: SecretStore) -> ApiConfig:
    """The API process's configuration; it travels over the child's standard input."""
    api, capture = place.settings.api, place.settings.engine.capture
    traces = place.settings.telemetry.traces
    return ApiConfig(
        dsn=servers.dsn,
        live_url=servers.live_url,
        secret_path=place.folders.data / "api-token-key",
        credential_key=secrets.credential_key_text(),
        host=api.host,
        port=api.port,
        cors_origins=api.cors_origins,
        public_hosts=api.public_hosts,
        trusted_proxies=api.trusted_proxies,
        tls_certificate=api.tls_certificate,
        tls_key=api.tls_key,
        tls_ends_upstream=api.tls_ends_upstream,
        media_root=place.folders.media,
        upload_folder=place.folders.data / "uploads",
        model_upload_mb=api.model_upload_mb,
        session_upload_mb=api.session_upload_mb,
        hls_delay_s=place.settings.engine.recording.hls_delay_s,
        video_sites=capture.web_video.sites,
        push_ports=(capture.push.first_port, capture.push.last_port),
        push_remote=capture.push.remote,
        metrics=place.settings.telemetry.metrics,
        traces_endpoint=traces.endpoint if traces.enabled else None,
        traces_share=traces.sample_share,
    )


@dataclass
class Barn:
    """Everything that runs, built but not started; ``lifecycle`` starts and stops it."""

    place: Installation
    servers: Servers
    pool: ConnectionPool
    streams: PostgresStreamRepository
    views: PostgresViewRepository
    horses: PostgresHorseRepository
    identity: AnnouncedIdentity
    motion: PostgresMotionRepository
    alerts: PostgresAlertRepository
    timeline: PostgresTimelineRepository
    alert_node: AlertNode
    announcer: Announcer
    feed: PostgresRegistryFeed
    registry: RegistryRelay
    writer: DetectionWriter
    publisher: LivePublisher
    bus: RedisCommandBus
    engine: Engine
    cameras: CameraNode
    chunks: PostgresChunkRepository
    recorder: Recorder
    ptz: PostgresPtzRepository
    ptz_memory: PtzMemory
    jobs: PostgresJobQueue
    job_node: JobNode
    bookmarks: PostgresBookmarkRepository
    edits: PostgresEditRepository
    api: ApiProcess | None
    supervisor: ServerSupervisor
    reporter: NodeReporter
    overview: Overview
    traces: Traces | None
    daily: DailyWork
    registered: PostgresModelRegistry
    model_keeper: ModelKeeper
    admin_password: str | None


def build(place: Installation, servers: Servers, console: bool = False) -> Barn:
    """Wire the parts together on running servers; ``console``: with a window."""
    settings, folders = place.settings, place.folders
    secrets = SecretStore(folders.data)
    pool = open_pool(servers.dsn, settings.database.pool_size)
    told = _NoticeRelay()
    writer = DetectionWriter(
        servers.dsn,
        folders.spool / "detections.sqlite",
        told,
        settings.storage.spool_max_mb * 1024 * 1024,
        settings.storage.retention_days,
    )
    publisher = LivePublisher(servers.live_url, told)
    clock, store = SystemClock(), open_model_store(folders)
    models = load_models(settings.engine, store, clock)
    folder = media_id(folders.media)
    chunks = PostgresChunkRepository(pool, folder)
    recorder = Recorder(settings.engine.recording, folders.media, chunks, told)
    engine = Engine(
        settings.engine,
        models,
        (writer, publisher, recorder),
        recordings=folders.media / "scans",
        tap=recorder,
    )
    told.engine = engine
    announcer = Announcer(servers.live_url)
    ptz = PostgresPtzRepository(pool)
    registered = PostgresModelRegistry(pool)
    jobs = PostgresJobQueue(pool, announcer.job, lambda: folder)
    embedder = models.embedder
    api = ApiProcess(api_config(place, servers, secrets)) if settings.api.enabled else None
    watched = [*servers.started, *([api] if api is not None else [])]
    key = secrets.credential_key_text().encode()
    streams = PostgresStreamRepository(pool, key)
    horses, motion = PostgresHorseRepository(pool), PostgresMotionRepository(pool)
    alerts = PostgresAlertRepository(pool, default_rules, announcer.alert_updated)
    alert_node = AlertNode(DEFAULT_FARM, motion, alerts, horses, engine, announcer, chunks)
    supervisor = ServerSupervisor(watched, tell(told))
    cameras = camera_node(place, (servers.dsn, servers.live_url), engine, streams, console)
    node = cameras.keeper.card.name
    home = MediaHome(PostgresMediaFolders(pool), folder, node)
    stores = JobStores(pool, streams, chunks, jobs, home)
    jobs_here = job_node(place, servers.dsn, stores, engine, announcer)
    traces = _traces(place, node)
    daily = daily_work(place, servers.dsn, pool, told)
    meter = NodeMeter(
        NodeParts(
            engine, writer, publisher, jobs_here, supervisor, folders.media, traces, daily.keeper
        )
    )
    reporter = NodeReporter(node, servers.live_url, meter.figures, folders.data / "alive")
    return Barn(
        place=place,
        servers=servers,
        pool=pool,
        streams=streams,
        views=PostgresViewRepository(pool),
        horses=horses,
        identity=AnnouncedIdentity(PostgresIdentityRepository(pool), announcer),
        motion=motion,
        alerts=alerts,
        timeline=PostgresTimelineRepository(pool),
        alert_node=alert_node,
        announcer=announcer,
        feed=PostgresRegistryFeed(servers.dsn, None if embedder is None else embedder.model_id),
        registry=RegistryRelay(engine.load_registry, publisher.on_registry, alert_node.on_registry),
        writer=writer,
        publisher=publisher,
        bus=RedisCommandBus(servers.live_url),
        engine=engine,
        cameras=cameras,
        chunks=chunks,
        recorder=recorder,
        ptz=ptz,
        ptz_memory=PtzMemory(engine.ptz, ptz),
        jobs=jobs,
        job_node=jobs_here,
        bookmarks=PostgresBookmarkRepository(pool),
        edits=PostgresEditRepository(pool, announcer.corrected),
        api=api,
        supervisor=supervisor,
        reporter=reporter,
        overview=Overview(reporter, NodeFigures(servers.live_url), OperationRepository(pool)),
        traces=traces,
        daily=daily,
        registered=registered,
        model_keeper=ModelKeeper(
            registered,
            engine,
            lambda entry, path: open_chosen(entry, path, engine.settings, store, clock),
            folders.models / "registered",
            clock,
        ),
        admin_password=ensure_admin(pool),
    )


def _traces(place: Installation, node: str) -> Traces | None:
    wanted = place.settings.telemetry.traces
    if not wanted.enabled:
        return None
    from barnhand_desktop.telemetry.traces import start  # the SDK costs time and memory

    return start(wanted.endpoint, wanted.sample_share, "barnhand-engine", __version__, node)


class _NoticeRelay:
    """Brings what the stores tell to the engine's standing notices."""

    def __init__(self) -> None:
        self.engine: Engine | None = None

    def __call__(self, notice: Notice) -> None:
        if self.engine is not None:
            self.engine.notify(notice)


def tour_addresses() -> Sequence[str]:
    """Cameras of one simulated farm, shown when there is no other."""
    return tuple(f"simulated://barn/{name}" for name in ("stall", "aisle", "paddock", "arena"))
