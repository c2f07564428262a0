"""One recorded chunk analysed again: every picture, with what is stored and what people corrected.

Read top-down: pictures of the chunk and a little of its neighbours -> everything seen -> which
stored track is which -> people's edits, short gaps -> motion, poses without lag -> overlay, bouts
and strides.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.errors import BarnhandError, ModelUnavailable
from engine.domain.frames import FrameStamp
from engine.domain.ids import ModelId
from engine.domain.motion import TrackMotion
from engine.domain.recording import Chunk, JobCancelled, JobContext
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import Skeleton
from engine.domain.streams import Stream
from engine.domain.tracks import TrackBatch, TrackState
from engine.models.model_set import ModelSet
from engine.pipeline.motion import MotionStage
from engine.reanalysis.columns import (
    Columns,
    Seen,
    columns_of,
    pose_batch,
    with_edits,
    without_gaps,
)
from engine.reanalysis.final_motion import Whole, final_motion
from engine.reanalysis.final_words import put_final_words
from engine.reanalysis.matching import Reference, stored_tracks
from engine.reanalysis.sightings import RecordedPicture, Sighting, Watcher
from engine.reanalysis.stored import DELETED, StoredStretch
from engine.reanalysis.whole_poses import Place, places_of, series_of, with_whole_poses
from engine.recording.layout import overlay_file, video_file
from engine.recording.overlay import entry_of, header_of, read_overlay, skeleton_of
from engine.recording.reader import ChunkReader
from engine.settings import EngineSettings
from engine.tracking.colours import colour_index

log = logging.getLogger(__name__)

CONTEXT_S = 1.5
"""So much of the chunks before and after is looked at too: half of what a gait is judged on."""
_SAME_INSTANT_S = 0.02
_APART_S = 0.002
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChunkToAnalyse:
    """A chunk with its camera, its neighbours where the recording goes on, and what is stored."""

    chunk: Chunk
    stream: Stream
    stretch: StoredStretch
    before: Chunk | None = None
    after: Chunk | None = None


@dataclass(frozen=True, slots=True)
class LaneResult:
    """What the lane found: the final overlay as its JSON object, motion by track, most horses seen
    at once, pictures looked at, and tracks of the lane that are no stored track."""

    overlay: dict[str, Any]
    motions: tuple[TrackMotion, ...]
    horses: int
    pictures: int
    unmatched: int


@dataclass
class _Clock:
    """Seconds since the chunk's start to instants: those the live lane noted, else by the file."""

    chunk: Chunk
    noted: dict[float, datetime] = field(default_factory=dict)

    def at(self, t_s: float) -> datetime:
        noted = self.noted.get(round(t_s, 6))
        return noted or self.chunk.start_at + timedelta(seconds=t_s)

    def seconds(self, at_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """Places of stored instants on the file's clock."""
        start_us = _us(self.chunk.start_at)
        plain = (at_us - start_us) / 1e6
        if not self.noted:
            return plain
        pts = np.array(sorted(self.noted), np.float64)
        known = np.array([(_us(self.noted[p]) - start_us) / 1e6 for p in pts.tolist()])
        nearest = np.abs(plain[:, None] - known[None, :]).argmin(axis=1)
        near = np.abs(known[nearest] - plain) <= _SAME_INSTANT_S
        return np.where(near, pts[nearest], plain)


class ChunkLane:
    """Analyses chunks with ``models``. Used by the one thread that owns them."""

    def __init__(self, models: ModelSet, settings: EngineSettings, media: Path) -> None:
        self._models = models
        self._settings = settings
        self._media = media

    def analyse(self, work: ChunkToAnalyse, context: JobContext) -> LaneResult:
        """Look at a chunk again. Raises JobCancelled, NotFound when its video is not here,
        SourceUnreadable, ModelUnavailable."""
        if self._models.pose is None:
            raise ModelUnavailable("There is no pose model to analyse recordings with.")
        clock = self._clock(work.chunk)
        sightings = self._watch(work, context, clock)
        times_s = np.array([s.stamp.captured_mono_s for s in sightings], np.float64)
        reference = _reference(work.stretch, clock)
        names = stored_tracks(sightings, reference)
        columns = columns_of(sightings, names)
        columns = with_edits(columns, times_s, reference, work.stretch.rows.flags)
        columns = _filled(columns, times_s, reference, work.stretch.rows.flags)
        results = with_whole_poses(
            self._results(work, sightings, columns, clock), self._settings.motion
        )
        inside = (times_s >= 0) & (times_s < work.chunk.duration_s)
        motions = self._motions(work, results, times_s)
        return LaneResult(
            _overlay(work.chunk, results, inside, motions),
            motions,
            max((_horses(results[i]) for i in np.flatnonzero(inside)), default=0),
            int(inside.sum()),
            _unmatched(sightings, names),
        )

    # --- pictures ------------------------------------------------------------------------------

    def _clock(self, chunk: Chunk) -> _Clock:
        """With the instants of what the live lane analysed."""
        clock = _Clock(chunk)
        try:
            overlay = read_overlay(overlay_file(self._media, chunk))
        except (BarnhandError, OSError) as error:
            log.info("chunk %s has no overlay to go by: %s", chunk.id, error)
            return clock
        clock.noted = {round(entry.pts_s, 6): entry.at for entry in overlay.entries}
        return clock

    def _watch(self, work: ChunkToAnalyse, context: JobContext, clock: _Clock) -> list[Sighting]:
        with ChunkReader(video_file(self._media, work.chunk)) as reader:
            expected = len(reader.times_s)
        fps = expected / max(work.chunk.duration_s, 1e-3)
        watcher = Watcher(self._models, self._settings, work.stream.id, work.stream.confidence, fps)

        def told(count: int) -> None:
            if context.cancelled:
                raise JobCancelled
            context.progress(min(0.95 * count / max(expected, 1), 0.95))

        return watcher.watch(self._pictures(work, clock), told)

    def _pictures(self, work: ChunkToAnalyse, clock: _Clock) -> Iterator[RecordedPicture]:
        sequence, last_s = 0, -math.inf
        for chunk, first_s, until_s in _parts(work):
            shift_s = (chunk.start_at - work.chunk.start_at).total_seconds()
            try:
                path = video_file(self._media, chunk)
            except BarnhandError:
                if chunk is work.chunk:
                    raise
                continue
            with ChunkReader(path) as reader:
                for one in reader.pictures(first_s, until_s):
                    t_s = one.pts_s + shift_s
                    # Clocks of neighbours may overlap by some milliseconds: the chunk's own count.
                    if t_s <= last_s or (chunk is work.before and t_s > -_APART_S):
                        continue
                    last_s = t_s + _APART_S
                    stamp = FrameStamp(work.stream.id, sequence, clock.at(t_s), t_s, one.pts_s)
                    sequence += 1
                    yield RecordedPicture(stamp, one.picture)

    # --- results -------------------------------------------------------------------------------

    def _results(
        self, work: ChunkToAnalyse, sightings: Sequence[Sighting], columns: Columns, clock: _Clock
    ) -> list[FrameResult]:
        stage = MotionStage(self._settings.motion, lambda _events: None)
        stage.stream_of = lambda _stream_id: work.stream
        stage.height_of = lambda horse_id: work.stretch.heights_m.get(horse_id)
        pose = self._models.pose
        assert pose is not None
        return [
            stage.run(
                _result(
                    work.stretch,
                    sighting,
                    {t: c[i] for t, c in columns.items() if i in c},
                    pose.skeleton,
                    (self._models.detector.model_id, pose.model_id),
                )
            )
            for i, sighting in enumerate(sightings)
        ]

    def _motions(
        self, work: ChunkToAnalyse, results: Sequence[FrameResult], times_s: NDArray[np.float64]
    ) -> tuple[TrackMotion, ...]:
        chunk, motions = work.chunk, []
        calibrated = "ground" in work.stream.extra
        places = places_of(results)
        for track in work.stretch.tracks:
            rows = places.get(track.id, [])
            if not any(0 <= times_s[i] < chunk.duration_s for i, _ in rows):
                continue
            speeds = _speeds(results, rows) if calibrated else None
            known = [bout for bout in work.stretch.bouts if bout.track_id == track.id]
            whole = Whole(track.id, chunk.stream_id, chunk.start_at, chunk.end_at)
            motions.append(final_motion(whole, series_of(results, rows), speeds, known))
        return tuple(motions)


def _parts(work: ChunkToAnalyse) -> Iterator[tuple[Chunk, float, float | None]]:
    """The chunk and what is looked at of its neighbours: from and to, seconds in their files."""
    if work.before is not None:
        yield work.before, max(work.before.duration_s - CONTEXT_S, 0.0), None
    yield work.chunk, 0.0, None
    if work.after is not None:
        yield work.after, 0.0, CONTEXT_S


def _reference(stretch: StoredStretch, clock: _Clock) -> Reference:
    rows = stretch.rows
    classes = np.array([track.class_id for track in stretch.tracks] or [0], np.int16)
    return Reference(
        clock.seconds(rows.at_us),
        rows.tracks,
        classes[rows.tracks],
        rows.boxes_xyxy_px,
    )


def _filled(
    columns: Columns, times_s: NDArray[np.float64], reference: Reference,
    flags: NDArray[np.int16],
) -> Columns:  # fmt: skip
    filled: Columns = {}
    for track, mine in columns.items():
        gone = reference.t_s[(reference.tracks == track) & (flags & DELETED > 0)]
        blocked = frozenset(
            int(i) for at in gone for i in np.flatnonzero(np.abs(times_s - at) <= 0.25)
        )
        filled[track], _ = without_gaps(mine, times_s, blocked)
    return filled


def _result(
    stretch: StoredStretch, sighting: Sighting, seen: dict[int, Seen], skeleton: Skeleton,
    models: tuple[ModelId, ModelId],
) -> FrameResult:  # fmt: skip
    order = sorted(seen)
    rows = [seen[track] for track in order]
    stored = [stretch.tracks[track] for track in order]
    at = sighting.stamp.captured_at
    owners = [stretch.owner(track.id, at) for track in stored]
    count = len(rows)
    tracks = TrackBatch(
        boxes_xyxy_px=np.array([row.box_xyxy_px for row in rows], np.float32).reshape(count, 4),
        velocities_px_s=np.zeros((count, 4), np.float32),
        scores=np.array([row.score for row in rows], np.float32),
        confidences=np.array([row.confidence for row in rows], np.float32),
        class_ids=np.array([track.class_id for track in stored], np.int16),
        states=np.full(count, TrackState.ACTIVE, np.int8),
        numbers=np.array([track.number for track in stored], np.int64),
        colours=np.array(
            [
                colour_index(track.id) if owner is None else owner.colour
                for track, owner in zip(stored, owners, strict=True)
            ],
            np.int8,
        ),
        track_ids=tuple(track.id for track in stored),
        horse_ids=tuple(None if owner is None else owner.horse_id for owner in owners),
    )
    poses = pose_batch(rows, skeleton)
    return FrameResult(
        sighting.stamp, sighting.width_px, sighting.height_px, tracks, poses, *models,
        Degradation.NONE, sighting.stamp.captured_mono_s,
    )  # fmt: skip


def _speeds(results: Sequence[FrameResult], places: Sequence[Place]) -> NDArray[np.float64]:
    """One track's speeds over the ground, metres a second."""
    motions = [(results[i].motion, row) for i, row in places]
    told = [np.nan if motion is None else motion.speeds_mps[row] for motion, row in motions]
    return np.array(told, np.float64)


def _overlay(
    chunk: Chunk, results: Sequence[FrameResult], inside: NDArray[np.bool_],
    motions: Sequence[TrackMotion],
) -> dict[str, Any]:  # fmt: skip
    size = (chunk.width_px, chunk.height_px)
    skeletons: dict[str, Any] = {}
    entries = []
    for i in np.flatnonzero(inside).tolist():
        result = results[i]
        size = (result.width_px, result.height_px)
        skeletons.update(skeleton_of(result))
        entries.append(entry_of(result, result.stamp.pts_s or 0.0))
    put_final_words(entries, motions)
    header = header_of(chunk.id, chunk.stream_id, chunk.start_at, size)
    return {**header, "final": True, "skeletons": skeletons, "entries": entries}


def _horses(result: FrameResult) -> int:
    return int(result.tracks.confirmed_horses.sum())


def _unmatched(sightings: Sequence[Sighting], names: Sequence[NDArray[np.int64]]) -> int:
    """Horses of the lane that no stored track is."""
    every: set[int] = set()
    matched: set[int] = set()
    for sighting, named in zip(sightings, names, strict=True):
        horses = sighting.class_ids == SubjectClass.HORSE
        every.update(sighting.numbers[horses].tolist())
        matched.update(sighting.numbers[horses & (named >= 0)].tolist())
    return len(every - matched)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
