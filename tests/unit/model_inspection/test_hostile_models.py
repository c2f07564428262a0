"""Uploaded model files: what is sound passes with its figures, what means harm is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
import pytest
from onnx import ModelProto, TensorProto

from barnhand_desktop.model_inspection.file_kinds import HEAD_BYTES, refuse_strangers
from barnhand_desktop.model_inspection.graphs import look_at_graph
from barnhand_desktop.model_inspection.inspector import Inspector, Limits
from barnhand_desktop.model_inspection.verdict import CODES, ModelRefused
from barnhand_desktop.model_inspection.weights import look_at_weights
from tests.helpers import hostile_models as hostile
from tests.helpers.hostile_models import model_of, node, numbers, safetensors, saved, tensor
from tests.helpers.tiny_models import bright_cell_yolox, constant_model
from tests.helpers.waiting import wait_until

DETECTOR: dict[str, Any] = {
    "format": "onnx",
    "name": "tiny",
    "version": "1",
    "task": "detector",
    "layout": "yolox",
    "input": {"width_px": 64, "height_px": 64, "colour": "bgr", "std": [1, 1, 1]},
    "classes": {"0": "horse"},
    "licence": "MIT",
    "origin": "a test",
}


@pytest.fixture
def inspector(tmp_path: Path) -> Inspector:
    return Inspector(tmp_path)


def refused(path: Path) -> ModelRefused:
    with pytest.raises(ModelRefused) as caught:
        look_at_graph(path)
    return caught.value


def huge_dims() -> ModelProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 40, 1 << 40])
    weights.raw_data = b"\0" * 16
    return model_of([node("Add", ["images", "w"])], [weights])


def negative_dims() -> ModelProto:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-4, -1], raw_data=bytes(16))
    return model_of([node("Add", ["images", "w"])], [weights])


def constant_inside(location: str) -> ModelProto:
    inner = hostile.external(location).graph.initializer[0]
    return model_of([node("Constant", [], "w", value=inner), node("Add", ["images", "w"])])


def nothing() -> ModelProto:
    return ModelProto(ir_version=9)


HOSTILE: dict[str, tuple[str, Any]] = {
    "a password file as weights": ("model_external_data", lambda: hostile.external("/etc/passwd")),
    "a way out of the folder": (
        "model_external_data",
        lambda: hostile.external("../../../../etc/passwd"),
    ),
    "weights beside the file": ("model_external_data", lambda: hostile.external("weights.bin")),
    "a file in a constant": ("model_external_data", lambda: constant_inside("/proc/self/environ")),
    "sides of 2^40": ("model_tensor", huge_dims),
    "negative sides": ("model_tensor", negative_dims),
    "branches in branches": ("model_nested", lambda: hostile.nested_ifs(6)),
    "an endless loop": ("model_control_flow", hostile.endless_loop),
    "a function that calls itself": ("model_functions", hostile.self_calling),
    "a cycle": ("model_unreadable", hostile.cyclic),
    "an operator set of tomorrow": (
        "model_opset",
        lambda: model_of([node("Relu", ["images"])], opset=9999),
    ),
    "no operator set": ("model_opset", lambda: model_of([node("Relu", ["images"])], opset=0)),
    "a domain of its own": (
        "model_operators",
        lambda: model_of([node("Run", ["images"], domain="evil")], domains={"evil": 1}),
    ),
    "a hidden domain": (
        "model_operators",
        lambda: model_of([node("Run", ["images"], domain="evil")]),
    ),
    "a compiled blob of a runtime": (
        "model_operators",
        lambda: model_of(
            [node("EPContext", ["images"], domain="com.microsoft", ep_cache_context="/etc/passwd")],
            domains={"com.microsoft": 1},
        ),
    ),
    "as large as the picture is bright": ("model_unbounded", hostile.grows_with_the_picture),
    "as large as many bright pixels": ("model_unbounded", hostile.grows_with_the_count),
    "more nodes than any network": ("model_too_complex", lambda: hostile.many_nodes(20_001)),
    "an operator that nobody knows": (
        "model_unreadable",
        lambda: model_of([node("Nonsense", ["images"])]),
    ),
    "nothing": ("model_unreadable", nothing),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_graphs_that_mean_harm_are_refused_before_they_run(tmp_path: Path, name: str) -> None:
    code, make = HOSTILE[name]
    error = refused(saved(make(), tmp_path / "model.onnx"))
    assert error.code == code and error.code in CODES
    assert error.message and error.advice


@pytest.mark.parametrize("cut", [1, 7, 100, -1])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    whole = bright_cell_yolox(tmp_path / "whole.onnx", ["batch", 3, 64, 64]).read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[:cut])
    assert refused(path).code in ("model_unreadable", "model_opset")


def test_notes_of_a_megabyte_are_refused(tmp_path: Path) -> None:
    model = model_of([node("Relu", ["images"])])
    entry = model.metadata_props.add()
    entry.key, entry.value = "names", "[" * (1 << 20)
    assert refused(saved(model, tmp_path / "m.onnx")).code == "model_too_complex"


def test_sizes_that_come_from_shapes_are_fine(tmp_path: Path) -> None:
    """The refusals above would pass on a reader that refuses every Expand and Resize."""
    path = constant_model(
        tmp_path / "m.onnx", {"output": np.zeros((84, 6), np.float32)}, ["batch", 3, 64, 64]
    )
    figures = look_at_graph(path)
    assert figures == {"nodes": 4, "parameters": 84 * 6 + 4, "opset": 17}
    resized = model_of(
        [node("Resize", ["images", "", "scales"], mode="nearest")],
        [numbers("scales", 1, 1, 2, 2)],
    )
    assert look_at_graph(saved(resized, tmp_path / "r.onnx"))["nodes"] == 1


# --- pickles and archives ----------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_without_being_opened(
    tmp_path: Path, inspector: Inspector, zipped: bool
) -> None:
    mark, path = tmp_path / "it-ran", tmp_path / "model.onnx"
    path.write_bytes(hostile.checkpoint(mark, zipped))
    with pytest.raises(ModelRefused, match="not opened") as caught:
        inspector.inspect(path, DETECTOR)
    assert caught.value.code == "model_pickle"
    assert not mark.exists()


@pytest.mark.parametrize(
    ("head", "name", "code"),
    [
        (hostile.zip_bomb(), "model.onnx", "model_pickle"),
        (b"\x08\x09", "model.pt", "model_pickle"),
        (b"\x1f\x8b\x08", "model.onnx", "model_format"),
        (b"\x7fELF\x02", "model.onnx", "model_format"),
        (b"\x20\0\0\0ORTM", "model.onnx", "model_format"),
    ],
)
def test_what_is_no_model_is_known_by_its_head(head: bytes, name: str, code: str) -> None:
    with pytest.raises(ModelRefused) as caught:
        refuse_strangers(head[:HEAD_BYTES], "onnx", name)
    assert caught.value.code == code


# --- weights -----------------------------------------------------------------------------------

SOUND = safetensors({"a": tensor(0, 16, 2, 2), "b": tensor(16, 18, 1, dtype="F16")}, bytes(18))
BAD_WEIGHTS = {
    "a header of 2^63 bytes": safetensors({}, length=1 << 63),
    "a header longer than the file": safetensors({"a": tensor(0, 4, 1)}, bytes(4), length=999),
    "overlapping tensors": safetensors({"a": tensor(0, 8, 2), "b": tensor(4, 12, 2)}, bytes(12)),
    "a gap": safetensors({"a": tensor(0, 4, 1), "b": tensor(8, 12, 1)}, bytes(12)),
    "a place outside of the file": safetensors({"a": tensor(0, 400, 100)}, bytes(4)),
    "a place before the file": safetensors({"a": tensor(-4, 0, 1)}, bytes(4)),
    "sides that overflow": safetensors({"a": tensor(0, 4, 1 << 40, 1 << 40)}, bytes(4)),
    "a shape that lies": safetensors({"a": tensor(0, 8, 4)}, bytes(8)),
    "bytes that belong to nobody": SOUND + b"x",
    "an unknown kind": safetensors({"a": tensor(0, 4, 1, dtype="PY")}, bytes(4)),
    "a name twice": safetensors(
        b'{"a":%s,"a":%s}' % ((json.dumps(tensor(0, 4, 1)).encode(),) * 2), bytes(4)
    ),
    "no table": safetensors([1, 2]),
    "a table in a table in a table": safetensors(b"[" * 100_000),
    "no tensors": safetensors({}),
    "nothing": b"",
    "fewer than eight bytes": b"abc",
    "true as a side": safetensors({"a": tensor(0, 4, True)}, bytes(4)),
    "notes that are no text": safetensors(
        {"__metadata__": {"x": 1}, "a": tensor(0, 4, 1)}, bytes(4)
    ),
}


@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_weights_that_are_not_sound_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(BAD_WEIGHTS[name])
    with pytest.raises(ModelRefused) as caught:
        look_at_weights(path)
    assert caught.value.code == "model_weights"


def test_sound_weights_pass_with_their_figures(tmp_path: Path, inspector: Inspector) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(SOUND)
    verdict = inspector.inspect(path, {**DETECTOR, "format": "safetensors"})
    assert verdict.figures == {"tensors": 2, "parameters": 5}


# --- in the child ------------------------------------------------------------------------------


def test_a_sound_detector_passes_with_its_figures(tmp_path: Path, inspector: Inspector) -> None:
    path = bright_cell_yolox(tmp_path / "m.onnx", ["batch", 3, "h", "w"])
    figures = inspector.inspect(path, DETECTOR).figures
    assert figures["opset"] == 17
    assert figures["outputs"] == {"output": [None, None, 6]}
    assert isinstance(figures["cpu_ms"], float)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"], "nothing is left behind"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layout": "simcc"}, "not a detector's"),
        ({"classes": {"3": "horse"}}, "asks for number 3"),
        ({"task": "pose", "layout": "heatmap", "skeleton": "equine26"}, "1 x 26 x height"),
        ({"task": "pose", "layout": "heatmap", "skeleton": "centaur"}, "centaur"),
        ({"input": {"width_px": 96, "height_px": 64}}, "description says 96 x 64"),
    ],
)
def test_a_file_that_is_not_what_it_is_said_to_be_is_refused(
    tmp_path: Path, inspector: Inspector, change: dict[str, object], words: str
) -> None:
    path = bright_cell_yolox(tmp_path / "m.onnx", ["batch", 3, 64, 64])
    with pytest.raises(ModelRefused, match=words) as caught:
        inspector.inspect(path, {**DETECTOR, **change})
    assert caught.value.code == "model_layout"


def test_answers_that_are_no_numbers_are_refused(tmp_path: Path, inspector: Inspector) -> None:
    table = np.full((84, 6), np.inf, np.float32)
    path = constant_model(tmp_path / "m.onnx", {"output": table}, ["batch", 3, 64, 64])
    with pytest.raises(ModelRefused) as caught:
        inspector.inspect(path, DETECTOR)
    assert caught.value.code == "model_answers"


@pytest.mark.parametrize("levels", [200, 10_000])
def test_graphs_nested_without_end_cost_only_the_child(
    tmp_path: Path, inspector: Inspector, levels: int
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(hostile.deep_message(levels))
    with pytest.raises(ModelRefused) as caught:
        inspector.inspect(path, DETECTOR)
    assert caught.value.code in ("model_unreadable", "model_inspection_failed", "model_nested")


@pytest.mark.skipif(sys.platform == "win32", reason="no memory limit there")
def test_a_terabyte_from_a_few_bytes_costs_only_the_child(
    tmp_path: Path, inspector: Inspector
) -> None:
    path = saved(hostile.enormous(), tmp_path / "m.onnx")
    with pytest.raises(ModelRefused) as caught:
        inspector.inspect(path, DETECTOR)
    assert caught.value.code in ("model_too_complex", "model_inspection_failed", "model_layout")


PROBE = """
import json, os, socket, sys
sys.path.insert(0, {root!r})
from barnhand_desktop.model_inspection.confinement import confine
question = json.loads(sys.stdin.read())
confine(4 << 30, 60, question["parent"])
found = {{"environment": sorted(os.environ)}}
for name, act in {{
    "write": lambda: open({big!r}, "wb"),
    "append": lambda: os.open({kept!r}, os.O_WRONLY | os.O_APPEND),
    "remove": lambda: os.remove({kept!r}),
    "program": lambda: os.execv("/bin/true", ["true"]),
    "signal": lambda: os.kill(os.getppid(), 0),
    "memory": lambda: bytearray(8 << 30),
    "files": lambda: [open(os.devnull) for _ in range(200)],
    "network": lambda: socket.create_connection(("127.0.0.1", {port}), 2),
}}.items():
    try:
        act()
        found[name] = "allowed"
    except (OSError, MemoryError) as error:
        found[name] = type(error).__name__
