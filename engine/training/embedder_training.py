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
from torch import Tensor, nn
from torch.nn import functional

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.models.coat_tones import ToneMap, joined
from engine.training.backbone import PYRAMID_CHANNELS, imagenet_weights, load_imagenet
from engine.training.discriminant import (
    ClipFeatures,
    Matrix,
    ScatterWeights,
    principal_axes,
    shrinking_map,
)
from engine.training.embedder_data import UNDATED, HorseSet, read_horse_data
from engine.training.embedder_features import CropVariation, FeatureTable, read_features
from engine.training.embedder_net import (
    LEVELS,
    CoatFeatures,
    CoatProjection,
    EmbedderNet,
)
from engine.training.embedder_tones import ToneTable, fit_tones, read_tones
from engine.training.loop import CHECKPOINT, Plan, Trainer
from engine.training.reid_metrics import ClipVectors, QueryOutcome, outcomes, unit

_log = logging.getLogger(__name__)

DIMENSION = 256


@dataclass(frozen=True)
class ContrastOptions:
    """One batch and its loss. ``same_day`` is the weight of a positive of the same day beside
    those of other days; ``anchor`` holds the projection near its start."""

    horses: int = 16
    crops: int = 4
    temperature: float = 0.1
    same_day: float = 0.15
    more_of_several_days: float = 3.0
    drop: float = 0.1
    anchor: float = 10.0


