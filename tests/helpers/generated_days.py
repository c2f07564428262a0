"""Days of horses made up by a fixed rule, behind the real ports: a bench for the timeline's
painting where the database would only cost time. Every answer is summed up from the same bouts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from engine.domain.behaviour import (
    METRICS,
    LaneKind,
    MetricSeries,
    OwnedBout,
    OwnedStride,
    TimeBudget,
    TimelineRuns,
)
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
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

SPACE = UUID("6b0c7d9e-6f0f-4b0a-9f5e-1d7f1f0a7c11")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = tuple(LaneKind)
DAY_US = 86_400_000_000
SINGLE = (LaneKind.ALERT, LaneKind.NO_DATA, LaneKind.RECORDED)
WORDS = (
    *("seen", "standing", "walk", "trot", "canter", "walking", "grazing", "resting", "running"),
    *("upright", "sternal", "lateral", "person", "warning", "critical", "plain", "locked", "dark"),
)
STATES = (
    # action, gait, posture, how likely by day and by night, typical seconds
    ("standing", "standing", "upright", 4.0, 5.0, 240),
    ("grazing", "standing", "upright", 5.0, 2.0, 420),
    ("walking", "walk", "upright", 3.0, 0.6, 60),
    ("running", "trot", "upright", 0.5, 0.0, 25),
    ("running", "canter", "upright", 0.15, 0.0, 12),
    ("resting", "standing", "upright", 0.8, 3.0, 700),
    ("resting", "standing", "sternal", 0.1, 1.6, 1500),
    ("resting", "standing", "lateral", 0.0, 0.3, 600),
    ("", "", "", 0.7, 0.8, 600),
)


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Lane:
    """One row: bounds of consecutive runs, int64 (N + 1,), and their words, -1 for none."""

    bounds_us: NDArray[np.int64]
    value: NDArray[np.int16]

    def runs(
        self, start_us: int, end_us: int, buckets: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int16], NDArray[np.float32], bool]:
        """Runs within an interval, one for each word and bucket where there are more."""
        first = max(int(np.searchsorted(self.bounds_us, start_us, "right")) - 1, 0)
        last = min(int(np.searchsorted(self.bounds_us, end_us, "left")), len(self.value))
        if last - first <= buckets:
            which = np.arange(first, last)
            which = which[self.value[which] >= 0]
            share = np.ones(len(which), np.float32)
            return (
                self.bounds_us[which], self.bounds_us[which + 1], self.value[which], share, True
            )  # fmt: skip
        edges = np.linspace(start_us, end_us, buckets + 1).astype(np.int64)
        known = np.unique(self.value[self.value >= 0])
        taken = np.stack([np.diff(self._taken(int(v), edges)) for v in known])
        share = (taken / np.diff(edges)).astype(np.float32)
        which, step = np.nonzero(share > 0)
        return edges[step], edges[step + 1], known[which], share[which, step], False

    def _taken(self, value: int, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Microseconds of a value up to each edge."""
        lengths = np.diff(self.bounds_us) * (self.value == value)
        passed = np.concatenate([[0.0], np.cumsum(lengths, dtype=np.float64)])
        return np.array(np.interp(edges, self.bounds_us, passed), np.float64)


