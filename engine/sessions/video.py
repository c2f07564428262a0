"""A whole video analysed as the work of one horse.

Read top-down: pictures at the rate of the mode -> everything seen -> the tracks that are the one
horse -> its poses, gaits and strides -> figures and where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import ModelUnavailable, OperatorMistake, SourceEnded
from engine.domain.frames import FrameStamp, Picture
from engine.domain.ids import StreamId, TrackId
from engine.domain.ports import FrameSource
from engine.domain.recording import JobCancelled, JobContext
from engine.domain.sessions import (
    HeatMap,
    HeatMapUnit,
    ScaleKind,
    SessionId,
    SessionMetrics,
    SessionMode,
    SessionResult,
)
from engine.domain.streams import SourceKind, Stream
from engine.models.model_set import ModelSet
from engine.motion.calibration import read_ground
from engine.reanalysis.columns import Seen, columns_of, without_gaps
from engine.reanalysis.sightings import RecordedPicture, Sighting, Watcher
from engine.sessions.camera_motion import CameraMotion
from engine.sessions.facts import SessionFacts
from engine.sessions.heat_map import heat_map
from engine.sessions.joining import most_at_once, one_horse, tracklets_of
from engine.sessions.metrics import measured
from engine.sessions.one_horse import Posed, facts_of, posed
from engine.sessions.scales import scale_of
from engine.settings import EngineSettings
from engine.sources.file import open_file

_LOOKED = 0.92
"""Share of the work that looking at the pictures is."""
_USUAL_FPS = 25.0
_LEAST_SEEN_S = 1.0
_NAMES = UUID("8d3c86f0-7d0c-4a47-9f3b-1e5b7cc5f1a2")


@dataclass(frozen=True, slots=True)
class VideoToAnalyse:
    """A video file and what is known of it. ``start_at``: when its first picture was taken.
    ``height_m``: of the horse at the withers, None where nobody said it. ``extra``: that of the
    camera it was taken with (``Stream.extra``), for its ground. ``expected_s``: how long it says it
    is, for progress."""

    session_id: SessionId
    path: Path
    mode: SessionMode
    start_at: datetime
    analysed_at: datetime
    height_m: float | None = None
    stream_id: StreamId | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    expected_s: float | None = None

    @property
    def track_id(self) -> TrackId:
        """The one track that strides of an uploaded video belong to."""
        return TrackId(uuid5(_NAMES, f"track of {self.session_id}"))

    @property
    def camera_id(self) -> StreamId:
        """The camera it was taken with, or one made up for it."""
        return self.stream_id or StreamId(uuid5(_NAMES, f"camera of {self.session_id}"))


@dataclass(frozen=True, slots=True)
class VideoFindings:
    """What was found. ``seen``: of the horse, by picture of ``sightings``. ``end_at``: of the last
    picture. ``pictures`` that were decoded, ``corrupt`` parts that could not be."""

    result: SessionResult
    facts: SessionFacts
    sightings: tuple[Sighting, ...]
    seen: Mapping[int, Seen]
    end_at: datetime
    decoded: int
    corrupt: int


@dataclass
class _Tape:
    """What reading the video told so far."""

    decoded: int = 0
    corrupt: int = 0
    last_s: float = -math.inf
    camera: CameraMotion = field(default_factory=CameraMotion)


class VideoAnalysis:
    """Analyses videos with ``models``. Used by the one thread that owns them."""

    def __init__(self, models: ModelSet, settings: EngineSettings) -> None:
        self._models = models
        self._settings = settings

    def analyse(self, work: VideoToAnalyse, context: JobContext) -> VideoFindings:
        """Look at every picture of the mode. Raises JobCancelled; SourceUnreadable for what is no
        video; OperatorMistake where no horse is seen for a second; ModelUnavailable."""
        pose = self._models.pose
        if pose is None or not self._settings.pose.enabled:
            raise ModelUnavailable("There is no pose model to analyse sessions with.")
        tape = _Tape()
        sightings = self._watch(work, context, tape)
        one = _one_horse(sightings)
        context.progress(_LOOKED, "gaits and strides")
        # A camera whose ground is known hangs where it hangs.
        ground = read_ground(work.extra)
        camera_px = tape.camera.camera_px() if ground is None else None
        found = posed(
            sightings, one.seen, pose.skeleton, self._settings.motion, ground, work.height_m,
            camera_px,
        )  # fmt: skip
        usual_m = self._settings.motion.withers_height_m
        duration_s = tape.last_s + one.step_s
        facts, followed = facts_of(
            found, work.track_id, work.camera_id, work.start_at, duration_s,
            scale_of(found.series.scales_px_m, ground is not None, work.height_m, usual_m),
            ground is not None and ground.calibration is not None,
        )  # fmt: skip
        if context.cancelled:
            raise JobCancelled
        moved = camera_px is not None
        metrics = SessionMetrics(
            session_id=work.session_id,
            values=measured(facts),
            scale=facts.scale,
            duration_s=duration_s,
            seen_s=facts.seen_s,
            analysed_at=work.analysed_at,
            pictures=len(sightings),
            fps=1.0 / one.step_s,
            tracks=len(one.numbers),
            horses=one.most_at_once,
            models=(str(self._models.detector.model_id), str(pose.model_id)),
            remarks=_remarks(facts, one, followed, moved),
        )
        maps = () if moved else _maps(found, facts, work.stream_id)
        return VideoFindings(
            SessionResult(metrics, facts.strides, maps), facts, tuple(sightings), one.seen,
            work.start_at + timedelta(seconds=duration_s), tape.decoded, tape.corrupt,
        )  # fmt: skip

    def _watch(self, work: VideoToAnalyse, context: JobContext, tape: _Tape) -> list[Sighting]:
        stream = Stream(
            id=work.camera_id, name=work.path.name, kind=SourceKind.FILE,
            address=str(work.path), loop=False, realtime=False,
        )  # fmt: skip

        def told(count: int) -> None:
            if context.cancelled:
                raise JobCancelled
            if work.expected_s:
                share = min(max(tape.last_s, 0.0) / work.expected_s, 1.0)
                context.progress(_LOOKED * share, f"{count} pictures")

        with closing(open_file(stream, self._settings.capture)) as source:
            fps = min(source.nominal_fps or _USUAL_FPS, work.mode.most_fps)
            watcher = Watcher(self._models, self._settings, work.camera_id, None, fps)
            pictures = _pictures(work, source, tape, told)
            return watcher.watch(_followed(pictures, tape.camera, watcher), told)


def _pictures(
    work: VideoToAnalyse, source: FrameSource, tape: _Tape, told: Callable[[int], None]
) -> Iterator[RecordedPicture]:
    """Pictures of the mode with stamps in the video's own time, which only ever grows."""
    least_s = 1.0 / work.mode.most_fps
    nominal = source.nominal_fps or _USUAL_FPS
    due_s, taken = -math.inf, 0
    for t_s, picture in _decoded(source, tape, nominal):
        # Rates that do not divide keep their mean: the next one is due a step after the last was.
        if t_s < due_s - 0.25 * least_s:
            told(taken)
            continue
        due_s = max(due_s + least_s, t_s + 0.5 * least_s) if taken else t_s + least_s
        at = work.start_at + timedelta(seconds=t_s)
        yield RecordedPicture(FrameStamp(work.camera_id, taken, at, t_s, t_s), picture)
        taken += 1


