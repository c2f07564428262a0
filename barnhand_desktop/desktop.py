"""The console front: the window over the engine. The only file beside ``ui`` that knows Qt."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from barnhand_desktop import __version__, lifecycle
from barnhand_desktop.account_desk import ConsoleAccountDesk
from barnhand_desktop.api.account_acts import AccountActs
from barnhand_desktop.api.audit import AuditTrail
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.console_models import ConsoleModelDesk
from barnhand_desktop.headless import streams_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.remote_desk import ConsoleRemoteDesk
from barnhand_desktop.servers.supervisor import ServerState
from barnhand_desktop.settings.loader import save_settings
from barnhand_desktop.settings.schema import Settings
from barnhand_desktop.settings.secrets import SecretStore
from barnhand_desktop.telemetry.figures import free_bytes
from barnhand_desktop.wiring import Barn, Servers, api_config, build, tour_addresses
from db.delivery import WriterState
from db.live.publisher import PublisherState
from db.repositories.audit import AuditRepository
from db.repositories.calendar import PostgresCalendarRepository
from db.repositories.farms import DEFAULT_FARM, FarmRepository
from db.repositories.grants import GrantRepository
from db.repositories.sessions import PostgresSessionRepository
from db.repositories.users import UserRepository
from engine.facade import Engine
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from ui.app import run_console
from ui.engine_bridge import FacadeBridge
from ui.engine_port import EngineBridge
from ui.services import (
    ConsoleServices,
    Level,
    NodeState,
    PartState,
    SettingsAccess,
    SystemStatus,
)

LOG_LINES_KEPT = 500
NODES_SHOWN_S = 3600.0
LOW_DISK_BYTES = 5 * 1024**3


class LogTail(logging.Handler):
    """The newest log lines, for the diagnostics page."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self._lines.append(self.format(record))

    def lines(self) -> Sequence[str]:
        """Oldest first."""
        return tuple(self._lines)


class FileSettings:
    """Meets ``ui.services.SettingsAccess`` with the settings file."""

    def __init__(self, place: Installation, engine: Engine) -> None:
        self._place = place
        self._engine = engine
        self.current: Settings = place.settings

    @property
    def path(self) -> Path:
        """The file."""
        return self._place.settings_path

    @property
    def place(self) -> Installation:
        """The installation with the settings in force."""
        return replace(self._place, settings=self.current)

    def adopt(self, settings: Settings) -> None:
        """These were stored in the file, by another way than ``save``."""
        self.current = settings

    def engine_settings(self) -> EngineSettings:
        """What the engine uses now."""
        return self.current.engine

    def save(self, changes: Mapping[str, object]) -> None:
        """Store changes and let the engine use those that need no restart."""
        self.current = save_settings(self.path, changes, self._place.environment)
        self._engine.apply(self.current.engine)


def run_desktop(place: Installation, files: Sequence[str], argv: Sequence[str]) -> int:
    """Start everything, show the window until it is closed, stop everything."""
    tail = LogTail()
    logging.getLogger().addHandler(tail)
    servers = Servers.start(place)
    try:
        barn = build(place, servers, console=True)
    except BaseException:
        servers.stop()
        raise
    try:
        for stream in streams_of(files):
            barn.streams.ensure(stream)
        if not barn.streams.list() and place.settings.console.tour:
            for stream in streams_of(tour_addresses()):
                barn.streams.ensure(stream)
        lifecycle.start(barn)
        access = FileSettings(place, barn.engine)
        bridge = FacadeBridge(barn.engine, access.engine_settings, barn.cameras)
        services = replace(
            barn_services(barn, access, bridge),
            log_lines=tail.lines,
            admin_notice=barn.admin_password,
            watch_here=barn.cameras.keeper.ask_for,
            models=barn.registered,
            models_changed=barn.model_keeper.refresh,
            backups=barn.daily.keeper,
            model_desk=model_desk(barn, access),
            remote=remote_desk(barn, access),
            accounts=ConsoleAccountDesk(account_acts(barn), FarmRepository(barn.pool)),
        )
        return run_console(services, argv)
    finally:
        lifecycle.stop(barn)
        logging.getLogger().removeHandler(tail)


