"""Figures of re-identification, on vectors made by hand and on clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.models.embedders import OnnxEmbedder
from engine.training.commands import run_evaluate
from engine.training.reid_evaluation import evaluate_reid
from engine.training.reid_metrics import (
    ClipVectors,
    acceptance_threshold,
    gallery_of,
    outcomes,
    own_likeness,
    stranger_likeness,
    summary,
    unit,
)
from tests.helpers.tiny_models import Opener, entry_of, mean_colour_embedder
from tests.unit.training.test_embedder import write_clip, write_index


def clip(horse: str, day: str, *angles_deg: float) -> ClipVectors:
    turns = np.radians(angles_deg)
    frames = np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)
    return ClipVectors(f"{horse}__{day}", horse, day, frames)


CLIPS = [
    clip("a", "2024-01-01", 0, 4),
    clip("b", "2024-01-01", 40),
    clip("c", "2024-01-03", 80),
    clip("a", "2024-01-05", 10, 35),
    clip("b", "2024-01-05", 75),
    clip("c", "2024-01-04", 30),
]


def test_the_earliest_day_is_the_gallery_and_later_clips_ask() -> None:
    horses, gallery = gallery_of(CLIPS)
    assert horses == ["a", "b", "c"]
    angles = np.degrees(np.arctan2(gallery[:, 1], gallery[:, 0]))
    np.testing.assert_allclose(angles, [2, 40, 80], atol=1e-4)
    found = {o.horse: o for o in outcomes(CLIPS)}
    # 22.5 degrees is nearer to 40 than to 2; 75 is nearest to 80, then 40; 30 has 40 and 2 before.
    assert {h: o.place for h, o in found.items()} == {"a": 1, "b": 1, "c": 2}
    assert found["a"].frame_hits == 0.5
    report = summary(list(found.values()))
    assert report["rank1"] == 0.0
    assert report["map"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)
    low, high = np.asarray(report["map_interval"])
    assert 1 / 3 <= low <= float(str(report["map"])) <= high <= 1 / 2


def test_likeness_pairs_other_days_only() -> None:
    strangers, own = stranger_likeness(CLIPS), own_likeness(CLIPS)
    days = [c.day for c in CLIPS]
    expected = sum(
        CLIPS[i].horse != CLIPS[j].horse and days[i] != days[j] for i in range(6) for j in range(i)
    )
    assert (len(strangers), len(own)) == (expected, 3)
    assert own[0] == pytest.approx(np.cos(np.radians(20.5)), abs=1e-5)


def test_the_threshold_accepts_at_most_the_share() -> None:
    likeness = np.linspace(0, 0.999, 1000, dtype=np.float32)
    threshold = acceptance_threshold(likeness, 0.01)
    assert (likeness >= threshold).sum() == 10
    assert acceptance_threshold(np.zeros(0, np.float32)) == 1.0


def test_unit_of_nothing_is_finite() -> None:
    assert np.isfinite(unit(np.zeros((2, 3), np.float32))).all()


# --- clips -------------------------------------------------------------------------------------

COATS = {"ash": (170, 170, 175), "bay": (30, 50, 130), "coal": (25, 60, 28)}


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    names = {}
    for horse, coat in COATS.items():
        for day, sand in (("2024-02-01", 200), ("2024-02-08", 40)):
            names[f"{horse}__{day}"] = horse
            write_clip(folder, f"{horse}__{day}", coat, 3, sand)
    write_index(folder, names)
    return folder


@pytest.fixture
def colour(tmp_path: Path) -> OnnxEmbedder:
    """Answers with the mean colour of the crop, grey being nothing."""
    path = mean_colour_embedder(tmp_path / "mean.onnx", ["batch", 3, 64, 64])
    spec = {"width_px": 64, "height_px": 64, "mean": (114.0,) * 3, "std": (1.0,) * 3}
    entry = entry_of(path, task="embedder", layout="embedding", input=spec, padding=1.0)
    return OnnxEmbedder(entry, Opener(entry, path), "cpu")


def test_suppression_finds_horses_by_their_coat_on_another_ground(
    clips: Path, colour: OnnxEmbedder
) -> None:
    report = evaluate_reid(colour, clips)
    assert report["rank1"] == report["map"] == report["rank1_frame"] == 1.0
    assert (report["queries"], report["horses"], report["frames"]) == (3, 3, 18)
    misled = evaluate_reid(colour, clips, suppress=False)
    assert float(str(misled["rank1"])) < 1.0
    colour.close()


def test_clips_without_keypoints_need_a_detector(clips: Path, colour: OnnxEmbedder) -> None:
    (clips / "bay__2024-02-08.keypoints.csv").unlink()
    with pytest.raises(OperatorMistake, match="no keypoints file"):
        evaluate_reid(colour, clips)
    box = np.array([20, 20, 170, 155], np.float32)
    assert evaluate_reid(colour, clips, lambda _picture: box)["queries"] == 3
    with pytest.raises(OperatorMistake, match="No horse was found"):
        evaluate_reid(colour, clips, lambda _picture: None)
    colour.close()


def test_horses_of_one_day_leave_nothing_to_ask(clips: Path, colour: OnnxEmbedder) -> None:
    write_index(clips, {f"{horse}__2024-02-01": horse for horse in COATS})
    with pytest.raises(OperatorMistake, match="two days"):
        evaluate_reid(colour, clips)
    colour.close()


def test_the_command_writes_the_report(clips: Path, tmp_path: Path) -> None:
    path = mean_colour_embedder(tmp_path / "mean.onnx", ["batch", 3, 64, 64])
    report = tmp_path / "report.json"
    argv = ["reid", "--data", str(clips), "--model", str(path), "--report", str(report)]
    assert run_evaluate(argv) == 0
    stored = json.loads(report.read_text())
    assert {"rank1", "map", "queries", "horses", "rank1_frame", "rank1_interval"} <= set(stored)
    assert stored["queries"] == 3


@pytest.mark.parametrize("damage", ["index.csv", "bay__2024-02-01.avi"])
def test_the_command_tells_of_damaged_data(clips: Path, tmp_path: Path, damage: str) -> None:
    path = mean_colour_embedder(tmp_path / "mean.onnx", ["batch", 3, 64, 64])
    (clips / damage).write_bytes(b"\x00\xff")
    with pytest.raises(OperatorMistake, match=damage.split(".")[0]):
        run_evaluate(["reid", "--data", str(clips), "--model", str(path)])


# --- the bundled model on real horses ----------------------------------------------------------

REAL = ("belle__2021-02-01", "belle_walk__2021-03-03", "karl__2021-02-01", "karl__2021-03-15",
        "tina__2021-02-01", "easton__2021-02-01")  # fmt: skip
"""Clips of horses that the bundled weights never saw."""


def test_the_bundled_model_knows_unseen_horses_again_on_another_day(
    shared: Path, tmp_path: Path
) -> None:
    walks = shared / "data" / "ridden_walk"
    folder = tmp_path / "ridden_walk"
    folder.mkdir()
    for name in REAL:
        for suffix in (".mp4", ".keypoints.csv"):
            (folder / f"{name}{suffix}").symlink_to(walks / f"{name}{suffix}")
    write_index(folder, {name: name.split("_")[0] for name in REAL})
    report = tmp_path / "report.json"
    argv = ["reid", "--data", str(folder), "--held-out", "--every", "8", "--report", str(report)]
    assert run_evaluate(argv) == 0
    stored = json.loads(report.read_text())
    assert stored["model"].startswith("barnhand-horse-coat@")
    assert (stored["queries"], stored["horses"]) == (2, 4)
    assert stored["rank1"] == 1.0
    assert stored["rank1_frame"] > 0.5
