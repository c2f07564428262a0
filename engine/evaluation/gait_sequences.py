"""Labelled gait sequences on disk: folders named by gait, keypoints as COCO JSON, no pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.domain.errors import OperatorMistake
from engine.domain.motion import Gait, PoseSeries
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import SKELETONS, Skeleton
from engine.motion.limb_paths import Floats, missing_roles

_WORDS = {
    **{gait.label: gait for gait in Gait if gait is not Gait.UNKNOWN},
    "stand": Gait.STANDING, "halt": Gait.STANDING, "walking": Gait.WALK, "trotting": Gait.TROT,
    "cantering": Gait.CANTER, "galloping": Gait.GALLOP,
}  # fmt: skip
_LABELLED = {0: 0.0, 1: 0.6, 2: 1.0}
"""COCO visibility as a score: not labelled, labelled though hidden, visible."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Category(_Part):
    id: int
    keypoints: list[str] = []


class _Picture(_Part):
    id: int
    file_name: str = ""


class _Annotation(_Part):
    image_id: int
    category_id: int | None = None
    keypoints: list[float] = []
    bbox: list[float] = []


class _Document(_Part):
    images: list[_Picture] = Field(min_length=1)
    annotations: list[_Annotation]
    categories: list[_Category] = []


@dataclass(frozen=True, slots=True)
class LabelledSequence:
    """One sequence and the gait its folder says."""

    file: str
    gait: Gait
    series: PoseSeries


def read_sequences(folder: Path, fps: float) -> Iterator[LabelledSequence]:
    """Every sequence of a folder of gait folders, by name.

    Raises OperatorMistake when a folder is not named by a gait, a file is not such a file, or there
    are none.
    """
    if not 0 < fps <= 1000:
        raise OperatorMistake(f"{fps:g} pictures a second are impossible.")
    files = sorted(path for path in folder.rglob("*.json") if path.is_file())
    if not files:
        raise OperatorMistake(f"There are no JSON files in {folder}.", _EXPECTED)
    for path in files:
        yield LabelledSequence(
            path.relative_to(folder).as_posix(), _gait_of(path, folder), _series(path, fps)
        )


_EXPECTED = (
    "Expected: folders named by gait (standing, walk, trot, canter, gallop) with COCO keypoint "
    "files in them."
)


def _gait_of(path: Path, folder: Path) -> Gait:
    for parent in path.relative_to(folder).parents:
        gait = _WORDS.get(parent.name.strip().lower())
        if gait is not None:
            return gait
    name = path.parent.name if path.parent != folder else path.name
    raise OperatorMistake(f"{name!r} is not in a folder named by a gait.", _EXPECTED)


def _series(path: Path, fps: float) -> PoseSeries:
    try:
        document = _Document.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise OperatorMistake(f"{path.name} is no COCO keypoint file: {error}") from error
    skeleton, columns = _skeleton(document, path)
    frames = _frame_numbers(document.images)
    rows = list(_rows(document.annotations, frames, len(columns)))
    if len(rows) < 2:
        raise OperatorMistake(f"{path.name} has {len(rows)} labelled frames; a gait needs seconds.")
    t_s = np.array([frame for frame, _ in rows], np.float64) / fps
    keypoints, scores = _table([values for _, values in rows], columns, skeleton)
    return PoseSeries(
        t_s=t_s,
        poses=PoseBatch(keypoints, scores, skeleton),
        boxes_xyxy_px=_boxes(keypoints, scores),
        scales_px_m=np.full(len(rows), np.nan, np.float32),
        camera_px=np.full((len(rows), 2), np.nan, np.float32),
    )


