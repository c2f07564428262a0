"""Two weeks of the simulated farm, put into a store, so that pictures show more than minutes.

The days are those of the simulated farm in real time (``engine.simulation.days``); what its truth
says of each horse in sight of the cameras ``stall`` and ``paddock`` is stored as bouts, as the
engine would tell them. Every other evening one horse is trotted up and down before the arena
camera: its strides are measured by the program's own motion chain from keypoints with modelled
errors. Alerts are what the program's own watch raises when it is taken through the last days.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import cv2
from psycopg_pool import ConnectionPool

from barnhand_desktop.alert_watch import PICTURE_BYTES, within_bytes
from barnhand_desktop.wiring import Barn
from db.motion_store import MotionStore
from db.pool import transaction
from db.repositories.farms import DEFAULT_FARM
from db.repositories.motion import PostgresMotionRepository
from db.track_colours import colour_hex
from engine.behaviour.rules import CameraFact
from engine.behaviour.watch import AlertWatch, EngineFacts
from engine.domain.behaviour import Alert, OwnedBout
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId, new_track_id
from engine.domain.motion import Bout, BoutId, BoutKind, Stride
from engine.domain.streams import Stream
from engine.evaluation.simulated_poses import REALISTIC, simulated_series
from engine.motion.gait import analyse
from engine.motion.strides import StrideClock, strides_of
from engine.simulation.days import EventKind, Planned, day
from engine.simulation.farm import SimulatedFarm
from engine.simulation.history import bouts_between
from engine.simulation.rendering import render
from engine.simulation.scenarios import trot_in_hand
from engine.simulation.truth import TrueBout

log = logging.getLogger(__name__)

DAYS = 14
HORSES = 5
SEED = 5
TROTTED = 0
"""Place in the herd of the horse that is trotted, and of the one that the events are about: its
stall has a camera."""
TROT_FPS, TROT_MINUTES, TROT_HOUR, TROT_EVERY = 25.0, 1.0, 18.0, 2
DAY_S = 86_400.0
LOOK_EVERY = timedelta(minutes=5)
EVENTS = (
    Planned(EventKind.LONG_RECUMBENCY, TROTTED, 1.0, 3.5),
    Planned(EventKind.ROLLING, TROTTED, 21.0, 0.7),
)
"""What happened yesterday."""
_POSTURES = {
    "standing": "upright", "sternal": "sternal", "lateral": "lateral", "rolling": "lateral",
    "lowering": "changing", "rising": "changing",
}  # fmt: skip
_FILMED = {"stall 1": "stall", "paddock": "paddock"}


@dataclass(frozen=True)
class Past:
    """What was put in: horses by place in the herd, and the farm as it was yesterday."""

    horses: tuple[HorseId, ...]
    yesterday: SimulatedFarm
    midnight: datetime
    """Yesterday's, local."""
    cameras: Mapping[str, Stream]


def store_past(barn: Barn, streams: Sequence[Stream]) -> Past:
    """Store the days before now, and what the watch raises over them. ``streams``: those of the
    simulated places ``stall``, ``paddock`` and ``arena``, stored if they are not yet."""
    cameras = {s.address.rpartition(":")[2]: barn.streams.ensure(s) for s in streams}
    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    horses = store_horses(barn, day(SEED + 1, EVENTS, HORSES, compress=1.0))
    yesterday: SimulatedFarm | None = None
    midnight = today
    for back in reversed(range(DAYS)):
        start = today - timedelta(days=back)
        farm = day(SEED + back, EVENTS if back == 1 else (), HORSES, compress=1.0)
        until = min(datetime.now(UTC), start + timedelta(days=1))
        _store_day(barn, farm, start, until, horses, cameras)
        trot_at = start + timedelta(hours=TROT_HOUR)
        due = back % TROT_EVERY == 1
        if due and trot_at + timedelta(minutes=TROT_MINUTES) < until:
            _store_trot(barn, trot_at, DAYS - back, horses[TROTTED], cameras["arena"])
        if back == 1:
            yesterday, midnight = farm, start
    assert yesterday is not None
    past = Past(horses, yesterday, midnight, cameras)
    for alert in _raise_alerts(barn, past):
        log.info("raised: %s", alert.message)
    return past


