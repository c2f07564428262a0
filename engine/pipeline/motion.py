"""The analyse stage: what the horses of a picture do, as columns, and what lasts, as events.

Runs on the analysis thread, after poses: pose chain, live gait, behaviour, bouts; one state per
track, forgotten when the track closes. Pictures of a camera that turns are left out.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.behaviour.actions import Behaviour, Moving, TrackBehaviour
from engine.behaviour.bouts import BoutTracker, Reading
from engine.behaviour.company import Company, nearness
from engine.behaviour.cues import NOTHING, CueReader
from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import (
    Action,
    BoutKind,
    Gait,
    MotionBatch,
    MotionEvent,
    Posture,
    Stride,
)
from engine.domain.results import FrameResult
from engine.domain.skeletons import Skeleton
from engine.domain.streams import Stream
from engine.domain.tracks import TrackBatch, TrackState
from engine.motion.calibration import Ground, read_ground
from engine.motion.gait import GaitEstimate, LiveGait
from engine.motion.live_strides import LiveStrides
from engine.motion.pose_chain import PoseChain, PoseColumns
from engine.settings import MotionSettings

log = logging.getLogger(__name__)

_FORGET_AFTER_S = 180.0
"""A track unseen for longer never comes back (lost ones are closed after 120 s at most); those that
were never confirmed are not told to be closed."""
_EDGE_PX = 2.0
"""A box that ends nearer to the picture's edge is cut by it."""


@dataclass(slots=True)
class _Track:
    behaviour: TrackBehaviour
    gait: LiveGait | None
    strides: LiveStrides | None
    company: Company
    readings: dict[BoutKind, Reading]
    estimate: GaitEstimate
    gait_since_s: float = math.nan
    seen_s: float = -math.inf


class _Camera:
    """What is remembered of one camera."""

    def __init__(self, stream_id: StreamId, settings: MotionSettings) -> None:
        self.chain = PoseChain(settings)
        self.bouts = BoutTracker(stream_id)
        self.tracks: dict[TrackId, _Track] = {}
        self.stream: Stream | None = None
        self.reader: CueReader | None = None
        self.skeleton: Skeleton | None = None
        self.turned = False
        self._tidied_s = -math.inf

    def tidy(self, now_s: float) -> None:
        """Forget tracks that will not come back; now and then is often enough."""
        if now_s - self._tidied_s < _FORGET_AFTER_S / 6:
            return
        self._tidied_s = now_s
        old = [t for t, track in self.tracks.items() if now_s - track.seen_s > _FORGET_AFTER_S]
        for track_id in old:
            del self.tracks[track_id]

    def know(self, stream: Stream | None) -> None:
        """Use the camera's ground calibration, read again when the camera's data changed."""
        if stream is None or stream is self.stream:
            return
        self.stream = stream
        self.chain.ground = _ground(stream)

    def use(self, skeleton: Skeleton | None) -> None:
        """Poses are of this skeleton from now on."""
        if skeleton is self.skeleton:
            return
        self.skeleton = skeleton
        self.reader = None if skeleton is None else CueReader(skeleton)
        self._renew()

    def _renew(self) -> None:
        """Gaits and strides begin anew."""
        for track_id, track in self.tracks.items():
            track.gait, track.strides = self._legs(track_id)

    def _legs(self, track_id: TrackId) -> tuple[LiveGait | None, LiveStrides | None]:
        if self.skeleton is None:
            return None, None
        return LiveGait(self.skeleton), LiveStrides(self.skeleton, track_id)

    def track(self, track_id: TrackId) -> _Track:
        """The state of a track, new ones begin with nothing known."""
        known = self.tracks.get(track_id)
        if known is None:
            gait, strides = self._legs(track_id)
            nothing = GaitEstimate(math.nan, Gait.UNKNOWN)
            known = _Track(TrackBehaviour(), gait, strides, Company(), {}, nothing)
            self.tracks[track_id] = known
        return known

    def turn(self) -> None:
        """The camera looks elsewhere: places and speeds in the picture mean nothing any more."""
        self.turned = True

    def settle(self) -> None:
        """First still picture after a turn."""
        self.turned = False
        self.chain.reset()
        self._renew()


