"""The streams' live states as the engine publishes them, for status answers and metrics."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from redis import Redis
from redis.exceptions import RedisError

from barnhand_desktop.api.schemas import StreamStatusOut
from db.live.protocol import stream_state_key
from engine.domain.errors import EnvironmentFault
from engine.domain.ids import StreamId
from engine.domain.streams import StreamState

log = logging.getLogger(__name__)

_STATES = frozenset(state.value for state in StreamState)
_RECORDING = frozenset({"on", "motion", "waiting", "off", "stopped"})
_COUNTS = ("width_px", "height_px", "decoded", "analysed", "dropped", "corrupt", "reconnects")
_RATES = (
    "fps", "analysed_fps", "latency_ms", "bitrate_bps", "last_frame_age_s", "retry_in_s",
)  # fmt: skip


class LiveStateUnavailable(EnvironmentFault):
    """The live-state server does not answer; what only the engine knows cannot be told."""


class StreamStates:
    """Reads ``stream:{id}:state`` hashes, many at a time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read(self, stream_ids: Iterable[StreamId]) -> dict[StreamId, StreamStatusOut]:
        """The state of each stream; ``unknown`` where the engine has published none lately.

        Raises LiveStateUnavailable.
        """
        wanted = list(stream_ids)
        if not wanted:
            return {}
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for stream_id in wanted:
                    pipeline.hgetall(stream_state_key(stream_id))
                answers = pipeline.execute()
        except (RedisError, OSError) as error:
            raise LiveStateUnavailable("The live-state server does not answer.") from error
        return {
            stream_id: status_of(answer) for stream_id, answer in zip(wanted, answers, strict=True)
        }

    def ping(self) -> None:
        """Raises LiveStateUnavailable when the server does not answer."""
        try:
            self._redis.ping()
        except (RedisError, OSError) as error:
            raise LiveStateUnavailable("The live-state server does not answer.") from error


def status_of(fields: Mapping[bytes, bytes]) -> StreamStatusOut:
    """The status in a live-state hash (``db.live.state``); what is absent or not finite is left
    out, so that a newer or damaged publisher cannot break an answer."""
    texts = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
    state = texts.get("state", "unknown")
    return StreamStatusOut.model_validate(
        {
            "state": state if state in _STATES else "unknown",
            "reason": texts.get("reason", ""),
            **_numbers(texts.get("health", "{}")),
        }
    )


def _numbers(health: str) -> dict[str, float | int | str]:
    try:
        told = json.loads(health)
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    numbers: dict[str, float | int | str] = {
        name: int(value) if name in _COUNTS else value
        for name in (*_COUNTS, *_RATES)
        if isinstance(value := told.get(name), int | float) and math.isfinite(value)
    }
    recording = told.get("recording")
    if isinstance(recording, str) and recording in _RECORDING:
        numbers["recording"] = recording
    return numbers


def camera_states(
    names: Callable[[], Sequence[tuple[StreamId, str]]], states: StreamStates
) -> Sequence[tuple[str, str, Mapping[str, object]]]:
    """(stream id, name, live state) of every camera, for the metrics; empty while a store is away,
    so that a scrape still tells how the process itself does."""
    try:
        cameras = names()
        found = states.read(stream_id for stream_id, _ in cameras)
    except EnvironmentFault as error:
        log.info("no camera numbers in the metrics: %s", error)
        return []
    return [(str(stream_id), name, found[stream_id].model_dump()) for stream_id, name in cameras]
