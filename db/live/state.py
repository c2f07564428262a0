"""The live state of streams and horses as hashes, written by the engine, read by anyone."""

from __future__ import annotations

import json
import math
from typing import Any

import redis

from db.live.connection import connect, translated
from db.live.motion_data import motion_words
from db.live.protocol import horse_state_key, stream_state_key
from engine.domain.ids import HorseId, StreamId
from engine.domain.motion import Gait
from engine.domain.results import FrameResult
from engine.domain.streams import StreamHealth, StreamStatusChanged

STREAM_STATE_LIFE_S = 60
"""The engine renews a stream's state well within this; a state that is gone has no engine."""


def status_fields(change: StreamStatusChanged) -> dict[str, str]:
    """Fields of a stream's state that a status change sets."""
    return {"state": change.state.value, "reason": change.reason, "since": change.at.isoformat()}


def health_fields(health: StreamHealth) -> dict[str, str]:
    """Fields of a stream's state that a health report sets: ``health`` as a JSON object."""
    numbers = {
        "width_px": health.width_px,
        "height_px": health.height_px,
        "decoded": health.decoded,
        "analysed": health.analysed,
        "dropped": health.dropped,
        "corrupt": health.corrupt,
        "reconnects": health.reconnects,
        "fps": round(health.fps, 2),
        "analysed_fps": round(health.analysed_fps, 2),
        "bitrate_bps": round(health.bitrate_bps),
        "latency_ms": health.latency_ms,
        "last_frame_age_s": health.last_frame_age_s,
        "retry_in_s": health.retry_in_s,
        "recording": health.recording,
    }
    return {
        "state": health.state.value,
        "reason": health.reason,
        "health": json.dumps(numbers, separators=(",", ":")),
    }


def horse_fields(result: FrameResult, row: int) -> dict[str, str]:
    """Fields of an identified horse's state: where it is, what it does and how sure that is. The
    server adds ``version``, which grows by one with every change."""
    tracks = result.tracks
    box = [round(float(v), 1) for v in tracks.boxes_xyxy_px[row]]
    return {
        "bbox_xyxy_px": json.dumps(box),
        "confidence": f"{float(tracks.confidences[row]):.4f}",
        "score": f"{float(tracks.scores[row]):.4f}",
        "track_id": str(tracks.track_ids[row]),
        "frame": str(result.stamp.sequence),
        "seen_at": result.stamp.captured_at.isoformat(),
        **_motion_fields(result, row),
    }


def _motion_fields(result: FrameResult, row: int) -> dict[str, str]:
    """Gait, action, posture and speed; empty texts where nothing is known of them."""
    motion = result.motion
    if motion is None:
        return {"gait": "", "action": "", "posture": "", "speed_mps": ""}
    speed = float(motion.speeds_mps[row])
    words = {
        name: "" if word == Gait.UNKNOWN.label else word
        for name, word in motion_words(motion, row).items()
    }
    return {**words, "speed_mps": f"{speed:.3f}" if math.isfinite(speed) else ""}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


class LiveStateReader:
    """Reads live state, from any thread. Raises StoreUnavailable when the server is away."""

    def __init__(self, url: str) -> None:
        self._client: redis.Redis = connect(url)

    def stream(self, stream_id: StreamId) -> dict[str, Any] | None:
        """State, reason, since and health of a stream; None when no engine runs it."""
        with translated("reading a stream's state"):
            fields = self._client.hgetall(stream_state_key(stream_id))
        if not fields:
            return None
        state: dict[str, Any] = {_text(key): _text(value) for key, value in fields.items()}
        state["health"] = json.loads(state.get("health", "{}"))
        return state

    def horse(self, stream_id: StreamId, horse_id: HorseId) -> dict[str, Any] | None:
        """Where an identified horse was last seen on a camera within 300 s, or None."""
        with translated("reading a horse's state"):
            fields = self._client.hgetall(horse_state_key(stream_id, horse_id))
        if not fields:
            return None
        state: dict[str, Any] = {_text(key): _text(value) for key, value in fields.items()}
        state["bbox_xyxy_px"] = json.loads(state["bbox_xyxy_px"])
        return state

    def ping(self) -> None:
        """Return when the server answers; StoreUnavailable otherwise."""
        with translated("asking whether it is there"):
            self._client.ping()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
