"""``train_detector``: fine-tune the two-class detector from the published YOLOX-nano weights."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.domain.detections import SubjectClass
from engine.domain.errors import Bug, OperatorMistake
from engine.domain.geometry import FloatArray
from engine.models.suppression import suppress
from engine.models.yolo_decoding import ClassTable, decode_yolox
from engine.training.accuracy import match_boxes, recall_at, threshold_at_false_pictures
from engine.training.augment import PoseVariation, recoloured
from engine.training.detector_data import LabelledPicture, Teacher, read_detector_data
from engine.training.detector_loss import detector_loss
from engine.training.detector_net import (
    DetectorNet,
    ServedDetector,
    blended,
    calibrate,
    load_yolox_onnx,
)
from engine.training.loop import Plan, Trainer

_log = logging.getLogger(__name__)

SIZES_PX = ((416, 416), (320, 416), (256, 448), (288, 512), (320, 320), (288, 384))
"""(height, width) of training batches: square, 4:3 and 16:9, as cameras deliver."""
MEASURE_PX = 416
GREY = 114
BLENDS = (0.15, 0.3, 0.5, 1.0)
"""Shares of the tuned weights that are tried when a run is finished."""

TABLE = ClassTable.of({"0": "horse", "1": "person"}, (), False)

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """A picture being composed: BGR picture, boxes, classes, places to ignore (all in pixels)."""

    picture: Image
    boxes: FloatArray
    class_ids: NDArray[np.int16]
    ignored: FloatArray


def load_sample(labelled: LabelledPicture) -> Sample:
    """Read a cached picture."""
    picture = cv2.imread(str(labelled.file))
    if picture is None:
        raise OperatorMistake(f"The cached picture {labelled.file} is gone.", "Delete the cache.")
    return Sample(
        np.asarray(picture, np.uint8),
        labelled.boxes_xyxy_px,
        labelled.class_ids,
        labelled.ignored_xyxy_px,
    )


def placed_on(
    canvas: Image, sample: Sample, cell: tuple[int, int, int, int], rng: np.random.Generator,
    scale: float,
) -> Sample:  # fmt: skip
    """Draw the picture into a cell (x1, y1, x2, y2) of the canvas at ``scale`` times the size that
    fits, at a random place; boxes of which less than a third stays visible become ignored."""
    x1, y1, x2, y2 = cell
    height, width = sample.picture.shape[:2]
    factor = min((x2 - x1) / width, (y2 - y1) / height) * scale
    size = max(8, round(width * factor)), max(8, round(height * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(sample.picture, size, interpolation=method)
    free_x, free_y = (x2 - x1) - size[0], (y2 - y1) - size[1]
    left = x1 + int(rng.integers(min(free_x, 0), max(free_x, 0) + 1))
    top = y1 + int(rng.integers(min(free_y, 0), max(free_y, 0) + 1))
    from_x, from_y = max(x1 - left, 0), max(y1 - top, 0)
    to_x, to_y = min(size[0], x2 - left), min(size[1], y2 - top)
    visible = scaled[from_y:to_y, from_x:to_x]
    canvas[top + from_y : top + to_y, left + from_x : left + to_x] = visible
    zoom = np.array([size[0] / width, size[1] / height] * 2, np.float32)
    offset = np.array([left, top] * 2, np.float32)
    limits = np.array([x1, y1, x2, y2], np.float32)
    boxes, ignored = sample.boxes * zoom + offset, sample.ignored * zoom + offset
    cut, ignored = _cut(boxes, limits), _cut(ignored, limits)
    shown = _areas(cut) / np.maximum(_areas(boxes), 1e-6)
    kept = (shown >= 0.35) & (np.minimum(cut[:, 2] - cut[:, 0], cut[:, 3] - cut[:, 1]) >= 6)
    lost = (~kept) & (shown > 0.02)
    return Sample(
        canvas, cut[kept], sample.class_ids[kept],
        np.concatenate([ignored[_areas(ignored) > 0], cut[lost]]),
    )  # fmt: skip


def _cut(boxes: FloatArray, limits: FloatArray) -> FloatArray:
    low, high = np.tile(limits[:2], 2), np.tile(limits[2:], 2)
    cut: FloatArray = np.clip(boxes, low, high).astype(np.float32)
    return cut


def _areas(boxes: FloatArray) -> FloatArray:
    areas: FloatArray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def composed(
    samples: Sequence[Sample], size_px: tuple[int, int], rng: np.random.Generator
) -> Sample:
    """One training picture of (height, width) from one sample, or a mosaic of four."""
    height, width = size_px
    canvas = np.full((height, width, 3), GREY, np.uint8)
    if len(samples) == 1:
        whole = (0, 0, width, height)
        parts = [placed_on(canvas, samples[0], whole, rng, float(rng.uniform(0.45, 1.35)))]
    else:
        x, y = int(width * rng.uniform(0.3, 0.7)), int(height * rng.uniform(0.3, 0.7))
        cells = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
        parts = [
            placed_on(canvas, sample, cell, rng, float(rng.uniform(0.8, 1.6)))
            for sample, cell in zip(samples, cells, strict=True)
        ]
    boxes = np.concatenate([p.boxes for p in parts])
    ignored = np.concatenate([p.ignored for p in parts])
    class_ids = np.concatenate([p.class_ids for p in parts])
    if rng.random() < 0.5:
        canvas = np.ascontiguousarray(canvas[:, ::-1])
        boxes, ignored = _mirrored(boxes, width), _mirrored(ignored, width)
    how = PoseVariation(colour=0.5, grey=0.04, dark=0.06, blur=0.1, noise=0.05)
    return Sample(recoloured(canvas, rng, how), boxes, class_ids, ignored)


def _mirrored(boxes: FloatArray, width: int) -> FloatArray:
    turned = boxes.copy()
    turned[:, 0], turned[:, 2] = width - boxes[:, 2], width - boxes[:, 0]
    return turned


class DetectorRecipe:
    """Batches, loss and held-out figures of the detector."""

    figure = "recall_at_fp1"

    def __init__(
        self, pictures: Sequence[LabelledPicture], start: Path | None, device: torch.device,
        batch: int, seed: int = 1,
    ) -> None:  # fmt: skip
        self._device, self._batch, self._seed = device, batch, seed
        self._training = [p for p in pictures if not p.held_out]
        self._unseen = [p for p in pictures if p.held_out and not p.source.endswith("_neg")]
        self._negatives = [p for p in pictures if p.source.endswith("_neg")]
        if not self._training:
            raise OperatorMistake("No picture is left to train on.")
        self._weights = _source_weights(self._training)
        self._network = DetectorNet()
        if start is not None:
            load_yolox_onnx(self._network, start)
            rng = np.random.default_rng(seed)
            seen = [self._compose(rng, SIZES_PX[0], 0.5).picture for _ in range(32)]
            calibrate(self._network, torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2).float())
        for module in self._network.early_stages():
            module.requires_grad_(False)
        self.start = copy.deepcopy(self._network)
        self.pretrained = start is not None
        self.batch = batch
        self._network.to(device)

    def network(self) -> nn.Module:
        """The network that is trained."""
        return self._network

    def loss(self, epoch: int, step: int, progress: float) -> Tensor:
        """One composed batch; mosaics stop before the end, as in YOLOX."""
        rng = np.random.default_rng((self._seed, epoch, step))
        size = SIZES_PX[int(rng.integers(len(SIZES_PX)))]
        share = 0.3 if progress < 0.6 else 0.0
        drawn = [self._compose(rng, size, share) for _ in range(self._batch)]
        inputs = torch.from_numpy(np.stack([s.picture for s in drawn])).to(self._device)
        inputs = inputs.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
        # Normalisations keep their calibrated statistics: batches of a few mosaics are too unlike
        # single pictures, and letting them move costs accuracy.
        self._network.eval()
        rows = self._network(inputs).float()
        to = self._device
        return detector_loss(
            rows,
            [torch.from_numpy(s.boxes).to(to) for s in drawn],
            [torch.from_numpy(s.class_ids.astype(np.int64)).to(to) for s in drawn],
            [torch.from_numpy(s.ignored).to(to) for s in drawn],
            size,
        )

    def _compose(self, rng: np.random.Generator, size: tuple[int, int], mosaic: float) -> Sample:
        count = 4 if rng.random() < mosaic else 1
        chosen = rng.choice(len(self._training), size=count, p=self._weights)
        return composed([load_sample(self._training[int(i)]) for i in chosen], size, rng)

    def score(self, network: nn.Module) -> dict[str, float]:
        """Recall of horses on held-out annotated pictures where at most 1 % of negatives alarm."""
        unseen = [p for p in self._unseen if p.source.startswith("animalpose_horse")]
        return measure_detector(network, unseen or self._unseen, self._negatives, self._device)


def _source_weights(pictures: Sequence[LabelledPicture]) -> NDArray[np.float64]:
    """Drawing probabilities; other animals most, as cows called horses are what goes wrong."""
    wanted = {
        "animalpose_horse": 0.28, "animalpose_other": 0.42, "looks": 0.15, "weizmann": 0.05,
        "ridden_walk": 0.07, "empty_barns": 0.03,
    }  # fmt: skip
    counts: dict[str, int] = {}
    for picture in pictures:
        counts[picture.source] = counts.get(picture.source, 0) + 1
    weights = np.array([wanted.get(p.source, 0.2) / counts[p.source] for p in pictures])
    return np.asarray(weights / weights.sum(), np.float64)


def horses_in(
    network: nn.Module, picture_bgr: Image, side_px: int, device: torch.device
) -> tuple[FloatArray, FloatArray]:
    """Horse boxes (N, 4) in picture pixels and scores (N,), as the engine would find them."""
    height, width = picture_bgr.shape[:2]
    scale = min(side_px / width, side_px / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.full((-(-size[1] // 32) * 32, -(-size[0] // 32) * 32, 3), GREY, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(picture_bgr, size, interpolation=cv2.INTER_LINEAR)
    inputs = torch.from_numpy(canvas).to(device).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        rows = ServedDetector(network)(inputs)[0].cpu().numpy()
    found = decode_yolox(rows, canvas.shape[0], canvas.shape[1], TABLE, 0.01)
    kept = suppress(found.boxes_xyxy_px, found.scores, found.class_ids, 0.5, 300)
    horses = kept[found.class_ids[kept] == SubjectClass.HORSE]
    return (found.boxes_xyxy_px[horses] / scale).astype(np.float32), found.scores[horses]


def measure_detector(
    network: nn.Module, unseen: Sequence[LabelledPicture], negatives: Sequence[LabelledPicture],
    device: torch.device, side_px: int = MEASURE_PX,
) -> dict[str, float]:  # fmt: skip
    """Recall at IoU 0.5 at the threshold that alarms on at most 1 % of the negatives, with counts.

    Only annotated labels count as horses to be found; teachers' additions do not.
    """
    network.eval()
    peaks = []
    for picture in negatives:
        _, scores = horses_in(network, load_sample(picture).picture, side_px, device)
        peaks.append(float(scores.max(initial=0.0)))
    threshold = threshold_at_false_pictures(np.array(peaks, np.float32))
    matches = []
    for picture in unseen:
        sample = load_sample(picture)
        boxes, scores = horses_in(network, sample.picture, side_px, device)
        labels = sample.boxes[: picture.annotated]
        labels = labels[sample.class_ids[: picture.annotated] == SubjectClass.HORSE]
        matches.append(match_boxes(boxes, scores, labels))
    return {
        "recall_at_fp1": recall_at(matches, threshold),
        "recall_at_0.3": recall_at(matches, 0.3),
        "threshold_at_fp1": threshold,
        "false_pictures_at_0.3": float((np.array(peaks) >= 0.3).mean()) if peaks else 0.0,
        "horses": float(sum(m.labels for m in matches)),
        "negatives": float(len(negatives)),
    }


def train_detector(
    data: Path, out: Path, device: str = "cpu", epochs: int = 40, resume: bool = False,
    minutes: float | None = None, steps: int = 100, batch: int = 8, threads: int | None = None,
    seed: int = 1, start: Path | None = None, teachers: Sequence[Teacher] = (),
    tell: Callable[[str], None] = _log.info,
) -> bool:  # fmt: skip
    """Train and measure the detector into ``out``.

    ``start``: YOLOX-nano ONNX whose weights it starts from; without it training is from nothing.
    ``minutes`` bends the schedule to a wall-clock budget. Returns False when interrupted (run
    again with ``resume``). OperatorMistake for unusable data, weights or checkpoints.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    pictures = read_detector_data(data, out / "cache", teachers)
    recipe = DetectorRecipe(pictures, start, torch.device(device), batch, seed)
    plan = Plan(
        epochs=epochs, steps_per_epoch=steps, seed=seed, minutes=minutes, peak_rate=3e-5,
        weight_decay=5e-4, evaluate_every=3,
    )  # fmt: skip
    trainer = Trainer(recipe, plan, out, tell)
    if resume:
        trainer.resume()
    if not trainer.run():
        return False
    _publish(trainer, recipe, pictures, out, tell)
    return True


