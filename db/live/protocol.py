"""What travels over the live-state server: channel names, keys, event and command messages.

Events are JSON objects in snake_case, ids as UUID strings, times ISO 8601 UTC. Every channel has
its own sequence, which grows by one with each event, so that a listener can tell that it missed
some. This module knows no client library; the engine's process and the API process both use it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from engine.domain.behaviour import Alert
from engine.domain.commands import (
    EngineCommand,
    ModelsChanged,
    PlansChanged,
    StartStream,
    SteerCamera,
    StopStream,
    StreamsChanged,
    TakeSnapshot,
)
from engine.domain.detections import SubjectClass
from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.domain.horses import Horse
from engine.domain.identity import SpanDecided, SpanWithdrawn
from engine.domain.ids import HorseId, StreamId
from engine.domain.notices import Notice
from engine.domain.recording import Chunk, Job
from engine.domain.results import Degradation, FrameResult
from engine.domain.streams import StreamStatusChanged

EVENTS_CHANNEL_PREFIX = "barnhand:events:"
"""Followed by a stream id, or by ``FARM_ROOM`` for events of no single stream."""
FARM_ROOM = "farm"
COMMANDS_CHANNEL = "barnhand:commands"
SEQUENCE_KEY = "barnhand:sequences"
"""Hash of channel to its last sequence number."""

ANALYTICS_GENERATION_KEY = "barnhand:analytics:generation"
"""Grows with every correction: answers that were kept before are old."""

DETECTION_UPDATE = "detection:update"
METRICS_UPDATE = "metrics:update"
STREAM_STATUS = "stream:status"
ALERT_RAISED = "alert:raised"
HORSE_IDENTIFIED = "horse:identified"
HORSE_UPDATE = "horse:update"
TRACK_UPDATED = "track:updated"
JOB_UPDATE = "job:update"
CHUNK_PROCESSED = "chunk:processed"

HORSE_STATE_LIFE_S = 300
REPLY_LIFE_S = 10


def events_channel(stream_id: StreamId | UUID | str | None) -> str:
    """The channel of a stream's events, or the farm's for None."""
    return f"{EVENTS_CHANNEL_PREFIX}{FARM_ROOM if stream_id is None else stream_id}"


def reply_key(request_id: str) -> str:
    """The list a command's reply is pushed to; it lives ``REPLY_LIFE_S`` seconds."""
    return f"barnhand:reply:{request_id}"


def horse_state_key(stream_id: StreamId, horse_id: HorseId) -> str:
    """The hash of an identified horse's live state on one camera."""
    return f"horse:{stream_id}:{horse_id}:state"


def stream_state_key(stream_id: StreamId) -> str:
    """The hash of a stream's live state."""
    return f"stream:{stream_id}:state"


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One event. ``timestamp`` is ISO 8601 UTC; ``sequence`` counts within the event's channel;
    ``user`` is the account whose own room it is for (``db.live.personal``), None for others."""

    event: str
    stream_id: str | None
    timestamp: str
    sequence: int
    data: dict[str, Any]
    user: str | None = None


def encode_event(message: EventMessage) -> bytes:
    """The event as JSON bytes."""
    document = {
        "event": message.event,
        "stream_id": message.stream_id,
        "timestamp": message.timestamp,
        "sequence": message.sequence,
        "data": message.data,
        **({} if message.user is None else {"user": message.user}),
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def event_halves(
    event: str,
    stream_id: StreamId | None,
    timestamp: str,
    data: dict[str, Any],
    user: str | None = None,
) -> tuple[bytes, bytes]:
    """An event as JSON bytes, cut where the server puts its sequence number."""
    own = {} if user is None else {"user": user}
    told_of = None if stream_id is None else str(stream_id)
    head = {"event": event, "stream_id": told_of, **own, "timestamp": timestamp}
    body = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return (
        (json.dumps(head, separators=(",", ":"))[:-1] + ',"sequence":').encode(),
        f',"data":{body}}}'.encode(),
    )


PUBLISH_EVENT = """
if ARGV[4] ~= '' and not redis.call('SET', ARGV[4], '1', 'NX', 'EX', 3600) then
  return 0
end
local number = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
local known = tonumber(ARGV[5])
if number <= known then
  number = known + 1
  redis.call('HSET', KEYS[1], ARGV[1], number)
end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. string.format('%d', number) .. ARGV[3])
return number
"""
"""Lua: give one channel's next sequence number and publish, at once for all processes.

