"""``train_verifier``: teach the second opinion on the animals that the own detector proposes."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.domain.errors import Bug, OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.detectors import CANDIDATE_IOU, GridDetector
from engine.models.manifest import Verification
from engine.models.suppression import suppress
from engine.models.verification import CERTAIN_LOGIT, GREY, combined, logit
from engine.models.yolo_decoding import ODDS_LIMIT
from engine.training.accuracy import match_boxes, recall_at, threshold_at_false_pictures
from engine.training.augment import PoseVariation, recoloured
from engine.training.backbone import imagenet_weights
from engine.training.detector_data import LabelledPicture, Teacher, read_detector_data
from engine.training.loop import Plan, Trainer
from engine.training.verifier_data import (
    CROP_PADDING,
    CROP_PX,
    UNKNOWN,
    CropSet,
    counts_by_species,
    read_crops,
)
from engine.training.verifier_head import TUNED_SHARE, half_way, refit_head
from engine.training.verifier_net import (
    VerifierNet,
    fold_normalisations,
    load_imagenet_head,
    species_loss,
)

_log = logging.getLogger(__name__)

VERIFIER_NAME = "barnhand-species"
INPUT_PX = 160
PADDING = 1.15
MEAN, STD = 127.0, 128.0
EVEN = Verification(model=VERIFIER_NAME, detector_weight=0.3, odds_weight=0.5, verifier_weight=1.0)
"""How opinions are weighed while training, before the weights are fitted."""

THRESHOLD = 0.35
"""The product's default threshold (DetectionSettings.confidence)."""
FALSE_SHARE = 0.005
"""Share of proposals that are no horses which may pass it."""

RIDGE = 1e-3
"""Pull of the fitted weights towards 0, relative to the mean loss."""

CERTAIN_FROM = 0.95
"""Least detector score from which a horse unlike any other animal needs no second opinion; higher
where held-out pictures show other things at that score."""

_HORSES = 0.4
"""Share of horses in a batch."""


def plain_crop(crop: Image, extent: FloatArray) -> Image:
    """The (INPUT_PX, INPUT_PX, 3) input that the product makes of a cached crop's box."""
    half = CROP_PX / 2.0 / CROP_PADDING * PADDING * extent
    shown = _only(crop, np.concatenate([-half, half]))
    return _warped(shown, CROP_PX / 2.0 / CROP_PADDING * PADDING, np.zeros(2), 0.0)


def _only(crop: Image, limits: NDArray[np.floating]) -> Image:
    """The crop with everything outside ``limits`` (x1, y1, x2, y2 from its centre) grey."""
    low = np.clip(np.round(limits[:2] + CROP_PX / 2.0), 0, CROP_PX).astype(int)
    high = np.clip(np.round(limits[2:] + CROP_PX / 2.0), 0, CROP_PX).astype(int)
    shown = np.full_like(crop, GREY)
    shown[low[1] : high[1], low[0] : high[0]] = crop[low[1] : high[1], low[0] : high[0]]
    return shown


def _warped(crop: Image, half: float, moved: NDArray[np.floating], turn_rad: float) -> Image:
    scale = INPUT_PX / (2.0 * half)
    cosine, sine = scale * np.cos(turn_rad), scale * np.sin(turn_rad)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    offset = INPUT_PX / 2.0 - linear @ (CROP_PX / 2.0 + moved)
    matrix = np.concatenate([linear, offset[:, None]], axis=1)
    warped = cv2.warpAffine(
        crop, matrix, (INPUT_PX, INPUT_PX), flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3
    )
    return np.asarray(warped, np.uint8)


