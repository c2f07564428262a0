"""A simulated horse's shape: parts made of elliptic rings, and its EQUINE26 landmarks.

Body frame: x forward, y up, z to the horse's left, metres. A ring stands across the part's axis
with half height ``high`` (in the body's plane) and half width ``wide`` (across it); the outline of
a part is the hull of its neighbouring rings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.domain.geometry import FloatArray
from engine.domain.skeletons import EQUINE26
from engine.simulation.gaits import GAITS, LIMBS, Gait, Leg, Point, leg_at
from engine.simulation.plans import Moment

_LEG_SIDE_M = 0.17


@dataclass(frozen=True, slots=True)
class Ring:
    """One cross section: centre x, y, z and half sizes."""

    x: float
    y: float
    z: float
    high: float
    wide: float


@dataclass(frozen=True, slots=True)
class Part:
    """A chain of rings of one tint: body, mane, points (lower leg), hoof, white or dark."""

    tint: str
    rings: tuple[Ring, ...]
    far: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A posed horse. ``landmarks``: float32 (26, 3) in EQUINE26 order. ``contacts`` by limb."""

    far_parts: tuple[Part, ...]
    near_parts: tuple[Part, ...]
    trunk: tuple[Part, ...]
    patches: tuple[Part, ...]
    landmarks: FloatArray
    contacts: tuple[bool, bool, bool, bool]


_TRUNK = (
    (-0.80, 1.24, 0.17, 0.15),
    (-0.66, 1.26, 0.28, 0.23),
    (-0.45, 1.25, 0.33, 0.28),
    (-0.15, 1.19, 0.345, 0.30),
    (0.15, 1.16, 0.365, 0.30),
    (0.38, 1.18, 0.37, 0.26),
    (0.56, 1.21, 0.31, 0.21),
    (0.68, 1.24, 0.19, 0.16),
)


def pose_body(moment: Moment, t_s: float, offset: float) -> Body:
    """The horse's parts and landmarks at a moment; ``offset`` sets its own rhythm of ear and
    tail."""
    gait = moment.gait
    rise_m = 0.0
    if gait is not Gait.STANDING:
        table = GAITS[gait]
        swing = math.cos(2 * math.pi * table.bounces * moment.phase)
        rise_m = table.bounce_m * swing * moment.amplitude
    legs = tuple(leg_at(limb, gait, moment.phase, moment.amplitude) for limb in range(4))
    head = _Head(moment, t_s, offset, rise_m)
    near_left = math.cos(moment.yaw) < 0.0
    near: list[Part] = []
    far: list[Part] = []
    for limb, leg in enumerate(legs):
        left = LIMBS[limb].startswith("left")
        parts = _leg_parts(leg, limb, _LEG_SIDE_M if left else -_LEG_SIDE_M, left != near_left)
        (near if left == near_left else far).extend(parts)
    trunk = (
        Part("mane", _tail(moment, t_s, offset, rise_m)),
        Part("body", tuple(Ring(x, y + rise_m, 0.0, h, w) for x, y, h, w in _TRUNK)),
        Part("body", (
            Ring(0.05, 1.36 + rise_m, 0.0, 0.17, 0.12),
            Ring(0.38, 1.43 + rise_m, 0.0, 0.165, 0.07),
            Ring(0.56, 1.40 + rise_m, 0.0, 0.14, 0.08),
        )),
        *head.parts(),
    )  # fmt: skip
    return Body(
        far_parts=tuple(far),
        near_parts=tuple(near),
        trunk=trunk,
        patches=_patches(rise_m, near_left),
        landmarks=_landmarks(legs, head, rise_m),
        contacts=(legs[0].contact, legs[1].contact, legs[2].contact, legs[3].contact),
    )


