"""Figures of a session: a table of small pure strategies, one a figure.

Each takes the session's facts and returns a value with how much stands behind it, or says why it
cannot be told. A strategy is one function with ``@strategy``; the table keeps their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from engine.domain.motion import Gait, Lead, Stride
from engine.domain.sessions import MetricValue, ScaleKind
from engine.motion.asymmetry import FIGURES, summarise
from engine.sessions.facts import Floats, SessionFacts

Strategy = Callable[[SessionFacts], MetricValue]

STRATEGIES: dict[str, Strategy] = {}
"""All figures by name, in the order in which they are shown."""

LEAST_STRIDES = 3
"""Strides below which no mean of a gait is told."""
LEAST_SPEED_S = 1.0
"""Seconds of known speed below which no speed is told."""
MAX_OVER_S = 1.0
"""The greatest speed is the greatest mean over so long: a stride or two of a gallop, so that an
error of a few pictures is no record."""
LEAST_GAIT_S = 2.0
_NO_SCALE = "Nothing in the pictures tells metres."
_GAITS = (Gait.STANDING, Gait.WALK, Gait.TROT, Gait.CANTER, Gait.GALLOP)
MOVING = (Gait.WALK, Gait.TROT, Gait.CANTER, Gait.GALLOP)


def measured(facts: SessionFacts) -> Mapping[str, MetricValue]:
    """Every figure of the table."""
    return {name: told(facts) for name, told in STRATEGIES.items()}


def strategy(name: str) -> Callable[[Strategy], Strategy]:
    """Puts a function into the table under ``name``."""

    def put(function: Strategy) -> Strategy:
        STRATEGIES[name] = function
        return function

    return put


# --- speed and way -----------------------------------------------------------------------------


@strategy("distance")
def distance(facts: SessionFacts) -> MetricValue:
    """Way over the ground while the horse was seen and its speed known: sum of speed times time.
    Nothing is added for the time it was not seen; ``coverage`` says how much was."""
    known = np.isfinite(facts.speeds_mps)
    seconds = float(facts.dt_s[known].sum())
    if refusal := _no_speed(facts, seconds):
        return _untold("distance", "m", refusal)
    way = float((facts.speeds_mps[known] * facts.dt_s[known]).sum())
    return MetricValue("distance", way, "m", round(seconds), facts.share(seconds))


@strategy("speed_mean")
def speed_mean(facts: SessionFacts) -> MetricValue:
    """Mean over the time in which the horse moved (walk or faster by its gait): sum of v dt over
    sum of dt."""
    moving = np.zeros(len(facts.t_s), np.bool_)
    for stretch in facts.gaits:
        if stretch.gait in MOVING:
            moving |= (facts.t_s >= stretch.start_s) & (facts.t_s < stretch.end_s)
    return _mean_speed(facts, moving, "speed_mean", "It was not seen moving for long enough.")


@strategy("speed_max")
def speed_max(facts: SessionFacts) -> MetricValue:
    """Greatest mean speed over any ``MAX_OVER_S`` in which most of the speed is known."""
    known = np.isfinite(facts.speeds_mps)
    seconds = float(facts.dt_s[known].sum())
    if refusal := _no_speed(facts, seconds):
        return _untold("speed_max", "m_s", refusal)
    way = np.concatenate([[0.0], np.cumsum(np.where(known, facts.speeds_mps * facts.dt_s, 0.0))])
    took = np.concatenate([[0.0], np.cumsum(np.where(known, facts.dt_s, 0.0))])
    ends = np.searchsorted(facts.t_s, facts.t_s + MAX_OVER_S - 1e-9)
    first = np.arange(len(facts.t_s))
    over = took[ends] - took[first]
    full = over >= 0.8 * MAX_OVER_S
    if not full.any():
        return _untold("speed_max", "m_s", f"It was never seen for {MAX_OVER_S:.0f} s on end.")
    best = float(((way[ends] - way[first])[full] / over[full]).max())
    return MetricValue("speed_max", best, "m_s", round(seconds), facts.share(seconds))


def _speed_in(gait: Gait, facts: SessionFacts) -> MetricValue:
    """Mean speed while in one gait."""
    name = f"speed_{gait.label}"
    inside = np.zeros(len(facts.t_s), np.bool_)
    for stretch in facts.gaits:
        if stretch.gait is gait:
            inside |= (facts.t_s >= stretch.start_s) & (facts.t_s < stretch.end_s)
    return _mean_speed(facts, inside, name, f"Too little {gait.label} was seen.")


for _gait in MOVING:
    STRATEGIES[f"speed_{_gait.label}"] = partial(_speed_in, _gait)


@strategy("body_lengths")
def body_lengths(facts: SessionFacts) -> MetricValue:
    """Mean speed while moving in heights at the withers a second (a horse is about as long as it is
    tall): it does not depend on the height that was taken for a horse whose own nobody said."""
    mean, height = speed_mean(facts), facts.scale.height_m
    if mean.value is None:
        return _untold("body_lengths", "bl_s", mean.reason)
    if height is None:
        return _untold("body_lengths", "bl_s", "Nobody said how tall the horse is.")
    return MetricValue("body_lengths", mean.value / height, "bl_s", mean.count, mean.coverage)


# --- gaits -------------------------------------------------------------------------------------


def _gait_share(gait: Gait, facts: SessionFacts) -> MetricValue:
    """Seconds in the gait over the seconds in which a gait could be told."""
    name = f"share_{gait.label}"
    told = sum(s.duration_s for s in facts.gaits if s.gait is not Gait.UNKNOWN)
    if told < LEAST_GAIT_S:
        return _untold(name, "share", f"A gait could be told for {told:.1f} s only.")
    mine = sum(s.duration_s for s in facts.gaits if s.gait is gait)
    return MetricValue(name, mine / told, "share", round(told), facts.share(told))


for _gait in _GAITS:
    STRATEGIES[f"share_{_gait.label}"] = partial(_gait_share, _gait)


@strategy("left_lead")
def left_lead(facts: SessionFacts) -> MetricValue:
    """Share of canter and gallop strides on the left lead."""
    sided = [s for s in _strides(facts, Gait.CANTER, Gait.GALLOP) if s.lead in _SIDED]
    if len(sided) < LEAST_STRIDES:
        return _untold("left_lead", "share", _too_few(len(sided), "canter with a known lead"))
    left = sum(s.lead is Lead.LEFT for s in sided) / len(sided)
    return MetricValue("left_lead", left, "share", len(sided), _covered(facts, sided))


_SIDED = (Lead.LEFT, Lead.RIGHT)


# --- strides -----------------------------------------------------------------------------------


@strategy("strides")
def strides(facts: SessionFacts) -> MetricValue:
    """How many strides were measured."""
    found = facts.strides
    return MetricValue("strides", float(len(found)), "count", len(found), _covered(facts, found))


def _stride_mean(field: str, unit: str, label: str, gait: Gait, facts: SessionFacts) -> MetricValue:
    """Mean and standard deviation of one column over the strides of a gait; NaN left out."""
    name = f"{label}_{gait.label}"
    if unit == "m" and facts.scale.kind is ScaleKind.NONE:
        return _untold(name, unit, _NO_SCALE)
    found = [s for s in _strides(facts, gait) if math.isfinite(float(getattr(s, field)))]
    if len(found) < LEAST_STRIDES:
        return _untold(name, unit, _too_few(len(found), gait.label))
    values = np.array([float(getattr(s, field)) for s in found])
    return MetricValue(
        name, float(values.mean()), unit, len(found), _covered(facts, found),
        float(values.std(ddof=1)),
    )  # fmt: skip


for _field, _unit, _label in (
    ("stride_hz", "hz", "stride_rate"),
    ("length_m", "m", "stride_length"),
    ("symmetry", "share", "symmetry"),
):
    for _gait in MOVING:
        if _label != "symmetry" or _gait in (Gait.WALK, Gait.TROT):
            STRATEGIES[f"{_label}_{_gait.label}"] = partial(
                _stride_mean, _field, _unit, _label, _gait
            )


def _asymmetry(field: str, facts: SessionFacts) -> MetricValue:
    """Mean of HDmin, HDmax, PDmin or PDmax over good strides of straight trot, right minus left
    (``engine.motion.asymmetry.summarise``, which says why when it refuses)."""
    name = field.removesuffix("_mm")
    summary = summarise(facts.strides, facts.sides_known)
    value = float(getattr(summary.mean, field))
    if summary.refusal or not math.isfinite(value):
        return _untold(name, "mm", summary.refusal or "It was not seen in enough strides.")
    spread = float(getattr(summary.spread, field))
    return MetricValue(
        name, value, "mm", summary.strides, _covered(facts, _strides(facts, Gait.TROT)), spread
    )


for _field in FIGURES:
    STRATEGIES[_field.removesuffix("_mm")] = partial(_asymmetry, _field)


# --- parts -------------------------------------------------------------------------------------


def _strides(facts: SessionFacts, *gaits: Gait) -> list[Stride]:
    return [stride for stride in facts.strides if stride.gait in gaits]


def _covered(facts: SessionFacts, found: Sequence[Stride]) -> float:
    return facts.share(sum((s.end_at - s.start_at).total_seconds() for s in found))


def _mean_speed(
    facts: SessionFacts, rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], name: str, few: str
) -> MetricValue:
    known = rows & np.isfinite(facts.speeds_mps)
    seconds = float(facts.dt_s[known].sum())
    if refusal := _no_speed(facts, seconds, few):
        return _untold(name, "m_s", refusal)
    speeds: Floats = facts.speeds_mps[known]
    mean = float((speeds * facts.dt_s[known]).sum()) / seconds
    return MetricValue(name, mean, "m_s", round(seconds), facts.share(seconds))


def _no_speed(facts: SessionFacts, seconds: float, few: str = "") -> str:
    if facts.scale.kind is ScaleKind.NONE:
        return _NO_SCALE
    if seconds < LEAST_SPEED_S:
        return few or f"Its speed was known for {seconds:.1f} s only."
    return ""


def _too_few(count: int, what: str) -> str:
    return f"{count} strides of {what}; {LEAST_STRIDES} are needed."


def _untold(name: str, unit: str, reason: str) -> MetricValue:
    return MetricValue(name, None, unit, reason=reason)