def contrast_loss(
    vectors: Tensor, horses: Tensor, days: Tensor, temperature: float, same_day: float
) -> Tensor:
    """Supervised contrast (Khosla et al. 2020) of unit vectors (B, D) with integer labels (B,).

    Positives of another day count 1 and those of the same day ``same_day``; rows without a positive
    of another day take what they have.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    likeness = (vectors @ vectors.T / temperature).masked_fill(itself, -1e9)
    positive = (horses[:, None] == horses[None]) & ~itself
    same = days[:, None] == days[None]
    weights = (positive & ~same).to(vectors.dtype)
    mixed = weights + same_day * (positive & same).to(vectors.dtype)
    weights = torch.where(weights.sum(1, keepdim=True) > 0, mixed, positive.to(vectors.dtype))
    shares = likeness - torch.logsumexp(likeness, dim=1, keepdim=True)
    return (-(shares * weights).sum(1) / weights.sum(1).clamp(min=1e-6)).mean()


@dataclass(frozen=True)
class Scaling:
    """Middle and scale (F,) of features, so that each group of channels weighs the same."""

    middle: FloatArray
    scale: FloatArray

    def __call__(self, features: FloatArray) -> Matrix:
        """Scaled features (N, F)."""
        return np.asarray((features - self.middle) / self.scale, np.float64)


def scaling_of(features: FloatArray) -> Scaling:
    """Scaling by the mean squared length of each group (mean or spread of one pyramid level)."""
    middle = features.mean(axis=0)
    scale = np.ones_like(middle)
    start = 0
    for channels in (PYRAMID_CHANNELS[level] for level in LEVELS for _ in ("mean", "spread")):
        group = slice(start, start + channels)
        squares = ((features[:, group] - middle[group]) ** 2).sum(axis=1)
        scale[group] = max(float(np.sqrt(squares.mean())), 1e-6)
        start += channels
    return Scaling(middle.astype(np.float32), scale.astype(np.float32))


class EmbedderRecipe:
    """Meets Recipe: trains the projection on the features of some horses."""

    figure = "rank1"

    def __init__(
        self, data: HorseSet, table: FeatureTable,
        trained: NDArray[np.bool_], options: ContrastOptions | None = None, seed: int = 1,
        device: str = "cpu", dimension: int = DIMENSION,
    ) -> None:  # fmt: skip
        self._data, self._table = data, table
        self._network = CoatProjection(dimension)
        self._trained, self._seed, self._device = trained, seed, torch.device(device)
        self._options = options or ContrastOptions()
        if len(set(data.horses[trained & data.dated])) < 2:
            raise OperatorMistake("An embedder needs at least two horses to train on.")
        self._members = self._grouped()
        self._features = torch.from_numpy(table.features)
        self._start: Tensor | None = None

    def _grouped(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        """Trained horse -> day -> rows of the feature table."""
        rows = self._table.rows
        horses, days = self._data.horses[rows], self._data.days[rows]
        trained = (self._trained & self._data.dated)[rows]
        found: dict[str, dict[str, NDArray[np.int64]]] = {}
        for horse in sorted(set(horses[trained])):
            own = trained & (horses == horse)
            found[str(horse)] = {
                str(day): np.nonzero(own & (days == day))[0] for day in sorted(set(days[own]))
            }
        return found

    def network(self) -> nn.Module:
        """The projection, started by discriminant analysis."""
        network = self._network
        scaling, projection = self._start_of_projection()
        with torch.no_grad():
            network.middle.copy_(torch.from_numpy(scaling.middle))
            network.scale.copy_(torch.from_numpy(scaling.scale))
            network.linear.weight.copy_(torch.from_numpy(projection))
        network.to(self._device)
        self._start = network.linear.weight.detach().clone()
        return network

    def _start_of_projection(self) -> tuple[Scaling, FloatArray]:
        """Scaling and projection (D, F). What the projection maps to zero moves into the middle.

        Single pictures of further horses only help to choose the directions that are kept.
        """
        table, trained = self._table, self._trained & self._data.dated
        clean, bare = table.clean(True), table.clean(False)
        scaling = scaling_of(clean[trained])
        varied = table.varied & table.suppressed & trained[table.rows]
        rows = np.nonzero(trained)[0]
        columns = [
            self._columns(scaling(features), of, trained)
            for features, of in (
                (clean[trained], rows), (bare[trained], rows),
                (table.features[varied], table.rows[varied]),
            )
        ]  # fmt: skip
        middle, shrink = shrinking_map(columns[0], columns[1], columns[2], ScatterWeights())
        mapped = (scaling(clean[self._trained]) - middle) @ shrink
        dimension = self._network.dimension
        turn = principal_axes(mapped, dimension)
        centre = scaling.middle + scaling.scale * middle
        projection = np.zeros((dimension, len(middle)), np.float32)
        projection[: turn.shape[1]] = (shrink @ turn).T
        return Scaling(centre.astype(np.float32), scaling.scale), projection

    def _columns(
        self, features: Matrix, rows: NDArray[np.int64], trained: NDArray[np.bool_]
    ) -> ClipFeatures:
        clips, first = np.unique(self._data.clips[trained], return_index=True)
        return ClipFeatures(
            features,
            np.searchsorted(clips, self._data.clips[rows]),
            self._data.horses[trained][first],
            self._data.days[trained][first],
        )

    def loss(self, epoch: int, step: int, progress: float) -> Tensor:
        """See Recipe."""
        chosen, horses, days = self._draw(epoch, step)
        options, network = self._options, self._network
        features = self._features[chosen].to(self._device)
        kept = network.middle + functional.dropout(features - network.middle, options.drop)
        vectors = network(kept)
        loss = contrast_loss(
            vectors, horses.to(self._device), days.to(self._device), options.temperature,
            options.same_day,
        )  # fmt: skip
        assert self._start is not None
        return loss + options.anchor * ((network.linear.weight - self._start) ** 2).mean()

    def _draw(self, epoch: int, step: int) -> tuple[NDArray[np.int64], Tensor, Tensor]:
        """Rows of the table, horse numbers and day numbers of one batch."""
        rng = np.random.default_rng((self._seed, epoch, step))
        options, members = self._options, self._members
        names = list(members)
        weights = np.array(
            [options.more_of_several_days if len(members[n]) > 1 else 1.0 for n in names]
        )
        count = min(options.horses, len(names))
        all_days = sorted({day for of in members.values() for day in of})
        rows, horses, days = [], [], []
        for horse in rng.choice(len(names), count, replace=False, p=weights / weights.sum()):
            own = members[names[horse]]
            order = [str(day) for day in rng.permutation(sorted(own))]
            for turn in range(options.crops):
                day = order[turn % len(order)]
                rows.append(int(rng.choice(own[day])))
                horses.append(int(horse))
                days.append(all_days.index(day))
        return np.array(rows), torch.tensor(horses), torch.tensor(days)

    def score(self, network: nn.Module) -> dict[str, float]:
        """Rank-1 and mean average precision among horses that are not trained on."""
        assert isinstance(network, CoatProjection)
        found = outcomes(clip_vectors(network, self._data, self._table, ~self._trained))
        if not found:
            return {self.figure: 0.0}
        places = np.array([o.place for o in found])
        return {
            self.figure: float((places == 0).mean()),
            "map": float((1.0 / (1 + places)).mean()),
        }


Tones = tuple[ToneTable, ToneMap]
"""The tones of a set and what makes vectors of them."""


def clip_vectors(
    network: CoatProjection, data: HorseSet, table: FeatureTable, wanted: NDArray[np.bool_],
    suppressed: bool = True, tones: Tones | None = None,
) -> list[ClipVectors]:  # fmt: skip
    """Vectors of the clips of the wanted rows, from their clean features and, as the engine joins
    them, their tones."""
    features = torch.from_numpy(table.clean(suppressed)[wanted])
    with torch.no_grad():
        vectors = network(features.to(network.middle.device)).cpu().numpy()
    if tones is not None:
        known, tone_map = tones
        vectors = joined(vectors, tone_map(known.of(suppressed)[wanted]))
    clips = data.clips[wanted]
    found = []
    for name in sorted(set(clips)):
        own = clips == name
        found.append(
            ClipVectors(
                str(name), str(data.horses[wanted][own][0]), str(data.days[wanted][own][0]),
                unit(vectors[own]),
            )
        )  # fmt: skip
    return found


def horse_folds(data: HorseSet, count: int, seed: int = 0) -> list[list[str]]:
    """Horses of clips dealt into folds, those of several days first so that each fold gets its
    share."""
    rng = np.random.default_rng(seed)
    days = {horse: of for horse, of in data.days_of().items() if of != [UNDATED]}
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
    splits: int = 3, tell: Callable[[str], None] = _log.info,
) -> bool:  # fmt: skip
    """Train, cross-validate and export the appearance model into ``out``.

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
    horses = read_horse_data(data, out / "cache", every)
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
