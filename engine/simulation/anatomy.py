"""A simulated horse's shape: rings around its bones, and its EQUINE26 landmarks, for many poses.

A ring is an ellipse around a centre with two half axes: one in the plane of the body part
(``up``), one across it (``wide``). A part is a chain of rings; its skin runs from ring to ring.
Everything is computed in the level frame of ``postures`` and then put on the ground of the site.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.domain.skeletons import EQUINE26
from engine.simulation.gaits import LIMBS, Floats
from engine.simulation.postures import TRUNK_M, Posture

_LEG_SIDE_M = 0.17
_NECK_M, _FACE_M = 0.80, 0.56
_HIP_X, _WITHERS_X = -0.50, 0.40

# x, y, half height, half width
_TRUNK = np.array([
    (-0.82, 1.25, 0.13, 0.11), (-0.74, 1.26, 0.235, 0.19), (-0.60, 1.265, 0.31, 0.26),
    (-0.42, 1.255, 0.325, 0.285), (-0.15, 1.205, 0.335, 0.30), (0.15, 1.18, 0.365, 0.295),
    (0.38, 1.21, 0.38, 0.245), (0.56, 1.24, 0.325, 0.195), (0.69, 1.25, 0.20, 0.14),
])  # fmt: skip
# share along the neck, out towards the crest, half height, half width
_NECK = np.array([
    (-0.13, -0.02, 0.32, 0.17), (0.14, 0.0, 0.265, 0.145), (0.42, 0.0, 0.195, 0.115),
    (0.72, 0.0, 0.155, 0.09), (0.97, 0.0, 0.135, 0.08),
])  # fmt: skip
_MANE = np.array([
    (0.02, 0.235, 0.055, 0.045), (0.30, 0.185, 0.075, 0.05), (0.62, 0.135, 0.075, 0.05),
    (0.98, 0.105, 0.05, 0.04),
])  # fmt: skip
_HEAD = np.array([
    (0.02, -0.01, 0.118, 0.085), (0.26, -0.025, 0.135, 0.098), (0.52, -0.008, 0.098, 0.072),
    (0.80, -0.002, 0.072, 0.058), (1.0, -0.004, 0.068, 0.062), (1.06, -0.008, 0.048, 0.05),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """Rings ``first`` to ``last`` (one past) of one surface; ``limb`` is -1 for the rest."""

    name: str
    first: int
    last: int
    limb: int = -1


_LEG_RINGS = 12


def _parts() -> tuple[Part, ...]:
    parts, at = [], 0
    counts = [("tail", 5), ("trunk", 9), ("neck", 5), ("mane", 4),
              ("left_ear", 3), ("right_ear", 3), ("head", 6), ("forelock", 2)]  # fmt: skip
    for name, count in counts:
        parts.append(Part(name, at, at + count))
        at += count
    for limb, name in enumerate(LIMBS):
        parts.append(Part(name, at, at + _LEG_RINGS, limb))
        at += _LEG_RINGS
    return tuple(parts)


PARTS = _parts()
RINGS = PARTS[-1].last
PART = {part.name: part for part in PARTS}
HOOF_RINGS = 3
"""The last rings of a leg belong to its hoof."""


@dataclass(frozen=True, slots=True)
class _Leg:
    """One kind of leg: joints at rest, bone lengths, which way its middle joint bends, and ring
    sizes (half in the leg's plane, half across) from shoulder or hip down."""

    root: tuple[float, float]
    top: tuple[float, float]
    top_follows: float
    upper_m: float
    lower_m: float
    bend: float
    rings: tuple[tuple[float, float], ...]


_FRONT_LEG = _Leg(
    (0.50, 1.12), (0.43, 0.94), 0.50, 0.44, 0.375, 1.0,
    ((0.17, 0.105), (0.12, 0.100), (0.095, 0.080), (0.060, 0.056), (0.041, 0.036), (0.038, 0.034),
     (0.050, 0.043), (0.039, 0.038), (0.045, 0.045), (0.047, 0.048),
     (0.058, 0.056), (0.056, 0.055)),
)  # fmt: skip
_HIND_LEG = _Leg(
    (-0.55, 1.22), (-0.36, 1.00), 0.42, 0.49, 0.46, -1.0,
    ((0.24, 0.145), (0.175, 0.128), (0.115, 0.092), (0.068, 0.056), (0.046, 0.039), (0.041, 0.036),
     (0.052, 0.043), (0.040, 0.038), (0.045, 0.045), (0.047, 0.048),
     (0.056, 0.054), (0.054, 0.053)),
)  # fmt: skip
_PASTERN_M = 0.15
# Where the rings of a leg are: the joint above, the share of the way to the next, how far of the
# leg's sideways spread they take part in, and how far out from the middle of the body they are.
_RING_JOINTS = np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3])
_RING_SHARES = np.array([0.0, 0.0, 0.40, 0.0, 0.28, 0.78, 0.0, 0.45, 0.66, 0.68, 0.94, 1.0])
_RING_DEPTHS = np.array([0.0, 0.2, 0.35, 0.5, 0.6, 0.75, 0.85, 0.9, 0.95, 0.95, 1.0, 1.0])
_RING_INWARD = np.array([0.85, *([1.0] * 11)])