def _raise_alerts(barn: Barn, past: Past) -> Sequence[Alert]:
    """Take the program's watch from yesterday's midnight to now; what it raised."""
    clock = _HeldClock(past.midnight)
    engine = _FarmOfYesterday(past, past.cameras["stall"], clock)
    heard = _Heard()
    watch = AlertWatch(
        DEFAULT_FARM, _UntilNow(barn.pool, clock), barn.alerts, barn.horses, engine, heard, clock
    )
    while clock.at < datetime.now(UTC):
        watch.look()
        clock.at += LOOK_EVERY
    return heard.alerts


# --- the watch's surroundings ---------------------------------------------------------------------


class _HeldClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at.astimezone(UTC)

    def mono_s(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class _FarmOfYesterday:
    """All cameras work; a picture is what the stall's camera sees at that minute."""

    def __init__(self, past: Past, stall: Stream, clock: _HeldClock) -> None:
        self._past, self._stall, self._clock = past, stall, clock

    def facts(self) -> EngineFacts:
        return EngineFacts((CameraFact(self._stall.id, self._stall.name),))

    def picture(self, stream_id: StreamId) -> bytes | None:
        at_s = (self._clock.at - self._past.midnight).total_seconds()
        if stream_id != self._stall.id or at_s >= DAY_S:
            return None
        farm = self._past.yesterday
        done, data = cv2.imencode(".jpg", render(farm, farm.camera("stall"), at_s))
        return within_bytes(bytes(data), PICTURE_BYTES) if done else None


class _UntilNow(PostgresMotionRepository):
    """The stored bouts as far as they had come at the clock's time."""

    def __init__(self, pool: ConnectionPool, clock: _HeldClock) -> None:
        super().__init__(pool)
        self._clock = clock

    def bouts(
        self,
        start: datetime,
        end: datetime,
        horse_ids: Collection[HorseId] | None = None,
        stream_id: StreamId | None = None,
        kinds: Collection[BoutKind] | None = None,
        farm_id: FarmId | None = None,
        limit: int = 10_000,
    ) -> Sequence[OwnedBout]:
        now = self._clock.now()
        told = super().bouts(start, end, horse_ids, stream_id, kinds, farm_id, limit)
        return [
            replace(one, bout=replace(one.bout, end_at=min(one.bout.end_at, now)))
            for one in told
            if one.bout.start_at < now
        ]


class _Heard:
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def raised(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def ended(self, alerts: Sequence[Alert]) -> None:
        """Nothing hangs on it here."""


# --- rows, as the writer leaves them --------------------------------------------------------------


def store_horses(barn: Barn, farm: SimulatedFarm) -> tuple[HorseId, ...]:
    """Put the horses of a farm into the registry, by their names."""
    stored = []
    with transaction(barn.pool, "storing simulated horses") as connection:
        for horse in farm.horses:
            row = connection.execute("SELECT next_tracking_number(%s)", (DEFAULT_FARM,)).fetchone()
            number = int(row[0]) if row else 0
            horse_id = HorseId(uuid4())
            connection.execute(
                "INSERT INTO horses (id, farm_id, tracking_number, label, name, status, "
                "colour_hex) VALUES (%s, %s, %s, %s, %s, 'active', %s)",
                (horse_id, DEFAULT_FARM, number, f"horse_{number:03d}", horse.name,
                 colour_hex(number % 10)),
            )  # fmt: skip
            stored.append(horse_id)
    return tuple(stored)


def _store_track(
    barn: Barn, camera: Stream, horse_id: HorseId, start: datetime, end: datetime
) -> TrackId:
    track_id = new_track_id()
    with transaction(barn.pool, "storing a simulated track") as connection:
        connection.execute(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, "
            "detections, confidence) SELECT %s, key, 1, 0, %s, %s, 0, 0.9 FROM streams "
            "WHERE id = %s",
            (track_id, start, end, camera.id),
        )
        connection.execute(
            "INSERT INTO identity_spans (track_id, horse_id, confidence) VALUES (%s, %s, 0.9)",
            (track_id, horse_id),
        )
    return track_id


def _store_day(
    barn: Barn,
    farm: SimulatedFarm,
    start: datetime,
    until: datetime,
    horses: Sequence[HorseId],
    cameras: Mapping[str, Stream],
) -> None:
    places = {horse.id: index for index, horse in enumerate(farm.horses)}
    end_s = (until - start).total_seconds()
    stays: dict[tuple[int, str], list[TrueBout]] = {}
    for one in bouts_between(farm, 0.0, end_s):
        camera = _FILMED.get(one.place)
        if camera is not None and one.start_s < end_s:
            cut = replace(one, end_s=min(one.end_s, end_s))
            stays.setdefault((places[one.horse_id], camera), []).extend(_beside_trot(cut))
    for (place, camera), bouts in stays.items():
        for stay in _unbroken(bouts):
            ends = (start + timedelta(seconds=stay[0].start_s),
                    start + timedelta(seconds=stay[-1].end_s))  # fmt: skip
            track = _store_track(barn, cameras[camera], horses[place], *ends)
            told = [bout for one in stay for bout in _told(one, start, track, cameras[camera].id)]
            with transaction(barn.pool, "storing simulated bouts") as connection:
                MotionStore(connection).tell(told, [])


def _beside_trot(bout: TrueBout) -> Sequence[TrueBout]:
    """A bout without the minutes in which the horse is away in the arena."""
    gone_s, back_s = TROT_HOUR * 3600.0, (TROT_HOUR * 60.0 + TROT_MINUTES) * 60.0
    parts = ((bout.start_s, min(bout.end_s, gone_s)), (max(bout.start_s, back_s), bout.end_s))
    return [replace(bout, start_s=a, end_s=b) for a, b in parts if b > a]


def _unbroken(bouts: Sequence[TrueBout]) -> Sequence[list[TrueBout]]:
    stays: list[list[TrueBout]] = []
    for one in sorted(bouts, key=lambda b: b.start_s):
        if stays and one.start_s - stays[-1][-1].end_s < 1.0:
            stays[-1].append(one)
        else:
            stays.append([one])
    return stays


def _told(one: TrueBout, start: datetime, track: TrackId, camera: StreamId) -> Sequence[Bout]:
    words = (
        (BoutKind.POSTURE, _POSTURES[one.posture]),
        (BoutKind.ACTION, one.action),
        (BoutKind.GAIT, one.gait),
    )
    begin, end = start + timedelta(seconds=one.start_s), start + timedelta(seconds=one.end_s)
    return [
        Bout(BoutId(uuid4()), track, camera, kind, word, begin, end, 0.9, provisional=False)
        for kind, word in words
    ]


def _store_trot(barn: Barn, at: datetime, number: int, horse_id: HorseId, arena: Stream) -> None:
    """Trot in hand: the head nods a little more with every day."""
    farm = trot_in_hand(SEED, (2.0 + 1.2 * number, -2.0, 2.0, 1.0))
    end_s = TROT_MINUTES * 60.0
    track = _store_track(barn, arena, horse_id, at, at + timedelta(seconds=end_s))
    clock = StrideClock(track, arena.id, at)
    strides: list[Stride] = []
    for one in simulated_series(farm, "arena", TROT_FPS, 0.0, end_s, REALISTIC, number):
        strides += strides_of(one.series, analyse(one.series), clock)
    gait = Bout(
        BoutId(uuid4()), track, arena.id, BoutKind.GAIT, "trot", at,
        at + timedelta(seconds=end_s), 0.9, provisional=False,
    )  # fmt: skip
    action = replace(gait, id=BoutId(uuid4()), kind=BoutKind.ACTION, value="running")
    with transaction(barn.pool, "storing simulated strides") as connection:
        MotionStore(connection).tell([gait, action], strides)