print(json.dumps({{"figures": found}}))
"""


PARENT = """
import sys
from pathlib import Path
from barnhand_desktop.model_inspection.inspector import Inspector
path, child = Path(sys.argv[1]), sys.argv[2]
Inspector(path.parent, command=(sys.executable, "-c", child)).inspect(path, {"format": "onnx"})
"""
WAITING_CHILD = """
import json, sys, time
from barnhand_desktop.model_inspection.confinement import confine
confine(4 << 30, 60, json.loads(sys.stdin.read())["parent"])
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_the_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    path = bright_cell_yolox(tmp_path / "m.onnx", ["batch", 3, 64, 64])
    command = [sys.executable, "-c", PARENT, str(path), WAITING_CHILD]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with subprocess.Popen(command, env=environment) as parent:
        try:
            started = psutil.Process(parent.pid).children

            def confined() -> bool:
                status = (Path("/proc") / str(one.pid) / "status" for one in started())
                return any("Seccomp:\t2" in one.read_text() for one in status)

            wait_until(confined, 60.0)
            children = started()
        finally:
            parent.kill()
    assert not psutil.wait_procs(children, 30.0)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_the_child_has_no_environment_no_network_and_little_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setenv("BARNHAND_DATABASE_DSN", "postgresql://secret")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        probe = PROBE.format(
            root=str(Path(__file__).resolve().parents[3]),
            big=str(tmp_path / "big"),
            kept=str(tmp_path / "m.onnx"),
            port=listening.getsockname()[1],
        )
        path = bright_cell_yolox(tmp_path / "m.onnx", ["batch", 3, 64, 64])
        verdict = Inspector(tmp_path, command=(sys.executable, "-c", probe)).inspect(path, DETECTOR)
    assert not [n for n in verdict.figures["environment"] if n.startswith("BARNHAND")]  # type: ignore[attr-defined]
    for name in ("write", "append", "remove", "program", "signal"):
        assert verdict.figures[name] == "PermissionError", name
    assert path.is_file()
    assert verdict.figures["memory"] == "MemoryError"
    assert verdict.figures["files"] == "OSError"
    assert verdict.figures["network"] == "PermissionError"


@pytest.mark.parametrize(
    "program",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import time; time.sleep(600)",
        "raise SystemExit(3)",
        "print('no JSON')",
        "print('{}')",
        "print('x' * 200_000)",
        "print('[1]')",
        "",
    ],
)
def test_whatever_happens_to_the_child_is_a_refusal(tmp_path: Path, program: str) -> None:
    path = bright_cell_yolox(tmp_path / "m.onnx", ["batch", 3, 64, 64])
    command = (sys.executable, "-c", program)
    inspector = Inspector(tmp_path, Limits(wall_s=1.0 if "sleep" in program else 60.0), command)
    with pytest.raises(ModelRefused) as caught:
        inspector.inspect(path, DETECTOR)
    assert caught.value.code == "model_inspection_failed"


def test_the_checker_of_the_tests_is_the_childs() -> None:
    """The newest operator set stated to people is one that the installed library knows."""
    from barnhand_desktop.model_inspection.graphs import NEWEST_OPSET

    assert onnx.defs.onnx_opset_version() >= NEWEST_OPSET
