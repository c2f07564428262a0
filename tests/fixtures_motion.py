"""A barn in a real database whose horses move: bouts and strides as the writer tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from db.motion_store import MotionStore
from db.pool import transaction
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.motion import PostgresMotionRepository
from db.repositories.timeline import PostgresTimelineRepository
from engine.domain.behaviour import Alert, AlertId, RuleKind
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import (
    Asymmetry,
    Bout,
    BoutId,
    BoutKind,
    Gait,
    Lead,
    Stride,
    StrideId,
    TrackMotion,
)
from engine.domain.notices import Severity
from tests.fixtures_identity import IdentityBarn, at

WALK, TROT = "walk", "trot"


class MotionBarn(IdentityBarn):
    """Holds the repositories under test beside those of identities."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.motion = PostgresMotionRepository(self.pool)
        self.alerts = PostgresAlertRepository(self.pool)
        self.timeline = PostgresTimelineRepository(self.pool)

    def tell(self, *events: Bout | Stride) -> None:
        """What the writer does with what the engine tells."""
        with transaction(self.pool, "testing") as connection:
            MotionStore(connection).tell(
                [event for event in events if isinstance(event, Bout)],
                [event for event in events if isinstance(event, Stride)],
            )

    def seen(
        self,
        camera: StreamId,
        start_s: float,
        end_s: float,
        horse_id: HorseId | None,
        *values: tuple[BoutKind, str],
        provisional: bool = True,
    ) -> TrackId:
        """A track whose horse does the same all the time."""
        track = self.track(camera, start_s, end_s, horse_id, rows=2)
        self.tell(
            *(
                bout(track, camera, start_s, end_s, value, kind, provisional=provisional)
                for kind, value in values
            )
        )
        return track

    def raised(
        self,
        key: str = "rule:x",
        start_s: float = 0.0,
        horse_id: HorseId | None = None,
        track_id: TrackId | None = None,
        stream_id: StreamId | None = None,
        ended_s: float | None = None,
    ) -> AlertId:
        """An alert raised 5 s after it began."""
        raised = replace(
            alert(key, start_s),
            horse_id=horse_id,
            track_id=track_id,
            stream_id=stream_id,
            ended_at=None if ended_s is None else at(ended_s),
        )
        assert self.alerts.raise_(raised)
        return raised.id

    def told(self, horse_id: HorseId | None, start_s: float = -1e6, end_s: float = 1e6) -> Telling:
        """A horse's bouts as (kind, value, start, end) in seconds, by start."""
        owned = self.motion.bouts(at(start_s), at(end_s), None if horse_id is None else [horse_id])
        return [
            (
                one.bout.kind.value,
                one.bout.value,
                seconds(one.bout.start_at),
                seconds(one.bout.end_at),
            )
            for one in owned
            if one.horse_id == horse_id
        ]


def alert(
    key: str = "rule:x", start_s: float = 0.0, severity: Severity = Severity.WARNING
) -> Alert:
    return Alert(
        AlertId(uuid4()), DEFAULT_FARM, None, RuleKind.ROLLING, severity, "Bella rolls.", key,
        at(start_s), at(start_s + 5.0),
    )  # fmt: skip


Telling = list[tuple[str, str, float, float]]


def seconds(instant: datetime) -> float:
    """An instant as seconds of the test's day."""
    return round((instant - at(0)).total_seconds(), 6)


def bout(
    track: TrackId,
    camera: StreamId,
    start_s: float,
    end_s: float,
    value: str = WALK,
    kind: BoutKind = BoutKind.GAIT,
    confidence: float = 0.8,
    provisional: bool = True,
    open_: bool = False,
    bout_id: BoutId | None = None,
) -> Bout:
    return Bout(
        bout_id or BoutId(uuid4()), track, camera, kind, value, at(start_s), at(end_s),
        confidence, provisional, open_,
    )  # fmt: skip


def stride(
    track: TrackId,
    camera: StreamId,
    start_s: float,
    length_s: float = 0.7,
    gait: Gait = Gait.TROT,
    hd_min_mm: float = 3.0,
    straight: bool = True,
    provisional: bool = True,
) -> Stride:
    return Stride(
        StrideId(uuid4()), track, camera, at(start_s), at(start_s + length_s), gait, Lead.NONE,
        1.0 / length_s, 2.5, 3.5, (0.5, 0.5, 0.25, 0.25), (0.0, 0.5, 0.5, 0.0), (0.03, -0.02),
        0.9, Asymmetry(hd_min_mm, 2.0, -1.0, float("nan")), straight, 0.8, provisional,
    )  # fmt: skip


def motion(
    track: TrackId,
    camera: StreamId,
    start_s: float,
    end_s: float,
    bouts: Sequence[Bout] = (),
    strides: Sequence[Stride] = (),
) -> TrackMotion:
    return TrackMotion(track, camera, at(start_s), at(end_s), bouts, strides)
