"""``barnhand train pose --family rtmpose``: mmpose's RTMPose-m fine-tuned on our pictures.

The network, the augmentation, the targets and the loss are mmpose's own, from its AP-10K
configuration; schedule, averaging, checkpoints and interruption are those of all our training.
Left out of its pipeline are the steps that need albumentations and mmdet; colours are varied by our
own augmentation instead.
"""

from __future__ import annotations

import importlib
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray, crop_affine
from engine.domain.skeletons import SKELETONS
from engine.models.manifest import InputSpec, Layout, ModelEntry, ModelFile, Task
from engine.models.normalisation import Normaliser
from engine.models.pose_decoding import decode_simcc
from engine.sources.pictures import ArrayPicture
from engine.training.accuracy import LandmarkErrors, landmark_errors
from engine.training.augment import PoseVariation, recoloured
from engine.training.cards import Figure, ModelCard, manifest_text
from engine.training.export import sha256_of_file
from engine.training.labelled_animals import AnimalSet, read_animals
from engine.training.loop import Plan, Trainer
from engine.training.mmpose_bridge import (
    OFFICIAL_WEIGHTS,
    ServedRtmpose,
    build_rtmpose,
    export_rtmpose,
    load_weights,
    quiet,
)
from engine.training.publication import KNOWN_SOURCES, Published, version_of_today

_log = logging.getLogger(__name__)

RANK = 15
"""Before the published RTMPose (20), behind the bundled model (10)."""
SPEC = InputSpec(
    width_px=256, height_px=256, colour="rgb",
    mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375),
)  # fmt: skip
PADDING = 1.25
FRESH_RATE, TUNING_RATE = 1e-3, 3e-4
"""Peak learning rates from random weights and from trained ones, for batches of a few dozen."""
STEPS_OF_MMPOSE = (
    "GetBBoxCenterScale", "RandomFlip", "RandomHalfBody", "RandomBBoxTransform", "TopdownAffine",
    "GenerateTarget", "PackPoseInputs",
)  # fmt: skip
"""Steps of its training pipeline that are kept."""


class RtmposeRecipe:
    """A Recipe for the Trainer."""

    figure = "pck_0.1"

    def __init__(
        self, data: AnimalSet, device: torch.device, batch: int, seed: int, start: Path | None
    ) -> None:
        self._data, self._device, self._batch, self._seed = data, device, batch, seed
        self.rows = np.flatnonzero(~data.held_out)
        if not len(self.rows):
            raise OperatorMistake("Every animal of this data is held out for measuring.")
        self.unfitting: tuple[str, ...] = ()
        self.model: Any = build_rtmpose(data.skeleton, seed)
        if start is not None:
            self.unfitting = load_weights(self.model, start)
        self.model.to(device)
        self._meta = dict(self.model.dataset_meta)
        steps = [s for s in self.model.cfg.train_pipeline if s["type"] in STEPS_OF_MMPOSE]
        dataset = importlib.import_module("mmengine.dataset")
        with quiet():
            self._pipeline: Any = dataset.Compose(steps)
        self._collate: Any = dataset.pseudo_collate

    def network(self) -> nn.Module:
        """mmpose's pose estimator."""
        network: nn.Module = self.model
        return network

    def loss(self, epoch: int, step: int, progress: float) -> Tensor:
        """mmpose's loss of one batch drawn by (seed, epoch, step)."""
        chance = np.random.default_rng((self._seed, epoch, step))
        # mmpose's steps draw from the global generators.
        drawn = int(chance.integers(2**31))
        np.random.seed(drawn)
        random.seed(drawn)
        packed = [self._sample(int(row), chance) for row in chance.choice(self.rows, self._batch)]
        self.model.train()
        mixed = self._device.type == "cuda"
        with quiet(), torch.autocast(self._device.type, torch.bfloat16, enabled=mixed):
            batch = self.model.data_preprocessor(self._collate(packed), True)
            x, y = self.model.head(self.model.extract_feat(batch["inputs"]))
            labels = [sample.gt_instance_labels for sample in batch["data_samples"]]
            wanted = [
                torch.cat([getattr(one, name) for one in labels]).to(self._device)
                for name in ("keypoint_x_labels", "keypoint_y_labels", "keypoint_weights")
            ]
        with quiet():
            loss: Tensor = self.model.head.loss_module(
                (x.float(), y.float()), (wanted[0], wanted[1]), wanted[2]
            )
        return loss

    def _sample(self, row: int, chance: np.random.Generator) -> dict[str, Any]:
        data = self._data
        picture = recoloured(np.asarray(data.cuts[row], np.uint8), chance, PoseVariation())
        marks = data.landmarks[row]
        with quiet():
            packed: dict[str, Any] = self._pipeline(
                {
                    "img": picture,
                    "img_shape": picture.shape[:2],
                    "bbox": data.boxes_xyxy_px[row][None].astype(np.float32),
                    "bbox_score": np.ones(1, np.float32),
                    "keypoints": marks[None, :, :2].astype(np.float32),
                    "keypoints_visible": marks[None, :, 2].astype(np.float32),
                    "id": row,
                    "img_id": row,
                    **self._meta,
                }
            )
        return packed

    def score(self, network: nn.Module) -> dict[str, float]:
        """PCK over held-out animals; not a number when there are none."""
        rows = np.flatnonzero(self._data.held_out)
        if not len(rows):
            return {self.figure: float("nan")}
        errors = measure_rtmpose(network, self._data, rows, self._device)
        return {"pck_0.05": errors.pck(0.05), self.figure: errors.pck(0.1)}


