"""Tracklets of clips that nobody labelled."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from barnhand_desktop.model_store import bundled_models
from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import FrameStamp
from engine.domain.ids import new_stream_id
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import EQUINE26
from engine.models.manifest import read_manifest
from engine.models.model_set import load_models
from engine.models.store import ModelStore
from engine.reanalysis.sightings import Sighting
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from engine.training.tracklets import FEWEST, MOST, chosen_rows, tracklets
from tests.helpers.session_clip import passing_clip

STREAM = new_stream_id()


def sighting(at: int, *horses: tuple[int, float], score: float = 0.9) -> Sighting:
    """Horses by track number and left edge, 200 px wide."""
    count = len(horses)
    boxes = np.array([[x, 100.0, x + 200.0, 250.0] for _, x in horses], np.float32)
    points = np.zeros((count, 26, 2), np.float32)
    return Sighting(
        stamp=FrameStamp(STREAM, at, datetime(2026, 1, 1, tzinfo=UTC), at / 5, at / 5),
        width_px=1280, height_px=720,
        numbers=np.array([number for number, _ in horses], np.int64),
        class_ids=np.full(count, SubjectClass.HORSE, np.int16),
        boxes_xyxy_px=boxes.reshape(count, 4),
        scores=np.full(count, 0.9, np.float32), confidences=np.ones(count, np.float32),
        detected=np.ones(count, np.bool_),
        poses=PoseBatch(points, np.full((count, 26), score, np.float32), EQUINE26),
    )  # fmt: skip


def numbers(seen: list[Sighting]) -> set[int]:
    rows = chosen_rows(seen)
    return {int(seen[index].numbers[row]) for index, found in rows.items() for row in found}


def test_tracklets_that_never_meet_may_be_one_horse_and_only_one_of_them_is_taken() -> None:
    first = [sighting(at, (1, 0.0), (2, 600.0)) for at in range(10)]
    later = [sighting(at, (1, 0.0), (3, 600.0)) for at in range(10, 16)]
    assert numbers([*first, *later]) == {1, 2}


def test_horses_that_overlap_and_unsure_landmarks_are_left_out() -> None:
    mixed = [sighting(at, (1, 0.0), (2, 100.0)) for at in range(10)]
    assert chosen_rows(mixed) == {}
    assert chosen_rows([sighting(at, (1, 0.0), score=0.3) for at in range(10)]) == {}
    short = [sighting(at, (1, 0.0)) for at in range(FEWEST - 1)]
    assert chosen_rows(short) == {}


def test_long_tracklets_are_thinned_over_their_time() -> None:
    rows = chosen_rows([sighting(at, (1, 0.0)) for at in range(200)])
    assert len(rows) == MOST
    assert (min(rows), max(rows)) == (0, 199)


def test_a_clip_gives_pictures_of_its_horse(tmp_path: Path) -> None:
    clip = tmp_path / "walk.mp4"
    passing_clip(clip, 4.0)
    bundled = bundled_models()
    store = ModelStore(read_manifest(bundled / "manifest.toml"), bundled, (), bundled)
    settings = EngineSettings()
    models = load_models(settings, store, SystemClock())
    try:
        found = list(tracklets(clip, models, settings))
        (tmp_path / "broken.mp4").write_bytes(b"no video")
        with pytest.raises(OperatorMistake, match="broken"):
            list(tracklets(tmp_path / "broken.mp4", models, settings))
    finally:
        models.close()
    assert len(found) >= FEWEST and len({one.tracklet for one in found}) == 1
    for one in found:
        box, points = one.box_xyxy_px, one.landmarks[one.landmarks[:, 2] >= 0.5, :2]
        assert one.picture.dtype == np.uint8 and one.picture.ndim == 3
        assert (points > box[:2] - 20).all() and (points < box[2:] + 20).all()
