"""What every Detector keeps: generated networks, third-party weights, torch, and motion."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.errors import Bug, ModelInvalid
from engine.domain.frames import Image
from engine.domain.geometry import iou_matrix
from engine.domain.ports import Detector
from engine.models.description import describe_file
from engine.models.detectors import DetectorOptions, GridDetector, YoloDetector, grid_detector
from engine.models.manifest import ModelEntry, Task, read_manifest
from engine.models.motion_detector import LEARNING_PICTURES, MotionDetector
from tests.helpers.tiny_models import Opener, bright_cell_yolox, constant_model, entry_of

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "resources" / "models" / "manifest.toml"
YOLOX_INPUT = {"width_px": 160, "height_px": 160, "colour": "bgr", "std": (1.0, 1.0, 1.0)}
KINDS = ("yolox", "yolox free size", "v8", "v5", "end to end", "torch", "openvino", "nano")
SMALL = DetectorOptions(minimum_box_px=1.0)


def fitted(picture: Image, detector: Detector) -> tuple[Image, float]:
    """The picture scaled to fit the detector, as the capture stage does it, and its scale."""
    width, height = detector.input_size_px
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(cv2.resize(picture, size), np.uint8), scale


def detect(detector: Detector, picture: Image, min_score: float = 0.35) -> DetectionBatch:
    scaled, scale = fitted(picture, detector)
    return detector.detect([scaled], [scale], min_score)[0]


def opened(path: Path, options: DetectorOptions = SMALL, **fields: Any) -> GridDetector:
    entry = entry_of(path, task="detector", **fields)
    return grid_detector(entry, Opener(entry, path), "cpu", options)


def listed(name: str, folder: Path, options: DetectorOptions = SMALL) -> GridDetector:
    entry = read_manifest(MANIFEST).named(name)
    return grid_detector(entry, Opener(entry, folder / entry.files[0].name), "cpu", options)


def yolo_table(cells: int, form: str) -> np.ndarray:
    """An output with a horse at 20..60 x 30..50 (score 0.9), again slightly moved (0.8), a person
    on it (0.7) and a dog elsewhere (0.45)."""
    horse, again, person, dog = (
        (40, 40, 40, 20),
        (41, 40, 40, 20),
        (40, 40, 40, 20),
        (120, 100, 30, 30),
    )
    table = np.zeros((cells, 8), np.float32)
    for row, (box, kind, score) in enumerate(
        [(horse, 0, 0.9), (again, 0, 0.8), (person, 1, 0.7), (dog, 2, 0.45)]
    ):
        table[row, :4] = box
        table[row, 4] = 1.0
        table[row, 5 + kind] = score
    if form == "v8":
        return np.delete(table, 4, axis=1).T.copy()
    return table


@pytest.fixture(scope="session")
def torch_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A YOLO11n with random weights, as ultralytics saves it. One pass sets its running statistics
    and its last layers are scaled so that its answers depend on the picture."""
    from engine.models.ultralytics_session import ultralytics_tasks

    tasks = ultralytics_tasks()
    import torch
    from ultralytics import YOLO

    torch.manual_seed(7)
    model = YOLO("yolo11n.yaml")
    model.model = tasks.DetectionModel("yolo11n.yaml", nc=3, verbose=False)
    norms = [m for m in model.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    rgb = cv2.resize(scenes()[2], (640, 384))[..., ::-1].transpose(2, 0, 1)
    scene = torch.from_numpy(rgb[None].astype(np.float32) / 255)
    with torch.no_grad():
        model.model.train()(scene)
    for norm in norms:
        norm.momentum = 0.03
    head = model.model.eval().model[-1]
    for boxes, classes in zip(head.cv2, head.cv3, strict=True):
        torch.nn.init.normal_(boxes[-1].weight, std=0.05)
        torch.nn.init.normal_(classes[-1].weight, std=0.1)
        torch.nn.init.zeros_(classes[-1].bias)
    with torch.no_grad():
        scores = model.model(scene)[0][0, 4:].max(dim=0).values
    for classes in head.cv3:
        torch.nn.init.constant_(classes[-1].bias, -1.0 - float(scores.logit().quantile(0.98)))
    path = tmp_path_factory.mktemp("torch") / "random.pt"
    model.save(str(path))
    return path


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("detectors")

    def write(kind: str) -> Path:
        path = folder / f"{kind.replace(' ', '_')}.onnx"
        if path.exists():
            return path
        fixed, free = ["batch", 3, 160, 160], ["batch", 3, "height", "width"]
        if kind == "yolox":
            return bright_cell_yolox(path, fixed)
        if kind == "yolox free size":
            return bright_cell_yolox(path, free)
        cells = 20 * 20 + 10 * 10 + 5 * 5
        if kind == "end to end":
            rows = np.zeros((300, 6), np.float32)
            rows[0] = 20, 30, 60, 50, 0.9, 0
            rows[1] = 20, 30, 60, 50, 0.7, 1
            rows[2] = 105, 85, 135, 115, 0.45, 2
            return constant_model(path, {"output": rows}, fixed)
        table = yolo_table(cells if kind == "v8" else 3 * cells, kind)
        return constant_model(path, {"output": table}, fixed)

    return write


@pytest.fixture(params=KINDS)
def detector(request: pytest.FixtureRequest, make: Callable[[str], Path]) -> Iterator[GridDetector]:
    kind = str(request.param)
    if kind.startswith("yolox"):
        spec = {**YOLOX_INPUT, "dynamic_size": kind != "yolox"}
        made = opened(make(kind), layout="yolox", input=spec)
    elif kind == "torch":
        weights = request.getfixturevalue("torch_weights")
        made = opened(
            weights,
            layout="yolo",
            runtime="ultralytics",
            input={"width_px": 320, "height_px": 320, "dynamic_size": True},
            classes={"0": "horse", "1": "person", "2": "dog"},
        )
    elif kind == "openvino":
        pytest.importorskip("openvino")
        made = listed("yolo11n-int8-openvino", request.getfixturevalue("shared") / "models")
    elif kind == "nano":
        made = listed("yolox-nano-416", request.getfixturevalue("shared") / "models")
    else:
        classes = {"0": "horse", "1": "person", "2": "dog"}
        spec = {"width_px": 160, "height_px": 160}
        made = opened(make(kind), layout="yolo", input=spec, classes=classes)
    yield made
    made.close()


def scenes() -> list[Image]:
    """Three noisy pictures of different sizes with bright and dark rectangles."""
    random = np.random.default_rng(3)
    pictures = []
    for width, height in ((640, 360), (360, 640), (1280, 720)):
        picture = random.integers(0, 80, (height, width, 3), np.uint8)
        for _ in range(4):
            x, y = int(random.integers(0, width - 200)), int(random.integers(0, height - 200))
            colour = tuple(int(v) for v in random.integers(60, 256, 3))
            cv2.rectangle(picture, (x, y), (x + 190, y + 190), colour, -1)
        cv2.rectangle(picture, (0, 0), (150, 150), (255, 255, 255), -1)
        pictures.append(picture)
    return pictures


# --- every detector ------------------------------------------------------------------------------


def test_no_pictures_give_no_results(detector: Detector) -> None:
    assert detector.detect([], [], 0.35) == []


def test_it_names_its_model_and_its_input(detector: Detector) -> None:
    name, _, version = detector.model_id.partition("@")
    assert name
    assert version
    assert min(detector.input_size_px) >= 32


def test_results_are_inside_the_picture_ordered_and_read_only(detector: Detector) -> None:
    for picture in scenes():
        found = detect(detector, picture, 0.2)
        height, width = picture.shape[:2]
        # Inside up to the rounding of the scaled size.
        slack = max(picture.shape) / max(detector.input_size_px)
        assert (found.boxes_xyxy_px >= 0).all()
        assert (found.boxes_xyxy_px <= np.array([width, height] * 2) + slack).all()
        assert (found.boxes_xyxy_px[:, 2:] > found.boxes_xyxy_px[:, :2]).all()
        assert (np.diff(found.scores) <= 0).all()
        assert ((found.scores >= 0.2) & (found.scores <= 1.0)).all()
        assert set(found.class_ids.tolist()) <= {kind.value for kind in SubjectClass}
        assert not found.boxes_xyxy_px.flags.writeable


def test_pictures_together_give_what_each_gives_alone(detector: Detector) -> None:
    prepared = [fitted(picture, detector) for picture in (*scenes(), *scenes())]
    together = detector.detect([p for p, _ in prepared], [s for _, s in prepared], 0.3)
    assert len(together) == len(prepared)
    for (picture, scale), result in zip(prepared, together, strict=True):
        alone = detector.detect([picture], [scale], 0.3)[0]
        np.testing.assert_allclose(result.boxes_xyxy_px, alone.boxes_xyxy_px, atol=0.1)
        np.testing.assert_allclose(result.scores, alone.scores, atol=1e-3)
        assert result.class_ids.tolist() == alone.class_ids.tolist()


def test_a_higher_threshold_keeps_the_best(detector: Detector) -> None:
    picture = scenes()[0]
    weak, sure = detect(detector, picture, 0.1), detect(detector, picture, 0.5)
    assert len(sure) <= len(weak)
    np.testing.assert_array_equal(sure.scores, weak.scores[weak.scores >= 0.5])


def test_results_do_not_change_when_the_next_picture_comes(detector: Detector) -> None:
    first = detect(detector, scenes()[0], 0.2)
    before = first.boxes_xyxy_px.copy(), first.scores.copy()
    detect(detector, np.full((360, 640, 3), 250, np.uint8), 0.2)
    np.testing.assert_array_equal(first.boxes_xyxy_px, before[0])
    np.testing.assert_array_equal(first.scores, before[1])


def test_a_picture_that_is_too_large_is_a_bug(detector: Detector) -> None:
    width, height = detector.input_size_px
    with pytest.raises(Bug):
        detector.detect([np.zeros((height, width + 1, 3), np.uint8)], [1.0], 0.3)


# --- exact boxes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["v8", "v5"])
def test_overlaps_of_a_class_are_merged_and_those_of_others_kept(
    make: Callable[[str], Path], kind: str
) -> None:
    classes = {"0": "horse", "1": "person", "2": "dog"}
    spec = {"width_px": 160, "height_px": 160}
    detector = opened(make(kind), layout="yolo", input=spec, classes=classes)
    # 320x160 at half size is 160x80, centred on 160x160 with 40 px above.
    found = detector.detect([np.zeros((80, 160, 3), np.uint8)], [0.5], 0.3)[0]
    np.testing.assert_allclose(found.scores, [0.9, 0.7, 0.45], rtol=1e-6)
    assert found.class_ids.tolist() == [SubjectClass.HORSE, SubjectClass.PERSON, SubjectClass.DOG]
    expected = [[40, 0, 120, 20], [40, 0, 120, 20], [210, 90, 270, 150]]
    np.testing.assert_allclose(found.boxes_xyxy_px, expected, atol=1e-3)


def test_small_boxes_are_ignored_by_their_size_in_the_picture(make: Callable[[str], Path]) -> None:
    spec = {"width_px": 160, "height_px": 160}
    # The horse is 40x20 input pixels: 28.3 px across at full size, 56.6 at half.
    options = DetectorOptions(minimum_box_px=40.0)
    detector = opened(make("v8"), options, layout="yolo", input=spec)
    picture = np.zeros((160, 160, 3), np.uint8)
    assert len(detector.detect([picture], [1.0], 0.3)[0]) == 0
    assert len(detector.detect([picture], [0.5], 0.3)[0]) == 1


def test_lookalikes_count_as_horses_by_setting(make: Callable[[str], Path]) -> None:
    spec = {"width_px": 160, "height_px": 160}
    fields = {"layout": "yolo", "input": spec, "classes": {"0": "horse"}, "lookalikes": [2]}
    picture = np.zeros((160, 160, 3), np.uint8)
    counts = {
        setting: len(
            opened(
                make("v8"),
                DetectorOptions(minimum_box_px=1.0, lookalikes_are_horses=setting),
                **fields,
            ).detect([picture], [1.0], 0.3)[0]
        )
        for setting in (True, False)
    }
    assert counts == {True: 2, False: 1}


@pytest.mark.parametrize("kind", ["yolox", "yolox free size"])
def test_a_bright_cell_is_found_where_it_is(make: Callable[[str], Path], kind: str) -> None:
    spec = {**YOLOX_INPUT, "dynamic_size": kind != "yolox"}
    detector = opened(make(kind), layout="yolox", input=spec)
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[32:64, 96:128] = 255
    found = detector.detect([picture], [0.25], 0.5)[0]
    # Cell (3, 1) of 32 px: centre (112, 48), 64 wide and 32 high, then four times as large.
    np.testing.assert_allclose(found.boxes_xyxy_px, [[320, 128, 576, 256]], rtol=1e-5)
    np.testing.assert_allclose(found.scores, [1.0], rtol=1e-5)


def test_a_free_input_costs_only_the_pictures_own_rectangle(make: Callable[[str], Path]) -> None:
    spec = {**YOLOX_INPUT, "dynamic_size": True}
    entry = entry_of(make("yolox free size"), task="detector", layout="yolox", input=spec)
    sizes: list[tuple[int, ...]] = []
    opener = Opener(entry, make("yolox free size"))

    def watched(device: Any) -> Any:
        session = opener(device)
        run = session.run

        def noted(pictures: Image) -> Any:
            sizes.append(pictures.shape)
            return run(pictures)

        session.run = noted
        return session

    detector = grid_detector(entry, watched, "cpu", SMALL)
    detector.detect([np.zeros((90, 160, 3), np.uint8)], [1.0], 0.5)
    assert sizes[-1] == (1, 96, 160, 3)


# --- real pictures -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["yolo11n-int8-openvino", "yolox-nano-416"])
def test_horse_person_and_dog_are_found_on_the_photograph(shared: Path, name: str) -> None:
    if "openvino" in name:
        pytest.importorskip("openvino")
    picture = cv2.imread(str(shared / "data/stills/darknet_person_horse_dog.jpg"))
    detector = listed(name, shared / "models")
    found = detect(detector, np.asarray(picture, np.uint8), 0.6)
    detector.close()
    # Read off the 640x424 picture by eye.
    truth = np.array([[400, 136, 605, 347], [190, 98, 276, 378], [62, 263, 206, 348]], np.float32)
    classes = [SubjectClass.HORSE, SubjectClass.PERSON, SubjectClass.DOG]
    assert len(found) == 3
    for box, kind in zip(truth, classes, strict=True):
        overlaps = iou_matrix(box[None], found.boxes_xyxy_px)[0]
        assert overlaps.max() > 0.8
        assert found.class_ids[overlaps.argmax()] == kind


def test_every_horse_of_the_herd_picture_is_found_by_the_better_model(shared: Path) -> None:
    pytest.importorskip("openvino")
    picture = cv2.imread(str(shared / "data/stills/darknet_horses.jpg"))
    detector = listed("yolo11n-int8-openvino", shared / "models")
    found = detect(detector, np.asarray(picture, np.uint8))
    detector.close()
    assert np.count_nonzero(found.class_ids == SubjectClass.HORSE) >= 3


# --- torch ---------------------------------------------------------------------------------------


def torch_detector(weights: Path, dynamic: bool, options: DetectorOptions) -> GridDetector:
    return opened(
        weights,
        options,
        layout="yolo",
        runtime="ultralytics",
        input={"width_px": 640, "height_px": 640, "dynamic_size": dynamic},
        classes={"0": "horse", "1": "person", "2": "dog"},
    )


@pytest.mark.parametrize("dynamic", [True, False])
def test_torch_weights_give_what_the_library_itself_predicts(
    torch_weights: Path, dynamic: bool
) -> None:
    from ultralytics import YOLO

    picture = scenes()[2]
    detector = torch_detector(torch_weights, dynamic, DetectorOptions(0.5, 1.0))
    scaled, scale = fitted(picture, detector)
    ours = detector.detect([scaled], [scale], 0.6)[0]
    detector.close()
    theirs = YOLO(str(torch_weights)).predict(
        scaled, imgsz=640, rect=dynamic, conf=0.6, iou=0.5, verbose=False
    )[0]
    boxes = theirs.boxes.xyxy.numpy() / scale
    # They keep boxes that lie in the padding and are nothing inside the picture.
    real = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) >= 1.0
    boxes, scores = boxes[real].astype(np.float32), theirs.boxes.conf.numpy()[real]
    assert len(ours) == len(boxes) > 3
    assert (iou_matrix(boxes, ours.boxes_xyxy_px).max(axis=1) > 0.99).all()
    np.testing.assert_allclose(ours.scores, np.sort(scores)[::-1], atol=1e-3)