@dataclass(frozen=True, slots=True)
class Bodies:
    """N posed horses in the site frame (x east, y north, z up, metres).

    centres, up, wide: float64 (N, RINGS, 3), ring centres and half axes. landmarks: float64
    (N, 26, 3) in EQUINE26 order. left: float64 (N, 3), unit vector to the horse's left.
    """

    centres: Floats
    up: Floats
    wide: Floats
    landmarks: Floats
    left: Floats


@dataclass(frozen=True, slots=True)
class Stance:
    """Where N horses are: x_m, y_m, yaw, size (against 1.60 m) and bulk, arrays (N,)."""

    x_m: Floats
    y_m: Floats
    yaw: Floats
    size: Floats
    bulk: Floats


def bodies(posture: Posture, stance: Stance) -> Bodies:
    """Rings and landmarks of posed horses on the ground of the site."""
    count = len(posture)
    centres = np.zeros((count, RINGS, 3))
    up, wide = np.zeros_like(centres), np.zeros_like(centres)
    points = np.zeros((count, 26, 3))
    _trunk(posture, centres, up, wide, points)
    _head(posture, centres, up, wide, points)
    for limb in range(4):
        _leg(posture, limb, centres, up, wide, points)
    wide *= stance.bulk[:, None, None]
    axis = TRUNK_M + (posture.front_m + posture.rear_m) / 2
    place = _Placement(posture.roll, axis, stance)
    return Bodies(
        centres=place.points(centres),
        up=place.directions(up),
        wide=place.directions(wide),
        landmarks=place.points(points),
        left=np.stack([-np.sin(stance.yaw), np.cos(stance.yaw), np.zeros(count)], axis=-1),
    )


def trunk_section(x_m: Floats) -> tuple[Floats, Floats, Floats]:
    """Height of the trunk's axis and its half height and half width at x of a standing horse; the
    sizes are tiny beyond its ends."""
    axis, high, wide = (np.interp(x_m, _TRUNK[:, 0], _TRUNK[:, k]) for k in (1, 2, 3))
    beyond = (x_m < _TRUNK[0, 0]) | (x_m > _TRUNK[-1, 0])
    return axis, np.where(beyond, 1e-6, high), np.where(beyond, 1e-6, wide)


class _Placement:
    """From level frames to the site: roll about the trunk, scale, turn, move."""

    def __init__(self, roll: Floats, axis_m: Floats, stance: Stance) -> None:
        self._cos, self._sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
        self._axis = axis_m[:, None]
        self._size = stance.size[:, None]
        self._forward = np.cos(stance.yaw)[:, None], np.sin(stance.yaw)[:, None]
        self._x, self._y = stance.x_m[:, None], stance.y_m[:, None]

    def points(self, level: Floats) -> Floats:
        placed = self.directions(level - np.stack([0 * self._axis, self._axis, 0 * self._axis], -1))
        placed[..., 0] += self._x
        placed[..., 1] += self._y
        placed[..., 2] = np.maximum(placed[..., 2] + self._axis * self._size, 0.012)
        return placed

    def directions(self, level: Floats) -> Floats:
        x, y, z = level[..., 0], level[..., 1], level[..., 2]
        risen = (y * self._cos - z * self._sin) * self._size
        left = (y * self._sin + z * self._cos) * self._size
        ahead = x * self._size
        east, north = self._forward
        return np.stack([ahead * east - left * north, ahead * north + left * east, risen], axis=-1)