class _Head:
    """Neck and head for one moment."""

    def __init__(self, moment: Moment, t_s: float, offset: float, rise_m: float) -> None:
        raised = 38.0 if moment.gait is Gait.STANDING else GAITS[moment.gait].neck_deg
        if moment.action == "alert":
            raised = 56.0
        nod = 0.0
        if moment.gait is Gait.WALK:
            nod = 3.5 * math.sin(4 * math.pi * moment.phase) * moment.amplitude
        chew = 1.5 * math.sin(2 * math.pi * (0.8 * t_s + offset)) * moment.head_down
        breath = 0.8 * math.sin(2 * math.pi * (0.2 * t_s + offset))
        neck = raised + nod + breath + (-49.0 - raised) * moment.head_down
        face = -42.0 + 0.35 * (neck - 38.0) * (1 - moment.head_down) - 34.0 * moment.head_down
        self.neck_rad = math.radians(neck)
        self.face_rad = math.radians(face + chew)
        self.base: Point = (0.53, 1.30 + rise_m)
        self.poll_axis = _along(self.base, self.neck_rad, 0.80)
        self.muzzle = _along(self.poll_axis, self.face_rad, 0.56)
        self.up = (-math.sin(self.neck_rad), math.cos(self.neck_rad))
        self.brow = (-math.sin(self.face_rad), math.cos(self.face_rad))
        self.ear_turn = 0.25 * math.sin(2 * math.pi * (0.13 * t_s + offset))

    def off_neck(self, share: float, out_m: float) -> Point:
        """A point along the neck, ``out_m`` towards its crest."""
        x, y = _along(self.base, self.neck_rad, 0.80 * share)
        return x + self.up[0] * out_m, y + self.up[1] * out_m

    def off_face(self, share: float, out_m: float) -> Point:
        """A point along the face from poll to muzzle, ``out_m`` towards the brow."""
        x, y = _along(self.poll_axis, self.face_rad, 0.56 * share)
        return x + self.brow[0] * out_m, y + self.brow[1] * out_m

    def parts(self) -> tuple[Part, ...]:
        """Neck, mane, head, ears, eye side features in drawing order."""
        root = Ring(self.base[0] - 0.10, self.base[1] - 0.01, 0.0, 0.30, 0.17)
        neck = (root, *(
            Ring(*self.off_neck(share, 0.0), 0.0, high, wide)
            for share, high, wide in (
                (0.14, 0.27, 0.14), (0.42, 0.20, 0.11), (0.72, 0.158, 0.085), (0.97, 0.142, 0.08),
            )
        ))  # fmt: skip
        head = tuple(
            Ring(*self.off_face(share, out), 0.0, high, wide)
            for share, out, high, wide in (
                (0.02, -0.01, 0.125, 0.09), (0.26, -0.025, 0.14, 0.10),
                (0.52, -0.005, 0.098, 0.075), (0.80, 0.0, 0.076, 0.06), (1.0, -0.004, 0.070, 0.06),
            )
        )  # fmt: skip
        mane = tuple(
            Ring(*self.off_neck(share, out), 0.0, high, 0.05)
            for share, out, high in (
                (0.02, 0.235, 0.055), (0.30, 0.19, 0.075), (0.62, 0.135, 0.075),
                (0.98, 0.11, 0.055),
            )
        )  # fmt: skip
        ears = tuple(
            Part("body", (Ring(*base, side, 0.035, 0.03), Ring(*tip, side * 1.1, 0.008, 0.008)))
            for side in (0.07, -0.07)
            for base, tip in (self._ear(),)
        )
        forelock = (Ring(*self.off_neck(1.05, 0.12), 0.0, 0.04, 0.03),
                    Ring(*self.off_face(0.2, 0.12), 0.0, 0.025, 0.02))  # fmt: skip
        return (Part("body", neck), Part("mane", mane), ears[0], Part("body", head), ears[1],
                Part("mane", forelock))  # fmt: skip

    def _ear(self) -> tuple[Point, Point]:
        base = self.off_neck(1.02, 0.13)
        return base, _along(base, self.neck_rad + 1.15 - self.ear_turn, 0.17)

    def landmarks(self) -> dict[str, tuple[float, float, float]]:
        """EQUINE26 landmarks of head and neck."""
        ear = self._ear()[1]
        eye = self.off_face(0.27, 0.055)
        return {
            "nose": (*self.off_face(1.08, 0.0), 0.0),
            "left_eye": (*eye, 0.09),
            "right_eye": (*eye, -0.09),
            "left_ear": (*ear, 0.075),
            "right_ear": (*ear, -0.075),
            "poll": (*self.off_neck(1.0, 0.14), 0.0),
            "throat": (*self.off_neck(0.85, -0.15), 0.0),
        }


