"""``barnhand models`` from its command line: what it says and what it leaves behind."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from barnhand_desktop.cli import main
from barnhand_desktop.logs import close_logging
from engine.models.manifest import Runtime, read_manifest
from engine.training.mmpose_bridge import mmpose_installed
from tests.helpers.tiny_models import bright_cell_yolox

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def barnhand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs ``barnhand models ...`` with its own data folder: status, output and errors. The log
    that it set up goes to the test's captured stream and ends with it."""
    monkeypatch.setenv("BARNHAND_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BARNHAND_MODELS", str(tmp_path / "further"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = main(["models", *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.out, said.err

    yield run
    close_logging()


def test_the_list_shows_state_hash_and_licence(barnhand: Run) -> None:
    status, said, _ = barnhand("list")
    assert status == 0
    rows = {line.split()[1]: line for line in said.splitlines()}
    assert "here (bundled)" in rows["barnhand-equine26"]
    assert "can be fetched" in rows["yolo11m"]
    assert "40.7 MB" in rows["yolo11m"]
    assert "not known, pinned on first download" in rows["megadescriptor-t"]
    assert "not for commercial use" in rows["megadescriptor-t"]
    assert "no address: import it" in rows["yolox-nano-416"]
    status, said, _ = barnhand("list", "--json", "--task", "pose")
    known = {row["name"]: row for row in json.loads(said)}
    assert set(known) >= {"barnhand-equine26", "rtmpose-m-ap10k"}
    assert known["rtmpose-m-ap10k"]["state"] == "absent"
    assert all(row["task"] == "pose" for row in known.values())


def test_a_licence_is_asked_for(
    barnhand: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, _, error = barnhand("fetch", "megadescriptor-t")
    assert status == 2
    assert "CC-BY-NC-4.0" in error
    assert "--accept-licence" in error
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "no"

    monkeypatch.setattr("builtins.input", answer)
    status, said, error = barnhand("fetch", "megadescriptor-t")
    assert (status, len(asked)) == (2, 1)
    assert "may not be used in a business" in said
    assert "was not accepted" in error
    assert not (tmp_path / "data" / "models").exists()


def test_mistakes_are_told_in_one_line(barnhand: Run, tmp_path: Path) -> None:
    for arguments, says in (
        (("fetch", "zebra"), "No model is named 'zebra'"),
        (("fetch", "yolox-nano-416"), "No download address"),
        (("import", tmp_path / "gone.onnx"), "no model file"),
        (("export", "rtmpose-m-ap10k", "--to", tmp_path / "stick"), "models fetch rtmpose-m"),
        (("export", tmp_path / "gone.pt", "--to", tmp_path / "stick"), "gone.pt"),
        (("benchmark", "--pictures", tmp_path / "nowhere"), "no folder"),
    ):
        status, _, error = barnhand(*arguments)
        assert status == 2, arguments
        assert says in error, error
        assert len(error.splitlines()) == 1


def test_a_bundled_model_is_here_already_and_can_be_taken_elsewhere(
    barnhand: Run, tmp_path: Path
) -> None:
    status, said, _ = barnhand("fetch", "barnhand-horse-nano")
    assert status == 0
    assert "here already" in said
    status, said, _ = barnhand("export", "barnhand-horse-nano", "--to", tmp_path / "stick")
    assert status == 0
    assert "BARNHAND_MODELS" in said
    assert {p.name for p in (tmp_path / "stick").iterdir()} == {
        "barnhand-horse-nano.onnx", "manifest.toml",
    }  # fmt: skip


def test_a_torch_checkpoint_is_exported_as_a_file_that_needs_no_torch(
    barnhand: Run, tmp_path: Path
) -> None:
    from engine.models.ultralytics_session import ultralytics_tasks

    tasks = ultralytics_tasks()
    from ultralytics import YOLO

    made = YOLO("yolo11n.yaml")
    made.model = tasks.DetectionModel("yolo11n.yaml", nc=1, verbose=False)
    made.model.names = {0: "horse"}
    made.save(str(tmp_path / "farm.pt"))
    status, said, _ = barnhand("export", tmp_path / "farm.pt", "--to", tmp_path / "stick")
    assert status == 0
    assert "ONNX and torch agree" in said
    entry = read_manifest(tmp_path / "stick" / "manifest.toml").named("farm-onnx")
    assert (entry.runtime, entry.classes) == (Runtime.ONNX, {"0": "horse"})
    status, said, _ = barnhand("import", tmp_path / "stick" / "farm.onnx")
    assert (status, "Imported as farm-onnx" in said) == (0, True)


@pytest.mark.skipif(mmpose_installed(), reason="the extra [mmpose] is there")
def test_exporting_rtmpose_names_the_extra(barnhand: Run, tmp_path: Path) -> None:
    (tmp_path / "pose.pth").write_bytes(b"weights")
    status, _, error = barnhand("export", tmp_path / "pose.pth", "--to", tmp_path / "stick")
    assert (status, "[mmpose]" in error) == (2, True)


def test_imported_models_are_listed_and_timed(barnhand: Run, tmp_path: Path) -> None:
    file = bright_cell_yolox(tmp_path / "barn.onnx", ["batch", 3, 64, 64])
    status, _, error = barnhand("import", file)
    assert status == 2
    assert "--task" in error
    status, said, _ = barnhand("import", file, "--task", "detector", "--name", "barn-net")
    assert (status, said) == (
        0, "Imported as barn-net, a model for detector (unknown: not in the manifest).\n",
    )  # fmt: skip
    assert "here (user cache)" in barnhand("list")[1]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "a.png"), np.full((90, 160, 3), 120, np.uint8))
    report = tmp_path / "report.json"
    status, said, _ = barnhand(
        "benchmark", "--task", "detector", "--rounds", "2", "--pictures", pictures,
        "--report", report,
    )  # fmt: skip
    assert status == 0
    document = json.loads(report.read_text())
    assert (document["rounds"], document["picture"]) == (2, "160x90")
    rows = {row["name"]: row for row in document["models"]}
    assert rows["barnhand-horse-nano"]["ours"]
    assert rows["barn-net"]["ratio"].keys() == {"median", "p5", "p95"}
    assert "barn-net" in said
    assert "yolo11m" in {row["name"] for row in document["not_measured"]}
