"""The tracker of one camera: predict, two association passes, birth, loss and closing.

A track is TENTATIVE until ``tentative_hits`` detections, ACTIVE while seen, LOST after its first
miss and CLOSED ``lost_after_s`` later. Everything is columns; Python objects are made only for
births and closings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch
from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, StreamId, TrackId, new_track_id
from engine.domain.ports import TrackSummary
from engine.domain.tracks import TrackBatch, TrackState
from engine.settings import TrackingSettings
from engine.tracking.appearance import TrackAppearance
from engine.tracking.assignment import assign, covered_shares, gate, pair_costs
from engine.tracking.colours import COLOUR_NAMES, colour_index
from engine.tracking.confidence import track_confidence
from engine.tracking.gallery import Galleries
from engine.tracking.motion import BoxMotion, to_corners

FIRST_PASS_COST = 0.8
"""Highest cost of a confident pair: an IoU of 0.2 without appearance."""
SECOND_PASS_COST = 0.5
"""Highest cost of a weak pair, by overlap alone (ByteTrack, Zhang et al. 2022)."""
TENTATIVE_LIFE_S = 1.0
"""A tentative track unseen for this long was noise."""
SCORE_KEEP = 0.8
"""Share of the old value in the running mean of detection scores."""


@dataclass(frozen=True, slots=True)
class _Birth:
    """What never changes about a track."""

    id: TrackId
    at: datetime


class _Columns:
    """Bookkeeping columns of the live tracks, one row each."""

    def __init__(self) -> None:
        self.numbers = np.zeros(0, np.int64)
        self.classes = np.zeros(0, np.int16)
        self.states = np.zeros(0, np.int8)
        self.colours = np.zeros(0, np.int8)
        self.hits = np.zeros(0, np.float32)
        self.scores = np.zeros(0, np.float32)
        self.seen_mono_s = np.zeros(0, np.float64)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        for name, column in vars(self).items():
            setattr(self, name, column[rows])

    def append(self, **columns: NDArray[np.generic]) -> None:
        for name, values in columns.items():
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, values.astype(old.dtype)]))


class Tracker:
    """Tracks the subjects of one camera. Used by one thread."""

    def __init__(
        self,
        stream_id: StreamId,
        settings: TrackingSettings,
        on_closed: Callable[[TrackSummary], None] | None = None,
        first_number: int = 1,
    ) -> None:
        self.stream_id = stream_id
        self.settings = settings
        self._on_closed = on_closed
        self._next_number = first_number
        self._motion = BoxMotion()
        self._looks = TrackAppearance()
        self._galleries = Galleries()
        self._columns = _Columns()
        self._births: list[_Birth] = []
        self._horses: list[HorseId | None] = []
        self._seen_at: list[datetime] = []
        self._last_mono_s: float | None = None

    def __len__(self) -> int:
        """Live tracks, lost ones included."""
        return len(self._births)

    def update(
        self,
        detections: DetectionBatch,
        stamp: FrameStamp,
        confident_from: float,
        embeddings: FloatArray | None = None,
    ) -> TrackBatch:
        """Associate one picture's detections; returns the tracks seen in it.

        ``detections`` includes weak ones (down to ``settings.weak_confidence``): they keep known
        tracks alive and never start one. ``embeddings`` float32 (len(detections), D) unit vectors.
        Pictures must come in order of capture; an older one is refused with an empty batch.
        """
        now_s = stamp.captured_mono_s
        elapsed_s = 0.0 if self._last_mono_s is None else now_s - self._last_mono_s
        if elapsed_s < 0:
            return TrackBatch.empty()
        self._last_mono_s = now_s
        unseen = self._columns.states == TrackState.LOST
        predicted = self._motion.predict(elapsed_s, unseen)
        rows, picks = self._associate(predicted, detections, embeddings, now_s, confident_from)
        self._take_hits(rows, picks, detections, embeddings, stamp)
        born = self._start(detections, picks, embeddings, stamp, confident_from)
        seen_rows = np.concatenate([rows, born[0]])
        seen_picks = np.concatenate([picks, born[1]])
        self._mark_missed(seen_rows)
        batch = self._batch(seen_rows, seen_picks, detections)
        self._close_old(now_s)
        return batch

    def finish(self) -> None:
        """Close every track (the stream stopped)."""
        self._close(np.ones(len(self), np.bool_))

    # --- identity -----------------------------------------------------------------------------

    def gallery(self, track_id: TrackId) -> tuple[FloatArray, FloatArray]:
        """A live track's diverse appearance vectors, unit float32 (k, D), and their qualities.

        Qualities float32 (k,) in 0..1: detection score times the share of the box that no other
        box covers. k is 0 to 16; 0 also when the track is closed or no appearance model runs.
        """
        row = self._row(track_id)
        if row is None:
            return np.zeros((0, self._galleries.width), np.float32), np.zeros(0, np.float32)
        return self._galleries.of(row)

    def identify(self, track_id: TrackId, horse_id: HorseId | None) -> bool:
        """Say which horse a live track shows (None: not known); later batches carry it.

        False, and nothing changes, when the track is closed, or when another track that was seen
        in the latest picture already shows that horse: two horses seen at once are never one.
        To exchange two horses take one away first (``identify(track, None)``).
        """
        row = self._row(track_id)
        if row is None:
            return False
        if horse_id is not None and self._in_view(row) and horse_id in self._shown(besides=row):
            return False
        self._horses[row] = horse_id
        return True

    def horse_of(self, track_id: TrackId) -> HorseId | None:
        """The horse a live track shows, None when unidentified or closed."""
        row = self._row(track_id)
        return None if row is None else self._horses[row]

    def _row(self, track_id: TrackId) -> int | None:
        return next((row for row, b in enumerate(self._births) if b.id == track_id), None)

    def _in_view(self, row: int) -> bool:
        return bool(self._columns.seen_mono_s[row] == self._last_mono_s)

    def _shown(self, besides: int) -> set[HorseId]:
        """Horses of the tracks seen in the latest picture."""
        return {
            horse
            for row, horse in enumerate(self._horses)
            if horse is not None and row != besides and self._in_view(row)
        }

    # --- association --------------------------------------------------------------------------

    def _associate(
        self,
        predicted: FloatArray,
        detections: DetectionBatch,
        embeddings: FloatArray | None,
        now_s: float,
        confident_from: float,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        allowed = gate(predicted, detections.boxes_xyxy_px, now_s - self._columns.seen_mono_s)
        allowed &= self._columns.classes[:, None] == detections.class_ids[None, :]
        similarity = self._looks.similarity(embeddings)
        weights = (self.settings.iou_weight, self.settings.appearance_weight)
        costs = pair_costs(predicted, detections.boxes_xyxy_px, similarity, *weights)
        confident = detections.scores >= confident_from
        rows, picks = assign(costs, allowed & confident[None, :], FIRST_PASS_COST)
        free_rows = np.ones(len(self), np.bool_)
        free_rows[rows] = False
        active = self._columns.states == TrackState.ACTIVE
        weak = (free_rows & active)[:, None] & ~confident[None, :]
        by_overlap = pair_costs(predicted, detections.boxes_xyxy_px, None, 1.0, 0.0)
        weak_rows, weak_picks = assign(by_overlap, allowed & weak, SECOND_PASS_COST)
        return np.concatenate([rows, weak_rows]), np.concatenate([picks, weak_picks])

    def _take_hits(
        self,
        rows: NDArray[np.intp],
        picks: NDArray[np.intp],
        detections: DetectionBatch,
        embeddings: FloatArray | None,
        stamp: FrameStamp,
    ) -> None:
        columns = self._columns
        self._motion.correct(rows, detections.boxes_xyxy_px[picks])
        if embeddings is not None and len(rows):
            self._looks.blend(rows, embeddings[picks])
            self._learn(rows, picks, detections, embeddings)
        columns.hits[rows] += 1
        mixed = SCORE_KEEP * columns.scores[rows] + (1 - SCORE_KEEP) * detections.scores[picks]
        columns.scores[rows] = mixed
        columns.seen_mono_s[rows] = stamp.captured_mono_s
        sure = columns.hits[rows] >= self.settings.tentative_hits
        columns.states[rows] = np.where(sure, TrackState.ACTIVE, TrackState.TENTATIVE)
        for row in rows:
            self._seen_at[row] = stamp.captured_at

    def _learn(
        self,
        rows: NDArray[np.intp],
        picks: NDArray[np.intp],
        detections: DetectionBatch,
        embeddings: FloatArray,
    ) -> None:
        clear = 1.0 - covered_shares(detections.boxes_xyxy_px)[picks]
        self._galleries.offer(rows, embeddings[picks], detections.scores[picks] * clear)

    def _start(
        self,
        detections: DetectionBatch,
        taken: NDArray[np.intp],
        embeddings: FloatArray | None,
        stamp: FrameStamp,
        confident_from: float,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        free = detections.scores >= confident_from
        free[taken] = False
        picks = np.flatnonzero(free)
        count, first = len(picks), len(self)
        if not count:
            return picks, picks
        births = [_Birth(new_track_id(), stamp.captured_at) for _ in range(count)]
        colours = self._taken_colours()
        chosen: list[int] = []
        for birth in births:
            chosen.append(colour_index(birth.id, [*colours, *chosen]))
        self._motion.add(detections.boxes_xyxy_px[picks])
        self._looks.add(count, None if embeddings is None else embeddings[picks])
        state = TrackState.ACTIVE if self.settings.tentative_hits <= 1 else TrackState.TENTATIVE
        self._columns.append(
            numbers=np.arange(self._next_number, self._next_number + count),
            classes=detections.class_ids[picks],
            states=np.full(count, state),
            colours=np.array(chosen),
            hits=np.ones(count),
            scores=detections.scores[picks],
            seen_mono_s=np.full(count, stamp.captured_mono_s),
        )
        self._next_number += count
        self._births += births
        self._horses += [None] * count
        self._seen_at += [stamp.captured_at] * count
        rows = np.arange(first, first + count)
        self._galleries.add(count)
        if embeddings is not None:
            self._learn(rows, picks, detections, embeddings)
        return rows, picks

    def _taken_colours(self) -> list[int]:
        """Colours no new track may have: of all live tracks, a lost one may come back; once those
        use all ten, of the tracks in view alone."""
        colours, lost = self._columns.colours, self._columns.states == TrackState.LOST
        every = {int(colour) for colour in colours}
        if len(every) < len(COLOUR_NAMES):
            return list(every)
        return [int(colour) for colour in colours[~lost]]

    def _mark_missed(self, seen_rows: NDArray[np.intp]) -> None:
        missed = np.ones(len(self), np.bool_)
        missed[seen_rows] = False
        missed &= self._columns.states == TrackState.ACTIVE
        self._columns.states[missed] = TrackState.LOST

    # --- what goes out ------------------------------------------------------------------------

    def _batch(
        self, rows: NDArray[np.intp], picks: NDArray[np.intp], detections: DetectionBatch
    ) -> TrackBatch:
        columns = self._columns
        velocity = self._motion.velocity[rows]
        height = np.maximum(self._motion.position[rows, 3], 1.0)
        speeds = (np.linalg.norm(velocity[:, :2], axis=1) / height).astype(np.float32)
        agreement = self._looks.agreement[rows] if self._looks.known else None
        return TrackBatch(
            boxes_xyxy_px=detections.boxes_xyxy_px[picks],
            velocities_px_s=to_corners(velocity),
            scores=detections.scores[picks],
            confidences=track_confidence(
                columns.scores[rows], columns.hits[rows], agreement, speeds
            ),
            class_ids=columns.classes[rows],
            states=columns.states[rows],
            numbers=columns.numbers[rows],
            colours=columns.colours[rows],
            track_ids=tuple(self._births[row].id for row in rows),
            horse_ids=tuple(self._horses[row] for row in rows),
        )

    def _close_old(self, now_s: float) -> None:
        unseen_s = now_s - self._columns.seen_mono_s
        tentative = self._columns.states == TrackState.TENTATIVE
        old = unseen_s > self.settings.lost_after_s
        old |= tentative & (unseen_s > TENTATIVE_LIFE_S)
        if old.any():
            self._close(old)

    def _close(self, gone: NDArray[np.bool_]) -> None:
        for row in np.flatnonzero(gone):
            if self._columns.states[row] != TrackState.TENTATIVE:
                self._report(int(row))
        self._motion.keep(~gone)
        self._looks.keep(~gone)
        self._galleries.keep(~gone)
        self._columns.keep(~gone)
        self._horses = [h for h, out in zip(self._horses, gone, strict=True) if not out]
        self._births = [b for b, out in zip(self._births, gone, strict=True) if not out]
        self._seen_at = [t for t, out in zip(self._seen_at, gone, strict=True) if not out]

    def _report(self, row: int) -> None:
        if self._on_closed is None:
            return
        columns = self._columns
        confidence = track_confidence(
            columns.scores[row : row + 1],
            columns.hits[row : row + 1],
            self._looks.agreement[row : row + 1] if self._looks.known else None,
            np.zeros(1, np.float32),
        )
        self._on_closed(
            TrackSummary(
                track_id=self._births[row].id,
                stream_id=self.stream_id,
                number=int(columns.numbers[row]),
                class_id=int(columns.classes[row]),
                started_at=self._births[row].at,
                ended_at=self._seen_at[row],
                detections=int(columns.hits[row]),
                confidence=float(confidence[0]),
            )
        )
