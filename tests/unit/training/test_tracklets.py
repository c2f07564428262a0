"""Tracklets of clips that nobody labelled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

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
from engine.training.backbone import PYRAMID_CHANNELS
from engine.training.embedder_data import FOLLOWED, HorseSet, read_horse_data
from engine.training.embedder_features import FeatureTable
from engine.training.embedder_net import LEVELS
from engine.training.embedder_recipe import ContrastOptions, EmbedderRecipe
from engine.training.pose_data import CLIP_LANDMARKS
from engine.training.tracklet_draw import TrackletDraw
from engine.training.tracklets import FEWEST, MOST, TrackletPicture, chosen_rows, tracklets
from tests.helpers.session_clip import passing_clip

STREAM = new_stream_id()
FEATURES = 2 * sum(PYRAMID_CHANNELS[level] for level in LEVELS)


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


# --- training on them --------------------------------------------------------------------------


def followed_set() -> tuple[HorseSet, FeatureTable]:
    """Four horses of two days of one yard, and two clips of another folder with two tracklets
    each; features are a horse's own direction and noise."""
    rng = np.random.default_rng(1)
    names = [(f"yard/h{horse}", f"2024-01-0{day}") for horse in range(4) for day in (1, 2)]
    names += [(f"loose/c{clip}#{number}", FOLLOWED) for clip in (1, 2) for number in (1, 2)]
    rows = [(horse, day) for horse, day in names for _ in range(4)]
    horses, days = (np.array(column) for column in zip(*rows, strict=True))
    clips = np.array(
        [h.split("#")[0] if d == FOLLOWED else f"{h}__{d}" for h, d in rows]
    )  # fmt: skip
    count = len(rows)
    own = {name: rng.normal(size=FEATURES) for name in sorted(set(horses.tolist()))}
    clean = np.array([own[name] for name in horses.tolist()]) * 2.0
    features = (clean + rng.normal(size=clean.shape)).astype(np.float32)
    data = HorseSet(
        np.zeros((count, 2, 2, 3), np.uint8), np.ones((count, 2, 2), bool),
        np.tile(np.array([0, 0, 2, 2], np.float32), (count, 1)),
        np.zeros((count, 26, 3), np.float32), horses, days, clips,
    )  # fmt: skip
    noisy = (features + rng.normal(size=features.shape) * 0.3).astype(np.float32)
    flags = np.repeat([[True, False], [False, False], [True, True]], count, axis=0)
    table = FeatureTable(
        np.concatenate([features, noisy, noisy]), np.tile(np.arange(count), 3), flags[:, 0],
        flags[:, 1],
    )  # fmt: skip
    return data, table


def test_a_batch_of_tracklets_is_of_one_clip() -> None:
    data, table = followed_set()
    draw = TrackletDraw(data, table)
    assert len(draw) == 2
    for seed in range(8):
        batch = draw.draw(np.random.default_rng(seed), 3)
        assert len(set(data.clips[table.rows[batch.rows]])) == 1
        assert batch.folder == "loose" and batch.horses.tolist() == [0, 0, 0, 1, 1, 1]
        names = data.horses[table.rows[batch.rows]]
        assert [len(set(names[batch.horses == number])) for number in (0, 1)] == [1, 1]


def test_tracklets_are_trained_on_and_never_asked_about() -> None:
    data, table = followed_set()
    assert set(data.days_of()) == {f"yard/h{number}" for number in range(4)}
    assert not data.dated[data.days == FOLLOWED].any()
    everybody = np.ones(len(data), bool)
    with_them, without = (
        EmbedderRecipe(data, table, everybody, ContrastOptions(tracklets=weight), dimension=8)
        for weight in (1.0, 0.0)
    )
    losses = []
    for recipe in (with_them, without):
        torch.manual_seed(0)
        recipe.network()
        losses.append(float(recipe.loss(0, 0, 0.0).detach()))
    assert np.isfinite(losses).all() and losses[0] > losses[1] > 0.0


def test_clips_without_an_index_are_followed(tmp_path: Path) -> None:
    yard, loose = tmp_path / "yard", tmp_path / "loose"
    for folder in (yard, loose):
        folder.mkdir()
        video = cv2.VideoWriter(
            str(folder / "bay__2024-01-01.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (200, 160)
        )
        for _ in range(3):
            video.write(np.full((160, 200, 3), 90, np.uint8))
        video.release()
    (yard / "index.csv").write_text("clip,horse\nbay__2024-01-01,bay\n", encoding="utf-8")
    columns = [f"{label}_{part}" for label in CLIP_LANDMARKS for part in ("x", "y", "likelihood")]
    line = ",".join(f"{20 + 9 * at},{30 + 7 * at},0.9" for at in range(len(CLIP_LANDMARKS)))
    text = f"frame,{','.join(columns)}\n" + "".join(f"{frame},{line}\n" for frame in range(3))
    (yard / "bay__2024-01-01.keypoints.csv").write_text(text, encoding="utf-8")
    asked: list[Path] = []

    def follow(clip: Path) -> Iterator[TrackletPicture]:
        asked.append(clip)
        marks = np.full((26, 3), 0.9, np.float32)
        marks[:, :2] = np.random.default_rng(2).uniform(20, 140, (26, 2))
        box = np.array([10, 10, 150, 150], np.float32)
        for number in (1, 1, 2):
            yield TrackletPicture(number, np.full((160, 200, 3), 50, np.uint8), marks, box)

    data = read_horse_data(tmp_path, tmp_path / "cache", 1, follow)
    assert [clip.parent.name for clip in asked] == ["loose"]
    followed = data.horses[data.days == FOLLOWED].tolist()
    assert followed == ["loose/bay__2024-01-01#1"] * 2 + ["loose/bay__2024-01-01#2"]
    read_horse_data(tmp_path, tmp_path / "cache", 1, follow)
    assert len(asked) == 1, "what was read lies in the cache"
    bare = read_horse_data(tmp_path, tmp_path / "cache", 1)
    assert len(bare) == len(data) - 3