def _along(start: Point, angle_rad: float, length_m: float) -> Point:
    return (
        start[0] + math.cos(angle_rad) * length_m,
        start[1] + math.sin(angle_rad) * length_m,
    )


def _leg_parts(leg: Leg, limb: int, z: float, far: bool) -> list[Part]:
    """Upper leg, lower leg and hoof, thicker where muscle is."""
    front = limb < 2
    top = 0.17 if front else 0.27
    joint = 0.105 if front else 0.17
    knee = 0.064 if front else 0.072
    inward = z * 0.75
    upper = (
        Ring(*leg.root, inward, top, 0.10),
        Ring(*leg.top, z, joint, 0.09),
        Ring(*leg.middle, z, knee, 0.055),
    )
    cannon = (
        Ring(*leg.middle, z, knee, 0.055),
        Ring(*_between(leg.middle, leg.fetlock, 0.3), z, 0.042, 0.035),
        Ring(*_between(leg.middle, leg.fetlock, 0.8), z, 0.040, 0.035),
        Ring(*leg.fetlock, z, 0.052, 0.042),
    )
    coronet = _between(leg.fetlock, leg.hoof, 0.62)
    pastern = (Ring(*leg.fetlock, z, 0.050, 0.042), Ring(*coronet, z, 0.042, 0.042))
    toe = (leg.hoof[0] + 0.03, leg.hoof[1] + 0.012)
    heel = (leg.hoof[0] - 0.055, leg.hoof[1] + 0.012)
    hoof = (
        Ring(*heel, z, 0.014, 0.05),
        Ring(*coronet, z, 0.045, 0.045),
        Ring(*toe, z, 0.016, 0.05),
    )
    return [
        Part("body", upper, far),
        Part("points", cannon, far),
        Part(f"sock{limb}", (cannon[2], *pastern), far),
        Part("hoof", hoof, far),
    ]


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _tail(moment: Moment, t_s: float, offset: float, rise_m: float) -> tuple[Ring, ...]:
    carried = 0.0 if moment.gait is Gait.STANDING else 0.10 * moment.amplitude
    sway = 0.05 * math.sin(2 * math.pi * (0.45 * t_s + offset))
    return (
        Ring(-0.84, 1.36 + rise_m, 0.0, 0.05, 0.05),
        Ring(-0.95 - carried, 1.20 + rise_m, sway * 0.4, 0.065, 0.06),
        Ring(-0.98 - carried * 1.6, 0.90, sway, 0.085, 0.08),
        Ring(-0.95 - carried * 1.8 + sway * 0.6, 0.60, sway * 1.6, 0.07, 0.07),
        Ring(-0.93 - carried * 1.6 + sway, 0.45, sway * 2.0, 0.02, 0.02),
    )


def _patches(rise_m: float, near_left: bool) -> tuple[Part, ...]:
    """White of a pinto on the side that is seen."""
    z = 0.2 if near_left else -0.2
    return (
        Part("white", (Ring(-0.42, 1.28 + rise_m, z, 0.17, 0.02),
                       Ring(-0.20, 1.20 + rise_m, z, 0.12, 0.02))),
        Part("white", (Ring(0.22, 1.02 + rise_m, z, 0.12, 0.02),
                       Ring(0.36, 1.18 + rise_m, z, 0.16, 0.02))),
    )  # fmt: skip


def _landmarks(legs: tuple[Leg, ...], head: _Head, rise_m: float) -> FloatArray:
    points = head.landmarks()
    points["withers"] = (0.40, 1.59 + rise_m, 0.0)
    points["hip"] = (-0.50, 1.57 + rise_m, 0.0)
    points["tail_base"] = (-0.80, 1.40 + rise_m, 0.0)
    for limb, leg in enumerate(legs):
        side, end = LIMBS[limb].split("_")
        z = _LEG_SIDE_M if side == "left" else -_LEG_SIDE_M
        upper, middle = ("elbow", "carpus") if end == "front" else ("stifle", "hock")
        points[f"{side}_{upper}"] = (*leg.top, z)
        points[f"{side}_{middle}"] = (*leg.middle, z)
        points[f"{side}_{end}_fetlock"] = (*leg.fetlock, z)
        points[f"{side}_{end}_hoof"] = (leg.hoof[0], leg.hoof[1], z)
    return np.array([points[name] for name in EQUINE26.landmarks], np.float32)
