"""How a horse holds itself: numbers that set trunk, neck, head and hooves, for many instants.

Level frame of a horse: x forward from the middle of the trunk, y up from the ground, z to its left,
metres of a horse 1.60 m at the withers. Lying postures lower the trunk in this frame and then roll
it about its own long axis.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.simulation.gaits import (
    GAIT_CODE,
    NECK_DEG,
    STANCE_PASTERN_RAD,
    Bools,
    Floats,
    Gait,
    leg_cycle,
    trunk_lift,
)
from engine.simulation.timelines import ACTIVITY_CODE, ACTIVITY_LIST, Activity

REST_X_M = np.array([0.44, 0.44, -0.57, -0.57])
"""Where the hooves of a standing horse are, in the order of ``gaits.LIMBS``."""
TRUNK_M = 1.19
"""Height of the trunk's axis of a standing horse; half height and half width of its middle:"""
TRUNK_HIGH_M, TRUNK_WIDE_M = 0.36, 0.30
_SIDE = np.array([1.0, -1.0, 1.0, -1.0])
_FRONT = np.array([True, True, False, False])


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides the pose of N horses at N instants; arrays (N,) unless said.

    t_s drives breath, ears and tail. share: how much of the bout is over, 0..1. strides counts
    strides so far. stride_m: of this horse at full amplitude, in its own size's metres.
    asymmetry_m: float64 (N, 4), hd_min, hd_max, pd_min, pd_max, and spread_m (N, 2) of head and
    pelvis, divided by the horse's size. side: 1 lies on the left, -1 on the right.
    """

    t_s: Floats
    rhythm: Floats
    activity: NDArray[np.int64]
    share: Floats
    since_s: Floats
    side: Floats
    gait: NDArray[np.int64]
    strides: Floats
    amplitude: Floats
    stride_m: Floats
    turning: Floats
    asymmetry_m: Floats
    spread_m: Floats


@dataclass(frozen=True, slots=True)
class Posture:
    """N poses. Arrays (N,) unless said.

    front_m, rear_m: rise of forehand and quarters over standing. head_m: extra rise of the poll.
    roll: radians, positive puts the left side down. neck, face: radians over the horizontal;
    bend: radians of the neck to the left. hoof_m: float64 (N, 4, 3), z counts from under the leg.
    pastern: float64 (N, 4), direction from hoof to fetlock. tail_m: how far the tail is carried,
    sway_m its swing; ears: radians back. contact: bool (N, 4), hoof bears on the ground.
    """

    front_m: Floats
    rear_m: Floats
    head_m: Floats
    roll: Floats
    neck: Floats
    face: Floats
    bend: Floats
    hoof_m: Floats
    pastern: Floats
    tail_m: Floats
    sway_m: Floats
    ears: Floats
    contact: Bools

    def __len__(self) -> int:
        return len(self.roll)

    def blended(self, other: Posture, weight: Floats) -> Posture:
        """From this posture (weight 0) to another (1), linear in every number; contacts are this
        posture's up to the middle and then the other's."""
        mixed = {}
        for field in fields(Posture):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            share = weight.reshape(-1, *([1] * (mine.ndim - 1)))
            if mine.dtype == bool:
                mixed[field.name] = np.where(share > 0.5, theirs, mine)
                continue
            mixed[field.name] = mine + (theirs - mine) * share
        return Posture(**mixed)


def _by_activity(usual: float, **other: float) -> Floats:
    column = np.full(len(ACTIVITY_LIST), usual)
    for name, value in other.items():
        column[ACTIVITY_CODE[Activity(name)]] = value
    return column


# Neck and face in degrees over the horizontal, roll in radians, by activity.
_NECK = _by_activity(
    38.0, alert=57.0, grazing=-50.0, dozing=10.0, sternal=40.0, lowering=22.0, rising=30.0,
    lateral=6.0, rolling=20.0, struggling=14.0, pawing=24.0, flank_watching=28.0,
)  # fmt: skip
_FACE = _by_activity(
    -42.0, alert=-34.0, grazing=-74.0, dozing=-56.0, sternal=-46.0, lowering=-58.0, rising=-40.0,
    lateral=-24.0, rolling=-20.0, struggling=-14.0, pawing=-58.0, flank_watching=-46.0,
)  # fmt: skip
_ROLL = _by_activity(0.0, sternal=0.30, lateral=1.50, rolling=1.50, struggling=1.50)
_BEND = _by_activity(0.0, lateral=0.17, struggling=0.05, sternal=-0.25)
_FOLDED_HOOF = np.array([[0.24, 0.10], [0.24, 0.10], [0.02, 0.05], [0.02, 0.05]])
_FOLDED_PASTERN = np.array([0.08, 0.08, 2.97, 2.97])
_STERNAL_LIFT_M = 0.42 - TRUNK_M
_OUT_HOOF = np.array([[0.72, -1.00], [0.62, -0.93], [-0.36, -1.02], [-0.48, -0.95]])
_OUT_PASTERN = np.radians([104.0, 100.0, 112.0, 108.0])
_TUCKED_HOOF = np.array([[0.58, -0.58], [0.48, -0.66], [-0.30, -0.66], [-0.40, -0.56]])
_TUCKED_PASTERN = np.radians([40.0, 50.0, 150.0, 140.0])
_ROLL_PERIOD_S = 5.6


def posture(situation: Situation) -> Posture:
    """The pose of every row of a situation."""
    made = _upright(situation)
    codes = situation.activity
    down = np.isin(codes, _codes(Activity.STERNAL))
    made = made.blended(_sternal(situation), down.astype(float))
    out = np.isin(codes, _codes(Activity.LATERAL, Activity.STRUGGLING, Activity.ROLLING))
    if out.any():
        made = made.blended(_lateral(situation), out.astype(float))
    changing = np.isin(codes, _codes(Activity.LOWERING, Activity.RISING))
    if changing.any():
        made = made.blended(_changing(situation, made), changing.astype(float))
    return made


def _codes(*activities: Activity) -> list[int]:
    return [ACTIVITY_CODE[activity] for activity in activities]


def _smooth(share: Floats) -> Floats:
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share))


def _upright(s: Situation) -> Posture:
    """Standing, moving, grazing, dozing, pawing."""
    count = len(s.t_s)
    moving = s.gait != GAIT_CODE[Gait.STANDING]
    cycle = leg_cycle(s.gait, s.strides % 1.0, s.amplitude, s.stride_m)
    front, rear = trunk_lift(s.gait, s.strides % 1.0, s.amplitude)
    head, pelvis = _limp(s)
    hoof = np.zeros((count, 4, 3))
    hoof[:, :, 0] = REST_X_M + np.where(moving[:, None], cycle.dx_m, 0.0)
    hoof[:, :, 1] = np.where(moving[:, None], cycle.y_m, 0.0)
    pastern = np.where(moving[:, None], cycle.pastern_rad, STANCE_PASTERN_RAD)
    contact = np.where(moving[:, None], cycle.contact, True)
    _step_in_turns(s, hoof, contact)
    _paw(s, hoof, contact)
    dozing = s.activity == ACTIVITY_CODE[Activity.DOZING]
    rested = 2 + (s.rhythm > 0.5)
    rows = np.nonzero(dozing)[0]
    hoof[rows, rested[rows], 0] += 0.10
    hoof[rows, rested[rows], 1] += 0.02
    pastern[rows, rested[rows]] -= 0.5
    neck_deg = np.where(moving, NECK_DEG[s.gait], _NECK[s.activity])
    level = np.where(moving, s.amplitude, 0.0)
    neck_deg = neck_deg + 3.5 * np.sin(4 * np.pi * (s.strides - 0.06)) * level * (
        s.gait == GAIT_CODE[Gait.WALK]
    )
    grazing = s.activity == ACTIVITY_CODE[Activity.GRAZING]
    chew = 2.5 * np.sin(2 * np.pi * (0.8 * s.t_s + s.rhythm)) * grazing
    search = np.sin(2 * np.pi * (0.05 * s.t_s + 3.1 * s.rhythm))
    breath = 0.8 * np.sin(2 * np.pi * (0.2 * s.t_s + s.rhythm))
    watching = s.activity == ACTIVITY_CODE[Activity.FLANK_WATCHING]
    flank = watching * np.where(s.rhythm > 0.5, 1.0, -1.0) * (0.95 + 0.3 * search)
    face_deg = np.where(moving, -42.0 + 0.35 * (neck_deg - 38.0), _FACE[s.activity])
    return Posture(
        front_m=front,
        rear_m=rear + pelvis - 0.015 * dozing,
        head_m=head,
        roll=np.zeros(count),
        neck=np.radians(neck_deg + breath * ~moving),
        face=np.radians(face_deg + chew),
        bend=0.22 * search * grazing + 0.06 * search * ~moving + flank,
        hoof_m=hoof,
        pastern=pastern,
        tail_m=0.10 * level,
        sway_m=0.05 * np.sin(2 * np.pi * (0.45 * s.t_s + s.rhythm)) * (1.0 + 1.5 * watching),
        ears=0.25 * np.sin(2 * np.pi * (0.13 * s.t_s + s.rhythm)),
        contact=contact,
    )


def _step_in_turns(s: Situation, hoof: Floats, contact: Bools) -> None:
    """Feet lifted one after the other while the horse turns on the spot."""
    speed = np.clip(np.abs(s.turning) / 0.6, 0.0, 1.0)
    rows = np.nonzero(speed > 0.1)[0]
    if not len(rows):
        return
    at = (1.1 * s.since_s[rows, None] + np.array([0.0, 0.5, 0.75, 0.25])) % 1.0
    lift = np.where(at < 0.3, np.sin(np.pi * at / 0.3), 0.0) * speed[rows, None]
    hoof[rows, :, 1] += 0.08 * lift
    contact[rows] &= lift < 0.05


def _paw(s: Situation, hoof: Floats, contact: Bools) -> None:
    rows = np.nonzero(s.activity == ACTIVITY_CODE[Activity.PAWING])[0]
    if not len(rows):
        return
    limb = (s.rhythm[rows] > 0.5).astype(int)
    at = (0.9 * s.since_s[rows]) % 1.0
    hoof[rows, limb, 0] += 0.30 * np.sin(2 * np.pi * at)
    lift = np.clip(np.cos(2 * np.pi * at), 0.0, None)
    hoof[rows, limb, 1] += 0.22 * lift
    contact[rows, limb] = lift < 0.05


def _limp(s: Situation) -> tuple[Floats, Floats]:
    """Rise of head and pelvis once a stride, which makes a trot uneven, metres (N,) each.

    Added to a movement that goes twice a stride, a cosine that peaks with one minimum moves the two
    minima apart by twice its size and leaves the maxima, and the other way round.
    """
    trot = (s.gait == GAIT_CODE[Gait.TROT]) * s.amplitude**2
    noise = [
        np.sin(2 * np.pi * (0.137 * s.strides + 5.1 * s.rhythm + k))
        + np.sin(2 * np.pi * (0.311 * s.strides + 9.7 * s.rhythm + 2.3 * k))
        for k in (0.0, 0.31, 0.57, 0.83)
    ]
    hd_min, hd_max, pd_min, pd_max = (
        s.asymmetry_m[:, k] + s.spread_m[:, k // 2] * noise[k] for k in range(4)
    )
    # The right front and left hind legs bear around phase 0.20, see the trot's table.
    low, high = 2 * np.pi * (s.strides - 0.20), 2 * np.pi * (s.strides - 0.45)
    head = (hd_min * np.cos(low) + hd_max * np.cos(high)) / 2
    pelvis = -(pd_min * np.cos(low) + pd_max * np.cos(high)) / 2
    return trot * head, trot * pelvis


def _sternal(s: Situation) -> Posture:
    """Lying on the chest, legs folded, leaning to one side."""
    count = len(s.t_s)
    hoof = np.zeros((count, 4, 3))
    hoof[:, :, :2] = _FOLDED_HOOF
    hoof[:, :, 2] = -0.10 * s.side[:, None] * ~_FRONT
    nod = np.sin(2 * np.pi * (0.03 * s.t_s + s.rhythm))
    lift = np.full(count, _STERNAL_LIFT_M) + 0.004 * np.sin(2 * np.pi * 0.2 * s.t_s)
    return Posture(
        front_m=lift,
        rear_m=lift - 0.02,
        head_m=np.zeros(count),
        roll=_ROLL[ACTIVITY_CODE[Activity.STERNAL]] * s.side,
        neck=np.radians(34.0 + 9.0 * nod),
        face=np.radians(-48.0 + 6.0 * nod),
        bend=_BEND[ACTIVITY_CODE[Activity.STERNAL]] * s.side + 0.15 * nod,
        hoof_m=hoof,
        pastern=np.tile(_FOLDED_PASTERN, (count, 1)),
        tail_m=np.zeros(count),
        sway_m=np.zeros(count),
        ears=0.35 * np.sin(2 * np.pi * (0.07 * s.t_s + s.rhythm)),
        contact=np.zeros((count, 4), np.bool_),
    )


def _lateral(s: Situation) -> Posture:
    """Flat on the side; kicking; or rolling over the back and back again."""
    count = len(s.t_s)
    rolling = s.activity == ACTIVITY_CODE[Activity.ROLLING]
    kicking = s.activity == ACTIVITY_CODE[Activity.STRUGGLING]
    over = 0.5 - 0.5 * np.cos(2 * np.pi * s.since_s / _ROLL_PERIOD_S)
    roll = _ROLL[s.activity] + np.where(rolling, 1.9 * _smooth(over), 0.0)
    roll = roll + np.where(kicking, 0.22 * np.sin(2 * np.pi * 0.55 * s.since_s), 0.0)
    height = np.hypot(TRUNK_HIGH_M * np.cos(roll), TRUNK_WIDE_M * np.sin(roll))
    lift = height - TRUNK_M + 0.004 * np.sin(2 * np.pi * 0.2 * s.t_s)
    tuck = np.where(rolling, 1.0, 0.0)[:, None, None]
    hoof = np.zeros((count, 4, 3))
    hoof[:, :, :2] = _OUT_HOOF + (_TUCKED_HOOF - _OUT_HOOF) * tuck
    beat = 2 * np.pi * (1.15 * s.since_s[:, None] + np.array([0.0, 0.3, 0.55, 0.85]))
    thrash = np.where(kicking, 1.0, np.where(rolling, 0.4, 0.0))[:, None]
    hoof[:, :, 0] += 0.24 * thrash * np.sin(beat)
    hoof[:, :, 1] += 0.16 * thrash * (1 + np.cos(beat)) + height[:, None]
    upper = s.side[:, None] != _SIDE
    hoof[:, :, 2] = s.side[:, None] * np.where(upper, 0.22, 0.04) * ~rolling[:, None]
    pastern = _OUT_PASTERN + (_TUCKED_PASTERN - _OUT_PASTERN) * tuck[:, :, 0]
    bend = _BEND[s.activity] - np.where(
        kicking, 0.35 * np.clip(np.sin(2 * np.pi * 0.55 * s.since_s), 0, 1), 0.0
    )
    return Posture(
        front_m=lift,
        rear_m=lift.copy(),
        head_m=np.zeros(count),
        roll=roll * s.side,
        neck=np.radians(_NECK[s.activity]),
        face=np.radians(_FACE[s.activity]),
        bend=bend * s.side,
        hoof_m=hoof,
        pastern=pastern,
        tail_m=np.zeros(count),
        sway_m=np.zeros(count),
        ears=np.zeros(count),
        contact=np.zeros((count, 4), np.bool_),
    )


def _changing(s: Situation, standing: Posture) -> Posture:
    """Lying down, forehand first, and getting up, forehand first again (as horses do)."""
    lying = _sternal(s)
    rising = s.activity == ACTIVITY_CODE[Activity.RISING]
    front = np.where(rising, 1 - _smooth((s.share - 0.10) / 0.45), _smooth((s.share - 0.12) / 0.50))
    rear = np.where(rising, 1 - _smooth((s.share - 0.48) / 0.42), _smooth((s.share - 0.42) / 0.50))
    both = np.where(rising, rear, _smooth((s.share - 0.45) / 0.5))
    mixed = standing.blended(lying, both)
    legs = np.where(_FRONT, front[:, None], rear[:, None])
    hoof = standing.hoof_m + (lying.hoof_m - standing.hoof_m) * legs[:, :, None]
    turned = standing.pastern + (lying.pastern - standing.pastern) * legs
    head_deg = np.where(rising, 40.0 * np.sin(np.pi * s.share), -14.0 * np.sin(np.pi * s.share))
    return Posture(
        front_m=lying.front_m * front,
        rear_m=lying.rear_m * rear,
        head_m=mixed.head_m,
        roll=mixed.roll,
        neck=mixed.neck + np.radians(head_deg),
        face=mixed.face,
        bend=mixed.bend,
        hoof_m=hoof,
        pastern=turned,
        tail_m=mixed.tail_m,
        sway_m=mixed.sway_m,
        ears=mixed.ears,
        contact=legs < 0.02,
    )
