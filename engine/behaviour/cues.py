"""What one picture says about a horse's posture and head: numbers without a unit, from its pose.

Landmarks are asked for by role, so any skeleton serves as far as it goes, and what is missing is
said. Lengths are divided by lengths of the same horse in the same picture, so neither distance nor
size matter.

A camera that looks down shows what is farther away higher in the picture. How a metre along the
horse's body lies in the picture is read from landmarks in front and behind that are equally high on
a standing horse (withers and croup, elbow and stifle, front and hind hoof), and the head's height
is corrected by it: only then do a grazing horse seen from behind and a dozing one seen from the
front look different.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.skeletons import LIMBS, Skeleton

NAN = math.nan
KNOWN_FROM = 0.3
"""Landmarks below this score are not used (specification: engine, Pose)."""

_SURE_FROM = 0.45
"""Hooves below this score wander too much to say whether legs are kicking."""

# Places on a standing horse in metres forward of the middle of the trunk and over the ground, for
# one of 1.60 m at the withers: proportions of a riding horse (body length about its height, elbow
# and stifle at 0.6 of it, carpus and hock at a third).
_FORWARD_M = {
    "withers": 0.42, "croup": -0.52, "tail_root": -0.85, "neck": 0.60,
    "elbow": 0.45, "stifle": -0.38, "carpus": 0.44, "hock": -0.65,
    "front_hoof": 0.46, "hind_hoof": -0.59,
}  # fmt: skip
_UP_M = {"withers": 1.60, "croup": 1.58, "tail_root": 1.42, "neck": 1.30}
_POLL_FORWARD_M, _NOSE_FORWARD_M = 0.75, 1.05
"""Poll and nose before the withers: the same within 0.15 m for a head held high or low."""
_HEAD_FORWARD_M = 1.25
"""Poll before the middle of the back."""
_EYE_BELOW_POLL_M = 0.18
_RIGID_M = (
    ("withers", "tail_root", 1.28), ("withers", "croup", 0.94), ("neck", "tail_root", 1.46),
    ("poll", "nose", 0.70), ("eye_left", "nose", 0.47), ("eye_right", "nose", 0.47),
    ("elbow_left", "carpus_left", 0.46), ("elbow_right", "carpus_right", 0.46),
    ("carpus_left", "hoof_left_front", 0.51), ("carpus_right", "hoof_right_front", 0.51),
    ("stifle_left", "hock_left", 0.50), ("stifle_right", "hock_right", 0.50),
    ("hock_left", "hoof_left_hind", 0.61), ("hock_right", "hoof_right_hind", 0.61),
)  # fmt: skip
"""Parts that keep their length whatever the posture. A part pointing at the camera looks shorter,
never longer: the second longest for its kind tells the scale (the longest may be a mistake)."""


@dataclass(frozen=True, slots=True)
class Cues:
    """One row of one picture; NaN where landmarks were not seen.

    leg_drop: how far the hooves are below elbows and stifles, in leg lengths: 1 for legs that stand
    upright, 0 for folded or flat ones, negative for legs in the air. leg_straight: distance of hoof
    and elbow in leg lengths, 1 straight, 0.2 folded. clearance: height of the back over the hooves
    in metres of a horse of 1.60 m, shortened by the camera's looking down. roll: height of the back
    over the elbows, the same way. head: height of the poll over the withers, metres, corrected for
    the direction the horse faces; nose: of the nose over the hooves. lift: height of the head over
    the middle of the back, the same, for a horse whose legs tell nothing. legs: seen, 0..4.
    px_m: picture pixels a metre. hooves_px: place of each surely seen hoof in the picture,
    4 x (x, y), NaN where not seen.
    """

    leg_drop: float
    leg_straight: float
    clearance: float
    roll: float
    head: float
    nose: float
    lift: float
    legs: int
    px_m: float
    hooves_px: tuple[float, ...]


NOTHING = Cues(NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, NAN, (NAN,) * 8)
"""Of a row without a pose."""

_WANTED = (
    "withers", "tail_root", "nose", "elbow_left", "elbow_right", "stifle_left", "stifle_right",
    *(f"hoof_{limb}" for limb in LIMBS),
)  # fmt: skip

Point = Sequence[float]


class CueReader:
    """Reads cues from poses of one skeleton. ``missing``: roles that the skeleton has no landmark
    for and that analyses of behaviour would like to have."""

    def __init__(self, skeleton: Skeleton) -> None:
        index = skeleton.index_by_role
        self.missing = skeleton.missing(*_WANTED)
        self._index = index
        top = "withers" if "withers" in index else "neck"
        self._front_top = index.get(top)
        self._front_up_m = _UP_M[top]
        self._back = [
            (index[role], _UP_M[role]) for role in ("withers", "croup", "tail_root", "neck")
            if role in index and (role != "neck" or top == "neck")
        ]  # fmt: skip
        self._legs = [_leg(index, limb) for limb in LIMBS]
        self._pairs = _pairs(index)
        self._rigid = [(index[a], index[b], m) for a, b, m in _RIGID_M if a in index and b in index]
        self._poll = index.get("poll")
        self._eyes = [index[r] for r in ("eye_left", "eye_right") if r in index]
        self._nose = index.get("nose")

    def read(self, points: Sequence[Point], scores: Sequence[float]) -> Cues:
        """Cues of one pose: points (K, 2) in picture pixels (y down) and scores (K,)."""
        known = [score >= KNOWN_FROM for score in scores]
        px_m = self._scale(points, known)
        if px_m <= 0.0:
            return NOTHING
        drop, straight, legs, hooves = self._leg_shape(points, known)
        back = [(points[i], up) for i, up in self._back if known[i]]
        elbows = [points[leg[0]] for leg in self._legs[:2] if leg and known[leg[0]]]
        hoof_y = _mean([p[1] for p in hooves if p is not None])
        # Everything on the back brought to the height of the withers of a standing horse.
        back_y = _mean([p[1] - (_UP_M["withers"] - up) * px_m for p, up in back])
        clearance = (hoof_y - back_y) / px_m
        roll = (_mean([p[1] for p in elbows]) - back_y) / px_m
        head, nose, lift = self._head(points, known, hoof_y, back_y, px_m, clearance)
        return Cues(
            drop, straight, clearance, roll, head, nose, lift, legs, px_m,
            self._hooves(points, scores),
        )  # fmt: skip

    def _scale(self, points: Sequence[Point], known: Sequence[bool]) -> float:
        first = second = 0.0
        for a, b, metres in self._rigid:
            if known[a] and known[b]:
                p, q = points[a], points[b]
                px_m = math.hypot(p[0] - q[0], p[1] - q[1]) / metres
                if px_m > first:
                    first, second = px_m, first
                elif px_m > second:
                    second = px_m
        return second

    def _leg_shape(
        self, points: Sequence[Point], known: Sequence[bool]
    ) -> tuple[float, float, int, list[Point | None]]:
        drop = span = length = 0.0
        legs = 0
        hooves: list[Point | None] = []
        for leg in self._legs:
            hooves.append(points[leg[-1]] if leg and known[leg[-1]] else None)
            joints = [points[i] for i in leg if known[i]]
            if len(joints) < 3 or not known[leg[0]] or not known[leg[-1]]:
                continue
            legs += 1
            first, last = joints[0], joints[-1]
            drop += last[1] - first[1]
            span += math.hypot(last[0] - first[0], last[1] - first[1])
            for p, q in itertools.pairwise(joints):
                length += math.hypot(p[0] - q[0], p[1] - q[1])
        if length <= 0.0:
            return NAN, NAN, 0, hooves
        return drop / length, span / length, legs, hooves

    def _slope(self, points: Sequence[Point], known: Sequence[bool]) -> float:
        """Picture pixels downwards for a metre forward along the body; 0 where it is unknown."""
        found = [
            (points[a][1] - points[b][1]) / metres
            for a, b, metres in self._pairs
            if known[a] and known[b]
        ]
        if not found:
            return 0.0
        found.sort()
        middle = len(found) // 2
        return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2.0

    def _head(
        self,
        points: Sequence[Point],
        known: Sequence[bool],
        hoof_y: float,
        back_y: float,
        px_m: float,
        clearance: float,
    ) -> tuple[float, float, float]:
        slope = self._slope(points, known)
        # Upright, the horse's own height in the picture is the measure of heights.
        tall = clearance == clearance and clearance > 0.4 * _UP_M["withers"]
        up_px_m = (hoof_y - back_y) / _UP_M["withers"] if tall else px_m
        poll_y = self._poll_y(points, known, px_m)
        head = nose = NAN
        if self._front_top is not None and known[self._front_top]:
            withers_y = points[self._front_top][1]
            withers_y -= (_UP_M["withers"] - self._front_up_m) * up_px_m
            head = (withers_y - poll_y + _POLL_FORWARD_M * slope) / up_px_m
        if self._nose is not None and known[self._nose]:
            nose = (hoof_y - points[self._nose][1] + _NOSE_FORWARD_M * slope) / up_px_m
        lift = (back_y - poll_y + _HEAD_FORWARD_M * slope) / px_m
        return head, nose, lift

    def _poll_y(self, points: Sequence[Point], known: Sequence[bool], px_m: float) -> float:
        if self._poll is not None and known[self._poll]:
            return float(points[self._poll][1])
        eyes = [points[i][1] for i in self._eyes if known[i]]
        return _mean(eyes) - _EYE_BELOW_POLL_M * px_m

    def _hooves(self, points: Sequence[Point], scores: Sequence[float]) -> tuple[float, ...]:
        found: list[float] = []
        for leg in self._legs:
            sure = bool(leg) and scores[leg[-1]] >= _SURE_FROM
            found += (points[leg[-1]][0], points[leg[-1]][1]) if sure else (NAN, NAN)
        return tuple(found)


def _leg(index: dict[str, int], limb: str) -> tuple[int, ...]:
    """Joints of a limb from the trunk down; empty where its ends are missing."""
    side, end = limb.split("_")
    joints = ("elbow", "carpus") if end == "front" else ("stifle", "hock")
    roles = (*(f"{joint}_{side}" for joint in joints), f"fetlock_{limb}", f"hoof_{limb}")
    if roles[0] not in index or roles[-1] not in index:
        return ()
    return tuple(index[role] for role in roles if role in index)


def _pairs(index: dict[str, int]) -> list[tuple[int, int, float]]:
    """(front, hind, metres apart) of landmarks that are equally high on a standing horse."""
    named = [("withers", "croup", _FORWARD_M["withers"] - _FORWARD_M["croup"])]
    for side in ("left", "right"):
        named.append(
            (f"elbow_{side}", f"stifle_{side}", _FORWARD_M["elbow"] - _FORWARD_M["stifle"])
        )
        named.append((f"carpus_{side}", f"hock_{side}", _FORWARD_M["carpus"] - _FORWARD_M["hock"]))
        hooves = _FORWARD_M["front_hoof"] - _FORWARD_M["hind_hoof"]
        named.append((f"hoof_{side}_front", f"hoof_{side}_hind", hooves))
    return [(index[a], index[b], m) for a, b, m in named if a in index and b in index]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else NAN
