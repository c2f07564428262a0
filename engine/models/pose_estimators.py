"""Top-down pose estimators: RTMPose-like SimCC networks and heat-map networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from engine.domain.errors import ModelInvalid
from engine.domain.frames import Picture
from engine.domain.geometry import FloatArray
from engine.domain.ids import ModelId
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation
from engine.domain.skeletons import SKELETONS, Skeleton
from engine.models.batch_runner import BatchRunner
from engine.models.crops import chunks_of_boxes, top_down_crops
from engine.models.manifest import Layout, ModelEntry
from engine.models.pose_decoding import SPLIT_RATIO, decode_heatmaps, decode_simcc
from engine.models.sessions import Device, Session


class TopDownPose(ABC):
    """What both kinds share. Meets the port PoseEstimator; used by one thread.

    The file is tried on a black crop at once: ModelInvalid when its output is not of the entry's
    layout or has another number of landmarks than the entry's skeleton.
    """

    def __init__(
        self,
        entry: ModelEntry,
        open_on: Callable[[Device], Session],
        device: Device = "auto",
        batch_limit: int = 32,
    ) -> None:
        if entry.skeleton not in SKELETONS:
            known = ", ".join(SKELETONS)
            raise ModelInvalid(
                f"The pose model {entry.name} needs a known skeleton and names {entry.skeleton!r}.",
                f"Known skeletons: {known}.",
            )
        self._entry = entry
        self._skeleton = SKELETONS[entry.skeleton]
        self._runner = BatchRunner(open_on, device, batch_limit)
        try:
            _, _, height, width = self._runner.session.input.shape
            self._height_px = height or entry.input.height_px
            self._width_px = width or entry.input.width_px
            black = np.zeros((1, self._height_px, self._width_px, 3), np.uint8)
            self._check_outputs(self._runner.run(black))
        except BaseException:
            self._runner.close()
            raise

    @property
    def model_id(self) -> ModelId:
        """``name@version`` of the manifest entry."""
        return self._entry.id

    @property
    def skeleton(self) -> Skeleton:
        """The landmarks and their order."""
        return self._skeleton

    @property
    def degradation(self) -> Degradation:
        """What had to be given up since the start (smaller batches, CPU)."""
        return self._runner.degradation

    @abstractmethod
    def _check_outputs(self, outputs: list[FloatArray]) -> None:
        """ModelInvalid when the outputs of one crop are not of this layout."""

    @abstractmethod
    def _decode(self, outputs: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Keypoints (M, K, 2) in crop pixels and scores (M, K)."""

    def estimate(self, jobs: Sequence[tuple[Picture, FloatArray]]) -> list[PoseBatch]:
        """See the port PoseEstimator."""
        counts = [len(boxes) for _, boxes in jobs]
        landmarks = len(self._skeleton.landmarks)
        keypoints = np.zeros((sum(counts), landmarks, 2), np.float32)
        scores = np.zeros((sum(counts), landmarks), np.float32)
        start = 0
        for chunk in chunks_of_boxes(jobs):
            crops, maps = top_down_crops(
                chunk, self._width_px, self._height_px, self._entry.padding
            )
            found, score = self._decode(self._runner.run(crops))
            rows = slice(start, start + len(chunk))
            # The maps scale both axes alike and never turn: dividing inverts them.
            keypoints[rows] = (found - maps[:, None, :, 2]) / maps[:, None, 0:1, 0]
            scores[rows] = score
            start += len(chunk)
        ends = np.cumsum(counts, dtype=np.intp)
        return [
            PoseBatch(keypoints[end - count : end], scores[end - count : end], self._skeleton)
            for end, count in zip(ends, counts, strict=True)
        ]

    def close(self) -> None:
        """Close the session."""
        self._runner.close()

    def _wrong(self, expected: str, outputs: list[FloatArray]) -> ModelInvalid:
        shapes = "; ".join(" x ".join(map(str, out.shape)) for out in outputs)
        return ModelInvalid(
            f"{self._entry.name} should answer with {expected} and answers with {shapes}."
        )


class SimccPose(TopDownPose):
    """Two classification outputs, x and y, as RTMPose exports them."""

    def _check_outputs(self, outputs: list[FloatArray]) -> None:
        count = len(self._skeleton.landmarks)
        width, height = (round(s * SPLIT_RATIO) for s in (self._width_px, self._height_px))
        if [out.shape for out in outputs] != [(1, count, width), (1, count, height)]:
            raise self._wrong(f"1 x {count} x {width}; 1 x {count} x {height}", outputs)

    def _decode(self, outputs: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        return decode_simcc(outputs[0], outputs[1])


class HeatmapPose(TopDownPose):
    """One map a landmark."""

    def _check_outputs(self, outputs: list[FloatArray]) -> None:
        count = len(self._skeleton.landmarks)
        shape = outputs[0].shape
        if len(outputs) != 1 or len(shape) != 4 or shape[1] != count or min(shape[2:]) < 5:
            raise self._wrong(f"1 x {count} x height x width", outputs)

    def _decode(self, outputs: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        return decode_heatmaps(outputs[0], self._width_px, self._height_px)


def pose_estimator(
    entry: ModelEntry,
    open_on: Callable[[Device], Session],
    device: Device = "auto",
    batch_limit: int = 32,
) -> TopDownPose:
    """The estimator for an entry's layout; ModelInvalid when the layout is not a pose model's."""
    kinds: dict[Layout, type[TopDownPose]] = {
        Layout.SIMCC: SimccPose,
        Layout.HEATMAP: HeatmapPose,
    }
    kind = kinds.get(entry.layout)
    if kind is None:
        raise ModelInvalid(f"The layout {entry.layout} of {entry.name} is not a pose model's.")
    return kind(entry, open_on, device, batch_limit)
