"""Appearance networks: the horse in a box becomes a vector of length 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.domain.errors import Bug, ModelInvalid
from engine.domain.frames import Image, Picture
from engine.domain.geometry import FloatArray
from engine.domain.ids import ModelId
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation
from engine.models.batch_runner import BatchRunner
from engine.models.body_outline import LEAST_SCORE, outlines_of
from engine.models.coat_tones import (
    TONES,
    coat_tones,
    joined,
    known_landmarks,
    tone_map_of,
)
from engine.models.crops import Outline, chunks_of_boxes, letterbox_matrix, letterboxed_crops
from engine.models.letterbox import GREY
from engine.models.manifest import Layout, ModelEntry
from engine.models.sessions import Device, Session

_PoseRow = tuple[PoseBatch, int]


class OnnxEmbedder:
    """Meets the port Embedder with any session of one output (B, D); used by one thread.

    Crops are letterboxed, not squeezed. When the file holds a map of tones (see ``coat_tones``),
    what the landmarks say about light and dark parts is joined to the network's answer. Raises
    ModelInvalid at once when the file does not answer a grey crop with one finite vector.
    """

    def __init__(
        self,
        entry: ModelEntry,
        open_on: Callable[[Device], Session],
        device: Device = "auto",
        batch_limit: int = 32,
    ) -> None:
        if entry.layout is not Layout.EMBEDDING:
            raise ModelInvalid(f"The layout {entry.layout} of {entry.name} is not an embedder's.")
        self._entry = entry
        self._runner = BatchRunner(open_on, device, batch_limit)
        try:
            _, _, height, width = self._runner.session.input.shape
            self._height_px = height or entry.input.height_px
            self._width_px = width or entry.input.width_px
            grey = np.full((1, self._height_px, self._width_px, 3), GREY, np.uint8)
            self._looks = self._checked_dimension(self._runner.run(grey))
            self._tones = tone_map_of(self._runner.session.metadata)
        except BaseException:
            self._runner.close()
            raise

    def _checked_dimension(self, outputs: list[FloatArray]) -> int:
        shape = outputs[0].shape
        if len(outputs) != 1 or len(shape) != 2 or shape[1] < 2:
            raise ModelInvalid(
                f"{self._entry.name} should answer with one vector a crop and answers with "
                f"{'; '.join(' x '.join(map(str, out.shape)) for out in outputs)}."
            )
        if not np.isfinite(outputs[0]).all():
            raise ModelInvalid(f"{self._entry.name} answers with numbers that are not finite.")
        return int(shape[1])

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._looks + (0 if self._tones is None else self._tones.dimension)

    @property
    def model_id(self) -> ModelId:
        """``name@version`` of the manifest entry."""
        return self._entry.id

    @property
    def threshold(self) -> float | None:
        """Cosine from which two crops show the same horse, None where nobody measured it."""
        return self._entry.threshold

    @property
    def degradation(self) -> Degradation:
        """What had to be given up since the start (smaller batches, CPU)."""
        return self._runner.degradation

    def embed(
        self,
        jobs: Sequence[tuple[Picture, FloatArray]],
        poses: Sequence[PoseBatch | None] | None = None,
    ) -> list[FloatArray]:
        """See the port Embedder. Bug when poses do not fit the boxes."""
        counts = [len(boxes) for _, boxes in jobs]
        outlines = _outlines(counts, poses)
        vectors = np.zeros((sum(counts), self._looks), np.float32)
        tones = np.full((sum(counts), TONES), np.nan, np.float32)
        rows = _pose_rows(counts, poses) if self._tones is not None else []
        start = 0
        for chunk in chunks_of_boxes(jobs):
            crops = letterboxed_crops(
                chunk, self._width_px, self._height_px, self._entry.padding, GREY,
                None if outlines is None else outlines[start : start + len(chunk)],
            )  # fmt: skip
            vectors[start : start + len(chunk)] = self._runner.run(crops)[0]
            if rows:
                for at, ((_, box), crop) in enumerate(zip(chunk, crops, strict=True), start):
                    tones[at] = self._tones_of(crop, box, rows[at])
            start += len(chunk)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.maximum(lengths, 1e-12)
        if self._tones is not None:
            vectors = joined(vectors, self._tones(tones))
        return np.split(vectors, np.cumsum(counts)[:-1]) if counts else []

    def _tones_of(self, crop: Image, box: FloatArray, row: _PoseRow | None) -> FloatArray:
        if row is None:
            return np.full(TONES, np.nan, np.float32)
        pose, index = row
        matrix = letterbox_matrix(box, self._width_px, self._height_px, self._entry.padding)
        known = known_landmarks(
            pose.keypoints_px[index], pose.scores[index], pose.skeleton.roles, LEAST_SCORE, matrix
        )
        return coat_tones(crop, known)

    def close(self) -> None:
        """Close the session."""
        self._runner.close()


def _outlines(
    counts: Sequence[int], poses: Sequence[PoseBatch | None] | None
) -> list[Outline] | None:
    """The outline of every box of every job; empty ones where there is no pose."""
    if poses is None:
        return None
    if len(poses) != len(counts):
        raise Bug(f"{len(poses)} poses for {len(counts)} jobs")
    found: list[Outline] = []
    for count, pose in zip(counts, poses, strict=True):
        if pose is not None and len(pose) != count:
            raise Bug(f"{len(pose)} poses for {count} boxes")
        found += outlines_of(pose) if pose is not None else [()] * count
    return found


def _pose_rows(
    counts: Sequence[int], poses: Sequence[PoseBatch | None] | None
) -> list[_PoseRow | None]:
    """The pose and its row for every box of every job, None where there is no pose."""
    found: list[_PoseRow | None] = []
    for count, pose in zip(counts, poses or [None] * len(counts), strict=True):
        found += [None if pose is None else (pose, row) for row in range(count)]
    return found
