"""The appearance model: reading clips, outlines, loss, start of the projection, training."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.domain.errors import OperatorMistake
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import AP10K, EQUINE26
from engine.models.body_outline import body_outline, outlines_of
from engine.models.crops import letterboxed_crops
from engine.models.embedders import OnnxEmbedder
from engine.models.manifest import read_manifest
from engine.sources.pictures import ArrayPicture
from engine.training.backbone import EfficientNetLite0
from engine.training.discriminant import ClipFeatures, ScatterWeights, shrinking_map
from engine.training.embedder_data import (
    HorseSet,
    clip_frames,
    listed_clips,
    read_horse_data,
)
from engine.training.embedder_features import (
    CropVariation,
    FeatureTable,
    clean_crop,
    feature_jobs,
    read_features,
    varied_crop,
)
from engine.training.embedder_net import (
    FEATURES,
    HEIGHT_PX,
    WIDTH_PX,
    CoatFeatures,
    CoatProjection,
    EmbedderNet,
)
from engine.training.embedder_recipe import EmbedderRecipe, contrast_loss
from engine.training.embedder_training import cross_validate, horse_folds, train_embedder
from engine.training.loop import Plan, Trainer
from engine.training.pose_data import CLIP_LANDMARKS
from tests.helpers.tiny_models import Opener

STANDING = {
    "nose": (20, 60), "poll": (40, 20), "withers": (80, 40), "hip": (150, 40),
    "left_carpus": (80, 110), "right_carpus": (90, 110), "left_hock": (160, 105),
    "right_hock": (150, 105), "left_front_hoof": (80, 150), "right_front_hoof": (92, 150),
    "left_hind_hoof": (162, 150), "right_hind_hoof": (148, 150),
    "left_front_fetlock": (80, 138), "right_front_fetlock": (91, 138),
    "left_hind_fetlock": (161, 138), "right_hind_fetlock": (149, 138),
}  # fmt: skip
"""A horse seen from its left, in pixels of a 200x160 picture."""


def write_clip(
    folder: Path, name: str, coat: tuple[int, int, int], frames: int = 4, sand: int = 160
) -> None:
    """A clip of a plain horse of one colour (BGR) before sand."""
    writer = cv2.VideoWriter(
        str(folder / f"{name}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (200, 160)
    )
    with (folder / f"{name}.keypoints.csv").open("w", newline="", encoding="utf-8") as file:
        columns = [f"{label}_{part}" for label in CLIP_LANDMARKS for part in ["x", "y"]]
        columns += [f"{label}_likelihood" for label in CLIP_LANDMARKS]
        table = csv.DictWriter(file, ["frame", *columns])
        table.writeheader()
        for frame in range(frames):
            picture = np.full((160, 200, 3), sand, np.uint8)
            for polygon in body_outline(known()):
                cv2.fillConvexPoly(picture, polygon.astype(np.int32), coat)
            writer.write(picture)
            line: dict[str, float] = {"frame": frame}
            for label, landmark in CLIP_LANDMARKS.items():
                x, y = STANDING[landmark]
                line |= {f"{label}_x": x, f"{label}_y": y, f"{label}_likelihood": 0.95}
            table.writerow(line)
    writer.release()


def known() -> dict[str, np.ndarray]:
    names = {name: role for role, row in EQUINE26.roles for name in [EQUINE26.landmarks[row]]}
    return {names[name]: np.array(xy, np.float64) for name, xy in STANDING.items()}


def write_index(folder: Path, clips: dict[str, str]) -> None:
    lines = "".join(f"{clip},{horse}\n" for clip, horse in clips.items())
    (folder / "index.csv").write_text(f"clip,horse\n{lines}", encoding="utf-8")


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """Three horses, two of them on two days."""
    folder = tmp_path / "yard"
    folder.mkdir()
    coats = {"ash": (170, 170, 175), "bay": (30, 50, 110), "coal": (25, 25, 28)}
    clips = {}
    for horse, coat in coats.items():
        for day in ("2024-01-01", "2024-01-09")[: 1 if horse == "coal" else 2]:
            clips[f"{horse}__{day}"] = horse
            write_clip(folder, f"{horse}__{day}", coat, sand=160 if day.endswith("1") else 90)
    write_index(folder, clips)
    return tmp_path


# --- outlines ----------------------------------------------------------------------------------


def test_the_outline_holds_the_horse_and_not_the_ground_between_its_legs() -> None:
    keep = np.zeros((160, 200), np.uint8)
    for polygon in body_outline(known()):
        cv2.fillConvexPoly(keep, polygon.astype(np.int32), 1)
    for x, y in [(110, 60), (60, 35), (30, 45), (85, 125), (155, 125), (80, 150), (165, 70)]:
        assert keep[y, x], (x, y)
    for x, y in [(120, 135), (120, 10), (190, 20), (20, 140), (5, 5)]:
        assert not keep[y, x], (x, y)


def test_too_few_landmarks_give_no_outline() -> None:
    few = dict(list(known().items())[:5])
    assert body_outline(few) == []


@pytest.mark.parametrize("missing", [["withers"], ["croup"], ["withers", "croup"], ["poll"]])
def test_the_trunk_is_kept_when_a_landmark_of_the_back_is_missing(missing: list[str]) -> None:
    keep = np.zeros((160, 200), np.uint8)
    for polygon in body_outline({k: v for k, v in known().items() if k not in missing}):
        cv2.fillConvexPoly(keep, polygon.astype(np.int32), 1)
    assert keep[65, 110]
    assert not keep[10, 190]


def test_rows_of_low_scores_have_no_outline_and_other_skeletons_do() -> None:
    for skeleton in (EQUINE26, AP10K):
        count = len(skeleton.landmarks)
        points = np.random.default_rng(1).uniform(20, 150, (2, count, 2)).astype(np.float32)
        scores = np.stack([np.full(count, 0.9), np.full(count, 0.1)]).astype(np.float32)
        outlines = outlines_of(PoseBatch(points, scores, skeleton))
        assert outlines[0]
        assert outlines[1] == []


def test_suppression_greys_what_is_outside_the_outline_only() -> None:
    picture = ArrayPicture(np.full((160, 200, 3), 200, np.uint8))
    box = np.array([0, 0, 200, 160], np.float32)
    plain = letterboxed_crops([(picture, box)], 100, 100, 1.0, 114)[0]
    crops = letterboxed_crops([(picture, box)], 100, 100, 1.0, 114, [body_outline(known())])
    assert (crops[0][45, 55] == 200).all()
    assert (crops[0][20, 95] == 114).all()
    assert (plain[20, 95] == 200).all()
    same = letterboxed_crops([(picture, box)], 100, 100, 1.0, 114, [()])[0]
    np.testing.assert_array_equal(same, plain)


# --- reading -----------------------------------------------------------------------------------


def test_clips_are_read_with_horse_day_and_outline(yard: Path, tmp_path: Path) -> None:
    data = read_horse_data(yard, tmp_path / "cache", every=2)
    assert data.days_of() == {
        "yard/ash": ["2024-01-01", "2024-01-09"],
        "yard/bay": ["2024-01-01", "2024-01-09"],
        "yard/coal": ["2024-01-01"],
    }
    assert len(data) == 10
    assert 0.1 < data.keeps[0].mean() < 0.5
    again = read_horse_data(yard, tmp_path / "cache", every=2)
    np.testing.assert_array_equal(again.keeps, data.keeps)


def test_pictures_with_masks_are_horses_of_one_day(yard: Path, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (yard / "sides" / part).mkdir(parents=True)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 10:70] = 255
    cv2.imwrite(str(yard / "sides" / "images" / "a.png"), np.full((60, 80, 3), 90, np.uint8))
    cv2.imwrite(str(yard / "sides" / "masks" / "a.png"), mask)
    data = read_horse_data(yard, tmp_path / "cache")
    row = int(np.nonzero(data.horses == "sides/a")[0][0])
    x1, y1, x2, y2 = data.boxes_xyxy_px[row].round().astype(int)
    assert data.keeps[row][y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].all()
    assert not data.keeps[row][: y1 - 2].any()
    (yard / "sides" / "masks" / "a.png").unlink()
    with pytest.raises(OperatorMistake, match=r"a\.png"):
        read_horse_data(yard, tmp_path / "other")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "index.csv").write_text("clip,horse\nbay,bay\n"), "horse and day"),
        (lambda f: (f / "index.csv").write_text("name\nx\n"), "lists no clips"),
        (lambda f: (f / "index.csv").write_bytes(b"\xff\xfe\x00clip"), "cannot be read"),
        (lambda f: (f / "bay__2024-01-01.avi").unlink(), "no video"),
    ],
)
def test_a_damaged_index_is_told(yard: Path, damage: object, says: str) -> None:
    assert callable(damage)
    damage(yard / "yard")
    with pytest.raises(OperatorMistake, match=says):
        listed_clips(yard / "yard")


def test_damaged_videos_and_keypoints_are_told(yard: Path) -> None:
    folder = yard / "yard"
    clip = next(c for c in listed_clips(folder) if c.horse == "bay")
    clip.video.write_bytes(b"no video at all")
    with pytest.raises(OperatorMistake, match="cannot be read or is empty"):
        list(clip_frames(clip))
    assert clip.keypoints is not None
    clip.keypoints.write_text("frame,Poll_x\n0,a\n", encoding="utf-8")
    with pytest.raises(OperatorMistake, match=r"keypoints\.csv cannot be read"):
        list(clip_frames(clip))


def test_a_folder_without_clips_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="no clips of horses"):
        read_horse_data(tmp_path, tmp_path / "cache")


# --- pictures and network ----------------------------------------------------------------------


def test_variants_are_grey_outside_and_repeat_with_their_seed(yard: Path, tmp_path: Path) -> None:
    data = read_horse_data(yard, tmp_path / "cache")
    clean = clean_crop(data, 0, True)
    assert clean.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert (clean[0, 0] == 114).all()
    assert (clean_crop(data, 0, False) == 114).mean() < (clean == 114).mean()
    how = CropVariation()
    one, two = (varied_crop(data, 0, True, np.random.default_rng(3), how) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (one != clean).any()


def test_a_share_of_the_variants_is_not_suppressed(yard: Path, tmp_path: Path) -> None:
    data = read_horse_data(yard, tmp_path / "cache")
    jobs = feature_jobs(data, 40, 1, CropVariation(unsuppressed=0.25))
    varied = [suppressed for _, suppressed, is_varied in jobs if is_varied]
    assert 0.6 < np.mean(varied) < 0.9
    assert len(jobs) == 42 * len(data)


def test_the_network_sees_neither_the_light_nor_the_grey_surroundings() -> None:
    torch.manual_seed(0)
    network = EmbedderNet(CoatFeatures(), CoatProjection(16)).eval()
    rng = np.random.default_rng(0)
    values = np.full((HEIGHT_PX, WIDTH_PX, 3), 114.0, np.float32)
    values[64:128, 64:192] = rng.uniform(20, 100, (64, 128, 3))
    darker = values.copy()
    darker[64:128, 64:192] *= 0.5
    inputs = torch.from_numpy((np.stack([values, darker]).transpose(0, 3, 1, 2) - 127.0) / 128.0)
    with torch.no_grad():
        vectors = network(inputs)
    assert float(vectors[0] @ vectors[1]) > 0.9999
    np.testing.assert_allclose(vectors.norm(dim=1).numpy(), 1.0, atol=1e-5)


def test_contrast_rewards_likeness_across_days() -> None:
    horses = torch.tensor([0, 0, 1, 1])
    days = torch.tensor([0, 1, 0, 1])
    by_horse = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    by_day = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    good, bad = (contrast_loss(v, horses, days, 0.1, 0.15) for v in (by_horse, by_day))
    assert float(good) < 0.1 < 5.0 < float(bad)
    one_day = contrast_loss(by_horse, horses, torch.zeros(4, dtype=torch.long), 0.1, 0.15)
    assert float(one_day) < 0.1


def test_the_shrinking_map_silences_what_changes_between_days() -> None:
    """Axis 0 tells horses apart, axis 1 tells days apart."""
    rng = np.random.default_rng(0)
    horses = np.array([h for h in "abcdef" for _ in range(2)])
    days = np.array(["1", "2"] * 6)
    middles = np.stack(
        [[ord(h) - 100.0, 3.0 * (d == "1")] for h, d in zip(horses, days, strict=True)]
    )
    rows = np.repeat(np.arange(12), 5)
    features = middles[rows] + rng.normal(0, 0.05, (60, 2))
    columns = ClipFeatures(features, rows, horses, days)
    _, shrink = shrinking_map(columns, columns, columns, ScatterWeights())
    by_horse, by_day = (np.linalg.norm(np.array(axis) @ shrink) for axis in ([1.0, 0], [0, 1.0]))
    assert by_horse > 2.0 * by_day


# --- training ----------------------------------------------------------------------------------


def synthetic(horses: int = 8) -> tuple[HorseSet, FeatureTable]:
    """Features in which a horse is a direction and a day is a shift; no pictures."""
    rng = np.random.default_rng(0)
    coats, lights = rng.normal(0, 1, (horses, FEATURES)), rng.normal(0, 1.2, (2, FEATURES))
    names, days, features = [], [], []
    for horse in range(horses):
        for day in range(2):
            for _ in range(3):
                names.append(f"h{horse}")
                days.append(f"2024-01-0{day + 1}")
                features.append(coats[horse] + lights[day] + rng.normal(0, 0.3, FEATURES))
    count = len(names)
    clips = np.array([f"{n}__{d}" for n, d in zip(names, days, strict=True)])
    data = HorseSet(
        np.zeros((count, 1, 1, 3), np.uint8), np.zeros((count, 1, 1), bool),
        np.zeros((count, 4), np.float32), np.zeros((count, 26, 3), np.float32),
        np.array(names), np.array(days), clips,
    )  # fmt: skip
    clean = np.array(features, np.float32)
    noisy = clean + rng.normal(0, 0.2, clean.shape).astype(np.float32)
    columns = np.repeat([[1, 0], [0, 0], [1, 1]], count, axis=0).astype(bool)
    table = FeatureTable(
        np.concatenate([clean, noisy, noisy]), np.tile(np.arange(count), 3), columns[:, 0],
        columns[:, 1],
    )  # fmt: skip
    return data, table


def test_training_finds_unseen_horses_again_and_resumes(tmp_path: Path) -> None:
    data, table = synthetic()
    trained = ~np.isin(data.horses, ["h0", "h1", "h2"])
    plan = Plan(epochs=2, steps_per_epoch=5, peak_rate=1e-3, weight_decay=0.0, average=0.9)

    def trainer(out: Path) -> Trainer:
        torch.manual_seed(0)
        recipe = EmbedderRecipe(data, table, trained, dimension=16)
        return Trainer(recipe, plan, out, lambda _line: None)

    whole = trainer(tmp_path / "whole")
    assert whole.run()
    recipe = EmbedderRecipe(data, table, trained, dimension=16)
    assert recipe.score(whole.averaged)["rank1"] == 1.0

    first = trainer(tmp_path / "parts")
    first.request_stop()
    assert not first.run()
    second = trainer(tmp_path / "parts")
    second.resume()
    assert second.run()
    for ours, theirs in zip(whole.averaged.parameters(), second.averaged.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_folds_share_out_horses_and_are_measured_unseen(tmp_path: Path) -> None:
    data, table = synthetic()
    folds = horse_folds(data, 2)
    assert sorted(h for fold in folds for h in fold) == sorted(set(data.horses))
    plan = Plan(epochs=1, steps_per_epoch=2)
    results = cross_validate(data, table, tmp_path, plan, 2, 1, False, lambda _line: None)
    for fold, result in zip(folds, results, strict=True):
        assert {clip.horse for clip in result.clips} == set(fold)
    assert sum(len(result.found) for result in results) == 8
    again = cross_validate(data, table, tmp_path, plan, 2, 1, True, lambda _line: None)
    assert [r.found for r in again] == [r.found for r in results]


def test_one_horse_is_too_few() -> None:
    data, table = synthetic(1)
    with pytest.raises(OperatorMistake, match="two horses"):
        EmbedderRecipe(data, table, np.ones(len(data), bool))


def test_the_whole_training_leaves_a_model_that_the_product_loads(
    yard: Path, tmp_path: Path
) -> None:
    for horse, coat in (("dun", (90, 140, 170)), ("ebony", (15, 15, 15))):
        for day in ("2024-01-01", "2024-01-09"):
            write_clip(yard / "yard", f"{horse}__{day}", coat, 2)
    clips = [path.stem for path in sorted((yard / "yard").glob("*.avi"))]
    write_index(yard / "yard", {name: name.split("_")[0] for name in clips})
    torch.manual_seed(0)
    backbone = tmp_path / "random.pth"
    torch.save(EfficientNetLite0().state_dict(), backbone)

    def train(resume: bool) -> bool:
        return train_embedder(
            yard, tmp_path / "out", epochs=1, steps=2, backbone=backbone, every=2, variants=1,
            folds=2, splits=1, resume=resume,
        )  # fmt: skip

    with pytest.raises(OperatorMistake, match="nothing to resume"):
        train(resume=True)
    assert train(resume=False)
    entry = read_manifest(tmp_path / "out" / "barnhand-horse-coat.toml").model[0]
    weights = tmp_path / "out" / entry.files[0].name
    assert entry.threshold is not None and 0.0 <= entry.threshold <= 1.0
    assert weights.stat().st_size == entry.files[0].size_bytes < 8_000_000
    embedder = OnnxEmbedder(entry, Opener(entry, weights), "cpu")
    picture = ArrayPicture(np.full((160, 200, 3), 90, np.uint8))
    vectors = embedder.embed([(picture, np.array([[10, 10, 180, 150]], np.float32))])[0]
    embedder.close()
    assert 256 < vectors.shape[1] <= 288
    assert "Figures on held-out data" in (tmp_path / "out" / "barnhand-horse-coat.md").read_text()


def test_a_damaged_part_of_the_features_is_told(yard: Path, tmp_path: Path) -> None:
    data = read_horse_data(yard, tmp_path / "cache")
    folder = tmp_path / "cache" / "features-k"
    folder.mkdir()
    (folder / "0.npy").write_bytes(b"half a fi")
    with pytest.raises(OperatorMistake, match="damaged"):
        read_features(
            data, CoatFeatures(), tmp_path / "cache", "k", 1, 1, "cpu", lambda _line: None
        )