def test_rectangular_and_square_input_agree(shared: Path, tmp_path: Path) -> None:
    """YOLOX's weights with free input sides: the horse is where the square input sees it."""
    import onnx

    model = onnx.load(str(shared / "models/yolox_nano_416.onnx"))
    sides = model.graph.input[0].type.tensor_type.shape.dim
    sides[2].dim_param, sides[3].dim_param = "height", "width"
    for dim in model.graph.output[0].type.tensor_type.shape.dim:
        dim.dim_param = "free"
    del model.graph.value_info[:]
    free = tmp_path / "free.onnx"
    onnx.save(model, str(free))
    entry = read_manifest(MANIFEST).named("yolox-nano-416")
    base = entry.model_dump() | {"files": [{"name": "free.onnx"}]}
    base["input"] |= {"dynamic_size": True}
    rectangular_entry = ModelEntry.model_validate(base)
    picture = np.asarray(
        cv2.imread(str(shared / "data/stills/darknet_person_horse_dog.jpg")), np.uint8
    )[30:390]
    try:
        rectangular = grid_detector(rectangular_entry, Opener(rectangular_entry, free), "cpu")
        a = detect(rectangular, picture)
    except ModelInvalid as error:
        pytest.skip(f"these weights cannot be freed: {error}")
    b = detect(listed("yolox-nano-416", shared / "models", DetectorOptions()), picture)
    assert len(a) == len(b) == 3
    overlaps = iou_matrix(a.boxes_xyxy_px, b.boxes_xyxy_px)
    assert (overlaps.max(axis=1) > 0.7).all()
    assert a.class_ids[0] in b.class_ids


