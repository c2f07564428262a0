"""Moments at which a tracker may take one horse for another: contact with it, or a gap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from engine.domain.geometry import FloatArray
from engine.identity.cases import GAP_S, Case
from engine.identity.crossings import shared_parts
from engine.identity.presence import seen_in
from engine.identity.rules import CONTACT_OVERLAP, LOST_S


def note_contacts(
    cases: Sequence[Case],
    boxes_xyxy_px: FloatArray,
    shares: FloatArray,
    every: Iterable[Case],
    now_s: float,
    at: datetime,
    before_mono_s: float,
) -> None:
    """Begin a new stretch of every seen track that another one may have become.

    cases: tracks in the picture with their boxes float32 (N, 4) and what each pair of boxes shares
    (N, N). every: all live tracks of the camera; lost ones count where they were seen last, for
    behind whom they went they come out again. before_mono_s: the camera's picture before.
    """
    seen = {case.track_id for case in cases}
    lost = [
        case.box_xyxy_px
        for case in every
        if case.track_id not in seen and now_s - case.seen_mono_s < LOST_S
    ]
    nearest = (shares - np.eye(len(cases), dtype=np.float32)).max(axis=1, initial=0.0)
    if lost and cases:
        both = shared_parts(np.concatenate([boxes_xyxy_px, np.stack(lost)]))
        nearest = np.maximum(nearest, both[: len(cases), len(cases) :].max(axis=1))
    for case, box, share in zip(cases, boxes_xyxy_px, nearest.tolist(), strict=True):
        touching = share >= CONTACT_OVERLAP
        if now_s - case.seen_mono_s > GAP_S or touching != case.stretch.touching:
            case.begin_stretch(seen_in(now_s, case.track_id, box), at, touching)
            case.check_mono_s = min(case.check_mono_s, now_s)
        if touching or case.seen_mono_s < before_mono_s:
            case.open_mono_s = now_s
        case.seen_mono_s = now_s
        case.box_xyxy_px = box
