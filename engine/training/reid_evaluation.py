"""Measuring an appearance model as the product serves it, on clips of known horses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.domain.errors import OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.ports import Embedder
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import EQUINE26
from engine.sources.pictures import ArrayPicture
from engine.training.embedder_data import ClipEntry, clip_frames, listed_clips
from engine.training.pose_data import hull_box, is_held_out
from engine.training.reid_metrics import (
    ClipVectors,
    acceptance_threshold,
    earliest_days,
    outcomes,
    own_likeness,
    stranger_likeness,
    summary,
)

Report = dict[str, object]
FindHorse = Callable[[Image], FloatArray | None]
"""Picture BGR -> box (4,) of its clearest horse, or None."""

LEAST_LANDMARKS = 4
_AT_ONCE = 16


def evaluate_reid(
    embedder: Embedder, data: Path, find_horse: FindHorse | None = None,
    held_out_only: bool = False, suppress: bool = True, every: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> Report:  # fmt: skip
    """Each horse's earliest day is the gallery; each later clip asks by its mean vector.

    Boxes and outlines come from the keypoints; clips without a keypoint file need ``find_horse``
    and are not suppressed. OperatorMistake for folders of another layout, missing or damaged files,
    or when no horse has a second day.
    """
    entries = listed_clips(data)
    if held_out_only:
        entries = [e for e in entries if is_held_out(f"{data.name}/{e.horse}")]
    clips = []
    for entry in entries:
        clips.append(_clip_vectors(embedder, entry, find_horse, suppress, every))
        tell(f"{len(clips)}/{len(entries)} clips described")
    first = earliest_days(clips)
    found = outcomes(clips) if clips else []
    if not found:
        raise OperatorMistake(
            f"{data} has no horse with clips of two days.", "There is nothing to ask about."
        )
    strangers, own = stranger_likeness(clips), own_likeness(clips)
    threshold = acceptance_threshold(strangers)
    return {
        **summary(found),
        "queries": len(found),
        "horses": len(first),
        "horses_asked": len({o.horse for o in found}),
        "clips": len(clips),
        "frames": sum(len(c.frames) for c in clips),
        "background": "suppressed" if suppress else "not suppressed",
        "threshold_at_fa1": threshold if len(strangers) else None,
        "accepted_at_fa1": float((own >= threshold).mean()) if len(own) else None,
        "wrong": {o.clip: o.place for o in found if o.place},
    }


def _clip_vectors(
    embedder: Embedder, clip: ClipEntry, find_horse: FindHorse | None, suppress: bool, every: int
) -> ClipVectors:
    jobs: list[tuple[ArrayPicture, FloatArray]] = []
    poses: list[PoseBatch | None] = []
    vectors: list[FloatArray] = []

    def finish() -> None:
        answered = embedder.embed(jobs, poses if suppress else None)
        vectors.extend(found[0] for found in answered)
        jobs.clear()
        poses.clear()

    for picture, landmarks in clip_frames(clip, every):
        bgr = np.ascontiguousarray(picture[:, :, ::-1])
        box, pose = _where(clip, bgr, landmarks, find_horse)
        if box is None:
            continue
        jobs.append((ArrayPicture(bgr), box[None]))
        poses.append(pose)
        if len(jobs) == _AT_ONCE:
            finish()
    if jobs:
        finish()
    if not vectors:
        raise OperatorMistake(f"No horse was found in the clip {clip.name!r}.")
    return ClipVectors(clip.name, clip.horse, clip.day, np.stack(vectors))


def _where(
    clip: ClipEntry, picture_bgr: Image, landmarks: FloatArray | None, find_horse: FindHorse | None
) -> tuple[FloatArray | None, PoseBatch | None]:
    """Box (4,) and pose of the horse of a frame, None where there is none to be had."""
    if clip.keypoints is None:
        if find_horse is None:
            raise OperatorMistake(
                f"The clip {clip.name!r} has no keypoints file and no detector is at hand."
            )
        return find_horse(picture_bgr), None
    if landmarks is None or (landmarks[:, 2] > 0).sum() < LEAST_LANDMARKS:
        return None, None
    pose = PoseBatch(landmarks[None, :, :2].copy(), landmarks[None, :, 2].copy(), EQUINE26)
    return hull_box(landmarks), pose
