"""YOLO is trained by ultralytics on our folders without a YAML file and without the network."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.domain.errors import ModelInvalid, OperatorMistake
from engine.models.detectors import grid_detector
from engine.models.manifest import read_manifest
from engine.training.commands import run_train
from engine.training.detector_data import read_detector_data
from engine.training.yolo_data import HIDDEN_GREY, write_yolo_folder
from engine.training.yolo_export import export_yolo
from engine.training.yolo_training import train_yolo
from tests.helpers.tiny_models import Opener


def write_barn(folder: Path, count: int, names: tuple[str, ...] = ("horse", "person")) -> None:
    """Pictures of bright horses and dark persons on noise; every fifth shows nothing."""
    (folder / "images").mkdir(parents=True)
    chance = np.random.default_rng(2)
    images, annotations = [], []
    for number in range(count):
        picture = chance.integers(90, 130, (64, 96, 3), dtype=np.uint8)
        images.append({"id": number, "file_name": f"{number}.png"})
        for kind in range(len(names) if number % 5 else 0):
            x, y = (int(v) for v in chance.integers(2, (50, 30)))
            picture[y : y + 24, x : x + 32] = 230 if kind == 0 else 20
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": kind + 1,
                 "bbox": [x, y, 32, 24]}
            )  # fmt: skip
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
    categories = [{"id": kind + 1, "name": name} for kind, name in enumerate(names)]
    document = {"categories": categories, "images": images, "annotations": annotations}
    (folder / "annotations.json").write_text(json.dumps(document))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to connect or to look a name up fails and is noted."""
    tried: list[object] = []

    def refuse(*address: object, **_named: object) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


def test_pictures_become_yolo_folders(tmp_path: Path) -> None:
    write_barn(tmp_path / "data" / "barn", 24)
    pictures = read_detector_data(tmp_path / "data", tmp_path / "cache")
    folder = write_yolo_folder(pictures, tmp_path / "cache")
    assert folder.names == {0: "horse", 1: "person"}
    assert folder.trained + folder.held_out == 24
    assert folder.held_out
    labels = sorted((folder.folder / "labels" / "train").iterdir())
    assert len(labels) == len(list((folder.folder / "images" / "train").iterdir()))
    shown = [p for p in pictures if not p.held_out]
    for file, picture in zip(labels, shown, strict=True):
        rows = [[float(v) for v in line.split()] for line in file.read_text().splitlines()]
        assert len(rows) == len(picture.boxes_xyxy_px)
        for (kind, x, y, width, height), box in zip(rows, picture.boxes_xyxy_px, strict=True):
            assert kind in (0, 1)
            edges = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
            np.testing.assert_allclose(edges * np.array([96, 64, 96, 64]), box, atol=0.01)
    assert write_yolo_folder(pictures, tmp_path / "cache") == folder


def test_doubtful_places_are_hidden_and_horses_alone_are_one_class(tmp_path: Path) -> None:
    write_barn(tmp_path / "data" / "barn", 12, ("horse",))
    pictures = read_detector_data(tmp_path / "data", tmp_path / "cache")
    row = next(n for n, p in enumerate(pictures) if not p.held_out and len(p.boxes_xyxy_px))
    doubtful = np.array([[0, 0, 96, 64]], np.float32)
    changed = type(pictures[row])(
        **{f: getattr(pictures[row], f) for f in ("file", "boxes_xyxy_px", "class_ids", "source")},
        group=pictures[row].group, annotated=1, ignored_xyxy_px=doubtful,
    )  # fmt: skip
    folder = write_yolo_folder([changed], tmp_path / "cache")
    assert folder.names == {0: "horse"}
    assert not folder.unseen
    assert folder.description()["val"] == folder.description()["train"]
    (file,) = (folder.folder / "images" / "train").iterdir()
    picture = cv2.imread(str(file))
    assert picture is not None
    x1, y1, x2, y2 = changed.boxes_xyxy_px[0].round().astype(int)
    assert abs(float(picture[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].mean()) - 230) < 4
    outside = np.ones(picture.shape[:2], bool)
    outside[max(y1 - 8, 0) : y2 + 8, max(x1 - 8, 0) : x2 + 8] = False
    assert abs(float(picture[outside].mean()) - HIDDEN_GREY) < 2


def test_pictures_without_a_horse_are_no_data(tmp_path: Path) -> None:
    write_barn(tmp_path / "data" / "barn", 6, ("person",))
    pictures = read_detector_data(tmp_path / "data", tmp_path / "cache")
    with pytest.raises(OperatorMistake, match="no horse"):
        write_yolo_folder(pictures, tmp_path / "cache")


@pytest.mark.timeout(600)
def test_yolo_is_trained_resumed_published_and_served(
    tmp_path: Path, no_network: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    write_barn(tmp_path / "data" / "barn", 24)
    out = tmp_path / "out"
    argv = ["detector", "--family", "yolo", "--data", str(tmp_path / "data"), "--out", str(out)]
    argv += ["--side-px", "64", "--batch", "8", "--epochs", "2", "--threads", "1"]

    def interrupt(line: str) -> None:
        if line.startswith("epoch 1/2"):
            raise KeyboardInterrupt

    stopped = train_yolo(
        tmp_path / "data", out, epochs=2, batch=8, threads=1, side_px=64, tell=interrupt
    )
    assert not stopped
    assert run_train([*argv, "--resume"]) == 0
    said = capsys.readouterr().out
    assert "epoch 1/2" not in said
    assert "epoch 2/2" in said
    assert "min left" in said
    assert no_network == []
    with pytest.raises(OperatorMistake, match="finished"):
        run_train([*argv, "--resume"])
    entry = read_manifest(out / "yolo11n-own.toml").named("yolo11n-own")
    assert entry.classes == {"0": "horse", "1": "person"}
    assert "largest difference from torch" in (out / "yolo11n-own.md").read_text()
    detector = grid_detector(entry, Opener(entry, out / "yolo11n-own.onnx"), "cpu")
    try:
        found = detector.detect([np.full((40, 64, 3), 114, np.uint8)], [1.0], 0.001)
    finally:
        detector.close()
    assert len(found) == 1
    # The run's own checkpoint is something to start from, and brings its architecture along.
    last = out / "yolo" / "weights" / "last.pt"
    again = ["--start", str(last), "--out", str(tmp_path / "again")]
    assert run_train([*argv[:5], *argv[7:], *again, "--epochs", "1"]) == 0
    assert (tmp_path / "again" / "last-own.onnx").is_file()


def test_what_cannot_be_started_from_is_told(tmp_path: Path) -> None:
    write_barn(tmp_path / "data" / "barn", 12)
    argv = ["detector", "--family", "yolo", "--data", str(tmp_path / "data")]
    argv += ["--out", str(tmp_path / "out")]
    for start, says in (
        ("gone.pt", "no file"),
        ("yolo99z.yaml", "no architecture yolo99z"),
    ):
        with pytest.raises(OperatorMistake, match=says):
            run_train([*argv, "--start", start])
    with pytest.raises(OperatorMistake, match="no checkpoint to resume"):
        run_train([*argv, "--resume"])
    with pytest.raises(OperatorMistake, match="multiple of 32"):
        run_train([*argv, "--side-px", "100"])
    (tmp_path / "bad.pt").write_bytes(b"no weights")
    with pytest.raises(ModelInvalid, match=r"bad\.pt"):
        export_yolo(tmp_path / "bad.pt", tmp_path / "bad.onnx")
    assert not (tmp_path / "bad.onnx").exists()
