"""Did two horses change places when they met? Appearance after the meeting tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.domain.geometry import FloatArray, box_areas_px2
from engine.identity.cases import Case, Meeting
from engine.identity.gallery import HorseGallery, pair_similarity
from engine.identity.rules import CROSSING_APART, CROSSING_OVERLAP, Rules

CROPS_AFTER = 3
"""Good crops of each horse after the meeting before it is judged."""
FORGET_S = 60.0
"""A meeting that gave no good crops for so long is not judged any more."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Two tracks whose appearances fit better when exchanged. ``lead``: by how much on average;
    ``sure``: beyond doubt, each looks like the other's horse."""

    one: Case
    other: Case
    met_at: datetime
    lead: float
    sure: bool


def shared_parts(boxes_xyxy_px: FloatArray) -> FloatArray:
    """Overlap of every pair as a share of the smaller box, float32 (N, N) in 0..1."""
    top_left = np.maximum(boxes_xyxy_px[:, None, :2], boxes_xyxy_px[None, :, :2])
    bottom_right = np.minimum(boxes_xyxy_px[:, None, 2:], boxes_xyxy_px[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0.0, None)
    areas = box_areas_px2(boxes_xyxy_px)
    smaller = np.maximum(np.minimum(areas[:, None], areas[None, :]), 1e-9)
    shares: FloatArray = (sides[..., 0] * sides[..., 1] / smaller).astype(np.float32)
    return shares


def note_meetings(cases: Sequence[Case], shares: FloatArray, at: datetime, now_s: float) -> None:
    """Remember who met whom, and when they parted, from the tracks of one picture."""
    places = {case.track_id: place for place, case in enumerate(cases)}
    for i, j in np.argwhere(np.triu(shares >= CROSSING_OVERLAP, 1)).tolist():
        one, other = cases[i], cases[j]
        meeting = one.meetings.get(other.track_id)
        if meeting is None or meeting.parted_mono_s is not None:
            one.meetings[other.track_id] = Meeting(other.track_id, at, now_s)
    for i, one in enumerate(cases):
        for meeting in one.meetings.values():
            place = places.get(meeting.other)
            together = meeting.parted_mono_s is None and place is not None
            if together and shares[i, place] < CROSSING_APART:
                meeting.parted_mono_s = now_s


def judged(
    cases: Sequence[Case], gallery: HorseGallery, rules: Rules, now_s: float
) -> Iterator[Crossing]:
    """Meetings that can be judged now and look like an exchange; judged ones are forgotten."""
    by_track = {case.track_id: case for case in cases}
    for one in cases:
        for meeting in list(one.meetings.values()):
            parted_s = meeting.parted_mono_s
            other = by_track.get(meeting.other)
            if parted_s is None or other is None:
                continue
            if now_s - parted_s > FORGET_S:
                del one.meetings[meeting.other]
                continue
            after_one, after_other = one.recent_vectors(parted_s), other.recent_vectors(parted_s)
            if len(after_one) < CROPS_AFTER or len(after_other) < CROPS_AFTER:
                continue
            del one.meetings[meeting.other]
            crossing = _compare(one, other, after_one, after_other, meeting, gallery, rules)
            if crossing is not None:
                yield crossing


def _compare(
    one: Case,
    other: Case,
    after_one: FloatArray,
    after_other: FloatArray,
    meeting: Meeting,
    gallery: HorseGallery,
    rules: Rules,
) -> Crossing | None:
    if one.horse_id is None or other.horse_id is None or one.horse_id == other.horse_id:
        return None
    first, second = gallery.vectors(one.horse_id), gallery.vectors(other.horse_id)
    if not len(first) or not len(second):
        return None
    swapped = (pair_similarity(after_one, second), pair_similarity(after_other, first))
    stayed = (pair_similarity(after_one, first), pair_similarity(after_other, second))
    lead = (sum(swapped) - sum(stayed)) / 2.0
    if lead < rules.swap_lead:
        return None
    sure = lead >= 2.0 * rules.swap_lead and min(swapped) >= rules.accept
    return Crossing(one, other, meeting.began_at, lead, sure)
