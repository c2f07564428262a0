"""Pictures of known horses on known days: reading clip folders, masks and the cached crops.

Clips are named ``<anything>__<YYYY-MM-DD>`` and listed in ``index.csv`` with their horse; their
keypoint files give boxes and outlines. Folders with ``images/`` and ``masks/`` (one horse a
picture), and pictures with COCO landmarks, add horses of whom there is one picture only. Folders of
clips without an index add tracklets: a horse for as long as the tracker holds it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray, crop_affine
from engine.domain.skeletons import EQUINE26
from engine.models.body_outline import LEAST_SCORE, body_outline
from engine.models.letterbox import GREY
from engine.training.pose_data import (
    Picture,
    clip_landmarks,
    hull_box,
    is_held_out,
    picture_instances,
)
from engine.training.tracklets import TrackletPicture, clips_in, frames_bgr

CROP_PX = 320
CROP_PADDING = 1.3
"""A cached crop shows 1.3 times the box: room for shifts and other sizes."""

UNDATED = "only"
"""Day of a horse of whom there is one picture: it is trained on and never asked about."""

FOLLOWED = "followed"
"""Day of a tracklet: trained on as long as it lasts and never asked about."""

Follow = Callable[[Path], Iterator[TrackletPicture]]
"""Pictures of the horses of a clip."""

LEAST_LANDMARKS = 8
LEAST_PICTURE_PX = 96
"""Fewer landmarks, or a picture's horse smaller than this, are not trained on."""

_DATE = re.compile(r"__(\d{4}-\d{2}-\d{2})")
_PICTURES = (".jpg", ".jpeg", ".png")


Row = tuple[Picture, Picture, FloatArray, FloatArray, str, str]
"""Picture RGB, outline of its crop, box (4,), landmarks (26, 3), "horse\\nday", clip."""


@dataclass(frozen=True)
class ClipEntry:
    """One clip of a folder: a horse on a day. ``keypoints`` is None where there is no file."""

    name: str
    horse: str
    day: str
    video: Path
    keypoints: Path | None