class MotionStage:
    """Owns everything about motion that is remembered between pictures, for all cameras.

    ``stream_of`` gives a camera's data (for its ground calibration), ``height_of`` the height at
    the withers of an identified horse in metres, None where nobody said it; both are set before the
    start. ``tell`` gets bouts and strides.
    """

    def __init__(
        self, settings: MotionSettings, tell: Callable[[Sequence[MotionEvent]], None]
    ) -> None:
        self.settings = settings
        self.stream_of: Callable[[StreamId], Stream | None] = _no_stream
        self.height_of: Callable[[HorseId], float | None] = _no_height
        self._tell = tell
        self._cameras: dict[StreamId, _Camera] = {}

    def run(self, result: FrameResult) -> FrameResult:
        """The result with its motion; bouts and strides are told."""
        camera = self._camera(result.stamp.stream_id)
        now_s = result.stamp.captured_mono_s
        if result.view_moving:
            camera.turn()
            self._send(camera.bouts.expire(now_s))
            return result
        camera.use(None if result.poses is None else result.poses.skeleton)
        if camera.turned:
            camera.settle()
        columns = camera.chain.update(result, self._heights(result.tracks))
        events: list[MotionEvent] = []
        batch = _batch(camera, result, columns, events)
        events += camera.bouts.expire(now_s)
        camera.tidy(now_s)
        self._send(events)
        return replace(result, motion=batch)

    def hold(self, result: FrameResult) -> FrameResult:
        """A result that the motion gate held: everybody goes on doing the same."""
        camera = self._camera(result.stamp.stream_id)
        events: list[MotionEvent] = []
        for row in np.flatnonzero(result.tracks.confirmed_horses).tolist():
            track_id = result.tracks.track_ids[row]
            known = camera.tracks.get(track_id)
            if known is not None:
                events += camera.bouts.update(track_id, result.stamp, known.readings)
        events += camera.bouts.expire(result.stamp.captured_mono_s)
        self._send(events)
        return result

    def closed(self, stream_id: StreamId, track_id: TrackId) -> None:
        """A track has ended."""
        camera = self._cameras.get(stream_id)
        if camera is None:
            return
        self._send(camera.bouts.close(track_id))
        camera.tracks.pop(track_id, None)
        camera.chain.forget((track_id,))

    def silence(self, stream_id: StreamId) -> None:
        """A camera sends nothing any more: what was going on ended with its last picture."""
        camera = self._cameras.get(stream_id)
        if camera is not None:
            self._send(camera.bouts.close_all())

    def forget(self, stream_id: StreamId) -> None:
        """A camera was removed."""
        camera = self._cameras.pop(stream_id, None)
        if camera is not None:
            self._send(camera.bouts.close_all())

    def _camera(self, stream_id: StreamId) -> _Camera:
        camera = self._cameras.get(stream_id)
        if camera is None:
            camera = self._cameras[stream_id] = _Camera(stream_id, self.settings)
        camera.chain.settings = self.settings
        camera.know(self.stream_of(stream_id))
        return camera

    def _heights(self, tracks: TrackBatch) -> FloatArray | None:
        if not any(tracks.horse_ids):
            return None
        told = [None if h is None else self.height_of(h) for h in tracks.horse_ids]
        return np.array([math.nan if h is None else h for h in told], np.float32)

    def _send(self, events: Sequence[MotionEvent]) -> None:
        if events:
            self._tell(events)


def _batch(
    camera: _Camera, result: FrameResult, columns: PoseColumns, events: list[MotionEvent]
) -> MotionBatch:
    """One row per track row; bouts are added to ``events``."""
    tracks, stamp = result.tracks, result.stamp
    table = _Table(len(tracks))
    gaps = _gaps(tracks)
    for row in np.flatnonzero(tracks.class_ids == SubjectClass.HORSE).tolist():
        track = camera.track(tracks.track_ids[row])
        track.seen_s = stamp.captured_mono_s
        moving = _gait(track, camera, result, columns, row)
        behaviour = _behaviour(track, camera, result, row, moving)
        near = track.company.update(stamp.captured_mono_s, float(gaps[row]))
        table.fill(row, track.estimate, behaviour, near)
        track.readings = _readings(track, behaviour, near, stamp.captured_mono_s)
        if tracks.states[row] == TrackState.ACTIVE:
            events += camera.bouts.update(tracks.track_ids[row], stamp, track.readings)
            events += _strides(track, result, columns, row)
    return table.batch(columns)


def _gait(
    track: _Track, camera: _Camera, result: FrameResult, columns: PoseColumns, row: int
) -> Moving:
    """What the legs do: the live gait on smoothed poses."""
    poses, speed = columns.poses, float(columns.speeds_mps[row])
    if poses is None or track.gait is None:
        return Moving(speed_mps=speed)
    before = track.estimate.gait
    track.estimate = track.gait.update(
        result.stamp.captured_mono_s,
        poses.keypoints_px[row],
        poses.scores[row],
        float(columns.scales_px_m[row]),
        speed,
    )
    if track.estimate.gait is not before:
        track.gait_since_s = result.stamp.captured_mono_s
    estimate = track.estimate
    return Moving(estimate.gait, estimate.confidence, speed)


