"""The tracker of one camera: predict, associate in passes, birth, loss and closing.

A track is TENTATIVE until ``tentative_hits`` detections, ACTIVE while seen, LOST after its first
miss and CLOSED ``lost_after_s`` later. Everything is columns; Python objects are made only for
births and closings. A track begun by an unsure detection is given out once it is confirmed or a
very sure detection continues it, so that ghosts do not flicker over the picture.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch
from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray, box_areas_px2
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.ports import TrackSummary
from engine.domain.tracks import TrackBatch
from engine.settings import TrackingSettings
from engine.tracking.appearance import TrackAppearance
from engine.tracking.assignment import Mask, covered_shares
from engine.tracking.association import Likeness, Sightings, Standing, associate, sure_from
from engine.tracking.confidence import track_confidence
from engine.tracking.gallery import Galleries
from engine.tracking.motion import BoxMotion, Columns, to_corners
from engine.tracking.operands import operand
from engine.tracking.table import ACTIVE, LOST, NO_NUMBER, TENTATIVE, TrackTable

TENTATIVE_LIFE_S = 1.0
"""A tentative track unseen for this long was noise."""
VERY_SURE_MARGIN, VERY_SUREST = 0.45, 0.9
"""A detection this much above the threshold is given out at first sight."""
PART_COVER = 0.4
"""A detection lying this much inside a larger, surer one may be a part of that horse: it needs
``PART_PATIENCE`` times the hits to be confirmed, and is not given out before."""
PART_PATIENCE = 3
CLEAR_SHARE = 0.5
"""Crops less clear than this are mixed with another horse: a track's look is not averaged with
them."""
OTHER_CLEAR_SHARE = 0.8
OTHER_MARGIN = 0.25
"""A crop this clear whose likeness lies this far below that of the same horse shows another one."""
LIKE_MARGIN = 0.15
"""Who comes after more than a moment to where a horse was last seen is that horse only if it looks
so to within this much."""
HALF = operand(0.5)
"""Boxes are given out halfway between the detection and the filter: a detector's error changes from
picture to picture, the filter's does not."""

NO_ROWS = np.zeros(0, np.intp)
NO_BOXES = np.zeros((0, 4), np.float32)

Rows = NDArray[np.intp]


