"""The gait in one window of hoof paths: stillness, else rhythm and footfall order."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from engine.domain.motion import Gait, Lead
from engine.domain.skeletons import Skeleton
from engine.motion.gait_patterns import (
    LF,
    LH,
    RF,
    RH,
    RULES,
    GaitRules,
    Pattern,
    patterns,
    posteriors,
    relative_to_hind,
)
from engine.motion.limb_paths import Floats, LimbPaths
from engine.motion.rhythm import LEAST_TIMES, Rhythm, rhythm_of
from engine.motion.symmetry import relative_difference, symmetry
from engine.motion.travel import camera_follows, trunk_speed_mps, trunk_way_m

_UNKNOWN4 = (math.nan, math.nan, math.nan, math.nan)
Four = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class GaitOptions:
    """How gaits are found. Seconds and metres.

    windows_s: stretches of poses looked at together; the one that tells most counts: short ones see
    a few gallop strides, long ones a dawdling walk. every_s: how often the live form decides anew.
    hold_s: how long another gait must last before the label changes. standing_s: stillness that is
    standing. change_cost: of a change of gait in the final form, in units of -log probability.
    still_sway_m: hooves that travel less than this back and forth, and still_mps: a trunk slower
    than this, stand still. least_confidence: below, the gait is unknown.
    """

    windows_s: tuple[float, ...] = (1.3, 2.0, 3.0)
    every_s: float = 0.3
    hold_s: float = 0.6
    change_cost: float = 3.0
    standing_s: float = 1.0
    still_sway_m: float = 0.12
    still_mps: float = 0.25
    least_confidence: float = 0.25
    rules: GaitRules = RULES


@dataclass(frozen=True, slots=True)
class GaitEstimate:
    """What the legs do around one instant.

    confidence: 0..1. stride_hz, stride_m, speed_mps, duty: NaN where not known; ``speed_mps`` is
    what was given, else what the hooves say. phases: landing of each limb of ``LIMBS`` as a share
    of the stride after the left hind limb. fit: 0..1, how much of the hooves' movement the rhythm
    explains. strides: how many the window holds. symmetry: 0..1 or NaN. shares: probability of each
    gait. evidence: in words, what decided. follows: the camera follows the horse, whatever was said
    of it: the hooves run and the horse stays in the picture.
    """

    t_s: float
    gait: Gait
    lead: Lead = Lead.NONE
    confidence: float = 0.0
    stride_hz: float = math.nan
    stride_m: float = math.nan
    speed_mps: float = math.nan
    duty: float = math.nan
    phases: Four = _UNKNOWN4
    fit: float = 0.0
    strides: float = 0.0
    symmetry: float = math.nan
    shares: tuple[tuple[Gait, float], ...] = ()
    evidence: tuple[str, ...] = ()
    follows: bool = False


def estimate(
    paths: LimbPaths, skeleton: Skeleton, speed_mps: float = math.nan,
    options: GaitOptions | None = None, at_s: float = math.nan, thorough: bool = True,
) -> GaitEstimate:  # fmt: skip
    """The gait around ``at_s`` (the last instant by default) from the hoof paths around it.

    speed_mps: over the ground, NaN if not known. Stillness comes first; then each of ``windows_s``
    is judged, and the surest answer counts. Not ``thorough``: shorter windows are left out where
    the longest is sure and holds so few strides that a shorter one could not be surer.
    """
    options = options or GaitOptions()
    last = math.isnan(at_s)
    at_s = float(paths.t_s[-1]) if last else at_s
    best = GaitEstimate(at_s, Gait.UNKNOWN, speed_mps=speed_mps, evidence=_TOO_FEW)
    if len(paths) < LEAST_TIMES:
        return _by_speed(best, speed_mps, options.rules)
    around = _around(paths, at_s, options.standing_s, last)
    if _stands(around, speed_mps, options):
        return _standing(around, at_s)
    for width_s in sorted(options.windows_s, reverse=True):
        window = _one_way(_around(paths, at_s, width_s, last), at_s)
        made = _judged(window, skeleton, speed_mps, options, at_s)
        if best.evidence is _TOO_FEW or made.confidence >= best.confidence - _SURER:
            best = made
        if not thorough and best.confidence >= _SURE and best.strides <= _FEW_STRIDES:
            break
    if best.gait is not Gait.UNKNOWN or best.follows:
        return best
    if _in_place(around, speed_mps, options):
        words = ("stays in place without a rhythm", *best.evidence)
        return replace(
            best, gait=Gait.STANDING, confidence=_IN_PLACE, shares=((Gait.STANDING, 1.0),),
            evidence=words,
        )  # fmt: skip
    if math.isnan(speed_mps) and float(np.median(around.side)) >= _BROADSIDE:
        speed_mps = trunk_speed_mps(around)
    return _by_speed(best, speed_mps, options.rules)


def _by_speed(found: GaitEstimate, speed_mps: float, rules: GaitRules) -> GaitEstimate:
    """Where no order of footfalls tells the gait (hooves in straw, behind a fence, too few poses),
    the speed over the ground may: with little confidence, and none near the limits of a gait."""
    limits = (*rules.speed_limits_mps, math.inf)
    for gait, low, high in zip(_MOVING, limits[:-1], limits[1:], strict=True):
        inside = min(speed_mps - low, high - speed_mps) / _SPEED_MARGIN_MPS
        sure = _SURE_BY_SPEED * min(inside, 1.0)
        if sure >= _LEAST_BY_SPEED:
            words = (f"{speed_mps:.1f} m/s, no order of footfalls", *found.evidence)
            return replace(
                found, gait=gait, lead=Lead.NONE, confidence=sure, speed_mps=speed_mps,
                shares=((gait, 1.0),), evidence=words,
            )  # fmt: skip
    return found


_MOVING = (Gait.WALK, Gait.TROT, Gait.CANTER, Gait.GALLOP)
_BROADSIDE = 0.8
"""Share of its length a horse must show for its way in the picture alone to tell a gait."""

_SPEED_MARGIN_MPS, _SURE_BY_SPEED, _LEAST_BY_SPEED = 0.5, 0.4, 0.25
_TOO_FEW = ("too few poses",)
_IN_PLACE = 0.55
"""Confidence of standing told from a trunk that stays, while the feet are not still."""
_SURER = 0.05
"""By so much a longer window must be surer than a shorter one to count."""

_SURE, _FEW_STRIDES = 0.6, 3.2


def _around(paths: LimbPaths, at_s: float, width_s: float, last: bool) -> LimbPaths:
    """``width_s`` seconds that end at an instant, or have it in the middle."""
    start = at_s - width_s if last else at_s - width_s / 2
    first, end = np.searchsorted(paths.t_s, (start - 1e-6, start + width_s + 1e-6))
    return paths.part(int(first), int(end))


def _one_way(paths: LimbPaths, at_s: float) -> LimbPaths:
    """The part around an instant in which the horse looks one way: while it turns about, forward
    changes sides."""
    if not len(paths):
        return paths
    here = min(int(np.searchsorted(paths.t_s, at_s)), len(paths) - 1)
    other = np.nonzero(paths.facing != paths.facing[here])[0]
    before, after = other[other < here], other[other > here]
    first = int(before[-1]) + 1 if len(before) else 0
    return paths.part(first, int(after[0]) if len(after) else len(paths))


def _judged(
    paths: LimbPaths, skeleton: Skeleton, speed_mps: float, options: GaitOptions, at_s: float
) -> GaitEstimate:
    """The gait of one window of a moving horse."""
    rhythm = rhythm_of(paths)
    if not math.isfinite(rhythm.stride_hz):
        return GaitEstimate(at_s, Gait.UNKNOWN, speed_mps=speed_mps, evidence=("no rhythm",))
    seen = speed_mps if math.isfinite(speed_mps) else trunk_speed_mps(paths)
    follows = camera_follows(paths, rhythm, seen)
    most_hz = math.inf if follows else _most_hz(paths, seen, math.isfinite(speed_mps))
    if rhythm.stride_hz > most_hz:
        # Left and right limbs taken for each other look like one that steps twice as often.
        rhythm = rhythm_of(paths, most_hz)
        if not math.isfinite(rhythm.stride_hz):
            words = ("no rhythm of a stride long enough",)
            return GaitEstimate(at_s, Gait.UNKNOWN, speed_mps=seen, evidence=words)
    speed = rhythm.ground_mps if follows else seen
    known = np.where(rhythm.fits >= _LEAST_FIT, rhythm.phases, np.nan)
    found = patterns(known, rhythm.duty, speed, rhythm.stride_hz, options.rules)
    made = _decided(at_s, rhythm, known, found, speed, skeleton, options)
    return replace(made, follows=follows)


def _most_hz(paths: LimbPaths, speed_mps: float, known: bool) -> float:
    """Strides a second of a horse that goes on at a speed cannot be more, as each takes it some
    way; inf where the speed may be larger than it looks."""
    whole = known or float(np.median(paths.side)) >= _BROADSIDE
    return speed_mps / _LEAST_STRIDE_M if whole and speed_mps >= _GOES_ON_MPS else math.inf


_LEAST_STRIDE_M, _GOES_ON_MPS = 1.2, 1.0
"""The shortest strides of a horse that goes on, not on the spot as in the piaffe, are those of the
collected walk (1.57 m at 1.37 m/s) and the passage (1.75 m); ranges of Clayton, "The Dynamic Horse"
(2004), with a quarter off for what speed and height are measured wrong."""

_LEAST_FIT = 0.35
"""A limb whose movement the common rhythm explains less than this is not used."""

_NO_STRIDES, _FULL_STRIDES = 0.7, 2.0
"""Strides in the window that tell nothing, and from which more add no confidence."""

_PLAUSIBLE = 16.0
"""Cost of phases and support at which the confidence has fallen to a third: each of four phase
rules and three supporting numbers off by one and a half standard deviations."""


def _stands(lately: LimbPaths, speed_mps: float, options: GaitOptions) -> bool:
    """Trunk and at least three hooves stay where they are."""
    if len(lately) < 3 or lately.t_s[-1] - lately.t_s[0] < _LEAST_STAY * options.standing_s:
        return False
    if math.isfinite(speed_mps) and speed_mps > 2 * options.still_mps:
        return False
    ranges = _hoof_ranges(lately)
    if len(ranges) < 2 or sum(r < options.still_sway_m for r in ranges) < min(len(ranges), 3):
        return False
    return not lately.fixed.all() or trunk_way_m(lately) <= options.still_mps * _took_s(lately)


def _in_place(lately: LimbPaths, speed_mps: float, options: GaitOptions) -> bool:
    """The trunk stays where it is on the ground while the hooves shift a little; False where the
    camera's motion is not known."""
    if len(lately) < 3 or not lately.fixed.all():
        return False
    took_s = _took_s(lately)
    if took_s < _LEAST_STAY * options.standing_s:
        return False
    if math.isfinite(speed_mps) and speed_mps > options.still_mps:
        return False
    ranges = _hoof_ranges(lately)
    if len(ranges) < 2 or float(np.median(ranges)) > _SHIFTING_M:
        return False
    return trunk_way_m(lately) <= options.still_mps * took_s


