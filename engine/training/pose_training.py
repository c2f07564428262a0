"""``train_pose``: from data folders to a measured, exported equine-26 pose model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from engine.domain.geometry import FloatArray
from engine.domain.skeletons import EQUINE26
from engine.training.accuracy import LandmarkErrors, landmark_errors
from engine.training.augment import PoseVariation, place, placement, vary
from engine.training.backbone import imagenet_weights, load_imagenet
from engine.training.loop import Plan, Trainer
from engine.training.pose_data import Picture, PoseSet, read_pose_data
from engine.training.pose_net import SIGMA_CELLS, STRIDE_PX, PoseNet, ServedPose
from engine.training.pseudo_labels import (
    WEIGHT as PSEUDO_WEIGHT,
)
from engine.training.pseudo_labels import (
    joined,
    load_teacher,
    masked_pictures,
    pseudo_labelled,
)
from engine.training.simulated_poses import SOURCE as SIMULATED
from engine.training.simulated_poses import simulated_pose_set

_log = logging.getLogger(__name__)

INPUT_PX = 192
MEAN, STD = 127.0, 128.0
"""The backbone's normalisation: (value - 127) / 128 of RGB."""

SMALL_PX, SMALL_UNTIL = 128, 0.55
"""The first part of a run uses smaller pictures: twice the samples a second, same shapes seen."""

FROZEN_BLOCKS = 3
"""The stem and the first blocks keep their ImageNet weights (edges and textures), which saves a
third of the time on a CPU."""


@dataclass(frozen=True)
class PoseMix:
    """Samples of one batch drawn from each source; names are data folder names."""

    shares: tuple[tuple[str, float], ...]

    def sources(self) -> tuple[str, ...]:
        """All source names."""
        return tuple(name for name, _ in self.shares)


DEFAULT_MIX = PoseMix(
    (
        ("ridden_walk", 0.28),
        ("animalpose_horse", 0.45),
        ("animalpose_other", 0.12),
        ("weizmann", 0.06),
        (SIMULATED, 0.09),
    )
)
FINE_RATE = 5e-4
"""Peak learning rate of a run that starts from a trained network."""


def heat_targets(landmarks: Tensor, cells: int) -> Tensor:
    """Gaussians that sum to 1: (B, K, 3) in cells to (B, K, cells * cells)."""
    grid = torch.arange(cells, dtype=torch.float32, device=landmarks.device)
    across = torch.exp(-((grid - landmarks[..., 0:1]) ** 2) / (2 * SIGMA_CELLS**2))
    down = torch.exp(-((grid - landmarks[..., 1:2]) ** 2) / (2 * SIGMA_CELLS**2))
    heat = (down[..., :, None] * across[..., None, :]).flatten(2)
    return heat / heat.sum(dim=2, keepdim=True).clamp(min=1e-9)


def heat_loss(logits: Tensor, landmarks: Tensor) -> Tensor:
    """Cross entropy between map and target, averaged with the landmarks' weights.

    logits: (B, K, h, h). landmarks: (B, K, 3) in input pixels with weights; weight 0 (not
    labelled in this data set, or out of the picture) contributes nothing.
    """
    cells = logits.shape[-1]
    scaled = landmarks.clone()
    scaled[..., :2] /= STRIDE_PX
    shares = torch.log_softmax(logits.float().flatten(2), dim=2)
    entropy = -(heat_targets(scaled, cells) * shares).sum(dim=2)
    weights = landmarks[..., 2]
    return (entropy * weights).sum() / weights.sum().clamp(min=1.0)