def _lift(posture: Posture, x: Floats) -> Floats:
    """Rise of the trunk at x; (N, len(x))."""
    share = np.clip((x - _HIP_X) / (_WITHERS_X - _HIP_X), 0.0, 1.0)
    front, rear = posture.front_m[:, None], posture.rear_m[:, None]
    return np.asarray(rear + (front - rear) * share)


def _mark(points: Floats, name: str, x: Floats, y: Floats, z: Floats | float) -> None:
    index = EQUINE26.landmarks.index(name)
    points[:, index, 0], points[:, index, 1], points[:, index, 2] = x, y, z


def _trunk(posture: Posture, centres: Floats, up: Floats, wide: Floats, points: Floats) -> None:
    rows = slice(PART["trunk"].first, PART["trunk"].last)
    centres[:, rows, 0] = _TRUNK[:, 0]
    centres[:, rows, 1] = _TRUNK[:, 1] + _lift(posture, _TRUNK[:, 0])
    up[:, rows, 1], wide[:, rows, 2] = _TRUNK[:, 2], _TRUNK[:, 3]
    marked = (("withers", 0.40, 1.59), ("hip", -0.50, 1.58), ("tail_base", -0.81, 1.41))
    for name, x, y in marked:
        _mark(points, name, np.full(len(posture), x), y + _lift(posture, np.array([x]))[:, 0], 0.0)
    rows = slice(PART["tail"].first, PART["tail"].last)
    rear = _lift(posture, np.array([-0.8]))
    carried = posture.tail_m[:, None]
    swing = posture.sway_m[:, None]
    reach = np.array([0.0, 1.0, 1.6, 1.8, 1.6])
    # A tail that would hang through the ground lies behind the horse.
    drop = np.array([0.0, 0.17, 0.47, 0.77, 0.93])
    room = np.clip((1.30 + rear) / 0.95, 0.12, 1.0)
    spread = np.sqrt(np.clip(1 - room**2, 0.0, 1.0))
    back = np.array([0.0, 0.08, 0.13, 0.12, 0.10])
    centres[:, rows, 0] = -0.83 - back - carried * reach - 0.85 * drop * spread
    centres[:, rows, 1] = 1.38 + rear - drop * room
    centres[:, rows, 2] = swing * np.array([0.0, 0.4, 1.0, 1.7, 2.2])
    size = np.array([0.05, 0.062, 0.085, 0.07, 0.02])
    up[:, rows, 0], wide[:, rows, 2] = size * room, size
    up[:, rows, 1] = size * spread


class _Profile:
    """Neck and face of N poses in the level frame, before the neck is bent sideways."""

    base_x = 0.53

    def __init__(self, posture: Posture) -> None:
        self._base_y = 1.30 + posture.front_m[:, None]
        self.neck, face = posture.neck[:, None], posture.face[:, None]
        self.neck_cos, self.neck_sin = np.cos(self.neck), np.sin(self.neck)
        self.face_cos, self.face_sin = np.cos(face), np.sin(face)
        self._head_m = posture.head_m[:, None]

    def on_neck(self, share: Floats, out: Floats) -> tuple[Floats, Floats]:
        """x, y (N, k) at shares of the way to the poll, ``out`` metres towards the crest."""
        x = self.base_x + _NECK_M * share * self.neck_cos - out * self.neck_sin
        y = self._base_y + _NECK_M * share * self.neck_sin + out * self.neck_cos
        return x, y + self._head_m * np.clip(share, 0, 1)

    def on_face(self, share: Floats, out: Floats) -> tuple[Floats, Floats]:
        """x, y (N, k) at shares from poll to muzzle, ``out`` metres towards the brow."""
        x = self.base_x + _NECK_M * self.neck_cos
        y = self._base_y + _NECK_M * self.neck_sin + self._head_m
        return (
            x + _FACE_M * share * self.face_cos - out * self.face_sin,
            y + _FACE_M * share * self.face_sin + out * self.face_cos,
        )