@dataclass
class GeneratedDays:
    """Horses and cameras over some days that end at ``end``; ``per_day`` states of each horse a
    day. Meets TimelineRepository and the reading part of MotionRepository; ``calls`` counts."""

    end: datetime
    horses: Sequence[HorseId]
    cameras: Sequence[StreamId]
    days: float = 3.0
    per_day: int = 200
    lanes_of: dict[UUID, dict[LaneKind, Lane]] = field(default_factory=dict)
    calls: list[tuple[datetime, datetime, int]] = field(default_factory=list)
    problem: Exception | None = None
    gate: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.start_us = micros(self.end) - round(self.days * DAY_US)
        for number, horse in enumerate(self.horses):
            self.lanes_of[horse] = self._horse(np.random.default_rng(100 + number))
        for number, camera in enumerate(self.cameras):
            self.lanes_of[camera] = self._camera(np.random.default_rng(900 + number))

    @property
    def bouts_stored(self) -> int:
        """How many gait, action and posture bouts there are."""
        told = (LaneKind.GAIT, LaneKind.ACTION, LaneKind.POSTURE)
        return sum(
            int((lane.value >= 0).sum())
            for lanes in self.lanes_of.values()
            for kind, lane in lanes.items()
            if kind in told
        )

    def _horse(self, rng: np.random.Generator) -> dict[LaneKind, Lane]:
        count = max(round(self.days * self.per_day), 8)
        state = np.zeros(count, np.int64)
        night = np.sin(np.linspace(0, self.days * 2 * np.pi, count)) < 0
        for dark in (False, True):
            chance = np.array([s[4] if dark else s[3] for s in STATES])
            state[night == dark] = rng.choice(
                len(STATES), int((night == dark).sum()), p=chance / chance.sum()
            )
        lengths = np.array([s[5] for s in STATES])[state] * rng.gamma(2.0, 0.5, count)
        passed = np.concatenate([[0.0], np.cumsum(lengths)])
        bounds = (self.start_us + passed / passed[-1] * self.days * DAY_US).astype(np.int64)

        def lane(words: Sequence[str]) -> Lane:
            index = np.array([WORDS.index(w) if w else -1 for w in words], np.int16)
            return Lane(bounds, index[state])

        alerts = np.full(count, -1, np.int16)
        alerts[rng.integers(0, count, max(round(self.days), 1))] = WORDS.index("warning")
        alerts[rng.integers(0, count, max(round(self.days / 3), 1))] = WORDS.index("critical")
        return {
            LaneKind.ACTION: lane([s[0] for s in STATES]),
            LaneKind.GAIT: lane([s[1] for s in STATES]),
            LaneKind.POSTURE: lane([s[2] for s in STATES]),
            LaneKind.SEEN: lane(["seen" if s[0] else "" for s in STATES]),
            LaneKind.ALERT: Lane(bounds, alerts),
        }

    def _camera(self, rng: np.random.Generator) -> dict[LaneKind, Lane]:
        hours = max(round(self.days * 24), 4)
        bounds = np.linspace(self.start_us, micros(self.end), hours + 1).astype(np.int64)
        dark = rng.random(hours) < 0.04
        seen = (rng.random(hours) < 0.7) & ~dark
        locked = rng.random(hours) < 0.1

        def lane(on: NDArray[np.bool_], word: str) -> Lane:
            return Lane(bounds, np.where(on, WORDS.index(word), -1).astype(np.int16))

        kept = np.where(locked, WORDS.index("locked"), WORDS.index("plain"))
        return {
            LaneKind.SEEN: lane(seen, "seen"),
            LaneKind.NO_DATA: lane(dark, "dark"),
            LaneKind.RECORDED: Lane(bounds, np.where(dark, -1, kept).astype(np.int16)),
        }

    # --- TimelineRepository ---------------------------------------------------------------------

    def lanes(
        self,
        start: datetime,
        end: datetime,
        buckets: int,
        horse_ids: Collection[HorseId] = (),
        stream_ids: Collection[StreamId] = (),
        kinds: Collection[LaneKind] = tuple(LaneKind),
        farm_id: FarmId | None = None,
    ) -> TimelineRuns:
        """As the store answers."""
        self.gate()
        self.calls.append((start, end, buckets))
        if self.problem is not None:
            raise self.problem
        wanted: tuple[UUID, ...] = (*horse_ids, *stream_ids)
        columns: list[tuple[NDArray[np.generic], ...]] = []
        exact = True
        for number, subject in enumerate(wanted):
            for kind, lane in self.lanes_of.get(subject, {}).items():
                if kind not in kinds:
                    continue
                most = 1_000_000 if kind in SINGLE else buckets
                first, last, value, share, whole = lane.runs(micros(start), micros(end), most)
                exact = exact and whole
                many = len(value)
                columns.append(
                    (
                        np.full(many, number, np.int32),
                        np.full(many, KINDS.index(kind), np.int8),
                        value,
                        first,
                        last,
                        share,
                    )
                )
        if not columns:
            columns = [
                tuple(
                    np.zeros(0, t)
                    for t in (np.int32, np.int8, np.int16, np.int64, np.int64, np.float32)
                )
            ]
        lane_, kind_, value_, start_, end_, share_ = (
            np.concatenate(c) for c in zip(*columns, strict=True)
        )
        return TimelineRuns(wanted, WORDS, lane_, kind_, value_, start_, end_, share_, exact)

    # --- MotionRepository -----------------------------------------------------------------------

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
        """Bouts of the lanes."""
        found = []
        for horse in horse_ids if horse_ids is not None else self.horses:
            for kind in kinds or (BoutKind.GAIT, BoutKind.ACTION, BoutKind.POSTURE):
                lane = self.lanes_of[horse].get(LaneKind(kind.value))
                if lane is None:
                    continue
                rows = lane.runs(micros(start), micros(end), 1_000_000)
                for first, last, value in zip(*(r.tolist() for r in rows[:3]), strict=True):
                    bout = Bout(
                        BoutId(uuid5(SPACE, f"{horse}{kind}{first}")),
                        TrackId(uuid5(SPACE, str(horse))),
                        self.cameras[0],
                        kind,
                        WORDS[value],
                        EPOCH + timedelta(microseconds=first),
                        EPOCH + timedelta(microseconds=last),
                        0.87,
                        provisional=first % 2 == 0,
                    )
                    found.append(OwnedBout(horse, bout))
        return found[:limit]

    def metrics(
        self,
        horse_id: HorseId,
        start: datetime,
        end: datetime,
        names: Collection[str] = METRICS,
        points: int = 1500,
    ) -> MetricSeries:
        """Curves that follow the gaits."""
        edges = np.linspace(micros(start), micros(end), points + 1).astype(np.int64)[:-1]
        edges = edges[(edges >= self.start_us) & (edges < micros(self.end))]
        lane = self.lanes_of[horse_id][LaneKind.GAIT]
        index = np.clip(np.searchsorted(lane.bounds_us, edges, "right") - 1, 0, len(lane.value) - 1)
        gait = lane.value[index]
        base = np.array([{2: 1.5, 3: 3.3, 4: 5.2}.get(int(g), 0.05) for g in gait])
        base[gait < 0] = np.nan
        wave = 0.15 * np.sin(edges / 7.3e6) + 0.1 * np.sin(edges / 1.1e6)
        values = {}
        for place, name in enumerate(names):
            level = base if "mps" in name or "hz" in name else 1.0 + place + 0 * base
            mean = level * (1 + wave)
            triple = np.stack([mean, mean * 0.8, mean * 1.2], axis=1)
            values[name] = triple.astype(np.float32)
        step_s = (end - start).total_seconds() / points
        return MetricSeries(edges, values, step_s)

    def strides(
        self,
        start: datetime,
        end: datetime,
        horse_id: HorseId | None = None,
        track_id: TrackId | None = None,
        gaits: Collection[Gait] | None = None,
        straight_only: bool = False,
        limit: int = 10_000,
    ) -> Sequence[OwnedStride]:
        """Strides of the trotting bouts."""
        found: list[OwnedStride] = []
        horse = horse_id or self.horses[0]
        lane = self.lanes_of[horse][LaneKind.GAIT]
        rows = lane.runs(micros(start), micros(end), 1_000_000)
        for first, last, value in zip(*(r.tolist() for r in rows[:3]), strict=True):
            if WORDS[value] != "trot":
                continue
            for at in range(first, last, 700_000):
                wave = float(np.sin(at / 2.3e7))
                found.append(
                    OwnedStride(
                        horse,
                        Stride(
                            StrideId(uuid5(SPACE, f"{horse}{at}")),
                            TrackId(uuid5(SPACE, str(horse))),
                            self.cameras[0],
                            EPOCH + timedelta(microseconds=at),
                            EPOCH + timedelta(microseconds=at + 700_000),
                            Gait.TROT,
                            Lead.NONE,
                            1.43,
                            2.3,
                            3.3,
                            (0.4,) * 4,
                            (0.0, 0.5, 0.5, 0.0),
                            (0.0, 0.0),
                            0.95,
                            Asymmetry(8 + 6 * wave, -3 + 4 * wave, 2 * wave, 5.0),
                            True,
                            0.8,
                            provisional=False,
                        ),
                    )
                )
        return found[:limit]

    def budgets(
        self, horse_ids: Collection[HorseId], start: datetime, end: datetime, step_s: float
    ) -> Sequence[TimeBudget]:
        """Not made up here."""
        return ()

    def replace(self, motions: Sequence[TrackMotion]) -> None:
        """Not made up here."""