def _skeleton(document: _Document, path: Path) -> tuple[Skeleton, Sequence[int]]:
    """The skeleton whose landmarks the file names, and where each of the file's keypoints goes in
    it (-1: nowhere)."""
    best: tuple[Skeleton, list[int]] | None = None
    known = 0
    for category in document.categories:
        for skeleton in SKELETONS.values():
            index = {name.lower(): i for i, name in enumerate(skeleton.landmarks)}
            columns = [index.get(name.strip().lower(), -1) for name in category.keypoints]
            hits = sum(column >= 0 for column in columns)
            if hits > known:
                best, known = (skeleton, columns), hits
    if best is None:
        best = _by_count(document)
    if best is None:
        raise OperatorMistake(
            f"{path.name} names no known landmarks.", f"Known: {', '.join(SKELETONS)}."
        )
    present = {column for column in best[1] if column >= 0}
    lacking = [r for r, i in best[0].roles if r.startswith("hoof_") and i not in present]
    lacking += missing_roles(best[0])
    if lacking:
        raise OperatorMistake(f"{path.name} lacks {', '.join(lacking)}: no gait can be told.")
    return best


def _by_count(document: _Document) -> tuple[Skeleton, list[int]] | None:
    """Without names: the skeleton with as many landmarks as the file has keypoints."""
    counts = {len(a.keypoints) // 3 for a in document.annotations if a.keypoints}
    for skeleton in SKELETONS.values():
        if counts == {len(skeleton.landmarks)}:
            return skeleton, list(range(len(skeleton.landmarks)))
    return None


def _frame_numbers(pictures: Sequence[_Picture]) -> Mapping[int, int]:
    """Frame number of every picture id: the number its file name ends with where every name has
    its own, else the order of the ids."""
    numbers = [re.search(r"(\d+)\D*$", Path(picture.file_name).stem) for picture in pictures]
    told = [int(n.group(1)) if n else None for n in numbers]
    if None not in told and len(set(told)) == len(told):
        return {p.id: n for p, n in zip(pictures, told, strict=True) if n is not None}
    ids = sorted(picture.id for picture in pictures)
    return {number: order for order, number in enumerate(ids)}


def _rows(
    annotations: Sequence[_Annotation], frames: Mapping[int, int], count: int
) -> Iterator[tuple[int, Floats]]:
    """Frame number and keypoints (count, 3) of the horse, by frame. Of several horses in a frame
    the one nearest to where it was before counts, at first the largest."""
    of_frame: dict[int, list[Floats]] = {}
    for annotation in annotations:
        usable = len(annotation.keypoints) == 3 * count and annotation.image_id in frames
        table = np.array(annotation.keypoints if usable else [], np.float64).reshape(-1, 3)
        if len(table) and (table[:, 2] > 0).any() and np.isfinite(table).all():
            of_frame.setdefault(frames[annotation.image_id], []).append(table)
    before: Floats | None = None
    for frame in sorted(of_frame):
        choice = of_frame[frame]
        if before is None:
            chosen = max(choice, key=lambda table: float(np.ptp(_seen(table), axis=0).prod()))
        else:
            there = before
            chosen = min(choice, key=lambda t: float(np.hypot(*(_seen(t).mean(axis=0) - there))))
        before = _seen(chosen).mean(axis=0)
        yield frame, chosen


def _seen(table: Floats) -> Floats:
    return table[table[:, 2] > 0, :2]


def _table(
    rows: Sequence[Floats], columns: Sequence[int], skeleton: Skeleton
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], ...]:
    """Keypoints (T, K, 2) and scores (T, K) in the skeleton's order."""
    size = len(skeleton.landmarks)
    keypoints = np.zeros((len(rows), size, 2), np.float32)
    scores = np.zeros((len(rows), size), np.float32)
    for row, table in enumerate(rows):
        for source, target in enumerate(columns):
            if target >= 0:
                x, y, visible = table[source]
                keypoints[row, target] = x, y
                scores[row, target] = _LABELLED.get(visible, min(max(visible, 0.0), 1.0))
    return keypoints, scores


def _boxes(
    keypoints: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    seen = (scores > 0)[..., None]
    low = np.where(seen, keypoints, np.inf).min(axis=1)
    high = np.where(seen, keypoints, -np.inf).max(axis=1)
    return np.concatenate([low, high], axis=1).astype(np.float32)