Key: ``SEQUENCE_KEY``. Arguments: channel, the two halves of the event, a key that lets only the
first of several processes publish ('' for none), and the highest number this process knows (a
server that lost everything must not count from 1 again). Returns the number, 0 if not published.
"""

PUT_HORSE_STATE = """
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0') + 1
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('HSET', KEYS[1], 'version', version)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return version
"""
"""Lua: set a horse's state and grow its version in one step. Arguments: life in s, then fields."""


def horse_identified(decided: SpanDecided) -> dict[str, Any]:
    """Data of ``horse:identified``: the engine knows which horse a track shows."""
    span = decided.span
    return {
        "track_id": str(span.track_id),
        "horse_id": str(span.horse_id),
        "similarity": None if decided.similarity is None else round(decided.similarity, 4),
        "confidence": round(span.confidence, 4),
        "decided_by": span.decided_by,
        "since": None if span.start is None else span.start.isoformat(),
    }


def track_withdrawn(withdrawn: SpanWithdrawn) -> dict[str, Any]:
    """Data of ``track:updated`` when the engine is no longer sure whose a track is."""
    return {"track_id": str(withdrawn.track_id), "horse_id": None, "decided_by": "engine"}


def horse_added(horse: Horse) -> dict[str, Any]:
    """Data of ``horse:update`` for a horse that is in the registry since now."""
    return {
        "horse_id": str(horse.id),
        "farm_id": str(horse.farm_id),
        "label": horse.label,
        "status": horse.status.value,
    }


