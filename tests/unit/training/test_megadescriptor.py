"""Weights under timm's names give timm's vectors once they are an ONNX file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from engine.domain.errors import ModelInvalid
from engine.training.megadescriptor import (
    LENGTH,
    convert_megadescriptor,
    load_megadescriptor,
    torchvision_names,
)
from tests.helpers import megadescriptor_reference as reference


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return reference.generated_weights(reference.stored_shapes())


def test_the_converted_file_answers_as_timm_does(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({"model": weights}, tmp_path / "w.bin")
    assert convert_megadescriptor(tmp_path / "w.bin", tmp_path / "m.onnx") < 1e-3
    session = onnxruntime.InferenceSession(
        str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"]
    )
    (vectors,) = session.run(None, {"images": reference.generated_inputs().numpy()})
    with np.load(reference.FILE) as file:
        wanted = file["vectors"]
    assert wanted.shape == (2, LENGTH)
    # The two pictures differ by far more than the tolerance.
    assert np.abs(wanted[0] - wanted[1]).mean() > 0.05
    np.testing.assert_allclose(vectors, wanted, atol=2e-3)


def test_the_names_of_older_timm_are_understood(weights: dict[str, torch.Tensor]) -> None:
    def at_the_end(name: re.Match[str]) -> str:
        return f"layers.{int(name[1]) - 1}.downsample"

    older = {
        re.sub(r"layers\.(\d+)\.downsample", at_the_end, name): value
        for name, value in weights.items()
    }
    older["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    older["head.weight"] = torch.zeros(1000, LENGTH)
    assert any(name not in weights for name in older)
    ours, theirs = torchvision_names(weights), torchvision_names(older)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_other_files_are_refused(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"not torch")
    with pytest.raises(ModelInvalid, match="no torch file"):
        load_megadescriptor(file)
    torch.save({"fc.weight": torch.zeros(3)}, file)
    with pytest.raises(ModelInvalid, match="holds no MegaDescriptor-T"):
        load_megadescriptor(file)
    short = {name: value for name, value in weights.items() if name != "norm.bias"}
    torch.save(short, file)
    with pytest.raises(ModelInvalid, match=r"1 weights do not fit, such as norm\.bias"):
        load_megadescriptor(file)
