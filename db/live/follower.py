"""Follows what other nodes see: their ``detection:update`` events as results for this console."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import redis

from db.live.connection import connect, translated
from db.live.protocol import DETECTION_UPDATE, decode_event, events_channel
from engine.domain.detections import SubjectClass
from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.frames import FrameStamp
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import SKELETONS
from engine.domain.tracks import TrackBatch
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

_LISTEN_S = 0.25
_RETRY_S = 1.0


class LiveFollower:
    """Subscribes to the cameras that ``wanted`` names, asked about four times a second, and calls
    ``receive`` with each result, on the follower's thread.

    ``captured_mono_s`` of these results is on this machine's clock: when the event came less what
    the other node needed from capture to result. Neither machine's time of day matters.
    """

    def __init__(
        self,
        url: str,
        wanted: Callable[[], Collection[StreamId]],
        receive: Callable[[FrameResult], None],
    ) -> None:
        self._client: redis.Redis = connect(url, answer_s=5.0)
        self._wanted = wanted
        self._receive = receive
        self._worker = Worker("live follower", self._run, restart_budget=1000)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """End; the thread's name if it did not."""
        self._worker.ask_to_stop()
        gone = self._worker.join(deadline_s)
        self._client.close()
        return () if gone else (self._worker.name,)

    def _run(self, token: StopToken) -> None:
        while not token.stopping:
            try:
                with translated("following other nodes' cameras"):
                    self._follow(token)
            except BarnhandError as error:
                log.info("%s", error)
                token.wait(_RETRY_S)

    def _follow(self, token: StopToken) -> None:
        client: Any = self._client  # the library leaves subscriptions untyped
        with client.pubsub(ignore_subscribe_messages=True) as subscription:
            heard: set[str] = set()
            while not token.stopping:
                wanted = {events_channel(stream_id) for stream_id in self._wanted()}
                if wanted - heard:
                    subscription.subscribe(*(wanted - heard))
                if heard - wanted:
                    subscription.unsubscribe(*(heard - wanted))
                heard = wanted
                if not heard:
                    token.wait(_LISTEN_S)
                    continue
                self._take(subscription)

    def _take(self, subscription: Any) -> None:
        """Everything that comes within a quarter of a second."""
        end_s = time.monotonic() + _LISTEN_S
        while (left_s := end_s - time.monotonic()) > 0:
            message = subscription.get_message(timeout=left_s)
            if message is None or message["type"] != "message":
                continue
            try:
                event = decode_event(message["data"])
                if event.event == DETECTION_UPDATE and event.stream_id is not None:
                    stream_id = StreamId(UUID(event.stream_id))
                    self._receive(followed(stream_id, event.data, time.monotonic()))
            except (OperatorMistake, ValueError, KeyError, TypeError) as error:
                log.debug("an event of another node is of another version: %s", error)


def followed(stream_id: StreamId, data: Mapping[str, Any], arrived_mono_s: float) -> FrameResult:
    """The result in the data of ``detection:update`` (see ``protocol.detection_update``). Raises
    ValueError, KeyError or TypeError for data that is none."""
    latency_s = float(data["latency_ms"]) / 1000.0
    if not math.isfinite(latency_s) or latency_s < 0.0:
        raise ValueError("the latency is not a length of time")
    stamp = FrameStamp(
        stream_id,
        int(data["frame"]),
        datetime.fromisoformat(str(data["captured_at"])),
        arrived_mono_s - latency_s,
        None,
    )
    horses = data["horses"]
    return FrameResult(
        stamp=stamp,
        width_px=int(data["width"]),
        height_px=int(data["height"]),
        tracks=_tracks(horses),
        poses=_poses(horses, data["skeleton"]),
        detector_id=None,
        pose_id=None,
        degradation=Degradation.NONE,
        completed_mono_s=arrived_mono_s,
    )


def _tracks(horses: Sequence[Mapping[str, Any]]) -> TrackBatch:
    def column(name: str, kind: type[np.generic]) -> Any:
        return np.array([horse[name] for horse in horses], kind)

    def boxes(name: str) -> Any:
        return np.array([horse[name] for horse in horses], np.float32).reshape(-1, 4)

    return TrackBatch(
        boxes_xyxy_px=boxes("bbox_xyxy_px"),
        velocities_px_s=boxes("velocity_xyxy_px_s"),
        scores=column("score", np.float32),
        confidences=column("confidence", np.float32),
        class_ids=np.array([_class_id(str(horse["class"])) for horse in horses], np.int16),
        states=column("state", np.int8),
        numbers=column("number", np.int64),
        colours=column("colour", np.int8),
        track_ids=tuple(TrackId(UUID(horse["track_id"])) for horse in horses),
        horse_ids=tuple(
            None if horse["horse_id"] is None else HorseId(UUID(horse["horse_id"]))
            for horse in horses
        ),
    )


def _class_id(name: str) -> int:
    known = SubjectClass.__members__.get(name.upper())
    return int(name) if known is None else int(known)


def _poses(horses: Sequence[Mapping[str, Any]], name: str | None) -> PoseBatch | None:
    skeleton = None if name is None else SKELETONS.get(name)
    if skeleton is None:
        return None
    shape = (len(horses), len(skeleton.landmarks))
    points, scores = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    places = {landmark: place for place, landmark in enumerate(skeleton.landmarks)}
    for row, horse in enumerate(horses):
        for landmark, (x, y, score) in horse["keypoints"].items():
            if landmark in places:
                points[row, places[landmark]] = x, y
                scores[row, places[landmark]] = score
    return PoseBatch(points, scores, skeleton)