@dataclass(frozen=True)
class HorseSet:
    """Crops of horses as columns.

    crops: uint8 (N, CROP_PX, CROP_PX, 3) RGB. keeps: bool (N, CROP_PX, CROP_PX), the outline.
    boxes_xyxy_px: float32 (N, 4) in crop pixels. landmarks: float32 (N, 26, 3) in the order of
    EQUINE26, x, y in crop pixels and score (0: not known). horses (``source/name``), days, clips:
    N names.
    """

    crops: Picture
    keeps: NDArray[np.bool_]
    boxes_xyxy_px: FloatArray
    landmarks: FloatArray
    horses: NDArray[np.str_]
    days: NDArray[np.str_]
    clips: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.horses)

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Rows of horses that no shipped model is trained on (the pose model's split)."""
        named = np.array([is_held_out(str(horse)) for horse in self.horses], bool)
        return np.asarray(named & self.dated, bool)

    @property
    def dated(self) -> NDArray[np.bool_]:
        """Rows of clips of known days; the others are single pictures and tracklets."""
        return np.asarray((self.days != UNDATED) & (self.days != FOLLOWED), bool)

    def days_of(self) -> dict[str, list[str]]:
        """Horse of clips -> its days, earliest first."""
        seen: dict[str, set[str]] = {}
        for horse, day in zip(self.horses[self.dated], self.days[self.dated], strict=True):
            seen.setdefault(str(horse), set()).add(str(day))
        return {horse: sorted(days) for horse, days in sorted(seen.items())}


def listed_clips(folder: Path) -> list[ClipEntry]:
    """The clips of a folder's ``index.csv``.

    OperatorMistake naming the file when the index or a video is missing, a column is absent, or a
    name holds no date.
    """
    index = folder / "index.csv"
    try:
        with index.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OperatorMistake(f"{index} cannot be read: {error}") from error
    if not lines or not {"clip", "horse"} <= set(lines[0]):
        raise OperatorMistake(f"{index} lists no clips.", "Expected the columns clip and horse.")
    return [_clip_entry(folder, line) for line in lines]


def _clip_entry(folder: Path, line: dict[str, str]) -> ClipEntry:
    name, horse = line.get("clip") or "", line.get("horse") or ""
    dated = _DATE.search(name)
    if not horse or dated is None:
        raise OperatorMistake(
            f"index.csv of {folder} has a line that names no horse and day: clip {name!r}.",
            "Clips are named <horse>__<YYYY-MM-DD>.",
        )
    candidates = [folder / f"{name}{suffix}" for suffix in (".mp4", ".avi")]
    video = next((path for path in candidates if path.is_file()), None)
    if video is None:
        raise OperatorMistake(f"{folder} has no video for the clip {name!r}.")
    keypoints = folder / f"{name}.keypoints.csv"
    return ClipEntry(name, horse, dated[1], video, keypoints if keypoints.is_file() else None)


def clip_frames(clip: ClipEntry, every: int = 1) -> Iterator[tuple[Picture, FloatArray | None]]:
    """Every n-th frame (RGB) with its landmarks (26, 3), None for a frame without labels.

    OperatorMistake when the video holds no readable frame or the keypoints cannot be read.
    """
    labels = _labels(clip)
    for index, picture in enumerate(frames_bgr(clip.video, every)):
        rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
        yield rgb, labels.get(index * every)


def _labels(clip: ClipEntry) -> dict[int, FloatArray]:
    if clip.keypoints is None:
        return {}
    try:
        return clip_landmarks(clip.keypoints)
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise OperatorMistake(f"{clip.keypoints.name} cannot be read: {error!r}") from error


def outline_mask(landmarks: FloatArray, matrix: NDArray[np.float64], size_px: int) -> Picture:
    """1 inside the horse's outline, uint8 (size_px, size_px); all 1 when too little is known."""
    known = {
        role: landmarks[row, :2].astype(np.float64)
        for role, row in EQUINE26.roles
        if landmarks[row, 2] >= LEAST_SCORE
    }
    keep = np.zeros((size_px, size_px), np.uint8)
    for polygon in body_outline(known):
        placed = polygon @ matrix[:, :2].T + matrix[:, 2]
        cv2.fillConvexPoly(keep, np.round(placed * 16).astype(np.int32), 1, cv2.LINE_8, 4)
    return keep if keep.any() else np.ones_like(keep)


def _clip_rows(folder: Path, every: int) -> Iterator[Row]:
    for clip in listed_clips(folder):
        for picture, landmarks in clip_frames(clip, every):
            if landmarks is None or (landmarks[:, 2] > 0).sum() < LEAST_LANDMARKS:
                continue
            box = hull_box(landmarks)
            matrix = crop_affine(box, CROP_PX, CROP_PX, CROP_PADDING)
            keep = outline_mask(landmarks, matrix, CROP_PX)
            yield picture, keep, box, landmarks, f"{clip.horse}\n{clip.day}", clip.name


def _mask_rows(folder: Path) -> Iterator[Row]:
    masks = {path.stem: path for path in (folder / "masks").iterdir()}
    for path in sorted((folder / "images").iterdir()):
        if path.suffix.lower() not in _PICTURES:
            continue
        picture = cv2.imread(str(path))
        stored = masks.get(path.stem)
        mask = None if stored is None else cv2.imread(str(stored), cv2.IMREAD_GRAYSCALE)
        if picture is None or mask is None or mask.shape != picture.shape[:2]:
            raise OperatorMistake(f"{folder} lacks a readable picture or mask for {path.name!r}.")
        inside = np.asarray(mask > 0, np.uint8)
        rows, columns = np.nonzero(inside)
        if not len(rows):
            continue
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        matrix = crop_affine(box, CROP_PX, CROP_PX, CROP_PADDING)
        keep = cv2.warpAffine(inside, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_NEAREST)
        rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
        unknown = np.zeros((len(EQUINE26.landmarks), 3), np.float32)
        yield rgb, np.asarray(keep, np.uint8), box, unknown, f"{path.stem}\n{UNDATED}", path.stem


def _labelled_rows(folder: Path) -> Iterator[Row]:
    """Horses of a folder with COCO annotations that have enough landmarks for an outline."""
    for number, (picture, instance) in enumerate(picture_instances(folder, "horse")):
        x1, y1, x2, y2 = instance.box_xyxy_px
        known = int((instance.landmarks[:, 2] > 0).sum())
        if known < LEAST_LANDMARKS or max(x2 - x1, y2 - y1) < LEAST_PICTURE_PX:
            continue
        matrix = crop_affine(instance.box_xyxy_px, CROP_PX, CROP_PX, CROP_PADDING)
        keep = outline_mask(instance.landmarks, matrix, CROP_PX)
        name = f"{Path(instance.group).stem}-{number}"
        yield (
            picture, keep, instance.box_xyxy_px, instance.landmarks, f"{name}\n{UNDATED}", name,
        )  # fmt: skip


def _followed_rows(clips: list[Path], follow: Follow) -> Iterator[Row]:
    for clip in clips:
        for one in follow(clip):
            matrix = crop_affine(one.box_xyxy_px, CROP_PX, CROP_PX, CROP_PADDING)
            keep = outline_mask(one.landmarks, matrix, CROP_PX)
            name = f"{clip.stem}#{one.tracklet}\n{FOLLOWED}"
            yield one.picture, keep, one.box_xyxy_px, one.landmarks, name, clip.stem


def read_horse_data(
    data: Path, cache: Path, every: int = 2, follow: Follow | None = None
) -> HorseSet:
    """All folders of horses under ``data`` (or ``data`` itself), cached as arrays in ``cache``.
    Clips of folders without an index go through ``follow``; without it they are left out.

    OperatorMistake when there is no clip folder, or a file of one is missing or damaged.
    """
    folders = [data, *sorted(p for p in data.iterdir() if p.is_dir())] if data.is_dir() else []
    clips = [f for f in folders if (f / "index.csv").is_file()]
    masks = [f for f in folders if (f / "images").is_dir() and (f / "masks").is_dir()]
    labelled = [f for f in folders if (f / "annotations.json").is_file()]
    known = {*clips, *masks, *labelled}
    loose = {} if follow is None else {f: clips_in(f) for f in folders if f not in known}
    if not clips:
        raise OperatorMistake(
            f"{data} holds no clips of horses.",
            "Expected index.csv with <horse>__<YYYY-MM-DD> clips, here or one below.",
        )
    paths = [str(folder.resolve()) for folder in (*clips, *masks, *labelled)]
    paths += [str(clip.resolve()) for found in loose.values() for clip in found]
    named = json.dumps([*paths, every, CROP_PX, 3])
    key = hashlib.sha256(named.encode()).hexdigest()[:16]
    labels, crops = cache / f"horses-{key}.npz", cache / f"horses-{key}.npy"
    if not labels.exists():
        cache.mkdir(parents=True, exist_ok=True)
        streams = [(f, _clip_rows(f, every)) for f in clips]
        streams += [(f, _mask_rows(f)) for f in masks]
        streams += [(f, _labelled_rows(f)) for f in labelled]
        if follow is not None:
            streams += [(f, _followed_rows(found, follow)) for f, found in loose.items()]
        _write_cache(streams, labels, crops)
    stored = np.load(labels)
    return HorseSet(
        np.load(crops, mmap_mode="r"),
        np.unpackbits(stored["keeps"], axis=2).astype(bool),
        stored["boxes"], stored["landmarks"], stored["horses"], stored["days"], stored["clips"],
    )  # fmt: skip


def _write_cache(streams: list[tuple[Path, Iterator[Row]]], labels: Path, crops: Path) -> None:
    """Cut every picture and write the arrays; the labels come last and mark completeness."""
    cut: list[Picture] = []
    keeps: list[Picture] = []
    boxes: list[FloatArray] = []
    marks: list[FloatArray] = []
    names: list[tuple[str, str, str]] = []
    for folder, stream in streams:
        for picture, keep, box, landmarks, horse_and_day, clip in stream:
            horse, day = horse_and_day.split("\n")
            matrix = crop_affine(box, CROP_PX, CROP_PX, CROP_PADDING)
            crop = cv2.warpAffine(
                picture, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_AREA, borderValue=(GREY,) * 3
            )
            corners = box.reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
            cut.append(np.asarray(crop, np.uint8))
            keeps.append(np.packbits(keep, axis=1))
            points = landmarks.astype(np.float32)
            points[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
            marks.append(points)
            boxes.append(corners.reshape(4).astype(np.float32))
            names.append((f"{folder.name}/{horse}", day, f"{folder.name}/{clip}"))
    if not cut:
        raise OperatorMistake("The clips hold no labelled frame.")
    np.save(crops, np.stack(cut))
    horses, days, clip_names = (np.array(column) for column in zip(*names, strict=True))
    np.savez(
        labels, keeps=np.stack(keeps), boxes=np.stack(boxes), landmarks=np.stack(marks),
        horses=horses, days=days, clips=clip_names,
    )  # fmt: skip
