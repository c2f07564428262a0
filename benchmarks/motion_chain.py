"""Poses over time: the whole pose chain against the pose model's own pre- and post-processing.

The chain corrects, smooths and measures every horse of a picture. Its time is set against what
``SimccPose.estimate`` takes to crop, normalise, decode and map back the same number of horses with
a network that does nothing, which is the smallest part of finding those poses. Bar: at most 0.5.
A second line gives the chain's time a horse when there are twice as many.

Interleaved pairs; the median ratio stands with its 5 and 95 % points.

    python -m benchmarks.motion_chain [--pairs 15] [--horses 6]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.pairs import PAIRS, measure
from benchmarks.pose_processing import LANDMARKS, MODELS, SIDE_PX, opened, scene
from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.ids import TrackId, new_stream_id, new_track_id
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import EQUINE26
from engine.domain.tracks import TrackBatch, TrackState
from engine.models.manifest import read_manifest
from engine.motion.pose_chain import PoseChain
from engine.settings import MotionSettings
from engine.simulation.scenarios import gaits_in_the_arena
from engine.sources.pictures import ArrayPicture

PICTURES = 40
REPEATS = 4
BAR = 0.5


def results(horses: int) -> list[FrameResult]:
    """A horse that walks across the arena, ``horses`` times."""
    farm = gaits_in_the_arena(1)
    seen = farm.sightings("arena", 101.0 + np.arange(PICTURES) * 0.1)
    chance = np.random.default_rng(0)
    ids = [new_track_id() for _ in range(horses)]
    made = []
    for row in range(len(seen)):
        points = np.repeat(seen.keypoints_px[row : row + 1], horses, axis=0)
        points = points + chance.normal(0, 1.5, points.shape)
        boxes = np.repeat(seen.boxes_xyxy_px[row : row + 1], horses, axis=0)
        made.append(_result(row * 0.1, boxes, points.astype(np.float32), ids))
    return made


def _result(t_s: float, boxes: FloatArray, points: FloatArray, ids: list[TrackId]) -> FrameResult:
    count = len(ids)
    tracks = TrackBatch(
        boxes, np.zeros((count, 4), np.float32), np.full(count, 0.9, np.float32),
        np.full(count, 0.9, np.float32), np.full(count, SubjectClass.HORSE, np.int16),
        np.full(count, TrackState.ACTIVE, np.int8), np.arange(count), np.zeros(count, np.int8),
        tuple(ids), (None,) * count,
    )  # fmt: skip
    poses = PoseBatch(points, np.full(points.shape[:2], 0.8, np.float32), EQUINE26)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=t_s)
    stamp = FrameStamp(new_stream_id(), 0, at, t_s, t_s)
    return FrameResult(stamp, 960, 540, tracks, poses, None, None, Degradation.NONE, t_s)


def chain_over(pictures: list[FrameResult]) -> Callable[[], object]:
    """A run of the chain over all pictures."""

    def run() -> None:
        chain = PoseChain(MotionSettings())
        for result in pictures:
            chain.update(result)

    return run


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when the bar is kept."""
    from tests.helpers.tiny_models import constant_model

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--horses", type=int, default=6)
    chosen = parser.parse_args(arguments)
    logits = np.random.default_rng(1).random((2, LANDMARKS, 2 * SIDE_PX), np.float32)
    picture, boxes = scene(chosen.horses)
    with tempfile.TemporaryDirectory() as folder:
        file = constant_model(
            Path(folder) / "nothing.onnx",
            {"simcc_x": logits[0], "simcc_y": logits[1]},
            [1, 3, SIDE_PX, SIDE_PX],
        )
        pose = opened(read_manifest(MODELS / "manifest.toml").named("rtmpose-m-ap10k"), file)
        jobs = [(ArrayPicture(picture), boxes)]
        pictures = results(chosen.horses)
        many = len(pictures)
        chain = chain_over(pictures)
        ratio = measure(
            lambda: [chain() for _ in range(REPEATS)],
            lambda: [pose.estimate(jobs) for _ in range(REPEATS * many)],
            chosen.pairs,
        )
        pose.close()
    each = ratio.ours_ms / (REPEATS * many)
    print(f"pose chain against pose processing, {chosen.horses} horses: {ratio}")
    print(f"a picture: {each:.3f} ms, a horse: {each / chosen.horses:.3f} ms")
    double = measure(chain_over(results(2 * chosen.horses)), chain, chosen.pairs)
    print(f"twice as many horses: {double}")
    kept = ratio.median <= BAR
    print(f"bar {BAR:.2f}: {'kept' if kept else 'missed'}")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