def _head(posture: Posture, centres: Floats, up: Floats, wide: Floats, points: Floats) -> None:
    profile = _Profile(posture)
    chains = (("neck", _NECK, False), ("mane", _MANE, False), ("head", _HEAD, True))
    for name, table, is_face in chains:
        rows = slice(PART[name].first, PART[name].last)
        where = profile.on_face if is_face else profile.on_neck
        centres[:, rows, 0], centres[:, rows, 1] = where(table[:, 0], table[:, 1])
        cos = profile.face_cos if is_face else profile.neck_cos
        sin = profile.face_sin if is_face else profile.neck_sin
        up[:, rows, 0], up[:, rows, 1] = -sin * table[:, 2], cos * table[:, 2]
        wide[:, rows, 2] = table[:, 3]
    first = PART["forelock"].first
    tuft = (profile.on_neck(_at(1.05), _at(0.115)), profile.on_face(_at(0.2), _at(0.12)))
    for index, ((x, y), size) in enumerate(zip(tuft, (0.036, 0.02), strict=True)):
        centres[:, first + index, :2] = np.concatenate([x, y], axis=1)
        up[:, first + index, 1] = wide[:, first + index, 2] = size
    _ears(posture, profile, centres, up, wide, points)
    marks = {
        "nose": (profile.on_face(_at(1.06), _at(0.0)), 0.0),
        "left_eye": (profile.on_face(_at(0.27), _at(0.045)), 0.088),
        "right_eye": (profile.on_face(_at(0.27), _at(0.045)), -0.088),
        "poll": (profile.on_neck(_at(1.0), _at(0.135)), 0.0),
        "throat": (profile.on_neck(_at(0.85), _at(-0.14)), 0.0),
    }
    for name, ((x, y), z) in marks.items():
        _mark(points, name, x[:, 0], y[:, 0], z)
    _bend_neck(posture, profile.base_x, centres, up, wide, points)


def _at(value: float) -> Floats:
    return np.array([value])


def _ears(
    posture: Posture, profile: _Profile, centres: Floats, up: Floats, wide: Floats, points: Floats
) -> None:
    base_x, base_y = profile.on_neck(_at(1.02), _at(0.11))
    lean = profile.neck + 1.15 - posture.ears[:, None]
    for name, z in (("left_ear", 0.065), ("right_ear", -0.065)):
        first = PART[name].first
        for ring, (length, size) in enumerate(((0.0, 0.034), (0.09, 0.032), (0.175, 0.006))):
            x, y = base_x + np.cos(lean) * length, base_y + np.sin(lean) * length
            centres[:, first + ring] = np.concatenate([x, y, 0 * x + z * (1 + length)], axis=1)
            up[:, first + ring, 0] = -np.sin(lean[:, 0]) * size
            up[:, first + ring, 1] = np.cos(lean[:, 0]) * size
            wide[:, first + ring, 2] = size * 0.8
        tip = centres[:, first + 2]
        _mark(points, name, tip[:, 0], tip[:, 1], tip[:, 2])


def _bend_neck(
    posture: Posture, base_x: float, centres: Floats, up: Floats, wide: Floats, points: Floats
) -> None:
    """Swing neck and head sideways about an upright axis; more towards the head."""
    rings = slice(PART["neck"].first, PART["forelock"].last)
    names = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "poll", "throat")
    marks = [EQUINE26.landmarks.index(name) for name in names]
    for array, rows, moved in (
        (centres, rings, True), (points, marks, True), (up, rings, False), (wide, rings, False)
    ):  # fmt: skip
        part = array[:, rows]
        ahead = (centres if array is not points else points)[:, rows, 0] - base_x
        if not moved:
            ahead = np.full_like(ahead, 0.6)
        angle = posture.bend[:, None] * np.clip(0.45 + 0.55 * ahead / 0.8, 0.0, 1.0)
        cos, sin = np.cos(angle), np.sin(angle)
        x = part[..., 0] - (base_x if moved else 0.0)
        z = part[..., 2].copy()
        part = part.copy()
        part[..., 0] = x * cos - z * sin + (base_x if moved else 0.0)
        part[..., 2] = x * sin + z * cos
        array[:, rows] = part