def _publish(
    trainer: Trainer,
    recipe: DetectorRecipe,
    pictures: Sequence[LabelledPicture],
    out: Path,
    tell: Callable[[str], None],
) -> None:
    from engine.training.publication import publish_detector, version_of_today

    network, share = best_blend(trainer, recipe, tell)
    plan = trainer.plan
    steps = (
        f"{trainer.epoch} epochs of {plan.steps_per_epoch} batches of {recipe.batch}, AdamW, one "
        f"cosine cycle from {plan.peak_rate}, seed {plan.seed}; stem and stages 2 to 4 kept.",
        "Normalisation statistics calibrated once and held.",
        f"Weights {share:.0%} of the way from the start to the tuned ones, the best of "
        f"{len(BLENDS)} shares on the held-out pictures.",
    )
    published = publish_detector(network, pictures, out, version_of_today(), steps)
    tell(f"written: {published.weights}, {published.card.name}, {published.entry.name}")


def best_blend(
    trainer: Trainer, recipe: DetectorRecipe, tell: Callable[[str], None]
) -> tuple[DetectorNet, float]:
    """The blend of start and tuned weights that does best on held-out pictures, and its share."""
    tuned = trainer.averaged
    if not isinstance(tuned, DetectorNet):
        raise Bug("the detector's trainer holds another network")
    scored = []
    for share in BLENDS if recipe.pretrained else (1.0,):
        network = blended(recipe.start, tuned, share)
        figures = recipe.score(network)
        said = " ".join(f"{name} {value:.3f}" for name, value in figures.items())
        tell(f"{share:.0%} tuned: {said}")
        worth = (
            figures["recall_at_fp1"] + figures["recall_at_0.3"] - figures["false_pictures_at_0.3"]
        )
        scored.append((worth, share, network))
    _, share, network = max(scored, key=lambda row: row[0])
    return network, share