class Tracker:
    """Tracks the subjects of one camera. Used by one thread.

    ``on_closed`` gets every confirmed track when it ends. ``first_number``: numbering goes on after
    the highest number that was given out before.
    """

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
        self._motion = BoxMotion()
        self._looks = TrackAppearance()
        self._galleries = Galleries()
        self._table = TrackTable(first_number)
        self._last_mono_s: float | None = None

    def __len__(self) -> int:
        """Live tracks, lost ones included."""
        return len(self._table)

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
        rows = picks = NO_ROWS
        if len(self):
            lost = self._table.states == LOST
            predicted = self._motion.predict(elapsed_s, lost)
            rows, picks = self._associate(predicted, lost, detections, confident_from, embeddings)
            self._take_hits(rows, picks, lost, detections, stamp)
        if len(picks) < len(detections):
            born = self._begin(picks, detections, stamp, confident_from)
            rows = np.concatenate([rows, np.arange(len(self) - len(born), len(self))])
            picks = np.concatenate([picks, born])
        if embeddings is not None:
            self._learn(rows, picks, detections, embeddings)
        missing = len(rows) < len(self)
        if missing:
            self._table.miss(rows)
        batch = self._batch(*self._shown(rows, picks, detections, confident_from), detections)
        if missing:
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
        row = self._table.row(track_id)
        if row is None:
            return np.zeros((0, self._galleries.width), np.float32), np.zeros(0, np.float32)
        return self._galleries.of(row)

    def identify(self, track_id: TrackId, horse_id: HorseId | None) -> bool:
        """Say which horse a live track shows (None: not known); later batches carry it.

        False, and nothing changes, when the track is closed, or when another track that was seen
        in the latest picture already shows that horse: two horses seen at once are never one.
        To exchange two horses take one away first (``identify(track, None)``). Of two tracks with
        one horse only the one seen last is continued.
        """
        row = self._table.row(track_id)
        if row is None:
            return False
        if horse_id is not None and self._in_view(row) and horse_id in self._in_sight(besides=row):
            return False
        self._table.horses[row] = horse_id
        return True

    def horse_of(self, track_id: TrackId) -> HorseId | None:
        """The horse a live track shows, None when unidentified or closed."""
        row = self._table.row(track_id)
        return None if row is None else self._table.horses[row]

    def _in_view(self, row: int) -> bool:
        return bool(self._table.seen_mono_s[row] == self._last_mono_s)

    def _in_sight(self, besides: int) -> set[HorseId]:
        """Horses of the tracks seen in the latest picture."""
        return {
            horse
            for row, horse in enumerate(self._table.horses)
            if horse is not None and row != besides and self._in_view(row)
        }

    # --- association --------------------------------------------------------------------------

    def _associate(
        self,
        predicted: FloatArray,
        lost: Mask,
        detections: DetectionBatch,
        confident_from: float,
        embeddings: FloatArray | None,
    ) -> tuple[Rows, Rows]:
        gone = lost.nonzero()[0]
        standing = Standing(
            predicted_xyxy_px=predicted,
            straight_xyxy_px=self._motion.straight_on(gone) if len(gone) else NO_BOXES,
            last_xyxy_px=self._motion.last_xyxy_px,
            unseen_s=self._motion.unseen_s,
            lost=lost,
            confirmed=self._table.states != TENTATIVE,
            classes=self._table.classes,
            barred=self._table.barred(),
        )
        seen = Sightings(
            boxes_xyxy_px=detections.boxes_xyxy_px,
            scores=detections.scores,
            classes=detections.class_ids,
            sure=detections.scores >= sure_from(confident_from),
            confident_from=confident_from,
        )
        return associate(standing, seen, self._likeness(embeddings, detections.boxes_xyxy_px))

    def _likeness(
        self, embeddings: FloatArray | None, boxes_xyxy_px: FloatArray
    ) -> Likeness | None:
        if embeddings is None:
            return None
        mean = self._looks.similarity(embeddings)
        if mean is None:
            return None
        best = self._galleries.similarity(embeddings)
        clear = covered_shares(boxes_xyxy_px) <= 1.0 - OTHER_CLEAR_SHARE
        # Comparing with NaN is false: a track without a look is nobody else.
        same, threshold = np.maximum(mean, best), self.settings.similarity_threshold
        unlike = same < threshold - OTHER_MARGIN
        return Likeness(
            mean=mean,
            best=best,
            like=~(same < threshold - LIKE_MARGIN),
            other=unlike & clear[None, :],
            threshold=threshold,
            iou_weight=self.settings.iou_weight,
            appearance_weight=self.settings.appearance_weight,
        )

    def _take_hits(
        self, rows: Rows, picks: Rows, lost: Mask, detections: DetectionBatch, stamp: FrameStamp
    ) -> None:
        boxes = detections.boxes_xyxy_px.take(picks, axis=0)
        scores = detections.scores.take(picks)
        again = lost.take(rows).nonzero()[0]
        if len(again):
            self._motion.replay(rows.take(again), boxes.take(again, axis=0))
        self._motion.correct(rows, boxes, scores)
        self._table.hit(rows, scores, stamp)

    def _begin(
        self, taken: Rows, detections: DetectionBatch, stamp: FrameStamp, confident_from: float
    ) -> Rows:
        """Start tracks from what is left; returns the detections that began one."""
        free = detections.scores >= confident_from
        free[taken] = False
        picks = np.flatnonzero(free)
        if len(picks):
            hits = self.settings.tentative_hits
            needed = np.where(self._parts(detections, picks), PART_PATIENCE * hits, hits)
            classes, scores = detections.class_ids[picks], detections.scores[picks]
            self._table.add(classes, scores, stamp, needed)
            self._motion.add(detections.boxes_xyxy_px[picks])
            self._looks.add(len(picks), None)
            self._galleries.add(len(picks))
        return picks

    def _parts(self, detections: DetectionBatch, picks: Rows) -> Mask:
        """Which of the picked detections may be parts of larger, surer ones."""
        boxes, scores = detections.boxes_xyxy_px, detections.scores
        areas = box_areas_px2(boxes)
        wholes = (areas > areas[picks, None]) & (scores >= scores[picks, None])
        parts: Mask = covered_shares(boxes[picks], boxes, wholes) >= PART_COVER
        return parts

    def _learn(
        self, rows: Rows, picks: Rows, detections: DetectionBatch, embeddings: FloatArray
    ) -> None:
        """Take the new appearance vectors in, each as far as its crop was clear."""
        boxes = detections.boxes_xyxy_px
        clear = 1.0 - covered_shares(boxes)[picks]
        good = (clear >= CLEAR_SHARE) | ~self._looks.has_look(rows)
        if good.any():
            self._looks.blend(rows[good], embeddings[picks[good]])
        self._galleries.offer(rows, embeddings[picks], detections.scores[picks] * clear)

    # --- what goes out ------------------------------------------------------------------------

    def _shown(
        self, rows: Rows, picks: Rows, detections: DetectionBatch, confident_from: float
    ) -> tuple[Rows, Rows]:
        """The seen rows that are given out, and their detections; the new ones get numbers."""
        numbers = self._table.numbers.take(rows)
        if np.count_nonzero(numbers) == len(rows):
            return rows, picks
        first_sight = max(confident_from, min(confident_from + VERY_SURE_MARGIN, VERY_SUREST))
        shown = (numbers != NO_NUMBER) | (self._table.states[rows] == ACTIVE)
        whole = self._table.needed[rows] <= self.settings.tentative_hits
        shown |= (detections.scores[picks] >= first_sight) & whole
        rows, picks = rows[shown], picks[shown]
        self._table.number(rows)
        return rows, picks

    def _batch(self, rows: Rows, picks: Rows, detections: DetectionBatch) -> TrackBatch:
        table = self._table
        kinematics = self._motion.kinematics(rows)
        boxes = to_corners(kinematics[0])
        boxes += detections.boxes_xyxy_px.take(picks, axis=0)
        boxes *= HALF
        ids, horses, each = table.ids, table.horses, rows.tolist()
        return TrackBatch(
            boxes_xyxy_px=boxes,
            velocities_px_s=to_corners(kinematics[1]),
            scores=detections.scores.take(picks),
            confidences=self._confidences(rows, kinematics),
            class_ids=table.classes.take(rows),
            states=table.states.take(rows),
            numbers=table.numbers.take(rows),
            colours=table.colours.take(rows),
            track_ids=tuple([ids[row] for row in each]),
            horse_ids=tuple([horses[row] for row in each]),
            detection_rows=picks,
        )

    def _confidences(self, rows: Rows, kinematics: Columns) -> FloatArray:
        position, velocity = kinematics
        speeds = np.hypot(velocity[0], velocity[1]) / position[3]
        return track_confidence(
            self._table.scores.take(rows),
            self._table.hits.take(rows),
            self._looks.agreement[rows] if self._looks.known else None,
            speeds,
        )

    def _close_old(self, now_s: float) -> None:
        seen_s = self._table.seen_mono_s
        soonest_s = min(self.settings.lost_after_s, TENTATIVE_LIFE_S)
        if now_s - seen_s[seen_s.argmin()] <= soonest_s:
            return
        unseen_s = now_s - seen_s
        old = unseen_s > self.settings.lost_after_s
        old |= (self._table.states == TENTATIVE) & (unseen_s > TENTATIVE_LIFE_S)
        if old.any():
            self._close(old)

    def _close(self, gone: Mask) -> None:
        if self._on_closed is not None:
            rows = np.flatnonzero(gone & (self._table.states != TENTATIVE))
            confidences = self._confidences(rows, self._motion.kinematics(rows))
            for row, confidence in zip(rows.tolist(), confidences.tolist(), strict=True):
                self._on_closed(self._summary(row, confidence))
        for part in (self._motion, self._looks, self._galleries, self._table):
            part.keep(~gone)

    def _summary(self, row: int, confidence: float) -> TrackSummary:
        table = self._table
        return TrackSummary(
            track_id=table.ids[row],
            stream_id=self.stream_id,
            number=int(table.numbers[row]),
            class_id=int(table.classes[row]),
            started_at=table.started_at[row],
            ended_at=table.seen_at(row),
            detections=int(table.hits[row]),
            confidence=confidence,
        )
