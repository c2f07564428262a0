"""Which landmarks of a skeleton stand for which part of the horse, as index arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.skeletons import LIMBS, Skeleton

Indices = NDArray[np.intp]

_TRUNK = {
    "withers": 1.0, "croup": 1.0, "tail_root": 1.0, "neck": 0.7, "throat": 0.2,
    "shoulder_left": 0.5, "shoulder_right": 0.5, "hip_left": 0.5, "hip_right": 0.5,
    "elbow_left": 0.4, "elbow_right": 0.4, "stifle_left": 0.3, "stifle_right": 0.3,
}  # fmt: skip
"""How firmly each landmark sits on the trunk: elbow and stifle swing with the legs."""

_REACH = {
    "hoof": (0.8, 2.0), "fetlock": (0.7, 1.8), "carpus": (0.6, 1.3), "hock": (0.6, 1.3),
    "stifle": (0.4, 0.6), "elbow": (0.4, 0.6),
    "nose": (0.8, 0.3), "poll": (0.6, 0.3), "eye": (0.7, 0.3), "ear": (0.7, 0.3),
    "throat": (0.5, 0.3),
}  # fmt: skip
"""How fast a landmark may move against the trunk: body units a second at rest, and more with every
unit a second of the horse itself. A swinging hoof passes the trunk at the horse's own speed or a
little more; the factor 2 leaves room."""
_REACH_ELSEWHERE = (0.3, 0.3)

# Mass of each segment in per cent of the body, both sides together, and the landmarks it lies
# between: Kubo, Sakai, Sakuraoka and Ishii (1992), "Segmental body weight, volume and mass center
# in Thoroughbred horses", Jpn. J. Equine Sci. 3 (three horses). Where along a segment its mass
# lies is simplified to the mean of the landmarks named; the trunk's stands on both girdles.
_SEGMENTS: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = (
    (4.4, (("poll", 0.6), ("nose", 0.4))),
    (7.0, (("poll", 0.35), ("withers", 0.4), ("throat", 0.25))),
    (59.5, (("withers", 0.34), ("croup", 0.11), ("tail_root", 0.11),
            ("elbow_left", 0.15), ("elbow_right", 0.15),
            ("stifle_left", 0.07), ("stifle_right", 0.07))),
    (9.2, (("withers", 0.2), ("elbow_left", 0.4), ("elbow_right", 0.4))),
    (1.8, (("elbow_left", 0.25), ("elbow_right", 0.25),
           ("carpus_left", 0.25), ("carpus_right", 0.25))),
    (1.0, (("carpus_left", 0.2), ("carpus_right", 0.2),
           ("hoof_left_front", 0.3), ("hoof_right_front", 0.3))),
    (13.8, (("croup", 0.2), ("tail_root", 0.2), ("stifle_left", 0.3), ("stifle_right", 0.3))),
    (2.0, (("stifle_left", 0.25), ("stifle_right", 0.25),
           ("hock_left", 0.25), ("hock_right", 0.25))),
    (1.4, (("hock_left", 0.25), ("hock_right", 0.25),
           ("hoof_left_hind", 0.25), ("hoof_right_hind", 0.25))),
)  # fmt: skip
_STAND_INS = {
    "poll": ("eye_left", "eye_right"), "withers": ("neck",), "throat": ("neck", "nose"),
    "croup": ("tail_root",),
}  # fmt: skip
"""What a segment takes where a skeleton lacks a landmark."""


@dataclass(frozen=True)
class BodyPlan:
    """Index arrays into the K landmarks of one skeleton; -1 where it lacks a role.

    trunk: float32 (K,), weights of ``_TRUNK``. reach_rest, reach_moving: float32 (K,). mass:
    float32 (K,), share of the body's mass that each landmark carries, sums to 1. withers: of the
    withers, else of the base of the neck. poll: of the poll; head: those that stand for it.
    hooves: (4,) by limb. legs: (4, 3) by limb, elbow or stifle, carpus or hock, hoof. fetlocks:
    (4,). partner: (K,), the same landmark of the other side, itself in the middle. parent: (K,),
    the landmark above it in its leg, -1 elsewhere. ends: landmarks from elbow or stifle down of
    the left and the right leg, front and hind, in the same order.
    """

    skeleton: Skeleton
    trunk: FloatArray
    reach_rest: FloatArray
    reach_moving: FloatArray
    mass: FloatArray
    withers: int
    croup: int
    tail: int
    nose: int
    head: Indices
    hooves: Indices
    fetlocks: Indices
    legs: Indices
    partner: Indices
    parent: Indices
    ends: tuple[tuple[Indices, Indices], ...]

    @property
    def leg_rows(self) -> Indices:
        """Limbs of which all three landmarks exist."""
        return np.nonzero((self.legs >= 0).all(axis=1))[0]

    @property
    def true_withers(self) -> bool:
        """Whether the skeleton has withers, not only the base of the neck."""
        return "withers" in self.skeleton.index_by_role


@cache
def body_plan(skeleton: Skeleton) -> BodyPlan:
    """The plan of a skeleton."""
    at = skeleton.index_by_role
    count = len(skeleton.landmarks)

    def one(*roles: str) -> int:
        return next((at[role] for role in roles if role in at), -1)

    trunk, rest, moving = (np.zeros(count, np.float32) for _ in range(3))
    rest[:], moving[:] = _REACH_ELSEWHERE
    for role, index in skeleton.roles:
        trunk[index] = _TRUNK.get(role, 0.0)
        rest[index], moving[index] = _REACH.get(role.split("_")[0], _REACH_ELSEWHERE)
    partner = np.arange(count)
    for left, right in skeleton.pairs:
        partner[left], partner[right] = right, left
    legs = np.array([_leg(at, limb) for limb in LIMBS], np.intp)
    fetlocks = np.array([one(f"fetlock_{limb}") for limb in LIMBS], np.intp)
    chains = [[*leg[:2], fetlock, leg[2]] for leg, fetlock in zip(legs, fetlocks, strict=True)]
    parent = np.full(count, -1, np.intp)
    for chain in chains:
        known = [index for index in chain if index >= 0]
        for above, below in pairwise(known):
            parent[below] = above
    return BodyPlan(
        skeleton=skeleton,
        trunk=trunk,
        reach_rest=rest,
        reach_moving=moving,
        mass=_masses(at, count),
        withers=one("withers", "neck"),
        croup=one("croup"),
        tail=one("tail_root", "croup"),
        nose=one("nose"),
        head=np.array(_head(at), np.intp),
        hooves=np.array([one(f"hoof_{limb}", f"fetlock_{limb}") for limb in LIMBS], np.intp),
        fetlocks=fetlocks,
        legs=legs,
        partner=partner,
        parent=parent,
        ends=tuple((_known(chains[left]), _known(chains[left + 1])) for left in (0, 2)),
    )


def _known(indices: list[int]) -> Indices:
    return np.array([index for index in indices if index >= 0], np.intp)


def _leg(at: dict[str, int], limb: str) -> tuple[int, int, int]:
    side, end = limb.split("_")
    upper, lower = ("elbow", "carpus") if end == "front" else ("stifle", "hock")
    roles = (f"{upper}_{side}", f"{lower}_{side}", f"hoof_{limb}")
    one, two, three = (at.get(role, -1) for role in roles)
    return one, two, three


def _head(at: dict[str, int]) -> list[int]:
    """The poll; else the ears, else the eyes, else the nose."""
    for roles in (("poll",), ("ear_left", "ear_right"), ("eye_left", "eye_right"), ("nose",)):
        found = [at[role] for role in roles if role in at]
        if found:
            return found
    return []


def _masses(at: dict[str, int], count: int) -> FloatArray:
    mass = np.zeros(count, np.float32)
    for share, parts in _SEGMENTS:
        for role, weight in parts:
            stands = [role] if role in at else [r for r in _STAND_INS.get(role, ()) if r in at]
            for name in stands:
                mass[at[name]] += share * weight / len(stands)
    return mass / max(float(mass.sum()), 1e-6)
