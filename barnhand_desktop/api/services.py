"""Everything a request may need, built once from the configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from psycopg_pool import ConnectionPool
from redis import Redis

from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.account_acts import AccountActs
from barnhand_desktop.api.accounts import Accounts
from barnhand_desktop.api.addresses import AddressRules
from barnhand_desktop.api.answer_cache import AnswerCache
from barnhand_desktop.api.audit import AuditTrail
from barnhand_desktop.api.background import Background, background_of
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.api.firsts import Firsts
from barnhand_desktop.api.horse_states import HorseStates
from barnhand_desktop.api.live.hub import EventHub
from barnhand_desktop.api.live.socket import SocketDoor
from barnhand_desktop.api.media_tokens import MediaTokens
from barnhand_desktop.api.metrics import ApiMetrics
from barnhand_desktop.api.model_acts import ModelActs
from barnhand_desktop.api.model_desk import ModelDesk
from barnhand_desktop.api.operation import FarmCollector, NodeCollector
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.rates import Rate, Rates
from barnhand_desktop.api.recordings import Recordings
from barnhand_desktop.api.session_desk import SessionDesk, session_desk
from barnhand_desktop.api.snapshots import Snapshots
from barnhand_desktop.api.stream_states import StreamStates, camera_states
from barnhand_desktop.api.tokens import AccessTokens, load_signing_key
from barnhand_desktop.api.whereabouts import Whereabouts
from db.leases import PostgresCameraLeases
from db.live.announcer import Announcer
from db.live.commands import CommandSender
from db.live.connection import connect
from db.live.node_figures import NodeFigures
from db.pool import open_pool
from db.queue.jobs import PostgresJobQueue
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.analytics import AnalyticsRepository
from db.repositories.areas import PostgresAreaRepository
from db.repositories.audit import AuditRepository
from db.repositories.avatars import AvatarRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.detections import PostgresDetectionRepository
from db.repositories.farms import FarmRepository
from db.repositories.grants import GrantRepository
from db.repositories.horses import PostgresHorseRepository
from db.repositories.identity import PostgresIdentityRepository
from db.repositories.media_folders import PostgresMediaFolders
from db.repositories.models import PostgresModelRegistry
from db.repositories.motion import PostgresMotionRepository
from db.repositories.operation import OperationRepository
from db.repositories.ptz import PostgresPtzRepository
from db.repositories.streams import PostgresStreamRepository
from db.repositories.timeline import PostgresTimelineRepository
from db.repositories.tracking import TrackingRepository
from db.repositories.users import UserRepository
from engine.behaviour.rule_catalogue import default_rules
from engine.domain.behaviour import AlertRepository, MotionRepository, TimelineRepository
from engine.domain.commands import EngineCommand
from engine.domain.errors import EnvironmentFault
from engine.domain.ids import StreamId
from engine.domain.nodes import CameraLeases
from engine.domain.ports import (
    Clock,
    DetectionRepository,
    HorseRepository,
    IdentityRepository,
    StreamRepository,
)
from engine.domain.ptz import PtzRepository
from engine.runtime.clock import SystemClock

log = logging.getLogger(__name__)

_LIVE_ANSWER_S = 1.0
_POOL_WAIT_S = 1.5


@dataclass(frozen=True)
class Services:
    """What the routes work with. ``close`` ends it."""

    config: ApiConfig
    clock: Clock
    pool: ConnectionPool
    redis: Redis
    users: UserRepository
    grants: GrantRepository
    passwords: Passwords
    accounts: Accounts
    audit: AuditTrail
    firsts: Firsts
    audit_rows: AuditRepository
    streams: StreamRepository
    leases: CameraLeases
    detections: DetectionRepository
    recordings: Recordings
    whereabouts: Whereabouts
    horses: HorseRepository
    avatars: AvatarRepository
    identity: IdentityRepository
    tracking: TrackingRepository
    areas: PostgresAreaRepository
    farms: FarmRepository
    ptz: PtzRepository
    motion: MotionRepository
    alerts: AlertRepository
    timeline: TimelineRepository
    analytics: AnalyticsRepository
    answers: AnswerCache
    horse_states: HorseStates
    background: Background
    sessions: SessionDesk
    model_desk: ModelDesk
    announcer: Announcer
    states: StreamStates
    commands: CommandSender
    snapshots: Snapshots
    rates: Rates
    metrics: ApiMetrics
    figures: NodeFigures
    hub: EventHub
    sockets: SocketDoor
    address_rules: AddressRules

    @property
    def account_acts(self) -> AccountActs:
        """What administrators do with accounts."""
        return AccountActs(self.users, self.grants, self.passwords, self.audit, self.announcer)

    @property
    def model_acts(self) -> ModelActs:
        """What administrators do with registered models."""
        return ModelActs(self.model_desk, self.audit)

    def close(self) -> None:
        """Let go of every connection."""
        self.commands.close()
        self.announcer.close()
        self.redis.close()
        self.pool.close()

    def limit(self, subject: str, rate: Rate) -> None:
        """Count a request; Problem 429 with the time to wait when there were too many."""
        wait_s = self.rates.wait_s(subject, rate)
        if wait_s > 0.0:
            raise Problem(
                429,
                "rate_limited",
                "Too many requests; slow down.",
                {"Retry-After": str(max(1, round(wait_s + 0.5)))},
            )

    def sees(self, caller: Caller, stream_id: StreamId) -> bool:
        """Whether a stream is of the caller's farm and, where grants count, granted."""
        return self.grants.sees_stream(
            caller.user_id, caller.farm_id, caller.sees_granted_only, stream_id
        )

    def visible_to(self, caller: Caller) -> frozenset[StreamId]:
        """The streams a caller sees."""
        return self.grants.visible_streams(caller.user_id, caller.farm_id, caller.sees_granted_only)

    def cameras_of(self, caller: Caller) -> frozenset[StreamId] | None:
        """The only cameras whose sight of a horse a caller may be told of; None: all of them."""
        return self.visible_to(caller) if caller.sees_granted_only else None

    def tell_engine(self, command: EngineCommand) -> bool:
        """Send a command; False when no engine heard it."""
        try:
            return self.commands.send(command) > 0
        except EnvironmentFault as error:
            log.warning("the engine was not told of a change: %s", error)
            return False


