"""Tracklets of clips that nobody labelled: pictures of one horse that the tracker followed.

What a tracker holds together for seconds is one horse, and two that are seen at once are two. That
is all a barn's own clips say without a person, and it is enough to teach a network what changes of
a horse from picture to picture. Tracklets of other times and clips may be the same horse: nothing
is said of those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.frames import FrameStamp, Image
from engine.domain.geometry import FloatArray, iou_matrix
from engine.domain.ids import new_stream_id
from engine.domain.skeletons import EQUINE26
from engine.models.model_set import ModelSet
from engine.reanalysis.sightings import RecordedPicture, Sighting, Watcher
from engine.settings import EngineSettings
from engine.sources.pictures import ArrayPicture
from engine.training.pose_data import Picture

CLIPS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".gif")
LEAST_PX = 96
"""Smaller horses show too little of a coat."""
LEAST_SCORE, LEAST_LANDMARKS = 0.5, 12
"""So many landmarks must be so sure: the outline that suppresses the background rests on them."""
MOST_OVERLAP = 0.1
"""Boxes that share more of their union show two horses at once."""
FPS = 5.0
"""Pictures a second that are looked at: enough to follow a horse, few enough to differ."""
FEWEST, MOST = 4, 24
"""Pictures of a tracklet that is used, and so many at most, spread over its time."""

_ZERO_AT = datetime(2026, 1, 1, tzinfo=UTC)
_USUAL_FPS = 25.0


@dataclass(frozen=True)
class TrackletPicture:
    """One picture of a tracklet. tracklet: its number in the clip. picture: uint8 (H, W, 3) RGB.
    landmarks: float32 (26, 3), x and y in its pixels and the score. box_xyxy_px: float32 (4,)."""

    tracklet: int
    picture: Picture
    landmarks: FloatArray
    box_xyxy_px: FloatArray


def clips_in(folder: Path) -> list[Path]:
    """Video files of a folder, by name."""
    return sorted(one for one in folder.iterdir() if one.suffix.lower() in CLIPS)


def tracklets(clip: Path, models: ModelSet, settings: EngineSettings) -> Iterator[TrackletPicture]:
    """Pictures of the longest tracklets of a clip that were all seen together, so that they are
    different horses; by time. OperatorMistake when the clip cannot be read, or the pose model
    has other landmarks than EQUINE26."""
    if models.pose is None or models.pose.skeleton != EQUINE26:
        raise OperatorMistake("Tracklets need a pose model with the landmarks of equine26.")
    capture_fps = _rate(clip)
    every = max(round(capture_fps / FPS), 1)
    watcher = Watcher(models, settings, new_stream_id(), None, capture_fps / every)
    sightings = watcher.watch(_recorded(clip, every, capture_fps), lambda _count: None)
    chosen = chosen_rows(sightings)
    for index, picture in enumerate(frames_bgr(clip, every)):
        for row in chosen.get(index, ()):
            seen = sightings[index]
            assert seen.poses is not None
            marks = np.concatenate(
                [seen.poses.keypoints_px[row], seen.poses.scores[row][:, None]], axis=1
            )
            rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            yield TrackletPicture(int(seen.numbers[row]), rgb, marks, seen.boxes_xyxy_px[row])


def chosen_rows(sightings: Sequence[Sighting]) -> dict[int, list[int]]:
    """Rows of clear horses of tracklets that were all seen together, by picture."""
    seen: dict[int, list[tuple[int, int]]] = {}
    for index, sighting in enumerate(sightings):
        for row in _clear_rows(sighting):
            seen.setdefault(int(sighting.numbers[row]), []).append((index, row))
    long = {number: places for number, places in seen.items() if len(places) >= FEWEST}
    result: dict[int, list[int]] = {}
    together: list[set[int]] = []
    for places in sorted(long.values(), key=len, reverse=True):
        pictures = {index for index, _ in places}
        if any(not pictures & others for others in together):
            continue
        together.append(pictures)
        rows = np.linspace(0, len(places) - 1, min(len(places), MOST)).round().astype(int)
        for index, row in (places[at] for at in rows.tolist()):
            result.setdefault(index, []).append(row)
    return result


def _clear_rows(sighting: Sighting) -> list[int]:
    """Horses that show a coat of their own."""
    if sighting.poses is None:
        return []
    boxes = sighting.boxes_xyxy_px
    overlap = iou_matrix(boxes, boxes)
    np.fill_diagonal(overlap, 0.0)
    large = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0) >= LEAST_PX
    sure = (sighting.poses.scores >= LEAST_SCORE).sum(axis=1) >= LEAST_LANDMARKS
    alone = overlap.max(axis=1, initial=0.0) <= MOST_OVERLAP
    horse = sighting.class_ids == SubjectClass.HORSE
    clear: list[int] = np.flatnonzero(horse & sighting.detected & large & sure & alone).tolist()
    return clear


def _recorded(clip: Path, every: int, fps: float) -> Iterator[RecordedPicture]:
    stream_id = new_stream_id()
    for index, picture in enumerate(frames_bgr(clip, every)):
        t_s = index * every / fps
        stamp = FrameStamp(stream_id, index, _ZERO_AT + timedelta(seconds=t_s), t_s, t_s)
        yield RecordedPicture(stamp, ArrayPicture(picture))


def _rate(clip: Path) -> float:
    capture = cv2.VideoCapture(str(clip))
    try:
        fps = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    return fps if 1.0 <= fps <= 240.0 else _USUAL_FPS


def frames_bgr(clip: Path, every: int) -> Iterator[Image]:
    """Every n-th frame of a video, uint8 (H, W, 3) BGR; the same ones each time. OperatorMistake
    when it holds no readable frame."""
    capture = cv2.VideoCapture(str(clip))
    frame = 0
    try:
        while True:
            read, picture = capture.read()
            if not read:
                break
            if frame % every == 0:
                yield np.asarray(picture, np.uint8)
            frame += 1
    finally:
        capture.release()
    if frame == 0:
        raise OperatorMistake(f"The video {clip.name} cannot be read or is empty.")