def _took_s(paths: LimbPaths) -> float:
    return float(paths.t_s[-1] - paths.t_s[0])


def _hoof_ranges(paths: LimbPaths) -> list[float]:
    """How far each seen hoof travels forth and back, metres, its outer tenths left aside."""
    ranges = []
    for limb in range(4):
        column = paths.ahead_m[:, limb][np.isfinite(paths.ahead_m[:, limb])]
        if len(column) >= 3:
            low, high = np.percentile(column, (10, 90))
            ranges.append(float(high - low))
    return ranges


_LEAST_STAY = 0.8
"""Share of ``standing_s`` that must be in sight."""

_SHIFTING_M = 0.45
"""Hooves of a horse that turns or shifts in place travel less; a slow walk's travel 0.8 m."""


def _standing(paths: LimbPaths, t_s: float) -> GaitEstimate:
    trust = paths.trust[paths.trust > 0]
    sure = float(trust.mean()) if len(trust) else 0.0
    shares = ((Gait.STANDING, 1.0),)
    return GaitEstimate(
        t_s, Gait.STANDING, confidence=sure, speed_mps=0.0, shares=shares,
        evidence=("hooves and trunk still",),
    )  # fmt: skip


def _decided(
    t_s: float, rhythm: Rhythm, known: Floats, found: list[Pattern], speed: float,
    skeleton: Skeleton, options: GaitOptions,
) -> GaitEstimate:  # fmt: skip
    used = np.isfinite(known)
    fit = float(rhythm.fits[used].mean()) if used.any() else 0.0
    relative = relative_to_hind(known)
    numbers = GaitEstimate(
        t_s=t_s,
        gait=Gait.UNKNOWN,
        stride_hz=rhythm.stride_hz,
        stride_m=speed / rhythm.stride_hz,
        speed_mps=speed,
        duty=rhythm.duty,
        phases=(float(relative[0]), float(relative[1]), float(relative[2]), float(relative[3])),
        fit=fit,
        strides=rhythm.strides,
    )
    if not found:
        return replace(numbers, evidence=(f"{int(used.sum())} limbs in rhythm, too few",))
    best = found[0]
    shares = posteriors(found)
    plausible = math.exp(-(best.misfit + best.support) / _PLAUSIBLE)
    strides = np.clip((rhythm.strides - _NO_STRIDES) / (_FULL_STRIDES - _NO_STRIDES), 0.0, 1.0)
    enough = float(strides) * (0.4 + 0.15 * best.terms)
    sure = shares[best.gait] * plausible * min(1.0, fit / 0.8) * enough * min(1, rhythm.trust + 0.2)
    gait = best.gait if sure >= options.least_confidence else Gait.UNKNOWN
    return replace(
        numbers,
        gait=gait,
        lead=_lead(best.lead, skeleton) if gait is not Gait.UNKNOWN else Lead.NONE,
        confidence=float(sure),
        symmetry=_symmetry(gait, rhythm, relative),
        shares=tuple(sorted(shares.items(), key=lambda item: -item[1])),
        evidence=_words(best, rhythm, relative, speed, int(used.sum())),
    )


