"""What perception makes of an exact day: what horses do confused, missed, and out of sight."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from engine.domain.behaviour import OwnedBout
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Bout, BoutId, BoutKind
from engine.simulation.truth import TrueBout

DAY_S = 86_400.0
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
CAMERA = StreamId(UUID("00000000-0000-4000-8000-0000000000ab"))
"""One camera stands for all."""


@dataclass(frozen=True, slots=True)
class Perception:
    """How labels differ from truth. Shares of bouts, seconds and rates an hour.

    ``lying_swapped``: sternal taken for lateral or the other way. ``lying_missed``: a lying bout
    taken for standing for a part. ``rolling_missed``: rolling taken for resting. ``false_lying``,
    ``false_rolling``: short spells an hour that are not there. ``unseen_share``: time out of sight,
    in stretches of about ``unseen_s``.
    """

    lying_swapped: float = 0.1
    lying_missed: float = 0.1
    rolling_missed: float = 0.2
    false_lying: float = 0.2
    false_rolling: float = 0.1
    false_s: float = 4.0
    unseen_share: float = 0.08
    unseen_s: float = 240.0


LABELS: Mapping[str, Perception] = {
    "mild": Perception(),
    "rough": Perception(0.15, 0.2, 0.62, 0.5, 1.0, 5.0, 0.15, 300.0),
}
"""How well the days are understood. ``rough`` misses as much rolling as ``evaluate behaviour`` does
with rough faults (recall 0.38), and makes up a spell of it in every hour of lying."""


_POSTURES = {
    "standing": "upright", "sternal": "sternal", "lateral": "lateral", "rolling": "lateral",
    "lowering": "changing", "rising": "changing",
}  # fmt: skip


def perceived(
    bouts: Sequence[TrueBout], horse_id: HorseId, model: Perception, chance: random.Random
) -> Iterable[OwnedBout]:
    """Posture and action bouts as the engine would tell them."""
    hidden = list(_hidden(model, chance))
    for bout in bouts:
        if bout.action == "away" or bout.end_s - bout.start_s < 0.5:
            continue
        for start_s, end_s in _parts(bout.start_s, bout.end_s, hidden):
            posture, action = _POSTURES[bout.posture], bout.action
            if posture in ("sternal", "lateral") and chance.random() < model.lying_swapped:
                posture = "lateral" if posture == "sternal" else "sternal"
            if action == "rolling" and chance.random() < model.rolling_missed:
                action = "resting"
            yield _owned(horse_id, BoutKind.POSTURE, posture, start_s, end_s, 0.8)
            yield _owned(horse_id, BoutKind.ACTION, action, start_s, end_s, 0.8)
            lying = posture in ("sternal", "lateral")
            if lying and chance.random() < model.lying_missed:
                at_s = chance.uniform(start_s, end_s)
                yield from _slip(horse_id, "upright", "standing", at_s, end_s, model)
            hours = (end_s - start_s) / 3600.0
            if posture == "upright" and chance.random() < model.false_lying * hours:
                at_s = chance.uniform(start_s, end_s)
                yield from _slip(horse_id, "sternal", "resting", at_s, end_s, model)
            if lying and chance.random() < model.false_rolling * hours:
                at_s = chance.uniform(start_s, end_s)
                yield from _slip(horse_id, "lateral", "rolling", at_s, end_s, model)


def _slip(
    horse_id: HorseId, posture: str, action: str, at_s: float, end_s: float, model: Perception
) -> Iterable[OwnedBout]:
    """A short wrong label, surer than the right one so that it hides it."""
    until_s = min(at_s + model.false_s, end_s)
    if until_s > at_s:
        yield _owned(horse_id, BoutKind.POSTURE, posture, at_s, until_s, 0.9)
        yield _owned(horse_id, BoutKind.ACTION, action, at_s, until_s, 0.9)


def _hidden(model: Perception, chance: random.Random) -> Iterable[tuple[float, float]]:
    at_s = 0.0
    gap_s = model.unseen_s / max(model.unseen_share, 1e-6) - model.unseen_s
    while at_s < DAY_S:
        at_s += chance.expovariate(1.0 / gap_s)
        length_s = chance.expovariate(1.0 / model.unseen_s)
        yield at_s, at_s + length_s
        at_s += length_s


def _parts(
    start_s: float, end_s: float, hidden: Sequence[tuple[float, float]]
) -> Iterable[tuple[float, float]]:
    for gone_s, back_s in hidden:
        if back_s <= start_s or gone_s >= end_s:
            continue
        if gone_s > start_s:
            yield start_s, gone_s
        start_s = back_s
        if start_s >= end_s:
            return
    yield start_s, end_s


def _owned(
    horse_id: HorseId, kind: BoutKind, word: str, start_s: float, end_s: float, confidence: float
) -> OwnedBout:
    start = MIDNIGHT + timedelta(seconds=start_s)
    bout = Bout(
        BoutId(uuid5(horse_id, f"{kind} {start_s} {word}")),
        TrackId(uuid5(horse_id, "track")),
        CAMERA,
        kind,
        word,
        start,
        MIDNIGHT + timedelta(seconds=end_s),
        confidence,
    )
    return OwnedBout(horse_id, bout)
