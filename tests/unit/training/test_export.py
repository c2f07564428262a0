"""Exported models answer as torch does, read as the engine reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from engine.domain.errors import Bug, OperatorMistake
from engine.models.manifest import (
    InputSpec,
    Layout,
    ModelEntry,
    ModelFile,
    Task,
    Verification,
    read_manifest,
)
from engine.models.pose_decoding import decode_heatmaps
from engine.training.cards import manifest_text
from engine.training.detector_net import (
    DetectorNet,
    ServedDetector,
    blended,
    calibrate,
    fold,
    load_yolox_onnx,
)
from engine.training.export import export_onnx, halve_weights
from engine.training.pose_net import SIGMA_CELLS, PoseNet, ServedPose


def test_the_pose_network_exports_with_random_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "pose.onnx"
    difference = export_onnx(ServedPose(PoseNet(26)), path, 64, 64)
    assert difference < 1e-4
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    maps = session.run(None, {"images": np.zeros((2, 3, 64, 64), np.float32)})[0]
    assert maps.shape == (2, 26, 16, 16)
    assert maps.min() >= 0.0 and maps.max() <= 1.0


def test_the_detector_exports_at_any_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "detector.onnx"
    assert export_onnx(ServedDetector(DetectorNet()), path, 96, 128, dynamic_size=True) < 1e-3
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = session.run(None, {"images": np.zeros((1, 3, 64, 96), np.float32)})[0]
    assert rows.shape == (1, (8 * 12) + (4 * 6) + (2 * 3), 11)


def test_weights_in_half_precision_halve_the_file_and_hardly_change_the_answer(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    path = tmp_path / "head.onnx"
    network = nn.Sequential(nn.Conv2d(3, 64, 5), nn.AdaptiveAvgPool2d(2), nn.Conv2d(64, 256, 2))
    export_onnx(network, path, 32, 32)
    before = path.stat().st_size
    change = halve_weights(path, (1, 3, 32, 32))
    assert 0.0 < change < 1e-2
    assert path.stat().st_size < 0.6 * before
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].type == session.get_outputs()[0].type == "tensor(float)"
    assert session.run(None, {"images": np.zeros((2, 3, 32, 32), np.float32)})[0].shape[0] == 2


def test_weights_that_do_not_fit_into_half_precision_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    network = nn.Conv2d(3, 64, 3)
    with torch.no_grad():
        network.weight.mul_(1e6)
    with pytest.raises(Bug):
        export_onnx(network, path, 8, 8)
        halve_weights(path, (1, 3, 8, 8))


class _Moody(nn.Module):
    """Answers differently when traced."""

    def forward(self, picture: Tensor) -> Tensor:
        return picture + (1.0 if torch.onnx.is_in_onnx_export() else 0.0)


def test_an_export_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "moody.onnx"
    with pytest.raises(Bug, match="differs from torch"):
        export_onnx(_Moody(), path, 32, 32)
    assert list(tmp_path.iterdir()) == []


class _Perfect(nn.Module):
    """Logits of one certain and one torn landmark."""

    def forward(self, picture: Tensor) -> Tensor:
        y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")

        def at(row: float, column: float) -> Tensor:
            return -((x - column) ** 2 + (y - row) ** 2) / (2 * SIGMA_CELLS**2)

        torn = torch.logaddexp(at(4, 4), at(12, 12))
        return torch.stack([at(6.25, 9.5), torn])[None]


def test_served_maps_give_place_and_confidence_to_the_engines_decoding() -> None:
    maps = ServedPose(_Perfect())(torch.zeros(1, 3, 64, 64)).numpy()
    keypoints, scores = decode_heatmaps(maps, 64, 64)
    assert keypoints[0, 0] == pytest.approx([38.0, 25.0], abs=0.2)
    assert scores[0, 0] > 0.85
    assert scores[0, 1] == pytest.approx(0.5, abs=0.05)


def test_calibration_changes_no_answer() -> None:
    torch.manual_seed(0)
    network = DetectorNet().eval()
    pictures = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 255
    with torch.no_grad():
        before = network(pictures)
        calibrate(network, pictures)
        after = network(pictures)
    assert torch.allclose(before, after, atol=1e-3)
    stem = network.stem
    with torch.no_grad():
        corners = torch.cat([pictures[..., i::2, j::2] for j in (0, 1) for i in (0, 1)], dim=1)
        spread = stem.conv(corners).var(dim=(0, 2, 3))
    assert torch.allclose(spread, torch.ones_like(spread), atol=1e-3)


def test_folding_changes_no_answer() -> None:
    torch.manual_seed(0)
    network = DetectorNet().eval()
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 255
    with torch.no_grad():
        calibrate(network, pictures)
        before = network(pictures)
        fold(network)
        after = network(pictures)
    assert torch.allclose(before, after, atol=1e-3)


def test_blends_reach_from_the_start_to_the_tuned_network() -> None:
    torch.manual_seed(0)
    start, tuned = DetectorNet().eval(), DetectorNet().eval()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3)) * 255
    with torch.no_grad():
        answers = [blended(start, tuned, share)(picture) for share in (0.0, 0.5, 1.0)]
        assert torch.allclose(answers[0], start(picture), atol=1e-3)
        assert torch.allclose(answers[2], tuned(picture), atol=1e-3)
    assert not torch.allclose(answers[1], answers[0], atol=1e-3)


class _Torn(nn.Module):
    """Rows that say horse 0.9 and, in the second, cow 0.8."""

    def forward(self, picture: Tensor) -> Tensor:
        chances = torch.tensor([[0.7, 0.9, 0.1, 0.001, 0.001, 0.001],
                                [0.7, 0.9, 0.1, 0.8, 0.001, 0.001]])  # fmt: skip
        return torch.cat([torch.zeros(2, 4), torch.logit(chances)], dim=1)[None]


def test_what_may_be_a_cow_is_served_as_less_of_a_horse() -> None:
    rows = ServedDetector(_Torn())(torch.zeros(1, 3, 32, 32))[0]
    assert rows.shape == (2, 11)
    assert rows[:, 5].tolist() == pytest.approx([0.9 * 0.999, 0.9 * 0.2], abs=1e-3)
    assert rows[:, 4].tolist() == pytest.approx([0.7, 0.7])
    assert rows[:, 6].tolist() == pytest.approx([0.1, 0.1])
    assert rows[:, -1].tolist() == pytest.approx([0.9, 0.9]), "a candidate is anything but a person"


def test_a_file_that_is_no_yolox_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "one.onnx"
    export_onnx(nn.Conv2d(3, 4, 3), path, 32, 32)
    with pytest.raises(OperatorMistake, match="convolutions"):
        load_yolox_onnx(DetectorNet(), path)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(OperatorMistake):
        load_yolox_onnx(DetectorNet(), broken)


def test_the_published_weights_give_the_published_answers(shared: Path) -> None:
    path = shared / "models" / "yolox_nano_416.onnx"
    if not path.is_file():
        pytest.skip("the third-party weights are not beside the repository")
    network = DetectorNet(80)
    load_yolox_onnx(network, path, tuple(range(80)))
    picture = np.random.default_rng(0).uniform(0, 255, (1, 3, 416, 416)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"images": picture})[0]
    with torch.no_grad():
        found = ServedDetector(network.eval(), classes=80)(torch.from_numpy(picture)).numpy()
    assert np.abs(found[..., :85] - wanted).max() < 1e-3


def test_a_manifest_entry_reads_back_as_written(tmp_path: Path) -> None:
    entry = ModelEntry(
        name="own-pose", version="3", task=Task.POSE, layout=Layout.HEATMAP, rank=10,
        files=(ModelFile(name="own.onnx", sha256="0" * 64, size_bytes=5),),
        input=InputSpec(width_px=192, height_px=160, mean=(127.0,) * 3, std=(128.0,) * 3),
        licence='AGPL "or later"', origin="here", skeleton="equine26",
        classes={"0": "horse", "1": "person"}, candidates=(5,), rivals=(2, 3),
        verification=Verification(model="own", detector_weight=0.5, verifier_weight=1.5, bias=-0.2),
        measured={"PCK 0.1, on 5 points": 0.5},
    )  # fmt: skip
    path = tmp_path / "manifest.toml"
    path.write_text(manifest_text(entry), encoding="utf-8")
    assert read_manifest(path).model == (entry,)