def decode_event(payload: bytes) -> EventMessage:
    """The event in JSON bytes; OperatorMistake when they hold none."""
    try:
        document = json.loads(payload)
        stream_id = document["stream_id"]
        data = document["data"]
        if not isinstance(data, dict):
            raise TypeError("data is not an object")
        return EventMessage(
            event=str(document["event"]),
            stream_id=None if stream_id is None else str(stream_id),
            timestamp=str(document["timestamp"]),
            sequence=int(document["sequence"]),
            data=data,
            user=None if document.get("user") is None else str(document["user"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise OperatorMistake(f"A message on the live channel is not an event: {error}.") from error


_FREQUENT = tuple(
    f'{{"event":"{name}","stream_id":"'.encode() for name in (DETECTION_UPDATE, METRICS_UPDATE)
)
_DATA = b',"data":{'


def decode_frequent(payload: bytes) -> EventMessage | None:
    """The event in JSON bytes of a frequent kind, with empty data: who passes events on need not
    read what is by far their greater part. None for other kinds, which ``decode_event`` reads;
    OperatorMistake when the bytes hold no event."""
    if not payload.startswith(_FREQUENT):
        return None
    head, mark, rest = payload.partition(_DATA)
    if not mark or not rest.endswith(b"}}"):
        return None
    return decode_event(head + b',"data":{}}')


def detection_update(result: FrameResult) -> dict[str, Any]:
    """Data of ``detection:update``: every track of one analysed picture, in picture pixels.

    Keypoints without a score are left out; a horse without pose has an empty object.
    """
    tracks = result.tracks
    boxes = _rounded(tracks.boxes_xyxy_px, 1)
    velocities = _rounded(tracks.velocities_px_s, 1)
    keypoints = _keypoints(result)
    horses = [
        {
            "track_id": str(tracks.track_ids[row]),
            "number": int(tracks.numbers[row]),
            "horse_id": None if (horse := tracks.horse_ids[row]) is None else str(horse),
            "class": class_name(int(tracks.class_ids[row])),
            "state": int(tracks.states[row]),
            "colour": int(tracks.colours[row]),
            "bbox_xyxy_px": boxes[row],
            "velocity_xyxy_px_s": velocities[row],
            "score": round(float(tracks.scores[row]), 4),
            "confidence": round(float(tracks.confidences[row]), 4),
            "keypoints": keypoints[row],
        }
        for row in range(len(tracks))
    ]
    return {
        "frame": result.stamp.sequence,
        "pts_s": result.stamp.pts_s,
        "captured_at": result.stamp.captured_at.isoformat(),
        "latency_ms": round(result.latency_ms, 2),
        "width": result.width_px,
        "height": result.height_px,
        "skeleton": None if result.poses is None else result.poses.skeleton.name,
        "degradation": degradation_names(result.degradation),
        "horses": horses,
    }


def _rounded(values: FloatArray, decimals: int) -> list[Any]:
    """Plain numbers for JSON, which knows no infinity."""
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    rounded: list[Any] = np.round(finite, decimals).tolist()
    return rounded


def _keypoints(result: FrameResult) -> list[dict[str, list[float]]]:
    poses = result.poses
    if poses is None:
        return [{} for _ in range(len(result.tracks))]
    points = _rounded(poses.keypoints_px, 1)
    scores = _rounded(poses.scores, 3)
    names = poses.skeleton.landmarks
    return [
        {
            name: [xy[0], xy[1], score]
            for name, xy, score in zip(names, row_points, row_scores, strict=True)
            if score > 0.0
        }
        for row_points, row_scores in zip(points, scores, strict=True)
    ]


def class_name(class_id: int) -> str:
    """``horse``, ``person``, ``dog`` or ``motion``; the number itself for a class from a newer
    program."""
    try:
        return SubjectClass(class_id).name.lower()
    except ValueError:
        return str(class_id)


def degradation_names(degradation: Degradation) -> list[str]:
    """What did not run as configured, as lower-case names (``no_pose``)."""
    return [
        flag.name.lower() for flag in Degradation if flag in degradation and flag.name is not None
    ]


def stream_status(change: StreamStatusChanged) -> dict[str, Any]:
    """Data of ``stream:status``."""
    return {
        "state": change.state.value,
        "reason": change.reason,
        "at": change.at.isoformat(),
    }


def notice(raised: Notice) -> dict[str, Any]:
    """Data of ``alert:raised``; ``active`` false says that the condition has ended."""
    return {
        "key": raised.key,
        "severity": raised.severity.value,
        "message": raised.message,
        "advice": raised.advice,
        "at": raised.at.isoformat(),
        "active": raised.active,
    }


def alert_raised(alert: Alert) -> dict[str, Any]:
    """Data of ``alert:raised`` for a stored alert; ``alert_id`` tells it from a notice."""
    return {
        "alert_id": str(alert.id),
        "farm_id": str(alert.farm_id),
        "kind": alert.kind.value,
        "severity": alert.severity.value,
        "message": alert.message,
        "key": alert.key,
        "horse_id": None if alert.horse_id is None else str(alert.horse_id),
        "at": alert.raised_at.isoformat(),
        "quiet": alert.quiet,
        "active": alert.ended_at is None,
    }


def job_update(job: Job) -> dict[str, Any]:
    """Data of ``job:update``: how far background work is. Its title and result are asked for."""
    return {
        "job_id": str(job.id),
        "farm_id": str(job.farm_id),
        "kind": job.kind.value,
        "state": job.state.value,
        "progress": round(job.progress, 4),
    }


def chunk_processed(chunk: Chunk) -> dict[str, Any]:
    """Data of ``chunk:processed``: a recording was analysed again and its results are final."""
    return {
        "chunk_id": str(chunk.id),
        "start_at": chunk.start_at.isoformat(),
        "end_at": chunk.end_at.isoformat(),
        "horses": chunk.horses,
    }


def encode_command(command: EngineCommand) -> bytes:
    """A command as JSON bytes."""
    document: dict[str, Any]
    match command:
        case StreamsChanged():
            document = {"command": "streams_changed"}
        case StartStream(stream_id):
            document = {"command": "start_stream", "stream_id": str(stream_id)}
        case StopStream(stream_id):
            document = {"command": "stop_stream", "stream_id": str(stream_id)}
        case PlansChanged():
            document = {"command": "plans_changed"}
        case ModelsChanged():
            document = {"command": "models_changed"}
        case SteerCamera():
            document = {
                "command": "steer_camera",
                "stream_id": str(command.stream_id),
                "act": command.act,
                "holder_key": command.holder_key,
                "holder_name": command.holder_name,
                "values": dict(command.values),
                "reply_to": command.reply_to,
            }
        case TakeSnapshot(stream_id, reply_to, overlays):
            document = {
                "command": "take_snapshot",
                "stream_id": str(stream_id),
                "reply_to": reply_to,
                "overlays": overlays,
            }
    return json.dumps(document, separators=(",", ":")).encode()


def decode_command(payload: bytes) -> EngineCommand:
    """The command in JSON bytes; OperatorMistake when they hold none that is known."""
    try:
        document = json.loads(payload)
        name = document["command"]
        if name == "streams_changed":
            return StreamsChanged()
        if name == "plans_changed":
            return PlansChanged()
        if name == "models_changed":
            return ModelsChanged()
        stream_id = StreamId(UUID(document["stream_id"]))
        if name == "start_stream":
            return StartStream(stream_id)
        if name == "stop_stream":
            return StopStream(stream_id)
        if name == "steer_camera":
            return SteerCamera(
                stream_id,
                str(document["act"]),
                str(document["holder_key"]),
                str(document["holder_name"]),
                dict(document["values"]),
                str(document["reply_to"]),
            )
        if name == "take_snapshot":
            return TakeSnapshot(stream_id, str(document["reply_to"]), bool(document["overlays"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperatorMistake(
            f"A message on the command channel is not a command: {error}."
        ) from error
    raise OperatorMistake(f"The command {name!r} is not known to this program.")