def varied_crop(crop: Image, extent: FloatArray, rng: np.random.Generator) -> Image:
    """One training input: other framing and proportions of the box, a cut side, lower resolution,
    turned, mirrored, other light, grey, a part hidden."""
    if rng.random() < 0.3:
        side = int(CROP_PX * rng.uniform(0.25, 0.8))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = np.asarray(cv2.resize(small, (CROP_PX, CROP_PX)), np.uint8)
    reach = CROP_PX / 2.0 / CROP_PADDING * extent
    framing = PADDING * np.exp(rng.uniform(-0.12, 0.2))
    limits = np.concatenate([-reach, reach]) * framing
    if rng.random() < 0.6:
        # Data that comes as crops of animals ends close to the animal; so must horses, or the
        # grey around would tell them apart.
        ends = np.tile(reach, 2) * rng.uniform(0.97, 1.25, 4)
        limits = np.sign(limits) * np.minimum(np.abs(limits), ends)
    if rng.random() < 0.15:
        limits[int(rng.integers(4))] *= rng.uniform(0.1, 0.8)
    half = float(reach.max()) * PADDING * float(np.exp(rng.uniform(-0.15, 0.25)))
    moved = rng.uniform(-0.1, 0.1, 2) * half
    drawn = _warped(_only(crop, limits), half, moved, float(np.deg2rad(rng.normal(0.0, 5.0))))
    if rng.random() < 0.5:
        drawn = np.ascontiguousarray(drawn[:, ::-1])
    if rng.random() < 0.25:
        width, height = rng.integers(INPUT_PX // 8, INPUT_PX // 2, 2)
        x, y = rng.integers(0, INPUT_PX - width), rng.integers(0, INPUT_PX - height)
        drawn[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    how = PoseVariation(colour=0.7, grey=0.15, dark=0.1, blur=0.1, noise=0.15)
    return recoloured(drawn, rng, how)


def as_inputs(crops: Sequence[Image], device: torch.device) -> Tensor:
    """BGR crops to the network's float (B, 3, S, S) on its device."""
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(crops)[:, :, :, ::-1]))
    inputs = ((stacked.permute(0, 3, 1, 2).float() - MEAN) / STD).to(device)
    return inputs.contiguous(memory_format=torch.channels_last)


def plain_inputs(crops: CropSet, rows: NDArray[np.int64], device: torch.device) -> Tensor:
    """The network's inputs of some crops as the product makes them."""
    return as_inputs([plain_crop(crops.crops[r], crops.extents[r]) for r in rows], device)