def test_torch_weights_load_without_network_and_without_installing(
    torch_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the model runtime went to the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    detector = torch_detector(torch_weights, True, SMALL)
    detect(detector, scenes()[0])
    from ultralytics import utils
    from ultralytics.utils import events

    assert utils.ONLINE is False
    assert events.events.enabled is False
    assert os.environ["YOLO_AUTOINSTALL"] == "false"


def test_malicious_torch_weights_are_refused_and_run_nothing(tmp_path: Path) -> None:
    import torch

    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(marker),)

    path = tmp_path / "trap.pt"
    torch.save({"model": Trap()}, str(path))
    with pytest.raises(ModelInvalid, match=r"trap\.pt"):
        torch_detector(path, True, SMALL)
    assert not marker.exists()


# --- files that are not what they should be ------------------------------------------------------


@pytest.mark.parametrize("suffix", ["onnx", "xml", "pt"])
@pytest.mark.parametrize("content", [b"", b"no model at all " * 500])
def test_damaged_files_are_told_by_name(tmp_path: Path, suffix: str, content: bytes) -> None:
    if suffix == "xml":
        pytest.importorskip("openvino")
        (tmp_path / "broken.bin").write_bytes(b"weights")
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(content)
    runtime = {"onnx": "onnx", "xml": "openvino", "pt": "ultralytics"}[suffix]
    with pytest.raises(ModelInvalid, match=rf"broken\.{suffix}.*(empty|damaged)"):
        opened(path, layout="yolo", runtime=runtime)


