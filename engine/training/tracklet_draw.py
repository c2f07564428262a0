"""Which pictures of tracklets are trained on together.

Two tracklets of one clip were seen together and are two horses. Those of different clips may be one
horse, so a batch takes one clip; horses of other folders of the training data are others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.training.embedder_data import FOLLOWED, HorseSet
from engine.training.embedder_features import FeatureTable


@dataclass(frozen=True)
class TrackletRows:
    """rows: int64 (M,), of the feature table. horses: int64 (M,), a number for each tracklet.
    folder: where the clip lies."""

    rows: NDArray[np.int64]
    horses: NDArray[np.int64]
    folder: str


class TrackletDraw:
    """Tracklets of a set by clip; ``len`` is the number of clips."""

    def __init__(self, data: HorseSet, table: FeatureTable) -> None:
        followed = data.days[table.rows] == FOLLOWED
        clips, horses = data.clips[table.rows], data.horses[table.rows]
        self._clips = {
            str(clip): [
                np.flatnonzero(followed & (clips == clip) & (horses == horse))
                for horse in sorted(set(horses[followed & (clips == clip)]))
            ]
            for clip in sorted(set(clips[followed]))
        }

    def __len__(self) -> int:
        return len(self._clips)

    def draw(self, rng: np.random.Generator, crops: int) -> TrackletRows:
        """``crops`` pictures of each tracklet of one clip."""
        clip = list(self._clips)[int(rng.integers(len(self._clips)))]
        rows = [rng.choice(own, crops) for own in self._clips[clip]]
        numbers = np.repeat(np.arange(len(rows)), crops)
        return TrackletRows(np.concatenate(rows), numbers, clip.split("/")[0])