class VerifierRecipe:
    """Batches, loss and held-out figures of the verifier."""

    figure = "recall_at_fp1"

    def __init__(
        self, crops: CropSet, pictures: Sequence[LabelledPicture], weights: Path,
        device: torch.device, batch: int, seed: int = 1,
    ) -> None:  # fmt: skip
        self._crops, self._pictures, self._device = crops, pictures, device
        self._batch, self._seed = batch, seed
        usable = ~crops.held_out & (crops.species != UNKNOWN)
        self._horses = np.flatnonzero(usable & (crops.species == 0))
        self._others = np.flatnonzero(usable & (crops.species != 0))
        if not len(self._horses) or not len(self._others):
            raise OperatorMistake("A verifier needs pictures of horses and of other things.")
        self._network = VerifierNet()
        load_imagenet_head(self._network, weights)
        fold_normalisations(self._network)
        self._network.freeze_early()
        self._start = copy.deepcopy(self._network)
        self._network.to(device)

    def network(self) -> nn.Module:
        """The network that is trained."""
        return self._network

    def loss(self, epoch: int, step: int, progress: float) -> Tensor:
        """One batch of varied crops, _HORSES of them horses."""
        rng = np.random.default_rng((self._seed, epoch, step))
        horses = round(self._batch * _HORSES)
        rows = np.concatenate(
            [rng.choice(self._horses, horses), rng.choice(self._others, self._batch - horses)]
        )
        crops = [varied_crop(self._crops.crops[r], self._crops.extents[r], rng) for r in rows]
        placed = as_inputs(crops, self._device)
        self._network.train()
        species = torch.from_numpy(self._crops.species[rows]).to(self._device)
        return species_loss(self._network(placed), species)

    def score(self, network: nn.Module) -> dict[str, float]:
        """See ``measure_verifier``."""
        opinions = opinions_of(network, self._crops, self._crops.held_out, self._device)
        return measure_verifier(self._crops, self._pictures, opinions, EVEN)

    def settled(self, tuned: VerifierNet) -> VerifierNet:
        """The network to publish, on the device (see ``verifier_head``)."""
        network = half_way(self._start.to(self._device), tuned.to(self._device))
        refit_head(network, self._plain_batches(), self._seed)
        return network

    def _plain_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Every crop that may be trained on, as the product sees it, and what it shows."""
        crops = self._crops
        rows = np.sort(np.concatenate([self._horses, self._others]))
        for part in np.array_split(rows, max(1, len(rows) // 64)):
            yield (
                plain_inputs(crops, part, self._device),
                torch.from_numpy(crops.species[part]).to(self._device),
            )


def opinions_of(
    network: nn.Module, crops: CropSet, wanted: NDArray[np.bool_], device: torch.device
) -> FloatArray:
    """Log odds (N,) of the horse for the wanted rows that are proposals; 0 for the others."""
    network.eval()
    opinions = np.zeros(len(crops), np.float32)
    rows = np.flatnonzero(wanted & crops.proposed)
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        with torch.no_grad():
            logits = network(plain_inputs(crops, part, device))
        logs = torch.log_softmax(logits.float(), dim=1)
        odds = logs[:, 0] - torch.logsumexp(logs[:, 1:], dim=1)
        opinions[part] = odds.cpu().numpy()
    return opinions


def measure_verifier(
    crops: CropSet, pictures: Sequence[LabelledPicture], opinions: FloatArray, how: Verification
) -> dict[str, float]:
    """What detector and verifier find together on held-out pictures: recall at IoU 0.5 where at
    most 1 % of the negatives alarm, and what the detector proposes at all.

    Pictures are rows of ``pictures``; only annotated labels count as horses to be found.
    """
    scores = np.where(
        crops.proposed, combined(np.nan_to_num(crops.scores), crops.odds, opinions, how), 0.0
    )
    peaks, matches = [], []
    for index, labelled in enumerate(pictures):
        rows = np.flatnonzero((crops.pictures == index) & crops.proposed)
        if labelled.source.endswith("_neg"):
            peaks.append(float(scores[rows].max(initial=0.0)))
        elif labelled.held_out and labelled.source == "animalpose_horse":
            boxes, values = crops.boxes_xyxy_px[rows], scores[rows].astype(np.float32)
            kept = suppress(boxes, values, np.zeros(len(rows), np.int16), CANDIDATE_IOU, 300)
            horses = labelled.class_ids[: labelled.annotated] == 0
            labels = labelled.boxes_xyxy_px[: labelled.annotated][horses]
            matches.append(match_boxes(boxes[kept], values[kept], labels))
    figures = {
        "recall_proposed": recall_at(matches, 0.0),
        "recall_at_0.35": recall_at(matches, 0.35),
    }
    if peaks:
        threshold = threshold_at_false_pictures(np.array(peaks, np.float32))
        figures["recall_at_fp1"] = recall_at(matches, threshold)
        figures["threshold_at_fp1"] = threshold
        figures["false_pictures_at_0.35"] = float((np.array(peaks) >= 0.35).mean())
    figures["horses"] = float(sum(m.labels for m in matches))
    figures["negatives"] = float(len(peaks))
    figures.setdefault("recall_at_fp1", figures["recall_at_0.35"])
    return figures


def fitted(
    scores: FloatArray, odds: FloatArray, opinions: FloatArray, horses: NDArray[np.bool_],
    least: float,
) -> Verification:  # fmt: skip
    """The logistic regression of ``combined`` on proposals (N,) known to be horses or not.

    Both kinds weigh the same. Newton's method; the weights are kept positive. The bias is then
    moved so that the product's default threshold lets FALSE_SHARE of the others pass, because a
    score must mean the same whatever the detector. Horses count as certain from the first
    hundredth that nothing else reaches, but not below CERTAIN_FROM.
    """
    cut = np.clip(opinions, -CERTAIN_LOGIT, CERTAIN_LOGIT)
    columns = np.stack([logit(scores), odds, cut, np.ones_like(cut)], axis=1).astype(np.float64)
    wanted = horses.astype(np.float64)
    weight = np.where(horses, 0.5 / max(horses.sum(), 1), 0.5 / max((~horses).sum(), 1))
    beta = np.array([EVEN.detector_weight, EVEN.odds_weight, EVEN.verifier_weight, 0.0])
    for _ in range(30):
        expected = 1.0 / (1.0 + np.exp(-columns @ beta))
        slope = columns.T @ (weight * (wanted - expected)) - RIDGE * beta
        curve = (columns.T * (weight * expected * (1.0 - expected))) @ columns + RIDGE * np.eye(4)
        # Small steps: a full one overshoots where horses and others are far apart.
        beta = beta + np.clip(np.linalg.solve(curve, slope), -0.5, 0.5)
    if not np.isfinite(beta).all():
        raise Bug("the weights of detector and verifier could not be fitted")
    unlike = scores[~horses & (odds >= ODDS_LIMIT)].max(initial=0.0)
    how = Verification(
        model=VERIFIER_NAME,
        detector_weight=round(max(float(beta[0]), 0.05), 3),
        odds_weight=round(max(float(beta[1]), 0.0), 3),
        verifier_weight=round(max(float(beta[2]), 0.05), 3),
        candidates_from=least,
        certain_from=min(max(CERTAIN_FROM, math.floor(unlike * 100.0 + 1.0) / 100.0), 1.0),
    )
    mixed = logit(combined(scores, odds, opinions, how))[~horses]
    passing = float(np.quantile(mixed, 1.0 - FALSE_SHARE))
    wanted_at = float(logit(np.array([THRESHOLD], np.float32))[0])
    return how.model_copy(update={"bias": round(wanted_at - passing, 3)})


def train_verifier(
    data: Path, out: Path, detector: GridDetector, device: str = "cpu", epochs: int = 8,
    resume: bool = False, minutes: float | None = None, steps: int = 100, batch: int = 48,
    threads: int | None = None, seed: int = 1, backbone: Path | None = None,
    teachers: Sequence[Teacher] = (), tell: Callable[[str], None] = _log.info,
) -> bool:  # fmt: skip
    """Train and measure the verifier for ``detector``'s proposals into ``out``.

    ``backbone``: EfficientNet-lite0 ImageNet weights. Returns False when interrupted (run again
    with ``resume``). OperatorMistake for unusable data, weights or checkpoints.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    pictures = read_detector_data(data, out / "cache", teachers)
    crops = read_crops(pictures, detector, out / "cache", tell, seed)
    tell(f"crops to train on: {counts_by_species(crops)}")
    recipe = VerifierRecipe(
        crops, pictures, imagenet_weights(backbone), torch.device(device), batch, seed
    )
    plan = Plan(
        epochs=epochs, steps_per_epoch=steps, seed=seed, minutes=minutes, peak_rate=3e-4,
        weight_decay=0.05, average=0.995, evaluate_every=2,
    )  # fmt: skip
    trainer = Trainer(recipe, plan, out, tell)
    if resume:
        trainer.resume()
    if not trainer.run():
        return False
    from engine.training.verifier_publication import publish_verifier

    tuned = trainer.averaged
    if not isinstance(tuned, VerifierNet):
        raise Bug("the verifier's trainer holds another network")
    tell("the last layer is fitted anew")
    network = recipe.settled(tuned)
    done = (
        f"{trainer.epoch} epochs of {steps} batches of {batch} crops, AdamW, one cosine cycle from "
        f"{plan.peak_rate}, seed {seed}; stem and stages 1 to 5 keep their ImageNet weights.",
        f"Published: weights {TUNED_SHARE:.0%} of the way from ImageNet's to the tuned ones, and "
        "the last layer fitted again on the plain crops.",
        f"Crops trained on: {counts_by_species(crops)}.",
        f"Proposals of {detector.model_id}.",
    )
    published = publish_verifier(network, crops, pictures, out, done)
    tell(f"written: {published.weights}, {published.card.name}, {published.entry.name}")
    return True