def test_a_truncated_model_is_told_as_damaged(make: Callable[[str], Path], tmp_path: Path) -> None:
    whole = make("v8").read_bytes()
    path = tmp_path / "half.onnx"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelInvalid, match="damaged"):
        opened(path, layout="yolo")


def test_a_missing_file_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"nowhere\.onnx"):
        opened(tmp_path / "nowhere.onnx", layout="yolo")


@pytest.mark.parametrize(
    ("layout", "output", "says"),
    [
        ("yolox", np.zeros((10, 85), np.float32), "10 x 85"),
        ("yolo", np.zeros((10, 20), np.float32), "no YOLO layout"),
        ("yolo", np.zeros((512,), np.float32), "no detector"),
    ],
)
def test_a_wrong_layout_is_told_with_its_shape(
    tmp_path: Path, layout: str, output: np.ndarray, says: str
) -> None:
    path = constant_model(tmp_path / "odd.onnx", {"output": output}, ["batch", 3, 64, 64])
    with pytest.raises(ModelInvalid, match=says):
        opened(path, layout=layout)


def test_a_class_the_model_does_not_have_is_told(make: Callable[[str], Path]) -> None:
    with pytest.raises(ModelInvalid, match=r"knows 3 classes.*number 17"):
        opened(
            make("v8"),
            layout="yolo",
            input={"width_px": 160, "height_px": 160},
            classes={"17": "horse"},
        )


