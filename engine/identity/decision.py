"""One decision about one track: a known horse, nobody sure, or a horse never met before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from engine.domain.ids import HorseId
from engine.identity.gallery import Match
from engine.identity.rules import Rules


class Outcome(Enum):
    """WAIT: more pictures are needed. UNCERTAIN stays unidentified and asks a person once."""

    WAIT = "wait"
    KNOWN = "known"
    UNCERTAIN = "uncertain"
    NEW = "new"


class Exclusion(Enum):
    """Why a track cannot be a horse. REJECTED: a person said so. BESIDE: both stood side by side
    before this camera. ELSEWHERE: another camera saw the horse, or it could not have come."""

    REJECTED = "rejected"
    BESIDE = "beside"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Decision:
    """``match``: the horse accepted, or the nearest one that a person may be asked about."""

    outcome: Outcome
    match: Match | None = None


def decide(
    matches: Sequence[Match],
    excluded: Mapping[HorseId, Exclusion],
    expected: Collection[HorseId],
    crops: int,
    age_s: float,
    rules: Rules,
) -> Decision:
    """Who a track is, from its likeness to the known horses, best first.

    ``excluded`` horses are never accepted. One that is merely ELSEWHERE still speaks against a new
    horse, and against a less similar one: the sighting there may be the mistaken one. So does one
    that stands BESIDE against a less similar one. Nobody is ever forced onto the nearest: between
    the limits the answer is UNCERTAIN.
    """
    if crops < rules.crops:
        return Decision(Outcome.WAIT)
    open_ = sorted(
        (
            Match(m.horse_id, min(m.similarity + rules.prior * (m.horse_id in expected), 1.0))
            for m in matches
            if m.horse_id not in excluded
        ),
        key=lambda match: -match.similarity,
    )
    away = max(
        (m for m in matches if excluded.get(m.horse_id) is Exclusion.ELSEWHERE),
        key=lambda match: match.similarity,
        default=None,
    )
    best = open_[0] if open_ else None
    if best is not None and best.similarity >= rules.accept:
        second = open_[1].similarity if len(open_) > 1 else 0.0
        if away is not None and away.similarity >= best.similarity + rules.margin:
            return _patiently(Decision(Outcome.UNCERTAIN, away), crops, age_s, rules)
        if any(
            excluded.get(m.horse_id) is Exclusion.BESIDE
            and m.similarity >= best.similarity + rules.margin
            for m in matches
        ):
            return Decision(Outcome.WAIT)  # one of the two beside each other is mistaken
        if best.similarity - second >= rules.margin:
            return Decision(Outcome.KNOWN, best)
        return _patiently(Decision(Outcome.UNCERTAIN, best), crops, age_s, rules)
    nearest = max(
        (m for m in (best, away) if m is not None),
        key=lambda match: match.similarity,
        default=None,
    )
    if nearest is None or nearest.similarity < rules.guest_below:
        return _patiently(Decision(Outcome.NEW, nearest), crops, age_s, rules)
    return _patiently(Decision(Outcome.UNCERTAIN, nearest), crops, age_s, rules)


def _patiently(decision: Decision, crops: int, age_s: float, rules: Rules) -> Decision:
    """A new horse, or a question to a person, needs more pictures than a match."""
    if crops < rules.guest_crops or age_s < rules.guest_age_s:
        return Decision(Outcome.WAIT, decision.match)
    return decision
