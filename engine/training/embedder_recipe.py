"""What the projection of the appearance model is trained on: batches, loss, start, score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.models.coat_tones import ToneMap, joined
from engine.training.backbone import PYRAMID_CHANNELS
from engine.training.discriminant import (
    ClipFeatures,
    Matrix,
    ScatterWeights,
    principal_axes,
    shrinking_map,
)
from engine.training.embedder_data import HorseSet
from engine.training.embedder_features import FeatureTable
from engine.training.embedder_net import (
    LEVELS,
    CoatProjection,
)
from engine.training.embedder_tones import ToneTable
from engine.training.reid_metrics import ClipVectors, outcomes, unit
from engine.training.tracklet_draw import TrackletDraw

DIMENSION = 256


@dataclass(frozen=True)
class ContrastOptions:
    """One batch and its loss. ``same_day`` is the weight of a positive of the same day beside
    those of other days; ``tracklets`` that of the loss of horses that were only followed;
    ``anchor`` holds the projection near its start."""

    horses: int = 16
    crops: int = 4
    temperature: float = 0.1
    same_day: float = 0.15
    more_of_several_days: float = 3.0
    tracklets: float = 0.3
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
        self._followed = TrackletDraw(data, table)
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
        vectors = self._vectors(chosen)
        loss = contrast_loss(
            vectors, horses.to(self._device), days.to(self._device), options.temperature,
            options.same_day,
        )  # fmt: skip
        if len(self._followed):
            loss = loss + options.tracklets * self._tracklet_loss(vectors, chosen, epoch, step)
        assert self._start is not None
        return loss + options.anchor * ((network.linear.weight - self._start) ** 2).mean()

    def _vectors(self, rows: NDArray[np.int64]) -> Tensor:
        options, network = self._options, self._network
        features = self._features[rows].to(self._device)
        vectors: Tensor = network(
            network.middle + functional.dropout(features - network.middle, options.drop)
        )
        return vectors

    def _tracklet_loss(
        self, vectors: Tensor, chosen: NDArray[np.int64], epoch: int, step: int
    ) -> Tensor:
        """Contrast of the tracklets of one clip with one another and with the batch's horses of
        other folders."""
        options = self._options
        rng = np.random.default_rng((self._seed, epoch, step, 1))
        found = self._followed.draw(rng, options.crops)
        names = self._data.horses[self._table.rows[chosen]]
        others = np.array([str(name).split("/")[0] != found.folder for name in names], bool)
        strangers = -1 - np.unique(names[others], return_inverse=True)[1]
        horses = torch.from_numpy(np.concatenate([found.horses, strangers])).to(self._device)
        both = torch.cat([self._vectors(found.rows), vectors[torch.from_numpy(others)]])
        same = torch.zeros_like(horses)
        return contrast_loss(both, horses, same, options.temperature, options.same_day)

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