def test_a_model_of_sound_is_told_as_not_taking_pictures(tmp_path: Path) -> None:
    path = constant_model(tmp_path / "a.onnx", {"output": np.zeros((3,), np.float32)}, ["b", 8])
    with pytest.raises(ModelInvalid, match="not pictures"):
        opened(path, layout="yolo")


# --- files no manifest lists ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "layout", "colour"),
    [("v8", "yolo", "rgb"), ("v5", "yolo", "rgb"), ("yolox", "yolox", "bgr")],
)
def test_an_unlisted_file_is_described_by_its_shapes(
    tmp_path: Path, kind: str, layout: str, colour: str
) -> None:
    path = tmp_path / "My Farm (2).onnx"
    shape = ["batch", 3, 160, 160]
    if kind == "yolox":
        bright_cell_yolox(path, shape)
    else:
        table = yolo_table(525 if kind == "v8" else 1575, kind)
        names = {"names": "{0: 'horse', 1: 'person', 2: 'cow'}"}
        constant_model(path, {"output": table}, shape, names)
    entry = describe_file(path, Task.DETECTOR)
    assert (entry.layout, entry.input.colour) == (layout, colour)
    assert (entry.input.width_px, entry.input.height_px) == (160, 160)
    assert entry.name == "my-farm-2"
    if kind != "yolox":
        assert entry.classes == {"0": "horse", "1": "person"}
        assert entry.lookalikes == (2,)
    assert grid_detector(entry, Opener(entry, path), "cpu").model_id == entry.id