def normalised(pictures: Picture, device: torch.device) -> Tensor:
    """uint8 (B, H, W, 3) RGB to the network's float (B, 3, H, W)."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return ((tensor.permute(0, 3, 1, 2).float() - MEAN) / STD).contiguous(
        memory_format=torch.channels_last
    )


def peaks_px(heat: FloatArray) -> FloatArray:
    """Peaks of (N, K, h, w) maps in input pixels, (N, K, 2), refined by a parabola through the
    logarithms of the neighbours (exact for a Gaussian)."""
    count, landmarks, height, width = heat.shape
    flat = heat.reshape(count, landmarks, -1).argmax(axis=2)
    y, x = flat // width, flat % width
    logs = np.log(np.maximum(heat, 1e-10))
    rows, columns = np.ogrid[:count, :landmarks]

    def offset(before: FloatArray, middle: FloatArray, after: FloatArray) -> FloatArray:
        bend = before + after - 2 * middle
        step = np.where(bend < -1e-6, (before - after) / (2 * np.minimum(bend, -1e-6)), 0.0)
        return np.clip(step, -0.5, 0.5).astype(np.float32)

    def at(dy: int, dx: int) -> FloatArray:
        picked: FloatArray = logs[
            rows, columns, np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)
        ]
        return picked

    dx = np.where((x > 0) & (x < width - 1), offset(at(0, -1), at(0, 0), at(0, 1)), 0.0)
    dy = np.where((y > 0) & (y < height - 1), offset(at(-1, 0), at(0, 0), at(1, 0)), 0.0)
    return (np.stack([x + dx, y + dy], axis=2) * STRIDE_PX).astype(np.float32)


class PoseRecipe:
    """Batches, loss and held-out figures of the pose network."""

    figure = "pck_0.1"

    def __init__(
        self, data: PoseSet, device: torch.device, batch: int, backbone: Path | None,
        mix: PoseMix = DEFAULT_MIX, seed: int = 1, start: PoseNet | None = None,
        backgrounds: Sequence[Picture] = (),
    ) -> None:  # fmt: skip
        self._data, self._device, self._batch, self._seed = data, device, batch, seed
        self._backgrounds = tuple(backgrounds)
        self._small_until = SMALL_UNTIL if start is None else 0.0
        self._variation = PoseVariation()
        rows = {name: data.rows((name,), held_out=False) for name in mix.sources()}
        known = [(name, share) for name, share in mix.shares if len(rows[name])]
        if not known:
            known = [(name, 1.0) for name in sorted(set(data.sources))]
            rows = {name: data.rows((name,), held_out=False) for name, _ in known}
        self._rows = [rows[name] for name, _ in known]
        shares = np.array([share for _, share in known])
        self._shares = shares / shares.sum()
        self._network = PoseNet(len(EQUINE26.landmarks))
        if start is None:
            load_imagenet(self._network.backbone, imagenet_weights(backbone))
        else:
            self._network.load_state_dict(start.state_dict())
        self._network.to(device)
        self._freeze()

    def network(self) -> nn.Module:
        """The network that is trained."""
        return self._network

    def _freeze(self) -> None:
        stem = self._network.backbone
        for module in (stem._conv_stem, stem._bn0, *stem._blocks[:FROZEN_BLOCKS]):
            module.requires_grad_(False)
            module.eval()

    def loss(self, epoch: int, step: int, progress: float) -> Tensor:
        """One augmented batch through the network."""
        size = SMALL_PX if progress < self._small_until else INPUT_PX
        pictures, landmarks = self._draw(epoch, step, size)
        self._network.train()
        self._freeze()
        inputs = normalised(pictures, self._device)
        mixed = self._device.type == "cuda"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=mixed):
            logits = self._network(inputs)
        return heat_loss(logits, torch.from_numpy(landmarks).to(self._device))

    def _draw(self, epoch: int, step: int, size: int) -> tuple[Picture, FloatArray]:
        rng = np.random.default_rng((self._seed, epoch, step))
        data = self._data
        pictures, marks = [], []
        for source in rng.choice(len(self._rows), size=self._batch, p=self._shares):
            row = int(rng.choice(self._rows[source]))
            beside = int(rng.integers(len(data)))
            other = data.crops[beside], data.landmarks[beside]
            picture, placed = vary(
                data.crops[row], data.landmarks[row], data.boxes_xyxy_px[row], other,
                self._background(rng), size, rng, self._variation,
            )  # fmt: skip
            pictures.append(picture)
            marks.append(placed)
        return np.stack(pictures), np.stack(marks)

    def _background(self, rng: np.random.Generator) -> Picture:
        if not self._backgrounds:
            return np.asarray(rng.integers(0, 256, (8, 8, 3)).repeat(8, 0).repeat(8, 1), np.uint8)
        return self._backgrounds[int(rng.integers(len(self._backgrounds)))]

    def score(self, network: nn.Module) -> dict[str, float]:
        """PCK on held-out horses and pictures; ``pck_0.1`` is the mean over the sources."""
        figures: dict[str, float] = {}
        tens: list[float] = []
        for source in measured_sources(self._data):
            rows = self._data.rows((source,), held_out=True)
            if len(rows):
                errors = measure_pose(network, self._data, rows, self._device)
                figures[f"{source}_0.05"] = errors.pck(0.05)
                figures[f"{source}_0.1"] = errors.pck(0.1)
                tens.append(errors.pck(0.1))
        figures[self.figure] = float(np.mean(tens)) if tens else 0.0
        return figures


def measured_sources(data: PoseSet) -> tuple[str, ...]:
    """Sources of horses whose landmarks people (or the data's makers) gave: what is measured."""
    weight = dict.fromkeys(data.sources, 0.0)
    for source, marks in zip(data.sources, data.landmarks, strict=True):
        weight[source] = max(weight[source], float(marks[:, 2].max()))
    return tuple(
        sorted(s for s in weight if weight[s] > PSEUDO_WEIGHT and not s.endswith("_other"))
    )


def measure_pose(
    network: nn.Module, data: PoseSet, rows: np.ndarray, device: torch.device
) -> LandmarkErrors:
    """Errors of the network on rows of the set, each cut as the engine cuts it (padding 1.25)."""
    found: list[FloatArray] = []
    labels: list[FloatArray] = []
    network.eval()
    for start in range(0, len(rows), 32):
        cut = [_engine_cut(data, int(row)) for row in rows[start : start + 32]]
        with torch.no_grad():
            logits = network(normalised(np.stack([c[0] for c in cut]), device)).float()
            shares = torch.softmax(logits.flatten(2), dim=2).reshape(logits.shape)
        found.append(peaks_px(shares.cpu().numpy()))
        labels.append(np.stack([c[1] for c in cut]))
    return landmark_errors(np.concatenate(found), np.concatenate(labels))


def _engine_cut(data: PoseSet, row: int) -> tuple[Picture, FloatArray]:
    box = data.boxes_xyxy_px[row]
    matrix = placement(box, INPUT_PX, 1.25, 1.0, 0.0, (0.0, 0.0))
    picture, marks = place(data.crops[row], data.landmarks[row], matrix, INPUT_PX)
    marks[:, 2] = data.landmarks[row][:, 2]
    return picture, marks


def train_pose(
    data: Path, out: Path, device: str = "cpu", epochs: int = 60, resume: bool = False,
    minutes: float | None = None, steps: int = 100, batch: int = 32, threads: int | None = None,
    seed: int = 1, backbone: Path | None = None, every: int = 3, start: Path | None = None,
    simulated: int = 600, tell: Callable[[str], None] = _log.info,
) -> bool:  # fmt: skip
    """Train, measure and export the pose model into ``out``.

    ``minutes`` bends the schedule to a wall-clock budget. ``start`` is a checkpoint of an earlier
    run to go on from at a lower rate; it also labels the pictures that only have masks.
    ``simulated`` horses of the simulated farm are added. Returns False when it was interrupted
    (run again with ``resume``). OperatorMistake for unusable data, weights or checkpoints.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    pose_set = read_pose_data(data, out / "cache", every)
    teacher = None if start is None else load_teacher(start)
    if simulated:
        drawn = simulated_pose_set(simulated, seed)
        tell(f"simulated farm: {len(drawn)} horses drawn")
        pose_set = joined([pose_set, drawn])
    if teacher is not None:
        pose_set = _with_pseudo_labels(pose_set, teacher, data, torch.device(device), tell)
    recipe = PoseRecipe(
        pose_set, torch.device(device), batch, backbone, seed=seed, start=teacher,
        backgrounds=_backgrounds(data),
    )  # fmt: skip
    rate = Plan.peak_rate if teacher is None else FINE_RATE
    plan = Plan(
        epochs=epochs, steps_per_epoch=steps, peak_rate=rate, seed=seed, minutes=minutes,
        evaluate_every=5,
    )  # fmt: skip
    trainer = Trainer(recipe, plan, out, tell)
    if resume:
        trainer.resume()
    if not trainer.run():
        return False
    _publish(trainer, pose_set, out, plan, tell)
    return True


def _with_pseudo_labels(
    known: PoseSet, teacher: PoseNet, data: Path, device: torch.device, tell: Callable[[str], None]
) -> PoseSet:
    """``known`` and the masked pictures that the teacher is sure of."""
    served = ServedPose(teacher).eval().to(device)

    def predict(pictures: Picture) -> FloatArray:
        with torch.no_grad():
            maps: FloatArray = served(normalised(pictures, device)).float().cpu().numpy()
        return maps

    sets = [known]
    for folder in sorted(path for path in data.iterdir() if (path / "masks").is_dir()):
        found = pseudo_labelled(predict, folder.name, masked_pictures(folder), INPUT_PX)
        tell(f"{folder.name}: {len(found)} pictures labelled by the network itself")
        sets.append(found)
    return joined(sets)


def _backgrounds(data: Path) -> tuple[Picture, ...]:
    """Pictures (RGB) of the folder of empty barns to put horses before; none without it."""
    folder = data / "empty_barns"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    pictures = (cv2.imread(str(path)) for path in paths)
    return tuple(
        np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
        for picture in pictures
        if picture is not None and min(picture.shape[:2]) >= 64
    )


def _publish(
    trainer: Trainer, data: PoseSet, out: Path, plan: Plan, tell: Callable[[str], None]
) -> None:
    from engine.training.publication import publish_pose, version_of_today

    trainer.load_best()
    network = trainer.averaged
    assert isinstance(network, PoseNet)
    recipe = (
        f"{trainer.epoch} epochs of {plan.steps_per_epoch} batches, AdamW, one cosine cycle from "
        f"{plan.peak_rate}, seed {plan.seed}; the best epoch on held-out data was kept.",
        f"{SMALL_PX} px pictures for the first {SMALL_UNTIL:.0%} of the schedule, then {INPUT_PX}."
        if plan.peak_rate > FINE_RATE
        else f"Started from an earlier run of the same network; {INPUT_PX} px pictures throughout.",
        "Landmarks that a source does not label are masked out of the loss.",
    )
    published = publish_pose(network, data, out, version_of_today(), recipe)
    tell(f"written: {published.weights}, {published.card.name}, {published.entry.name}")
