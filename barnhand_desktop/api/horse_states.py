"""Where identified horses are now, as the engine keeps it in the live state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

from barnhand_desktop.api.identity_schemas import LiveHorse
from barnhand_desktop.api.stream_states import LiveStateUnavailable
from engine.domain.ids import StreamId

ACTIVE_WITHIN_S = 2.0
"""A still scene is analysed again every two seconds: seen this lately is in the picture."""
LOST_AFTER_S = 10.0
"""A track is closed 10 s after it was seen last; a horse not seen for longer is not here now."""

_SCAN = 500


class HorseStates:
    """Reads ``horse:{stream_id}:{horse_id}:state`` hashes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def now(self, streams: Iterable[StreamId], now: datetime) -> list[LiveHorse]:
        """Horses seen on these cameras within 10 s, by camera. Raises LiveStateUnavailable."""
        try:
            found = [
                (stream_id, key)
                for stream_id in streams
                for key in self._redis.scan_iter(f"horse:{stream_id}:*:state", count=_SCAN)
            ]
            with self._redis.pipeline(transaction=False) as pipeline:
                for _, key in found:
                    pipeline.hgetall(key)
                answers = pipeline.execute()
        except (RedisError, OSError) as error:
            raise LiveStateUnavailable("The live-state server does not answer.") from error
        horses = (
            live_horse(stream_id, key.decode().split(":")[2], fields, now)
            for (stream_id, key), fields in zip(found, answers, strict=True)
        )
        return sorted(
            (horse for horse in horses if horse is not None),
            key=lambda horse: (str(horse.stream_id), str(horse.horse_id)),
        )


def live_horse(
    stream_id: StreamId, horse_id: str, fields: Mapping[bytes, bytes], now: datetime
) -> LiveHorse | None:
    """The horse in a hash; None when it was seen too long ago or the hash is damaged."""
    try:
        texts = {name.decode(): value.decode() for name, value in fields.items()}
        seen_at = datetime.fromisoformat(texts["seen_at"])
        age_s = (now - seen_at).total_seconds()
        if age_s > LOST_AFTER_S:
            return None
        return LiveHorse(
            stream_id=stream_id,
            horse_id=UUID(horse_id),
            track_id=UUID(texts["track_id"]),
            bbox_xyxy_px=json.loads(texts["bbox_xyxy_px"]),
            confidence=float(texts["confidence"]),
            score=float(texts["score"]),
            seen_at=seen_at,
            state="active" if age_s <= ACTIVE_WITHIN_S else "lost",
            gait=texts.get("gait") or None,
            action=texts.get("action") or None,
            posture=texts.get("posture") or None,
            speed_mps=float(texts["speed_mps"]) if texts.get("speed_mps") else None,
        )
    except (KeyError, ValueError, TypeError):
        return None
