"""How even the two sides move, 0..1.

The score is 1 minus the mean of the relative differences that are known:

* stance and swing times: ``|L - R| / (L + R)`` of the front limbs and of the hind limbs,
* steps of walk and trot: ``|s - (1 - s)|`` of the front and of the hind limbs, where ``s`` is the
  share of the stride between the landing of the left and that of the right limb (even: a half);
  canter and gallop have a leading limb by nature, steps are left out there,
* vertical movement in trot: the differences of head and pelvis minima and maxima over the range of
  that movement; live, where single strides are not timed, ``|L - R| / (L + R)`` of how far the
  hooves of a pair travel instead.

An even horse scores 1; every part is 0 to 1, so the score is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.domain.motion import Gait
from engine.motion.gait_patterns import LF, LH, RF, RH, between

_PAIRS = ((LF, RF), (LH, RH))
SYMMETRICAL = (Gait.WALK, Gait.TROT)


def symmetry(
    gait: Gait, duty: Sequence[float], phases: Sequence[float], further: Sequence[float] = ()
) -> float:
    """The score of one stride. duty, phases: of the four limbs in the order of ``LIMBS``, shares of
    the stride. further: other relative differences, 0..1, sign aside. NaN values are left out;
    NaN when nothing is known."""
    parts: list[float] = []
    for left, right in _PAIRS:
        parts.append(relative_difference(duty[left], duty[right]))
        parts.append(relative_difference(1.0 - duty[left], 1.0 - duty[right]))
        if gait in SYMMETRICAL:
            parts.append(2.0 * (0.5 - abs(between(phases[right], phases[left]))))
    parts.extend(abs(value) for value in further)
    known = [min(part, 1.0) for part in parts if math.isfinite(part)]
    return 1.0 - sum(known) / len(known) if known else math.nan


def relative_difference(left: float, right: float) -> float:
    """``|left - right| / (left + right)``, NaN when both are nothing."""
    total = left + right
    return abs(left - right) / total if total > 0 else math.nan
