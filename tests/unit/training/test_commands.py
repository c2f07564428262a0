"""The commands refuse what they cannot do, and measure what they can."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engine.domain.errors import OperatorMistake
from engine.domain.skeletons import EQUINE26
from engine.models.manifest import InputSpec, Layout, ModelEntry, ModelFile, Task
from engine.training.cards import manifest_text
from engine.training.commands import run_evaluate, run_train
from engine.training.detector_net import DetectorNet, ServedDetector
from engine.training.export import export_onnx
from engine.training.pose_data import PICTURE_LANDMARKS, hull_box, read_pose_data
from engine.training.pose_net import PoseNet, ServedPose
from tests.helpers.session_clip import passing_clip


def test_training_an_embedder_needs_its_backbone_and_clips(tmp_path: Path) -> None:
    argv = ["embedder", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(OperatorMistake, match="backbone weights"):
        run_train([*argv, "--backbone", str(tmp_path / "absent.pth")])
    with pytest.raises(OperatorMistake, match="folds"):
        run_train([*argv, "--folds", "1"])


def test_training_on_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(OperatorMistake, match="no pose data"):
        run_train(["pose", "--data", str(data), "--out", str(tmp_path / "out")])


def test_one_teacher_is_not_enough(tmp_path: Path) -> None:
    argv = ["detector", "--data", str(tmp_path), "--out", str(tmp_path), "--teacher", "a.onnx"]
    with pytest.raises(OperatorMistake, match="two teachers"):
        run_train(argv)


def test_a_device_that_does_not_exist_is_a_mistake(tmp_path: Path) -> None:
    argv = ["pose", "--data", str(tmp_path), "--out", str(tmp_path), "--device", "abacus"]
    with pytest.raises(OperatorMistake, match="abacus"):
        run_train(argv)


def test_the_commands_load_without_torch() -> None:
    program = (
        "import sys; import engine.training.commands as c; c.train_parser(); c.evaluate_parser();"
        "sys.exit('torch' in sys.modules or 'onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def _pictures(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = list(PICTURE_LANDMARKS)
    annotations = []
    for number in range(3):
        picture = rng.integers(0, 256, (80, 120, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        points = np.concatenate([rng.uniform(10, 70, (20, 2)), np.full((20, 1), 2.0)], axis=1)
        points[number] = 0.0
        annotations.append(
            {"image_id": number, "category_id": 4, "bbox": [5, 5, 70, 70],
             "keypoints": points.ravel().tolist()}
        )  # fmt: skip
    document = {
        "categories": [{"id": 4, "name": "horse", "keypoints": names}],
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(3)],
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(document))


def test_pictures_become_crops_with_landmarks_in_their_pixels(tmp_path: Path) -> None:
    _pictures(tmp_path / "data" / "farm")
    for _ in range(2):  # the second time from the cache
        stored = read_pose_data(tmp_path / "data", tmp_path / "cache")
        assert len(stored) == 3 and stored.sources == ("farm",) * 3
        assert stored.crops.shape == (3, 288, 288, 3)
        first = stored.landmarks[0]
        assert (first[:, 2] > 0).sum() == 19
        assert first[EQUINE26.landmarks.index("hip"), 2] == 0.0
        box, hull = stored.boxes_xyxy_px[0], hull_box(first, 1.0)
        assert (hull[:2] >= box[:2] - 1).all() and (hull[2:] <= box[2:] + 1).all()
        assert box[2] - box[0] == pytest.approx(288 / 1.75, abs=1.0)


def _entry(name: str, task: Task, layout: Layout, side: int) -> ModelEntry:
    return ModelEntry(
        name=name, task=task, layout=layout, files=(ModelFile(name=f"{name}.onnx"),),
        input=InputSpec(width_px=side, height_px=side), licence="none", origin="test",
        skeleton="equine26" if task is Task.POSE else None,
        classes={"0": "horse", "1": "person"} if task is Task.DETECTOR else {},
    )  # fmt: skip


def test_pose_and_detector_are_measured_as_the_product_runs_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    data, models = tmp_path / "farm", tmp_path / "models"
    _pictures(data)
    export_onnx(ServedPose(PoseNet(26)), models / "tiny-pose.onnx", 64, 64)
    export_onnx(ServedDetector(DetectorNet()), models / "tiny-boxes.onnx", 64, 64)
    entries = (
        _entry("tiny-pose", Task.POSE, Layout.HEATMAP, 64),
        _entry("tiny-boxes", Task.DETECTOR, Layout.YOLOX, 64),
    )
    text = "\n".join(manifest_text(entry) for entry in entries)
    (models / "manifest.toml").write_text(text, encoding="utf-8")
    given = ["--data", str(data), "--models", str(models)]

    report = tmp_path / "pose.json"
    assert run_evaluate(["pose", *given, "--model", "tiny-pose", "--report", str(report)]) == 0
    pose = json.loads(report.read_text())
    assert pose["frames"] == 3 and pose["horses"] == 3 and pose["points"] == 57
    assert 0.0 <= pose["pck_0.05"] <= pose["pck_0.1"] < 0.5
    assert set(pose["per_landmark"]) == set(PICTURE_LANDMARKS.values())
    assert pose["per_landmark"]["left_eye"]["points"] == 2

    report = tmp_path / "boxes.json"
    argv = ["detector", *given, "--model", "tiny-boxes", "--negatives", str(data)]
    assert run_evaluate([*argv, "--report", str(report)]) == 0
    boxes = json.loads(report.read_text())
    assert boxes["frames"] == 3 and boxes["horses"] == 3 and boxes["negatives"] == 3
    assert 0.0 <= boxes["recall_0.5"] <= 1.0 and "recall_0.5_at_fp1" in boxes
    assert "tiny-boxes@1" in capsys.readouterr().out


def test_measuring_a_folder_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="no data folder"):
        run_evaluate(["pose", "--data", str(tmp_path / "nowhere")])


def test_clips_are_counted_and_drawn(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    passing_clip(clips / "walk.mp4", 3.0)
    report = tmp_path / "clips.json"
    argv = ["clips", "--data", str(clips), "--frames", "5", "--report", str(report)]
    assert run_evaluate([*argv, "--out", str(tmp_path / "sheets")]) == 0
    figures = json.loads(report.read_text(encoding="utf-8"))["clips"]["walk.mp4"]
    assert figures["frames"] == 5
    assert 0.4 <= figures["with_horse"] <= 0.8  # it comes into the picture after 1.3 s
    assert figures["landmarks"] > 0.8
    sheet = cv2.imread(str(tmp_path / "sheets" / "walk.png"))
    assert sheet is not None and sheet.shape[1] == 5 * 420


def test_what_is_no_clip_is_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(OperatorMistake, match="no readable pictures"):
        run_evaluate(["clips", "--data", str(broken)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(OperatorMistake, match="no clips"):
        run_evaluate(["clips", "--data", str(tmp_path / "empty")])
    with pytest.raises(OperatorMistake, match="no data folder"):
        run_evaluate(["clips", "--data", str(tmp_path / "absent")])
    with pytest.raises(OperatorMistake, match="frames"):
        run_evaluate(["clips", "--data", str(broken), "--frames", "0"])
    argv = ["clips", "--data", str(broken), "--detector", "no-such-model"]
    with pytest.raises(OperatorMistake, match="no-such-model"):
        run_evaluate(argv)