def barn_services(barn: Barn, settings: SettingsAccess, bridge: EngineBridge) -> ConsoleServices:
    """What any console shows and corrects of a running barn; without what is this program's own:
    its log, its backups and the desks of administrators."""
    return ConsoleServices(
        engine=bridge,
        streams=barn.streams,
        views=barn.views,
        settings=settings,
        system=lambda: system_status(barn),
        log_lines=lambda: (),
        version=__version__,
        horses=barn.horses,
        identity=barn.identity,
        on_registry_changed=barn.registry.subscribe,
        ptz_store=barn.ptz,
        plans_changed=barn.ptz_memory.plans_changed,
        timeline=barn.timeline,
        motion=barn.motion,
        alerts=barn.alerts,
        chunks=barn.chunks,
        jobs=barn.jobs,
        bookmarks=barn.bookmarks,
        edits=barn.edits,
        media_folder=barn.place.folders.media,
        farm_id=DEFAULT_FARM,
        sessions=PostgresSessionRepository(barn.pool, barn.jobs.home),
        calendar=PostgresCalendarRepository(barn.pool),
    )


def account_acts(barn: Barn) -> AccountActs:
    """What administrators of the API do with accounts, done from here."""
    return AccountActs(
        UserRepository(barn.pool),
        GrantRepository(barn.pool),
        Passwords(),
        AuditTrail(AuditRepository(barn.pool)),
        barn.announcer,
    )


def model_desk(barn: Barn, access: FileSettings) -> ConsoleModelDesk:
    """Where models are registered and chosen."""
    return ConsoleModelDesk(
        barn.registered,
        barn.streams,
        AuditTrail(AuditRepository(barn.pool)),
        barn.place.folders.data / "uploads",
        lambda: access.current.api.model_upload_mb << 20,
        DEFAULT_FARM,
        SystemClock(),
        barn.model_keeper.refresh,
    )


def remote_desk(barn: Barn, access: FileSettings) -> ConsoleRemoteDesk:
    """Where remote access is switched."""
    secrets = SecretStore(barn.place.folders.data)
    return ConsoleRemoteDesk(
        lambda: access.place,
        access.adopt,
        lambda place: api_config(place, barn.servers, secrets),
        barn.api,
        barn.supervisor,
        UserRepository(barn.pool),
        AuditTrail(AuditRepository(barn.pool)),
    )


def system_status(barn: Barn) -> SystemStatus:
    """One look at everything around the engine; touches the disk, so call it on a worker."""
    servers = {status.name: status for status in barn.supervisor.status()}

    def server(name: str, kind: str, shared: PartState) -> PartState:
        status = servers.get(name)
        if status is None:
            return shared
        if status.state is ServerState.RUNNING:
            return PartState(Level.OK, f"{kind}, embedded")
        return PartState(Level.AWAY, status.reason or status.state.value)

    writer = barn.writer.state
    writing = {
        WriterState.OK: PartState(Level.OK, "writing"),
        WriterState.STARTING: PartState(Level.DEGRADED, "connecting"),
        WriterState.REPLAYING: PartState(Level.DEGRADED, "sending what waited on disk"),
        WriterState.SPOOLING: PartState(Level.DEGRADED, "server away, keeping rows on disk"),
    }.get(writer, PartState(Level.AWAY, writer.value))
    live = barn.publisher.state
    database = "TimescaleDB" if barn.servers.timescale else "PostgreSQL"
    free = free_bytes(barn.place.folders.data)
    low = free is not None and free < LOW_DISK_BYTES
    api_url = "" if barn.api is None else barn.api.reached_at
    return SystemStatus(
        database=server("postgresql", database, PartState(writing.level, database)),
        live=server("valkey", "Valkey", PartState(Level.OK, "shared"))
        if live is PublisherState.OK
        else PartState(Level.AWAY, live.value),
        api=PartState(Level.OK, "running") if api_url else PartState(Level.AWAY, "not running"),
        disk=PartState(Level.DEGRADED if low else Level.OK, "low" if low else "enough room"),
        writer=writing,
        api_url=api_url,
        rows_written=barn.writer.rows_written,
        rows_spooled=barn.writer.rows_spooled,
        media_free_bytes=free,
        cpu_percent=psutil.cpu_percent(interval=None),
        nodes=_nodes(barn),
        figures=barn.overview.figures(),
    )


def _nodes(barn: Barn) -> tuple[NodeState, ...]:
    """Everybody who was heard of within the last hour, as the server last said."""
    table = barn.cameras.keeper.holdings.table
    if table is None:
        return ()
    names = {stream.id: stream.name for stream in barn.engine.streams()}
    silent = {node.id: (table.at - node.last_seen_at).total_seconds() for node in table.nodes}
    return tuple(
        NodeState(
            node.name,
            node.id == barn.cameras.keeper.card.id,
            node.alive,
            tuple(sorted(names.get(stream_id, "…") for stream_id in node.cameras)),
            node.version,
            max(silent[node.id], 0.0),
        )
        for node in table.nodes
        if node.alive or silent[node.id] < NODES_SHOWN_S
    )