def build_services(config: ApiConfig) -> Services:
    """Open pools and clients; nothing of this fails while a server is away.

    Raises OperatorMistake for settings that can never work.
    """
    pool = open_pool(config.dsn, config.pool_size, _POOL_WAIT_S, "barnhand-api")
    try:
        return _build(config, pool)
    except BaseException:
        pool.close()
        raise


def _build(config: ApiConfig, pool: ConnectionPool) -> Services:
    clock = SystemClock()
    redis = connect(config.live_url, _LIVE_ANSWER_S)
    users = UserRepository(pool)
    grants = GrantRepository(pool)
    passwords = Passwords()
    signing_key = load_signing_key(config.secret_path)
    accounts = Accounts(users, AccessTokens(signing_key), passwords, clock)
    streams = PostgresStreamRepository(pool, config.credential_key.encode())
    states = StreamStates(redis)
    figures = NodeFigures(redis)
    metrics = ApiMetrics(
        lambda: camera_states(_names(streams), states),
        (NodeCollector(figures), FarmCollector(OperationRepository(pool))),
    )
    hub = EventHub(config.live_url, config.sockets, metrics)
    audit_rows = AuditRepository(pool)
    commands = CommandSender(config.live_url)
    announcer = Announcer(config.live_url)
    whereabouts = Whereabouts(PostgresMediaFolders(pool), config.media_root)

    def visible(caller: Caller) -> frozenset[StreamId]:
        return grants.visible_streams(caller.user_id, caller.farm_id, caller.sees_granted_only)

    return Services(
        config=config,
        clock=clock,
        pool=pool,
        redis=redis,
        users=users,
        grants=grants,
        passwords=passwords,
        accounts=accounts,
        audit=AuditTrail(audit_rows),
        firsts=Firsts(redis),
        audit_rows=audit_rows,
        streams=streams,
        leases=PostgresCameraLeases(pool),
        detections=PostgresDetectionRepository(pool),
        recordings=Recordings(
            PostgresChunkRepository(pool),
            config.media_root,
            MediaTokens(signing_key),
            clock,
            config.hls_delay_s,
            whereabouts.chunk,
        ),
        whereabouts=whereabouts,
        horses=PostgresHorseRepository(pool),
        avatars=AvatarRepository(pool),
        identity=PostgresIdentityRepository(pool),
        tracking=TrackingRepository(pool),
        areas=PostgresAreaRepository(pool),
        farms=FarmRepository(pool),
        ptz=PostgresPtzRepository(pool),
        motion=PostgresMotionRepository(pool),
        alerts=PostgresAlertRepository(pool, default_rules, announcer.alert_updated),
        timeline=PostgresTimelineRepository(pool),
        analytics=AnalyticsRepository(pool),
        answers=AnswerCache(redis),
        horse_states=HorseStates(redis),
        background=background_of(pool, announcer, whereabouts.home),
        sessions=session_desk(
            pool,
            PostgresJobQueue(pool, announcer.job, whereabouts.home),
            whereabouts,
            config.session_upload_bytes,
        ),
        model_desk=ModelDesk(
            PostgresModelRegistry(pool), config.uploads, config.model_upload_bytes, clock
        ),
        announcer=announcer,
        states=states,
        commands=commands,
        snapshots=Snapshots(commands.request_snapshot),
        rates=Rates(redis),
        metrics=metrics,
        figures=figures,
        hub=hub,
        sockets=SocketDoor(
            hub,
            metrics,
            accounts.identify,
            visible,
            config.rates.socket_messages,
            config.remote,
            clock.now,
        ),
        address_rules=AddressRules(
            loopback=not config.remote,
            media_root=config.media_root,
            sites=config.video_sites,
            push_ports=config.push_ports,
            push_remote=config.push_remote,
        ),
    )


def _names(streams: StreamRepository) -> Callable[[], list[tuple[StreamId, str]]]:
    def names() -> list[tuple[StreamId, str]]:
        return [(stream.id, stream.name) for stream in streams.list(None)]

    return names