def test_shared_weights_are_described_as_the_manifest_lists_them(shared: Path) -> None:
    pytest.importorskip("openvino")
    for name in ("yolo11n-int8-openvino", "yolox-nano-416"):
        listed_entry = read_manifest(MANIFEST).named(name)
        found = describe_file(shared / "models" / listed_entry.files[0].name, Task.DETECTOR)
        assert found.layout == listed_entry.layout
        assert found.runtime == listed_entry.runtime
        assert found.classes == listed_entry.classes
        assert found.input == listed_entry.input


def test_classes_without_names_are_asked_for(tmp_path: Path) -> None:
    path = constant_model(
        tmp_path / "three.onnx", {"output": yolo_table(525, "v8")}, ["b", 3, 160, 160]
    )
    with pytest.raises(ModelInvalid, match="3 classes and does not say"):
        describe_file(path, Task.DETECTOR)


def test_a_model_without_animals_is_told(tmp_path: Path) -> None:
    path = constant_model(
        tmp_path / "cars.onnx",
        {"output": yolo_table(525, "v8")},
        ["b", 3, 160, 160],
        {"names": "['car', 'bus', 'tram']"},
    )
    with pytest.raises(ModelInvalid, match="car, bus, tram"):
        describe_file(path, Task.DETECTOR)