def measure_rtmpose(
    network: nn.Module, data: AnimalSet, rows: NDArray[np.intp], device: torch.device
) -> LandmarkErrors:
    """Errors on rows of the set, each cropped, normalised and decoded as the product does it."""
    served = ServedRtmpose(network).to(device).eval()
    normalise = Normaliser(SPEC)
    found: list[FloatArray] = []
    for start in range(0, len(rows), 16):
        chunk = rows[start : start + 16]
        maps = [crop_affine(data.boxes_xyxy_px[r], 256, 256, PADDING) for r in chunk]
        crops = np.stack(
            [
                ArrayPicture(np.ascontiguousarray(data.cuts[r])).warped_bgr(m, 256, 256)
                for r, m in zip(chunk, maps, strict=True)
            ]
        )
        with torch.no_grad(), quiet():
            x, y = served(torch.from_numpy(normalise(crops)).to(device))
        keypoints, _ = decode_simcc(x.float().cpu().numpy(), y.float().cpu().numpy())
        matrices = np.stack(maps)
        found.append(
            ((keypoints - matrices[:, None, :, 2]) / matrices[:, None, 0:1, 0]).astype(np.float32)
        )
    return landmark_errors(np.concatenate(found), data.landmarks[rows])


def train_rtmpose(
    data: Path, out: Path, device: str = "cpu", epochs: int = 60, resume: bool = False,
    minutes: float | None = None, steps: int = 100, batch: int = 32, threads: int | None = None,
    seed: int = 1, start: Path | None = None, skeleton: str = "ap10k", every: int = 6,
    tell: Callable[[str], None] = _log.info,
) -> bool:  # fmt: skip
    """Fine-tune RTMPose-m on the animals under ``data``; ONNX file, card and entry into ``out``.

    ``start``: a torch checkpoint of RTMPose-m (the published one, or one of our own runs); without
    it the weights are random. Returns False when interrupted (run again with ``resume``). Raises
    OperatorMistake for a missing extra, unusable data, weights or checkpoints.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if skeleton not in SKELETONS:
        raise OperatorMistake(f"No skeleton is named {skeleton!r}: {', '.join(SKELETONS)}.")
    animals = read_animals(data, SKELETONS[skeleton], out / "cache", every)
    recipe = RtmposeRecipe(animals, torch.device(device), batch, seed, start)
    if recipe.unfitting:
        tell(f"starts anew: {', '.join(recipe.unfitting)} (another number of landmarks)")
    if start is None:
        tell(f"no --from: weights are random. The published ones are at {OFFICIAL_WEIGHTS}")
    rate = FRESH_RATE if start is None else TUNING_RATE
    plan = Plan(
        epochs=epochs, steps_per_epoch=steps, peak_rate=rate, weight_decay=0.05, seed=seed,
        minutes=minutes, evaluate_every=5,
    )  # fmt: skip
    trainer = Trainer(recipe, plan, out, tell)
    if resume:
        trainer.resume()
    if not trainer.run():
        return False
    kept_best = trainer.load_best()
    told = [
        f"{trainer.epoch} epochs of {steps} batches of {batch}, AdamW, one cosine cycle from "
        f"{rate}, seed {seed}; "
        + ("the best epoch on held-out data." if kept_best else "the last epoch."),
        f"Started from {start.name}." if start is not None else "Started from random weights.",
        "mmpose's own network, targets, loss and geometric augmentation (AP-10K configuration).",
    ]
    published = publish_rtmpose(trainer.averaged, animals, out, told, start is not None)
    tell(f"written: {published.weights}, {published.card.name}, {published.entry.name}")
    return True


def publish_rtmpose(
    network: nn.Module, data: AnimalSet, out: Path, recipe: list[str], derived: bool
) -> Published:
    """Export, measure on held-out animals, and write card and manifest entry."""
    name = f"rtmpose-m-{data.skeleton.name}-own"
    files = Published(out / f"{name}.onnx", out / f"{name}.md", out / f"{name}.toml")
    difference = export_rtmpose(network.cpu(), files.weights)
    figures, measured = _figures(network, data)
    licence = "AGPL-3.0-or-later" + ("; derived from Apache-2.0 weights" if derived else "")
    counts = [
        (source, *_counted(data, source), KNOWN_SOURCES.get(source, "own pictures"))
        for source in sorted(set(data.sources))
    ]
    card = ModelCard(
        title=f"{name} {version_of_today()}",
        purpose=f"Landmarks of the skeleton {data.skeleton.name} in the box of one animal, "
        "top-down, 256x256 px RGB in, SimCC out (RTMPose-m).",
        data=counts,
        recipe=[*recipe, f"Exported to ONNX; largest difference from torch {difference:.1e}."],
        figures=figures,
        limits=_limits(data),
        licence=licence,
    )
    entry = ModelEntry(
        name=name, version=version_of_today(), task=Task.POSE, layout=Layout.SIMCC,
        files=(
            ModelFile(
                name=files.weights.name, sha256=sha256_of_file(files.weights),
                size_bytes=files.weights.stat().st_size,
            ),
        ),
        skeleton=data.skeleton.name, rank=RANK, padding=PADDING, input=SPEC, licence=licence,
        origin="RTMPose-m of mmpose, trained here", measured=measured,
    )  # fmt: skip
    files.card.write_text(card.text(), encoding="utf-8")
    files.entry.write_text(manifest_text(entry), encoding="utf-8")
    return files


def _counted(data: AnimalSet, source: str) -> tuple[int, int]:
    mine = np.array([name == source for name in data.sources])
    kept = int((mine & data.held_out).sum())
    return int(mine.sum()) - kept, kept


def _figures(
    network: nn.Module, data: AnimalSet
) -> tuple[list[Figure], dict[str, str | float | int]]:
    figures: list[Figure] = []
    measured: dict[str, str | float | int] = {}
    for source in sorted(set(data.sources)):
        mine = np.array([name == source for name in data.sources])
        rows = np.flatnonzero(mine & data.held_out)
        if not len(rows):
            continue
        errors = measure_rtmpose(network, data, rows, torch.device("cpu"))
        what = f"{errors.points} points, {len(rows)} animals"
        for share in (0.05, 0.1):
            figures.append((f"{source}: PCK at {share}", f"{errors.pck(share):.3f}", what))
            measured[f"PCK {share}, {source}, {what}"] = round(errors.pck(share), 3)
    return figures, measured


def _limits(data: AnimalSet) -> list[str]:
    limits = ["Not examined beyond the figures above."]
    if not data.held_out.any():
        limits.append("Nothing was held out: how good it is on unseen animals is not known.")
    unlabelled = [
        name
        for name, weight in zip(data.skeleton.landmarks, data.landmarks[..., 2].max(0), strict=True)
        if weight <= 0
    ]
    if unlabelled:
        limits.append(f"Never labelled, so answers mean nothing: {', '.join(unlabelled)}.")
    return limits
