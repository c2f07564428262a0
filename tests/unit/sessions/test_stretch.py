"""Facts of a session from what is stored of a horse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.behaviour import OwnedBout
from engine.domain.errors import OperatorMistake
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Bout, BoutId, BoutKind, Gait
from engine.domain.sessions import ScaleKind
from engine.sessions.stretch import StoredHorse, facts_of_stored, most_seen, scale_of_cameras

START = datetime(2026, 1, 1, tzinfo=UTC)
BELLA, ZORRO = HorseId(uuid4()), HorseId(uuid4())
SCALE = scale_of_cameras((), None, 1.6)


def bout(a: float, b: float, value: str = "walk", horse: HorseId | None = BELLA,
         kind: BoutKind = BoutKind.GAIT) -> OwnedBout:  # fmt: skip
    start, end = START + timedelta(seconds=a), START + timedelta(seconds=b)
    ids = BoutId(uuid4()), TrackId(uuid4()), StreamId(uuid4())
    return OwnedBout(horse, Bout(*ids, kind, value, start, end, 0.9, False))


def stored(
    *bouts: OwnedBout, at_s: np.ndarray | None = None, length_s: float = 20.0
) -> StoredHorse:
    at = np.arange(0, 10, 0.1) if at_s is None else at_s
    start_us = round(START.timestamp() * 1e6)
    return StoredHorse(
        START, START + timedelta(seconds=length_s), bouts, (),
        (start_us + at * 1e6).astype(np.int64), np.full(len(at), 2.0, np.float32),
    )  # fmt: skip


def test_bouts_are_cut_to_the_session_and_do_not_overlap() -> None:
    facts = facts_of_stored(
        stored(bout(-5, 4), bout(3, 8, "trot"), bout(6, 7, "walk"), bout(18, 30, "standing")),
        SCALE, True,
    )  # fmt: skip
    told = [(s.start_s, s.end_s, s.gait) for s in facts.gaits]
    assert told == [
        (0.0, 4.0, Gait.WALK), (4.0, 8.0, Gait.TROT), (18.0, 20.0, Gait.STANDING),
    ]  # fmt: skip


def test_time_without_poses_is_not_seen() -> None:
    at = np.concatenate([np.arange(0, 5, 0.1), np.arange(12, 15, 0.1)])
    facts = facts_of_stored(stored(at_s=at), SCALE, True)
    assert facts.seen_s == pytest.approx(8.0)
    assert facts.duration_s == 20.0
    # Two cameras tell in turn: nothing counts twice.
    both = np.sort(np.concatenate([np.arange(0, 5, 0.1), np.arange(0.03, 5, 0.1)]))
    assert facts_of_stored(stored(at_s=both), SCALE, True).seen_s == pytest.approx(5.0, abs=0.1)


def test_a_session_without_length_is_none() -> None:
    with pytest.raises(OperatorMistake):
        facts_of_stored(stored(length_s=0.0), SCALE, True)


def test_the_horse_that_was_seen_most_is_found() -> None:
    end = START + timedelta(seconds=20)
    bouts = [
        bout(0, 5, "upright", BELLA, BoutKind.POSTURE),
        bout(2, 9, "upright", ZORRO, BoutKind.POSTURE),
        bout(0, 19, "upright", None, BoutKind.POSTURE),
        bout(-90, 1, "upright", BELLA, BoutKind.POSTURE),
    ]
    assert most_seen(bouts, START, end) == ZORRO
    assert most_seen(bouts[2:3], START, end) is None


def test_metres_come_from_the_ground_only_where_every_camera_is_calibrated() -> None:
    assert scale_of_cameras((True, True), 1.5, 1.6).kind is ScaleKind.GROUND
    assert scale_of_cameras((True, False), 1.5, 1.6).kind is ScaleKind.BODY
    usual = scale_of_cameras((False,), None, 1.6)
    assert usual.kind is ScaleKind.USUAL_BODY and usual.height_m == 1.6
