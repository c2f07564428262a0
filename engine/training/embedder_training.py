"""``train_embedder``: from clips of known horses to a measured, exported appearance model.

The backbone keeps its ImageNet weights; the projection is trained by supervised contrast across
days on features that were computed once (see ``embedder_features``).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.training.backbone import imagenet_weights, load_imagenet
from engine.training.embedder_data import Follow, HorseSet, read_horse_data
from engine.training.embedder_features import CropVariation, FeatureTable, read_features
from engine.training.embedder_net import (
    CoatFeatures,
    CoatProjection,
    EmbedderNet,
)
from engine.training.embedder_recipe import EmbedderRecipe, Tones, clip_vectors
from engine.training.embedder_tones import ToneTable, fit_tones, read_tones
from engine.training.loop import CHECKPOINT, Plan, Trainer
from engine.training.reid_metrics import ClipVectors, QueryOutcome, outcomes

_log = logging.getLogger(__name__)


def horse_folds(data: HorseSet, count: int, seed: int = 0) -> list[list[str]]:
    """Horses of clips dealt into folds, those of several days first so that each fold gets its
    share."""
    rng = np.random.default_rng(seed)
    days = data.days_of()
    several = sorted(h for h, d in days.items() if len(d) > 1)
    single = sorted(h for h, d in days.items() if len(d) == 1)
    dealt = [*rng.permutation(several), *rng.permutation(single)]
    return [[str(horse) for horse in dealt[start::count]] for start in range(count)]


@dataclass(frozen=True)
class FoldResult:
    """Clips of the horses a fold's model never saw, and what became of their queries; ``bare`` is
    the same without suppression of the background."""

    clips: list[ClipVectors]
    found: list[QueryOutcome]
    bare: list[QueryOutcome]


def cross_validate(
    data: HorseSet, table: FeatureTable, out: Path, plan: Plan,
    folds: int, splits: int, resume: bool, tell: Callable[[str], None],
    tones: ToneTable | None = None,
) -> list[FoldResult]:  # fmt: skip
    """Train the same recipe once a fold on the other horses and ask about the fold's own; again
    for each of ``splits`` ways to deal the horses, because which horses meet matters.

    With ``resume`` finished folds are read and an unfinished one goes on. Fewer than ``folds``
    times ``splits`` results mean that it was interrupted.
    """
    results = []
    dealt = [fold for split in range(splits) for fold in horse_folds(data, folds, split)]
    for number, unseen in enumerate(dealt):
        apart = np.isin(data.horses, unseen)
        recipe = EmbedderRecipe(data, table, ~apart, seed=plan.seed)
        trainer = Trainer(recipe, plan, out / f"fold{number}", lambda _line: None)
        if resume and (out / f"fold{number}" / CHECKPOINT).is_file():
            trainer.resume()
        if not trainer.run():
            break
        network = trainer.averaged
        assert isinstance(network, CoatProjection)
        fitted = _fitted(tones, data, ~apart)
        clips = clip_vectors(network, data, table, apart, tones=fitted)
        bare = outcomes(clip_vectors(network, data, table, apart, False, fitted))
        results.append(FoldResult(clips, outcomes(clips), bare))
        hits = sum(o.place == 0 for o in results[-1].found)
        tell(
            f"fold {number + 1}/{len(dealt)}: {hits} of {len(results[-1].found)} later clips right"
        )
    return results


def _fitted(tones: ToneTable | None, data: HorseSet, trained: NDArray[np.bool_]) -> Tones | None:
    tone_map = None if tones is None else fit_tones(tones, data, trained)
    return None if tones is None or tone_map is None else (tones, tone_map)


def train_embedder(
    data: Path, out: Path, device: str = "cpu", epochs: int = 4, resume: bool = False,
    minutes: float | None = None, steps: int = 100, threads: int | None = None, seed: int = 1,
    backbone: Path | None = None, every: int = 3, variants: int = 4, folds: int = 4,
    splits: int = 3, tell: Callable[[str], None] = _log.info, follow: Follow | None = None,
) -> bool:  # fmt: skip
    """Train, cross-validate and export the appearance model into ``out``. ``follow`` gives the
    tracklets of clips that nobody labelled; None leaves such clips out.

    Returns False when it was interrupted (run again with ``resume``; features already computed are
    kept in any case). OperatorMistake for unusable data, weights or checkpoints.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(seed)
    weights = imagenet_weights(backbone)

    features = CoatFeatures()
    load_imagenet(features.backbone, weights)
    if resume and not (out / "cache").is_dir():
        raise OperatorMistake(f"There is nothing to resume in {out}.")
    horses = read_horse_data(data, out / "cache", every, follow)
    digest = hashlib.sha256(
        weights.read_bytes() + horses.clips.tobytes() + horses.boxes_xyxy_px.tobytes()
        + repr((variants, seed, CropVariation())).encode()
    ).hexdigest()[:16]  # fmt: skip
    table = read_features(horses, features, out / "cache", digest, variants, seed, device, tell)
    plan = Plan(
        epochs=epochs, steps_per_epoch=steps, peak_rate=3e-3, weight_decay=0.0, average=0.97,
        evaluate_every=epochs, seed=seed, minutes=minutes,
    )  # fmt: skip
    recipe = EmbedderRecipe(horses, table, ~horses.held_out, seed=seed, device=device)
    trainer = Trainer(recipe, plan, out, tell)
    if resume and (out / CHECKPOINT).is_file():
        trainer.resume()
    if not trainer.run():
        return False
    tones = read_tones(horses)
    results = cross_validate(horses, table, out / "folds", plan, folds, splits, resume, tell, tones)
    if len(results) < folds * splits:
        return False
    fitted = _fitted(tones, horses, ~horses.held_out)
    _publish(trainer, features, horses, table, results, out, tell, fitted)
    return True


def _publish(
    trainer: Trainer, features: CoatFeatures, data: HorseSet, table: FeatureTable,
    results: Sequence[FoldResult], out: Path, tell: Callable[[str], None], tones: Tones | None,
) -> None:  # fmt: skip
    from engine.training.embedder_publication import publish_embedder

    network = trainer.averaged
    assert isinstance(network, CoatProjection)
    own = outcomes(clip_vectors(network, data, table, data.held_out, tones=tones))
    exported = EmbedderNet(features.cpu(), network.cpu())
    published = publish_embedder(
        exported, data, results, own, out, trainer.plan, None if tones is None else tones[1]
    )
    tell(f"written: {published.weights}, {published.card.name}, {published.entry.name}")