def _leg(
    posture: Posture, limb: int, centres: Floats, up: Floats, wide: Floats, points: Floats
) -> None:
    leg = _FRONT_LEG if limb < 2 else _HIND_LEG
    side, end = LIMBS[limb].split("_")
    hoof = posture.hoof_m[:, limb, :2]
    rest_x = 0.44 if limb < 2 else -0.57
    follows = leg.top_follows * (hoof[:, 0] - rest_x)
    lift = _lift(posture, np.array([leg.top[0], leg.root[0]]))
    raised = 0.25 * np.clip(hoof[:, 1], 0.0, 0.15)
    top = np.stack([leg.top[0] + follows, leg.top[1] + lift[:, 0] + raised], axis=-1)
    root = np.stack([leg.root[0] + 0.25 * follows, leg.root[1] + lift[:, 1]], axis=-1)
    angle = posture.pastern[:, limb]
    way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    top, middle, fetlock = _two_bones(top, hoof + _PASTERN_M * way, leg)
    hoof = fetlock - _PASTERN_M * way
    chain = np.stack([root, top, middle, fetlock, hoof], axis=1)
    first = PART[LIMBS[limb]].first
    sign = 1.0 if side == "left" else -1.0
    spread = posture.hoof_m[:, limb, 2]
    steps = chain[:, 1:] - chain[:, :-1]
    ways = steps / np.maximum(np.hypot(steps[..., 0], steps[..., 1]), 1e-9)[..., None]
    # At a joint a ring stands across the mean of both bones, elsewhere across its own.
    before = np.where((_RING_SHARES > 0) | (_RING_JOINTS == 0), _RING_JOINTS, _RING_JOINTS - 1)
    along = ways[:, _RING_JOINTS] + ways[:, before]
    along /= np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-6)[..., None]
    rows = slice(first, first + _LEG_RINGS)
    centres[:, rows, :2] = chain[:, _RING_JOINTS] + _RING_SHARES[:, None] * steps[:, _RING_JOINTS]
    centres[:, rows, 2] = sign * _LEG_SIDE_M * _RING_INWARD + spread[:, None] * _RING_DEPTHS
    sizes = np.array(leg.rings)
    up[:, rows, 0], up[:, rows, 1] = -along[..., 1] * sizes[:, 0], along[..., 0] * sizes[:, 0]
    wide[:, rows, 2] = sizes[:, 1]
    z = sign * _LEG_SIDE_M
    upper, lower = ("elbow", "carpus") if end == "front" else ("stifle", "hock")
    for name, at, share in (
        (f"{side}_{upper}", top, 0.2), (f"{side}_{lower}", middle, 0.5),
        (f"{side}_{end}_fetlock", fetlock, 0.85), (f"{side}_{end}_hoof", hoof, 1.0),
    ):  # fmt: skip
        _mark(points, name, at[:, 0], at[:, 1], z + spread * share)


def _two_bones(top: Floats, end: Floats, leg: _Leg) -> tuple[Floats, Floats, Floats]:
    """Top, middle joint and end of two bones from ``top`` to ``end``.

    Where the end is out of reach the top follows it, as shoulder and hip do; where it is too near
    the end gives way.
    """
    way = end - top
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    longest = (leg.upper_m + leg.lower_m) * 0.999
    shortest = abs(leg.upper_m - leg.lower_m) + 0.02
    unit = way / np.maximum(distance, 1e-6)
    top = top + unit * np.maximum(distance - longest, 0.0)
    reached = np.clip(distance, shortest, longest)
    along = (leg.upper_m**2 - leg.lower_m**2 + reached**2) / (2.0 * reached)
    across = np.sqrt(np.maximum(leg.upper_m**2 - along**2, 0.0)) * leg.bend
    perpendicular = np.stack([-unit[:, 1], unit[:, 0]], axis=-1)
    return top, top + unit * along + perpendicular * across, top + unit * reached
