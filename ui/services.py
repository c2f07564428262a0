"""What the application hands to the console: ports, never adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from engine.domain.accounts import AccountDesk
from engine.domain.backups import BackupDesk
from engine.domain.behaviour import AlertRepository, MotionRepository, TimelineRepository
from engine.domain.health import HistogramCounts
from engine.domain.ids import FarmId, StreamId
from engine.domain.model_desk import ModelDesk
from engine.domain.models import ModelRegistry
from engine.domain.ports import (
    HorseRepository,
    IdentityRepository,
    StreamRepository,
    ViewRepository,
)
from engine.domain.ptz import PtzRepository
from engine.domain.recording import (
    BookmarkRepository,
    ChunkRepository,
    EditRepository,
    JobQueue,
)
from engine.domain.remote import RemoteDesk
from engine.domain.sessions import CalendarRepository, SessionRepository
from ui.engine_port import EngineBridge


class Level(StrEnum):
    """How a part of the system is doing."""

    OK = "ok"
    DEGRADED = "degraded"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class PartState:
    """One part of the system: its level and a few words ("TimescaleDB", "spooling to disk")."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class NodeState:
    """One workstation that shares the cameras: ``here`` is this one; ``cameras`` are the names of
    those it watches; ``silent_s`` since it was last heard of, by the server's clock."""

    name: str
    here: bool
    alive: bool
    cameras: tuple[str, ...]
    version: str
    silent_s: float


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """One look at everything around the engine. Sizes in bytes, load in percent; None where the
    machine cannot tell. ``figures``: what is measured, by the names and labels of the metrics in
    the manual (without ``_total``)."""

    database: PartState
    live: PartState
    api: PartState
    disk: PartState
    writer: PartState
    api_url: str
    rows_written: int
    rows_spooled: int
    media_free_bytes: int | None
    cpu_percent: float | None
    gpu_text: str = ""
    figures: Mapping[str, Mapping[tuple[str, ...], float | HistogramCounts]] = field(
        default_factory=dict
    )
    nodes: tuple[NodeState, ...] = ()


class SettingsAccess(Protocol):
    """The application's settings. ``save`` may touch the disk and is called on a worker."""

    @property
    def current(self) -> BaseModel:
        """The settings in force, a frozen pydantic model of nested sections."""
        ...

    @property
    def path(self) -> Path:
        """The file that holds them."""
        ...

    def save(self, changes: Mapping[str, object]) -> None:
        """Store and apply changed values by dotted name (``engine.analysis.fps``).

        Raises OperatorMistake whose message names the field.
        """
        ...


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """Everything the console needs. ``system`` and the repositories may block and are only
    called on workers. ``on_registry_changed`` registers a callback, called on a thread of the
    feed after every change of the registry by anybody. ``log_lines`` gives the newest log lines,
    oldest first. ``admin_notice`` is the first administrator's password, shown once, or None.
    ``ptz_store`` keeps tours and scan plans (None: for this run only); ``plans_changed`` is called
    on a worker after a change of them. ``watch_here`` asks the workstation that watches a camera to
    hand it to this one; it may block; False when none does. ``timeline`` to ``edits``,
    ``sessions`` and ``calendar`` are None where the store does not offer them: what needs them says
    so. ``media_folder``: paths of chunks
    and of exports lie in it, None where they are not on this machine. ``backups``: None where this
    console makes none. ``farm_id``: whose console this is. ``models``: models registered
    with the server; ``models_changed`` is called on a worker after a choice of them. ``remote`` and
    ``accounts``: who may come in over the API, and ``model_desk``: where models are registered;
    None where this console has none."""

    engine: EngineBridge
    streams: StreamRepository
    views: ViewRepository
    settings: SettingsAccess
    system: Callable[[], SystemStatus]
    log_lines: Callable[[], Sequence[str]]
    version: str
    horses: HorseRepository
    identity: IdentityRepository
    on_registry_changed: Callable[[Callable[[], None]], None]
    admin_notice: str | None = None
    ptz_store: PtzRepository | None = None
    plans_changed: Callable[[], None] | None = None
    watch_here: Callable[[StreamId], bool] | None = None
    timeline: TimelineRepository | None = None
    motion: MotionRepository | None = None
    alerts: AlertRepository | None = None
    chunks: ChunkRepository | None = None
    jobs: JobQueue | None = None
    bookmarks: BookmarkRepository | None = None
    edits: EditRepository | None = None
    media_folder: Path | None = None
    backups: BackupDesk | None = None
    farm_id: FarmId | None = None
    models: ModelRegistry | None = None
    models_changed: Callable[[], None] | None = None
    sessions: SessionRepository | None = None
    calendar: CalendarRepository | None = None
    remote: RemoteDesk | None = None
    accounts: AccountDesk | None = None
    model_desk: ModelDesk | None = None