def _strides(track: _Track, result: FrameResult, columns: PoseColumns, row: int) -> list[Stride]:
    poses = columns.poses
    if poses is None or track.strides is None:
        return []
    return track.strides.update(
        result.stamp,
        poses.keypoints_px[row],
        poses.scores[row],
        result.tracks.boxes_xyxy_px[row],
        float(columns.scales_px_m[row]),
        track.estimate.gait >= Gait.WALK,
    )


def _behaviour(
    track: _Track, camera: _Camera, result: FrameResult, row: int, moving: Moving
) -> Behaviour:
    """Posture and action: on raw poses, for corrections expect a horse on its feet."""
    cues = NOTHING
    if result.poses is not None and camera.reader is not None:
        poses = result.poses
        cues = camera.reader.read(poses.keypoints_px[row].tolist(), poses.scores[row].tolist())
    x1, y1, x2, y2 = result.tracks.boxes_xyxy_px[row].tolist()
    whole = x1 > _EDGE_PX and y1 > _EDGE_PX
    whole &= x2 < result.width_px - _EDGE_PX and y2 < result.height_px - _EDGE_PX
    height_px = y2 - y1 if whole else 0.0
    return track.behaviour.update(result.stamp.captured_mono_s, cues, moving, height_px)


def _readings(
    track: _Track, behaviour: Behaviour, near: bool, now_s: float
) -> dict[BoutKind, Reading]:
    gait, posture = track.estimate, behaviour.posture
    return {
        BoutKind.GAIT: Reading(
            gait.gait.label if gait.gait is not Gait.UNKNOWN else "",
            gait.confidence,
            track.gait_since_s,
        ),
        BoutKind.ACTION: Reading(
            behaviour.action.label if behaviour.action is not Action.UNKNOWN else "",
            behaviour.confidence,
            behaviour.action_since_s,
        ),
        BoutKind.POSTURE: Reading(
            posture.posture.label if posture.posture is not Posture.UNKNOWN else "",
            posture.confidence,
            behaviour.posture_since_s,
        ),
        BoutKind.COMPANY: Reading("person" if near else "", 1.0, track.company.since_s),
    }


def _gaps(tracks: TrackBatch) -> NDArray[np.float32]:
    gaps = np.full(len(tracks), np.inf, np.float32)
    people = tracks.class_ids == SubjectClass.PERSON
    if people.any():
        horses = np.flatnonzero(tracks.class_ids == SubjectClass.HORSE)
        gaps[horses] = nearness(tracks.boxes_xyxy_px[horses], tracks.boxes_xyxy_px[people])
    return gaps


class _Table:
    """The columns of a ``MotionBatch`` while they are filled."""

    def __init__(self, count: int) -> None:
        self.codes = np.zeros((4, count), np.int8)
        self.numbers = np.full((5, count), np.nan, np.float32)
        self.near = np.zeros(count, np.bool_)

    def fill(self, row: int, gait: GaitEstimate, behaviour: Behaviour, near: bool) -> None:
        """One horse."""
        self.codes[:, row] = (gait.gait, gait.lead, behaviour.action, behaviour.posture.posture)
        self.numbers[:, row] = (
            gait.confidence, behaviour.confidence, gait.stride_hz, gait.stride_m, gait.symmetry,
        )  # fmt: skip
        self.near[row] = near

    def batch(self, columns: PoseColumns) -> MotionBatch:
        """With what the pose chain measured."""
        gaits, leads, actions, postures = self.codes
        sure_gait, sure_action, stride_hz, stride_m, symmetry = self.numbers
        return MotionBatch(
            gaits=gaits,
            gait_confidences=sure_gait,
            leads=leads,
            actions=actions,
            action_confidences=sure_action,
            postures=postures,
            speeds_mps=columns.speeds_mps,
            stride_hz=stride_hz,
            stride_m=stride_m,
            head_heights_m=columns.head_heights_m,
            angles_deg=columns.angles_deg,
            symmetries=symmetry,
            scales_px_m=columns.scales_px_m,
            centres_px=columns.centres_px,
            person_near=self.near,
            poses=columns.poses,
            issues=columns.issues,
            lag_s=columns.lag_s,
        )


def _ground(stream: Stream) -> Ground | None:
    try:
        return read_ground(stream.extra)
    except OperatorMistake as mistake:
        about = {"stream_id": stream.id, "camera": stream.name}
        log.warning("%s: %s %s", stream.name, mistake.message, mistake.advice, extra=about)
        return None


def _no_stream(_stream_id: StreamId) -> Stream | None:
    return None


def _no_height(_horse_id: HorseId) -> float | None:
    return None
