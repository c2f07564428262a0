"""Gait sequences on disk: what is read, what is refused, and what the analysis says of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.motion import Gait
from engine.domain.skeletons import EQUINE26, GAIT28
from engine.evaluation.gait import FITTED_PARAMETERS, evaluate_gait
from engine.evaluation.gait_sequences import read_sequences
from engine.evaluation.motion import SECTIONS, evaluate_simulated_motion
from engine.evaluation.simulated_poses import simulated_series
from engine.simulation.scenarios import gaits_in_the_arena
from engine.training.commands import run_evaluate

Document = dict[str, Any]
FPS = 30.0


@pytest.fixture(scope="module")
def walking() -> Document:
    """Four seconds of a simulated walk in the form of the published sequences."""
    farm = gaits_in_the_arena(1)
    one = next(iter(simulated_series(farm, "arena", FPS, 28.5, 32.5)))
    points = one.series.poses.keypoints_px
    rows = [np.concatenate([p, np.full((26, 1), 2.0)], axis=1).ravel().tolist() for p in points]
    return {
        "info": {},
        "categories": [{"id": 4, "name": "equid", "keypoints": list(EQUINE26.landmarks)}],
        "images": [{"id": 10 + i, "file_name": f"frame_{i:04d}.jpg"} for i in range(len(rows))],
        "annotations": [
            {"id": i, "image_id": 10 + i, "category_id": 4, "keypoints": row, "bbox": [0, 0, 9, 9]}
            for i, row in enumerate(rows)
        ],
    }


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, Document], Path]:
    def put_file(name: str, document: Document) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
        return tmp_path

    return put_file


def test_the_report_has_the_agreed_keys(
    put: Callable[[str, Document], Path], walking: Document
) -> None:
    put("Walking/b.json", walking)
    report = evaluate_gait(put("trot/a.json", walking), FPS)
    assert report["accuracy"] == 0.5
    assert report["confusion"] == {"walk": {"walk": 1}, "trot": {"walk": 1}}
    sequences = report["sequences"]
    assert isinstance(sequences, list)
    first = sequences[0]
    assert (first["file"], first["true"], first["predicted"]) == ("Walking/b.json", "walk", "walk")
    assert first["confidence"] > 0.7
    assert first["stride_frequency_hz"] == pytest.approx(0.85, abs=0.1)
    assert first["phases"]["left_hind"] == 0.0
    assert first["phases"]["right_hind"] == pytest.approx(0.5, abs=0.06)
    assert report["fitted_parameters"] == FITTED_PARAMETERS == 0
    json.dumps(report, allow_nan=False)


def test_missing_frames_keep_their_time_and_other_horses_do_not_disturb(
    put: Callable[[str, Document], Path], walking: Document
) -> None:
    kept = [a for i, a in enumerate(walking["annotations"]) if i % 10 not in (3, 4)]
    other = [
        {**a, "id": 900 + i, "keypoints": [v / 5 + 3 for v in a["keypoints"]]}
        for i, a in enumerate(walking["annotations"][::2])
    ]
    folder = put("walk/a.json", {**walking, "annotations": [*other, *kept]})
    sequence = next(iter(read_sequences(folder, FPS)))
    gaps = np.diff(sequence.series.t_s)
    assert len(sequence.series) == len({a["image_id"] for a in (*kept, *other)})
    assert gaps.min() == pytest.approx(1 / FPS)
    assert evaluate_gait(folder, FPS)["accuracy"] == 1.0


def test_landmarks_are_found_by_name_in_any_order_or_by_their_number(
    put: Callable[[str, Document], Path], walking: Document
) -> None:
    backwards = [
        {**a, "keypoints": np.array(a["keypoints"]).reshape(26, 3)[::-1].ravel().tolist()}
        for a in walking["annotations"]
    ]
    names = [{"id": 4, "name": "x", "keypoints": list(EQUINE26.landmarks)[::-1]}]
    folder = put("walk/a.json", {**walking, "annotations": backwards, "categories": names})
    put("walk/b.json", {**walking, "categories": [{"id": 4, "name": "horse"}]})
    one, other = read_sequences(folder, FPS)
    assert one.series.poses.skeleton == other.series.poses.skeleton == EQUINE26
    assert one.series.poses.keypoints_px == pytest.approx(other.series.poses.keypoints_px)
    assert one.gait is Gait.WALK


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"categories": [{"id": 4, "keypoints": ["nose", "withers", "hip"]}]}, "hoof_left_front"),
        ({"annotations": []}, "0 labelled frames"),
        ({"images": []}, "no COCO keypoint file"),
        ({"categories": [{"id": 1, "keypoints": ["a", "b"]}], "annotations": []}, "landmarks"),
    ],
)
def test_unusable_files_are_refused_in_words(
    put: Callable[[str, Document], Path], walking: Document, change: Document, words: str
) -> None:
    with pytest.raises(OperatorMistake, match=words):
        list(read_sequences(put("walk/a.json", {**walking, **change}), FPS))


def test_folders_must_be_named_by_gaits(
    put: Callable[[str, Document], Path], walking: Document, tmp_path: Path
) -> None:
    with pytest.raises(OperatorMistake, match="no JSON files"):
        list(read_sequences(tmp_path, FPS))
    with pytest.raises(OperatorMistake, match="'tolt' is not in a folder named by a gait"):
        list(read_sequences(put("tolt/a.json", walking), FPS))
    with pytest.raises(OperatorMistake, match="impossible"):
        list(read_sequences(tmp_path, 0.0))


def test_the_published_sequences_reach_the_bar(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "gait_skeletons"
    if not data.is_dir():
        pytest.skip(f"{data} is absent")
    report_file = tmp_path / "gait.json"
    assert run_evaluate(["gait", "--data", str(data), "--report", str(report_file)]) == 0
    report = json.loads(report_file.read_text(encoding="utf-8"))
    assert report["accuracy"] >= 0.95
    assert len(report["sequences"]) == 21
    leads = {s["lead"] for s in report["sequences"] if s["predicted"] == "canter"}
    assert leads <= {"one", "other"}
    assert next(iter(read_sequences(data, FPS))).series.poses.skeleton == GAIT28


def test_the_simulated_barn_is_measured_at_every_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    report = evaluate_simulated_motion((15.0,), minutes=1.2)
    rates = report["fps"]
    assert isinstance(rates, dict)
    exact = rates["15"]["exact"]
    assert set(exact) == set(SECTIONS)
    trot = exact["trot_in_hand"]
    assert trot["footfalls"]["found"] >= 0.9 * trot["footfalls"]["expected"] > 50
    assert trot["stride_duration_frames"]["p95_abs"] < 1.0
    assert abs(trot["asymmetry"]["hd_min_mm"]["error"]) < 5.0
    gaits = exact["gaits_in_the_arena"]["final"]
    assert gaits["right"] > 0.9
    assert math.isclose(gaits["lead_right"], 1.0)
    assert rates["15"]["noisy"]["trot_in_hand"]["stride_duration_frames"]["median_abs"] < 1.0


def test_motion_needs_the_simulated_barn_and_possible_rates() -> None:
    with pytest.raises(OperatorMistake, match="--simulated"):
        run_evaluate(["motion"])
    with pytest.raises(OperatorMistake, match="between 2 and 200"):
        run_evaluate(["motion", "--simulated", "--fps", "1"])
