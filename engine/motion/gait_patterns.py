"""Which gait a set of limb phases is: footfall order first, then duty, speed and frequency.

Nothing here is fitted to data. The phase rules are those of Hildebrand ("Symmetrical gaits of
horses", Science 150, 1965; "Analysis of asymmetrical gaits", J. Mammalogy 58, 1977): in symmetrical
gaits the limbs of a pair land half a stride apart, and the delay of the front limb behind the hind
limb of its side tells walk (a quarter) from trot (a half); canter and gallop are asymmetrical, each
pair has a leading limb, and in the canter the diagonal between them lands together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from engine.domain.motion import Gait, Lead
from engine.motion.limb_paths import Floats

LF, RF, LH, RH = range(4)
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class GaitSupport:
    """What usually goes with a gait: duty factor, speed of a horse of 1.60 m, stride frequency."""

    duty: Range
    speed_mps: Range
    stride_hz: Range


@dataclass(frozen=True, slots=True)
class GaitRules:
    """Limits of the gait decision; none is fitted.

    phase_sd: a landing's usual scatter against its stride, of horse and measurement together.
    walk_delay: front behind hind limb of a side. canter_lag, gallop_lag: between the two limbs of a
    pair. canter_diagonal, gallop_gap: trailing front after leading hind limb. side_delay: front
    behind hind limb of the only side that is seen; walk and canter agree there, and duty, speed and
    frequency must tell them apart. support: of the speeds, the specification's limits of standing,
    walk, trot and canter (0.5, 2, 4 and 6 m/s); of the frequencies, ranges of Clayton, "The Dynamic
    Horse" (2004), widened. support_at_most: cost of one supporting number that does not fit; it
    never outweighs a footfall order that does not fit, which costs 50 and more. speed_limits_mps:
    from where on walk, trot, canter and gallop, where speed is all there is.
    """

    phase_sd: float = 0.05
    walk_delay: Range = (0.15, 0.35)
    canter_lag: Range = (0.12, 0.38)
    canter_diagonal: Range = (-0.07, 0.07)
    gallop_lag: Range = (0.04, 0.25)
    gallop_gap: Range = (0.09, 0.42)
    side_delay: dict[Gait, Range] = field(
        default_factory=lambda: {
            Gait.WALK: (0.15, 0.35),
            Gait.TROT: (0.43, 0.57),
            Gait.CANTER: (0.12, 0.38),
            Gait.GALLOP: (0.38, 0.55),
        }
    )
    duty_sd: float = 0.07
    speed_sd_mps: float = 0.6
    stride_sd_hz: float = 0.3
    support_at_most: float = 9.0
    speed_limits_mps: tuple[float, float, float, float] = (0.5, 2.0, 4.0, 6.0)
    support: dict[Gait, GaitSupport] = field(
        default_factory=lambda: {
            Gait.WALK: GaitSupport((0.52, 0.80), (0.3, 2.0), (0.45, 1.2)),
            Gait.TROT: GaitSupport((0.20, 0.50), (1.8, 4.5), (1.0, 1.9)),
            Gait.CANTER: GaitSupport((0.20, 0.50), (2.5, 6.5), (1.3, 2.1)),
            Gait.GALLOP: GaitSupport((0.10, 0.42), (5.0, 20.0), (1.7, 2.9)),
        }
    )


RULES = GaitRules()


@dataclass(frozen=True, slots=True)
class Pattern:
    """How well one gait on one lead explains the limbs. ``misfit``: sum of squared deviations in
    standard deviations over four phase rules. ``terms``: rules that could be checked."""

    gait: Gait
    lead: Lead
    misfit: float
    support: float
    terms: int
    note: str = ""

    @property
    def cost(self) -> float:
        """Misfit of phases and support together; smaller is better."""
        return self.misfit + self.support


def between(later: float, earlier: float) -> float:
    """Phase difference in -0.5..0.5."""
    return (later - earlier + 0.5) % 1.0 - 0.5


def _outside(value: float, limits: Range) -> float:
    return max(limits[0] - value, value - limits[1], 0.0)


def patterns(
    phases: Floats, duty: float, speed_mps: float, stride_hz: float, rules: GaitRules = RULES
) -> list[Pattern]:
    """Every gait on every lead, best first. NaN where something is not known; a pattern of which
    fewer than two rules can be checked is left out, unless one whole side is all there is."""
    p = [float(v) for v in phases]
    side = _only_side(p)
    if side is not None:
        return _of_one_side(side, duty, speed_mps, stride_hz, rules)
    found = [_symmetrical(p, Gait.WALK, rules), _symmetrical(p, Gait.TROT, rules)]
    for lead in (Lead.LEFT, Lead.RIGHT):
        found.append(_leading(p, Gait.CANTER, lead, rules, disunited=False))
        found.append(_leading(p, Gait.CANTER, lead, rules, disunited=True))
        found.append(_leading(p, Gait.GALLOP, lead, rules, disunited=False))
    result = []
    for gait, lead, deviations, note in found:
        known = [d for d in deviations if math.isfinite(d)]
        if len(known) < 2:
            continue
        misfit = sum((d / rules.phase_sd) ** 2 for d in known) * 4.0 / len(known)
        support = _support(gait, duty, speed_mps, stride_hz, rules)
        result.append(Pattern(gait, lead, misfit, support, len(known), note))
    result.sort(key=lambda pattern: pattern.cost)
    return result


def _only_side(p: list[float]) -> float | None:
    """The delay of the front behind the hind limb, where these two of one side are all there is."""
    known = [limb for limb in range(4) if math.isfinite(p[limb])]
    if known == [LF, LH]:
        return (p[LF] - p[LH]) % 1.0
    return (p[RF] - p[RH]) % 1.0 if known == [RF, RH] else None


def _of_one_side(
    delay: float, duty: float, speed_mps: float, stride_hz: float, rules: GaitRules
) -> list[Pattern]:
    result = []
    for gait, limits in rules.side_delay.items():
        misfit = 4.0 * (_outside(delay, limits) / rules.phase_sd) ** 2
        support = _support(gait, duty, speed_mps, stride_hz, rules)
        result.append(Pattern(gait, Lead.NONE, misfit, support, 1, "one side seen"))
    result.sort(key=lambda pattern: pattern.cost)
    return result


_Found = tuple[Gait, Lead, list[float], str]


def _symmetrical(p: list[float], gait: Gait, rules: GaitRules) -> _Found:
    apart = [0.5 - abs(between(p[LH], p[RH])), 0.5 - abs(between(p[LF], p[RF]))]
    if gait is Gait.WALK:
        delays = [(p[LF] - p[LH]) % 1.0, (p[RF] - p[RH]) % 1.0]
        order = [_outside(delay, rules.walk_delay) for delay in delays]
    else:
        order = [abs(between(p[LF], p[RH])), abs(between(p[RF], p[LH]))]
    return gait, Lead.NONE, [*apart, *_with_nan(order, p)], ""


def _with_nan(values: list[float], p: list[float]) -> list[float]:
    """``max`` swallows NaN: where a limb of the side or diagonal is missing, say so again."""
    if math.isnan(p[LF]):
        values = [math.nan, values[1]]
    if math.isnan(p[RF]):
        values = [values[0], math.nan]
    if math.isnan(p[LH]) or math.isnan(p[RH]):
        values = [v if math.isfinite(v) else math.nan for v in values]
    return values


def _leading(p: list[float], gait: Gait, lead: Lead, rules: GaitRules, disunited: bool) -> _Found:
    """Canter or gallop. Disunited: the hind limbs canter on the other lead than the front limbs."""
    front, other_front = (LF, RF) if lead is Lead.LEFT else (RF, LF)
    hind, other_hind = (LH, RH) if (lead is Lead.LEFT) != disunited else (RH, LH)
    lag = rules.canter_lag if gait is Gait.CANTER else rules.gallop_lag
    gap = rules.canter_diagonal if gait is Gait.CANTER else rules.gallop_gap
    deviations = [
        _apart(p[hind], p[other_hind], lag),
        _apart(p[front], p[other_front], lag),
        _apart(p[other_front], p[hind], gap),
        # After the leading front limb nothing bears until the trailing hind limb lands again.
        _apart((p[other_hind] - p[front]) % 1.0, 0.0, (0.25, 0.75), wrap=False),
    ]
    return gait, lead, deviations, "disunited" if disunited else ""


def _apart(later: float, earlier: float, limits: Range, wrap: bool = True) -> float:
    if math.isnan(later) or math.isnan(earlier):
        return math.nan
    return _outside(between(later, earlier) if wrap else later - earlier, limits)


def _support(
    gait: Gait, duty: float, speed_mps: float, stride_hz: float, rules: GaitRules
) -> float:
    usual = rules.support[gait]
    cost = 0.0
    for value, limits, spread in (
        (duty, usual.duty, rules.duty_sd),
        (speed_mps, usual.speed_mps, rules.speed_sd_mps),
        (stride_hz, usual.stride_hz, rules.stride_sd_hz),
    ):
        if math.isfinite(value):
            cost += min((_outside(value, limits) / spread) ** 2, rules.support_at_most)
    return cost


def posteriors(found: list[Pattern]) -> dict[Gait, float]:
    """Share of each gait among the patterns, 0..1: the best of each gait by exp(-cost / 2)."""
    best: dict[Gait, float] = {}
    for pattern in found:
        best[pattern.gait] = min(best.get(pattern.gait, math.inf), pattern.cost)
    if not best:
        return {}
    least = min(best.values())
    weights = {gait: math.exp(-(cost - least) / 2) for gait, cost in best.items()}
    total = sum(weights.values())
    return {gait: weight / total for gait, weight in weights.items()}


def relative_to_hind(phases: Floats) -> Floats:
    """Phases counted from the landing of the left hind limb (else the right hind, else the first
    known), float64 (4,) in 0..1."""
    for limb in (LH, RH, LF, RF):
        if math.isfinite(phases[limb]):
            return np.asarray((phases - phases[limb]) % 1.0, np.float64)
    return phases
