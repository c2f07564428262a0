"""Final bouts and strides of a track: from poses of a walking skeleton, and from what was told."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.ids import new_stream_id, new_track_id
from engine.domain.motion import Bout, BoutId, BoutKind, PoseSeries, TrackMotion
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import EQUINE26
from engine.reanalysis.final_motion import Whole, final_motion

START = datetime(2025, 6, 1, tzinfo=UTC)
WHOLE = Whole(new_track_id(), new_stream_id(), START, START + timedelta(seconds=10))
SCALE = 100.0
WALK = {"left_hind": 0.0, "left_front": 0.25, "right_hind": 0.5, "right_front": 0.75}
TROT = {"left_hind": 0.0, "right_front": 0.0, "right_hind": 0.5, "left_front": 0.5}


def series(gait: dict[str, float], stride_hz: float, speed_mps: float, duty: float) -> PoseSeries:
    """A stick horse that goes right at this gait, 13 s around the chunk, 30 pictures a second."""
    t_s = np.arange(-1.5, 11.5, 1 / 30)
    points = np.full((len(t_s), len(EQUINE26.landmarks), 2), np.nan)
    trunk_x, ground_y = 200 + speed_mps * SCALE * (t_s - t_s[0]), 300.0
    places = {
        "nose": (1.1, 1.5), "poll": (0.95, 1.75), "throat": (0.9, 1.5), "withers": (0.5, 1.55),
        "hip": (-0.45, 1.5), "tail_base": (-0.65, 1.4), "left_eye": (1.0, 1.65),
        "right_eye": (1.0, 1.65), "left_ear": (0.95, 1.8), "right_ear": (0.95, 1.8),
    }  # fmt: skip
    for name, (x, up) in places.items():
        row = EQUINE26.landmarks.index(name)
        points[:, row, 0], points[:, row, 1] = trunk_x + x * SCALE, ground_y - up * SCALE
    reach = speed_mps / stride_hz * duty / 2
    for limb, phase in gait.items():
        side, end = limb.split("_")
        base = 0.45 if end == "front" else -0.5
        turn = (t_s * stride_hz - phase) % 1.0
        stance = turn < duty
        swing = (turn - duty) / (1 - duty)
        ahead = np.where(stance, reach - 2 * reach * turn / duty, -reach + 2 * reach * swing)
        up = np.where(stance, 0.0, 0.15 * np.sin(math.pi * swing))
        upper, middle = ("elbow", "carpus") if end == "front" else ("stifle", "hock")
        heights = (
            (f"{side}_{upper}", 0.85, 0.2),
            (f"{side}_{middle}", 0.5, 0.6),
            (f"{side}_{end}_fetlock", 0.15, 0.9),
            (f"{side}_{end}_hoof", 0.0, 1.0),
        )
        for name, height, share in heights:
            row = EQUINE26.landmarks.index(name)
            points[:, row, 0] = trunk_x + (base + share * ahead) * SCALE
            points[:, row, 1] = ground_y - (height + share * up) * SCALE
    scores = np.full(points.shape[:2], 0.9, np.float32)
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    return PoseSeries(
        t_s, PoseBatch(points.astype(np.float32), scores, EQUINE26),
        np.concatenate([low, high], axis=1).astype(np.float32),
        np.full(len(t_s), SCALE, np.float32), np.zeros((len(t_s), 2), np.float32),
    )  # fmt: skip


def told(kind: BoutKind, value: str, start_s: float, end_s: float) -> Bout:
    return Bout(
        BoutId(uuid4()), WHOLE.track_id, WHOLE.stream_id, kind, value, WHOLE.at(start_s),
        WHOLE.at(end_s), 0.7,
    )  # fmt: skip


def words(motion: TrackMotion, kind: BoutKind) -> list[tuple[str, float, float]]:
    return [
        (bout.value, round((bout.start_at - START).total_seconds(), 1),
         round((bout.end_at - START).total_seconds(), 1))
        for bout in motion.bouts if bout.kind is kind
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gait", "stride_hz", "speed_mps", "duty", "name", "action"),
    [(WALK, 0.9, 1.6, 0.62, "walk", "walking"), (TROT, 1.4, 3.3, 0.42, "trot", "running")],
)
def test_gait_strides_and_action_are_those_of_the_legs(
    gait: dict[str, float], stride_hz: float, speed_mps: float, duty: float, name: str, action: str
) -> None:
    known = [
        told(BoutKind.GAIT, "canter", 0, 10), told(BoutKind.ACTION, "standing", 0, 10),
        told(BoutKind.POSTURE, "upright", -5, 20),
    ]  # fmt: skip
    motion = final_motion(WHOLE, series(gait, stride_hz, speed_mps, duty), None, known)
    assert words(motion, BoutKind.GAIT) == [(name, 0.0, 10.0)]
    assert words(motion, BoutKind.ACTION) == [(action, 0.0, 10.0)]
    assert words(motion, BoutKind.POSTURE) == [("upright", 0.0, 10.0)]
    assert not any(bout.provisional or bout.open for bout in motion.bouts)
    strides = motion.strides
    assert abs(len(strides) - 10 * stride_hz) <= 2
    assert all(WHOLE.start_at <= s.start_at < WHOLE.end_at for s in strides)
    assert np.median([s.stride_hz for s in strides]) == pytest.approx(stride_hz, rel=0.05)
    assert np.median([s.speed_mps for s in strides]) == pytest.approx(speed_mps, rel=0.1)
    assert {s.gait.label for s in strides} == {name} and not any(s.provisional for s in strides)


def test_what_takes_minutes_to_know_is_kept() -> None:
    known = [
        told(BoutKind.ACTION, "grazing", 2, 6), told(BoutKind.ACTION, "walking", 6, 9),
        told(BoutKind.COMPANY, "person", 8, 30),
    ]  # fmt: skip
    motion = final_motion(WHOLE, series(WALK, 0.9, 1.6, 0.62), None, known)
    actions = words(motion, BoutKind.ACTION)
    assert ("grazing", 2.0, 6.0) in actions
    assert [one for one in actions if one[0] == "walking"] == [
        ("walking", 0.0, 2.0),
        ("walking", 6.0, 10.0),
    ]
    assert words(motion, BoutKind.COMPANY) == [("person", 8.0, 10.0)]


def test_doing_it_again_makes_the_same_rows() -> None:
    known = [told(BoutKind.ACTION, "grazing", 2, 6)]
    one, two = (final_motion(WHOLE, series(TROT, 1.4, 3.3, 0.42), None, known) for _ in range(2))
    assert [b.id for b in one.bouts] == [b.id for b in two.bouts]
    assert [s.id for s in one.strides] == [s.id for s in two.strides]
    again = final_motion(WHOLE, series(TROT, 1.4, 3.3, 0.42), None, one.bouts)
    assert [b.id for b in again.bouts] == [b.id for b in one.bouts]