def _followed(
    pictures: Iterator[RecordedPicture], camera: CameraMotion, watcher: Watcher
) -> Iterator[RecordedPicture]:
    """The pictures, with the camera's own movement followed beside them."""
    for one in pictures:
        camera.follow(one.picture, watcher.latest_boxes_px)
        yield one


def _decoded(source: FrameSource, tape: _Tape, nominal: float) -> Iterator[tuple[float, Picture]]:
    first_s: float | None = None
    while True:
        try:
            shot = source.read()
        except SourceEnded:
            return
        pts_s = tape.decoded / nominal if shot.pts_s is None else shot.pts_s
        first_s = pts_s if first_s is None else first_s
        t_s = max(pts_s - first_s, tape.last_s + 1e-4, 0.0)
        tape.last_s = t_s
        tape.decoded += 1
        tape.corrupt += shot.corrupt
        yield t_s, shot.picture


@dataclass(frozen=True, slots=True)
class _OneHorse:
    """The horse that fills most of the video: its tracks, what was seen of it by picture, the usual
    time between pictures, and how many horses there were at once."""

    numbers: tuple[int, ...]
    seen: Mapping[int, Seen]
    step_s: float
    most_at_once: int


def _one_horse(sightings: list[Sighting]) -> _OneHorse:
    """Raises OperatorMistake where none is seen for a second."""
    times_s = np.array([s.stamp.captured_mono_s for s in sightings], np.float64)
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1 / _USUAL_FPS
    tracklets = tracklets_of(sightings)
    numbers = one_horse(tracklets, times_s)
    seen = _seen_of(sightings, numbers, times_s)
    if len(seen) * step_s < _LEAST_SEEN_S:
        raise OperatorMistake(
            "No horse was seen in this video for as long as a second.",
            "Film the horse from the side, as a whole, and at least 120 pixels tall.",
        )
    return _OneHorse(numbers, seen, step_s, most_at_once(tracklets, times_s))


def _seen_of(
    sightings: list[Sighting], chosen: tuple[int, ...], times_s: NDArray[np.float64]
) -> Mapping[int, Seen]:
    """The chosen tracks as one, short gaps closed. Where two of them overlap, the surer counts."""
    names = []
    for sighting in sightings:
        mine = np.flatnonzero(np.isin(sighting.numbers, chosen))
        named = np.full(len(sighting.numbers), -1, np.int64)
        if len(mine):
            named[mine[int(np.argmax(sighting.scores[mine]))]] = 0
        names.append(named)
    seen = columns_of(sightings, names).get(0, {})
    return without_gaps(seen, times_s)[0] if seen else {}


def _maps(found: Posed, facts: SessionFacts, stream_id: StreamId | None) -> tuple[HeatMap, ...]:
    """On the ground where it is calibrated by four points, else in the picture."""
    on_ground = bool(np.isfinite(found.feet_m).any())
    made = heat_map(
        found.feet_m if on_ground else found.feet,
        facts.dt_s,
        HeatMapUnit.METRES if on_ground else HeatMapUnit.SHARES,
        stream_id,
    )
    return () if made is None else (made,)


def _remarks(facts: SessionFacts, one: _OneHorse, followed: bool, moved: bool) -> tuple[str, ...]:
    remarks = []
    if facts.scale.kind is ScaleKind.USUAL_BODY:
        remarks.append(
            f"Nobody said how tall the horse is: {facts.scale.height_m:.2f} m at the withers are "
            "taken. Lengths and speeds of a pony are told too large."
        )
    if one.most_at_once > 1:
        remarks.append(
            f"Up to {one.most_at_once} horses were seen at once; the figures are of the one that "
            "fills most of the video."
        )
    if len(one.numbers) > 1:
        remarks.append(
            f"The horse was lost and found again: {len(one.numbers)} tracks were joined."
        )
    if moved:
        remarks.append(
            "The camera moved: its movement was taken off by what stands still in the pictures. "
            "Speeds are less sure than from a fixed camera, and there is no map."
        )
    if followed:
        remarks.append("Part of the time only the hooves told the speed of the horse.")
    return tuple(remarks)
