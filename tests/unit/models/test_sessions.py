"""Opening model files: processors, kinds of failure, and what is read off the file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from engine.domain.errors import EnvironmentFault, ModelInvalid
from engine.models.manifest import InputSpec, Runtime
from engine.models.onnx_session import OnnxSession, choose_providers
from engine.models.sessions import Device, Execution, open_session, usable_cores
from tests.helpers.tiny_models import constant_model, mean_colour_embedder

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
DML = "DmlExecutionProvider"
SPEC = InputSpec(width_px=8, height_px=8, colour="bgr", std=(1.0, 1.0, 1.0))


def names(device: Device, present: list[str], cache: Path | None = None) -> list[str]:
    return [name for name, _ in choose_providers(device, present, cache)]


def test_auto_takes_what_is_there_and_ends_with_the_cpu() -> None:
    assert names("auto", [CPU]) == [CPU]
    assert names("auto", [TENSORRT, CUDA, CPU]) == [CUDA, CPU]
    assert names("auto", [DML, CPU]) == [DML, CPU]


def test_the_cpu_is_the_cpu() -> None:
    assert names("cpu", [TENSORRT, CUDA, CPU]) == [CPU]


def test_tensorrt_is_taken_when_the_card_is_asked_for_and_engines_can_be_kept() -> None:
    assert names("cuda", [TENSORRT, CUDA, CPU]) == [CUDA, CPU]
    assert names("cuda", [TENSORRT, CUDA, CPU], Path("engines")) == [TENSORRT, CUDA, CPU]


def test_a_card_that_the_runtime_cannot_use_is_told() -> None:
    with pytest.raises(EnvironmentFault, match="onnxruntime-gpu"):
        choose_providers("cuda", [DML, CPU])


def test_threads_leave_a_core_to_the_rest() -> None:
    assert Execution(threads=3).cpu_threads == 3
    assert Execution(threads=0).cpu_threads == max(usable_cores() - 1, 1)
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_an_onnx_session_tells_its_shapes_and_metadata(tmp_path: Path) -> None:
    path = constant_model(
        tmp_path / "m.onnx",
        {"a": np.zeros((4,), np.float32), "b": np.ones((2, 3), np.float32)},
        ["batch", 3, 8, "width"],
        {"names": "{0: 'horse'}"},
    )
    session = open_session(path, Runtime.ONNX, SPEC, Execution("cpu", 1))
    assert session.device == "cpu"
    assert session.input.shape == (None, 3, 8, None)
    assert [(out.name, out.shape) for out in session.outputs] == [
        ("a", (None, 4)),
        ("b", (None, 2, 3)),
    ]
    assert session.metadata["names"] == "{0: 'horse'}"
    assert [out.shape for out in session.run(np.zeros((2, 8, 5, 3), np.uint8))] == [
        (2, 4),
        (2, 2, 3),
    ]
    session.close()


def test_pictures_of_a_size_the_file_refuses_are_told(tmp_path: Path) -> None:
    path = mean_colour_embedder(tmp_path / "m.onnx", ["batch", 3, 8, 8])
    session = OnnxSession(path, SPEC, Execution("cpu", 1))
    with pytest.raises(ModelInvalid, match="10x9"):
        session.run(np.zeros((1, 9, 10, 3), np.uint8))


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path = mean_colour_embedder(tmp_path / "m.onnx", ["batch", 3, 8, 8])
    session = OnnxSession(path, SPEC, Execution("cpu", 1))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    np.testing.assert_allclose(session.run(pictures)[0], pictures.mean(axis=(1, 2)), rtol=1e-5)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="not a file"):
        open_session(tmp_path, Runtime.ONNX, SPEC)


def test_openvino_without_its_weights_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_text("<net/>")
    with pytest.raises(ModelInvalid, match=r"m\.bin"):
        open_session(tmp_path / "m.xml", Runtime.OPENVINO, SPEC)
