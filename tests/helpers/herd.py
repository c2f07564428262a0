"""Synthetic appearance: horses as directions in space, and pictures of them for the resolver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import IdentityEvent, KnownHorse, RegistrySnapshot
from engine.domain.ids import FarmId, HorseId, ModelId, StreamId, TrackId, new_track_id
from engine.domain.tracks import TrackBatch, TrackState
from engine.identity.registry import Registry
from engine.identity.resolver import Resolver, Sight
from engine.identity.rules import Rules

DIMENSION = 64
MODEL = ModelId("synthetic@1")
FARM = FarmId(uuid4())
BEGIN_AT = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
LEFT, MIDDLE, RIGHT = (50, 100, 250, 300), (350, 100, 550, 300), (650, 100, 850, 300)
Box = tuple[float, float, float, float]


def look(seed: int) -> FloatArray:
    """A horse's mean appearance, unit float32 (DIMENSION,); two of them are about orthogonal."""
    return _unit(np.random.default_rng(seed).normal(size=DIMENSION))


def between(one: FloatArray, other: FloatArray, share: float) -> FloatArray:
    """An appearance between two, ``share`` 0 for the first."""
    return _unit((1 - share) * one + share * other)


def crops(mean: FloatArray, count: int, seed: int = 0, spread: float = 0.3) -> FloatArray:
    """Vectors of single pictures, unit float32 (count, DIMENSION)."""
    noise = np.random.default_rng((seed, 77)).normal(size=(count, DIMENSION)) / DIMENSION**0.5
    return np.stack([_unit(mean + spread * row) for row in noise])


def _unit(vector: np.ndarray) -> FloatArray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def known(
    mean: FloatArray | None,
    horse_id: HorseId | None = None,
    status: HorseStatus = HorseStatus.ACTIVE,
    streams: Mapping[StreamId, datetime] | None = None,
    colour: int = 4,
) -> KnownHorse:
    """A horse of the registry; None for one whose appearance nobody knows."""
    horse_id = horse_id or HorseId(uuid4())
    horse = Horse(horse_id, FARM, "horse_001", None, "#e6194b", status, None, None, 1)
    vectors = np.zeros((0, DIMENSION), np.float32) if mean is None else crops(mean, 8, seed=5)
    return KnownHorse(horse, colour, vectors, dict(streams or {}))


def snapshot(*horses: KnownHorse, **more: object) -> RegistrySnapshot:
    """A registry of these horses."""
    values: dict[str, object] = {
        "model_id": MODEL, "horses": horses, "merged": {}, "rejected": frozenset(), "owners": {},
        **more,
    }  # fmt: skip
    return RegistrySnapshot(**values)


@dataclass
class Subject:
    """Something that walks past a camera: a track with a look, where it is."""

    mean: FloatArray
    box: Box = LEFT
    track_id: TrackId = field(default_factory=new_track_id)
    kind: SubjectClass = SubjectClass.HORSE
    quality: float = 0.9


class Scene:
    """A resolver with its events, and pictures made for it at 10 a second."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.events: list[IdentityEvent] = []
        self.resolver = Resolver(rules or Rules(), self.events.append)
        self.now_s = 100.0
        self._seed = 0

    @property
    def now(self) -> datetime:
        return BEGIN_AT + timedelta(seconds=self.now_s)

    def load(self, given: RegistrySnapshot) -> None:
        registry = Registry.of(given, MODEL, DIMENSION)
        self.resolver.load(registry, MODEL, self.now_s, self.now)

    def show(
        self, stream_id: StreamId, subjects: list[Subject], seconds: float, step_s: float = 0.1
    ) -> tuple[HorseId | None, ...]:
        """Let a camera see the subjects for a while; their horses in the last picture."""
        owners: tuple[HorseId | None, ...] = ()
        for _ in range(max(round(seconds / step_s), 1)):
            self.now_s += step_s
            owners = self.resolver.observe(self._sight(stream_id, subjects))
        return owners

    def of_kind(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def _sight(self, stream_id: StreamId, subjects: list[Subject]) -> Sight:
        count = len(subjects)
        vectors = np.zeros((count, DIMENSION), np.float32)
        for row, subject in enumerate(subjects):
            self._seed += 1
            vectors[row] = crops(subject.mean, 1, self._seed)[0]
        tracks = TrackBatch(
            np.array([s.box for s in subjects], np.float32).reshape(count, 4),
            np.zeros((count, 4), np.float32),
            np.full(count, 0.9, np.float32),
            np.full(count, 0.9, np.float32),
            np.array([s.kind for s in subjects], np.int16),
            np.full(count, TrackState.ACTIVE, np.int8),
            np.arange(1, count + 1),
            np.zeros(count, np.int8),
            tuple(s.track_id for s in subjects),
            (None,) * count,
        )
        qualities = np.array([s.quality for s in subjects], np.float32)
        stamp = FrameStamp(stream_id, 0, self.now, self.now_s, None)
        return Sight(stamp, (960, 540), tracks, vectors, qualities)
