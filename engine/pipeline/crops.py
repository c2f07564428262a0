"""The best picture of each track, encoded away from the analysis thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from engine.domain.frames import AnalysisFrame, Picture
from engine.domain.geometry import FloatArray, box_areas_px2, crop_affine
from engine.domain.identity import CropTaken, IdentityEvent
from engine.domain.ids import HorseId, TrackId
from engine.domain.tracks import TrackBatch
from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.worker import StopToken

log = logging.getLogger(__name__)

CROP_PX = 200
JPEG_QUALITY = 80
LIMIT_BYTES = 50_000
PADDING = 1.08
"""A little of the surroundings, so that ears and tail are not cut off."""
BETTER = 1.3
"""A new crop must be better than the last one by this factor."""
EVERY_S = 1.0
GOOD_QUALITY = 0.3
WAITING = 16
"""Jobs keep whole pictures alive, so only a few may wait."""


@dataclass(slots=True)
class _Best:
    score: float = 0.0
    taken_mono_s: float = -1e9
    horse_id: HorseId | None = None
    jpeg: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    picture: Picture
    box_xyxy_px: FloatArray
    track_id: TrackId
    horse_id: HorseId | None
    score: float


class CropTaker:
    """Chooses crops on the analysis thread and encodes them on a worker's."""

    def __init__(self, emit: Callable[[IdentityEvent], None]) -> None:
        self._emit = emit
        self._best: dict[TrackId, _Best] = {}
        self._jobs: Mailbox[_Job] = Mailbox("crops", WAITING, Overflow.DROP_OLDEST)

    def consider(self, frame: AnalysisFrame, tracks: TrackBatch, qualities: FloatArray) -> None:
        """Ask for a crop of each horse that is shown clearly better than before; tell again
        whose picture it is when that was decided meanwhile."""
        now_s = frame.stamp.captured_mono_s
        areas = box_areas_px2(tracks.boxes_xyxy_px)
        for row in tracks.confirmed_horses.nonzero()[0].tolist():
            track_id, horse_id = tracks.track_ids[row], tracks.horse_ids[row]
            best = self._best.setdefault(track_id, _Best())
            if best.horse_id != horse_id:
                best.horse_id = horse_id
                if best.jpeg is not None and horse_id is not None:
                    self._emit(CropTaken(track_id, horse_id, best.jpeg, best.score))
            score = float(tracks.confidences[row] * areas[row])
            good = qualities[row] >= GOOD_QUALITY and score > best.score * BETTER
            if good and now_s - best.taken_mono_s >= EVERY_S:
                best.score, best.taken_mono_s = score, now_s
                box = tracks.boxes_xyxy_px[row]
                self._ask(_Job(frame.picture, box, track_id, horse_id, score))

    def closed(self, track_id: TrackId) -> None:
        """The track has ended."""
        self._best.pop(track_id, None)

    def run(self, token: StopToken) -> None:
        """Worker body: encode until stopped."""
        while not token.stopping:
            job = self._jobs.get(0.5)
            if job is not None:
                self._encode(job)

    def stop(self) -> None:
        """End the worker; crops that wait are given up."""
        self._jobs.close()

    def _ask(self, job: _Job) -> None:
        try:
            self._jobs.put(job)
        except Closed:
            log.debug("a crop came after the end")

    def _encode(self, job: _Job) -> None:
        inside = _moved_inside(job.box_xyxy_px, job.picture.width_px, job.picture.height_px)
        matrix = crop_affine(inside, CROP_PX, CROP_PX, PADDING)
        image = job.picture.warped_bgr(matrix, CROP_PX, CROP_PX, fill=24)
        for quality in (JPEG_QUALITY, 60, 40, 20):
            done, buffer = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if done and len(buffer) <= LIMIT_BYTES:
                break
        else:
            return
        jpeg = buffer.tobytes()
        best = self._best.get(job.track_id)
        horse_id = job.horse_id
        if best is not None and best.score <= job.score:
            best.jpeg = jpeg
            horse_id = best.horse_id
        self._emit(CropTaken(job.track_id, horse_id, jpeg, job.score))


def _moved_inside(box_xyxy_px: FloatArray, width_px: int, height_px: int) -> FloatArray:
    """A square box, float32 (4,), whose padded crop leaves the picture as little as it can."""
    x1, y1, x2, y2 = (float(v) for v in box_xyxy_px)
    side = max(x2 - x1, y2 - y1, 1.0)
    room = side * PADDING / 2.0

    def middle(low: float, high: float, size: int) -> float:
        if 2.0 * room >= size:
            return size / 2.0
        return min(max((low + high) / 2.0, room), size - room)

    x, y, half = middle(x1, x2, width_px), middle(y1, y2, height_px), side / 2.0
    return np.array([x - half, y - half, x + half, y + half], np.float32)