# --- motion --------------------------------------------------------------------------------------


def walk(step: int) -> Image:
    """A dark square walking over a textured yard, 320x180."""
    picture = np.random.default_rng(5).integers(120, 140, (180, 320, 3), np.uint8)
    left = 20 + 8 * step
    picture[80:140, left : left + 60] = 20
    return picture


def test_motion_boxes_follow_what_moves() -> None:
    detector: Detector = MotionDetector(minimum_box_px=24)
    empty = np.random.default_rng(5).integers(120, 140, (180, 320, 3), np.uint8)
    for _ in range(LEARNING_PICTURES + 2):
        assert len(detector.detect([empty], [0.25], 0.1)[0]) == 0
    found = [detector.detect([walk(step)], [0.25], 0.1)[0] for step in range(6)]
    for step, batch in enumerate(found):
        left = 20 + 8 * step
        truth = np.array([[left * 4, 320, (left + 60) * 4, 560]], np.float32)
        assert batch.class_ids[0] == SubjectClass.MOTION
        assert iou_matrix(batch.boxes_xyxy_px, truth).max() > 0.7
        assert 0.1 <= batch.scores[0] <= 1.0


def test_motion_keeps_a_background_for_every_stream() -> None:
    detector = MotionDetector()
    yard = np.random.default_rng(5).integers(120, 140, (180, 320, 3), np.uint8)
    stall = np.full((180, 320, 3), 30, np.uint8)
    for pair in itertools.repeat(("yard", "stall"), LEARNING_PICTURES + 3):
        order = [yard, stall]
        results = detector.detect_streams(order, [1.0, 1.0], pair, 0.1)
        assert [len(r) for r in results] == [0, 0]
    swapped = detector.detect_streams([stall, walk(3)], [1.0, 1.0], ("stall", "yard"), 0.1)
    assert [len(r) for r in swapped] == [0, 1]


def test_switching_on_the_light_is_not_an_animal() -> None:
    detector = MotionDetector()
    for _ in range(LEARNING_PICTURES + 2):
        detector.detect([np.full((180, 320, 3), 20, np.uint8)], [1.0], 0.1)
    assert len(detector.detect([np.full((180, 320, 3), 200, np.uint8)], [1.0], 0.1)[0]) == 0


def test_a_camera_that_changes_its_size_starts_over() -> None:
    detector = MotionDetector()
    for size in ((180, 320), (240, 320)):
        for _ in range(LEARNING_PICTURES):
            picture = np.full((*size, 3), 90, np.uint8)
            assert len(detector.detect([picture], [1.0], 0.1)[0]) == 0


def test_yolo_detector_is_centred_like_ultralytics() -> None:
    assert YoloDetector.anchor == "centre"