def _symmetry(gait: Gait, rhythm: Rhythm, relative: Floats) -> float:
    """How even the window is, from when the limbs land and how far they travel."""
    if gait is Gait.UNKNOWN:
        return math.nan
    sway = np.where(np.isfinite(relative), rhythm.sway_m, np.nan)
    pairs = [relative_difference(float(sway[a]), float(sway[b])) for a, b in ((LF, RF), (LH, RH))]
    return symmetry(gait, _UNKNOWN4, relative.tolist(), pairs)


def _lead(lead: Lead, skeleton: Skeleton) -> Lead:
    """The lead as far as the skeleton knows its sides."""
    if skeleton.sides_known or lead is Lead.NONE:
        return lead
    return Lead.ONE if lead is Lead.LEFT else Lead.OTHER


def _words(
    best: Pattern, rhythm: Rhythm, relative: Floats, speed: float, limbs: int
) -> tuple[str, ...]:
    order = " ".join("-" if math.isnan(v) else f"{v:.2f}" for v in relative)
    words = [
        f"landings {order}",
        f"phase misfit {best.misfit:.1f} over {best.terms} rules, {limbs} limbs",
        f"{rhythm.strides:.1f} strides at {rhythm.stride_hz:.2f} Hz",
    ]
    if math.isfinite(rhythm.duty):
        words.append(f"duty {rhythm.duty:.2f}")
    if math.isfinite(speed):
        words.append(f"{speed:.1f} m/s")
    if best.note:
        words.append(best.note)
    return tuple(words)
