"""Tells the world what the engine sees: events on channels and live state under keys."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import redis

from db.live.connection import connect, translated
from db.live.protocol import (
    ALERT_RAISED,
    DETECTION_UPDATE,
    HORSE_STATE_LIFE_S,
    SEQUENCE_KEY,
    STREAM_STATUS,
    EventMessage,
    detection_update,
    encode_event,
    events_channel,
    horse_state_key,
    notice,
    stream_state_key,
    stream_status,
)
from db.live.state import STREAM_STATE_LIFE_S, health_fields, horse_fields, status_fields
from engine.domain.errors import BarnhandError, StoreUnavailable
from engine.domain.ids import StreamId
from engine.domain.notices import Notice, Severity
from engine.domain.ports import TrackSummary
from engine.domain.results import FrameResult
from engine.domain.streams import StreamHealth, StreamState, StreamStatusChanged
from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

LIVE_STATE_AWAY = "live_state.away"

_MAILBOX = 512
_AT_ONCE = 64
_IDLE_S = 0.5
_RENEW_S = 15.0
_RETRY_FROM_S = 0.2
_RETRY_TO_S = 2.0


class PublisherState(StrEnum):
    """STARTING: not connected yet. OK. AWAY: the server does not answer. STOPPED."""

    STARTING = "starting"
    OK = "ok"
    AWAY = "away"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class _Healths:
    healths: tuple[StreamHealth, ...]


_Item = FrameResult | StreamStatusChanged | Notice | _Healths


class LivePublisher:
    """An EngineSink that publishes to the live-state server at ``url``.

    Its mailbox drops the oldest items when the server is slow or away: live state is about now,
    and is rebuilt from what comes after. ``on_notice`` hears when the server goes and comes back;
    it is called on the publisher's thread and must return at once.
    """

    def __init__(self, url: str, on_notice: Callable[[Notice], None] | None = None) -> None:
        self._client: redis.Redis = connect(url)
        self._on_notice = on_notice
        self._mailbox: Mailbox[_Item] = Mailbox("live publisher", _MAILBOX, Overflow.DROP_OLDEST)
        self._worker = Worker("live publisher", self._run, restart_budget=1000)
        self._sequences: dict[str, int] = {}
        self._statuses: dict[StreamId, dict[str, str]] = {}
        self._renew_mono_s = 0.0
        self._retry_s = _RETRY_FROM_S
        self._away_told = False
        self.state = PublisherState.STARTING
        self.published = 0

    @property
    def dropped(self) -> int:
        """Items that were never published."""
        return self._mailbox.dropped

    def start(self) -> None:
        """Start the publisher's thread."""
        self._worker.start()

    def stop(self, deadline_s: float = 3.0) -> tuple[str, ...]:
        """Publish what waits, withdraw the streams' states and end; names of what did not."""
        self._mailbox.close()
        self._worker.ask_to_stop()
        return () if self._worker.join(deadline_s) else (self._worker.name,)

    # --- EngineSink --------------------------------------------------------------------------

    def on_result(self, result: FrameResult) -> None:
        """Publish ``detection:update`` and the states of identified horses."""
        self._offer(result)

    def on_track_closed(self, summary: TrackSummary) -> None:
        """No event of its own."""

    def on_status(self, change: StreamStatusChanged) -> None:
        """Publish ``stream:status`` and the stream's state."""
        self._offer(change)

    def on_health(self, healths: Sequence[StreamHealth]) -> None:
        """Renew the streams' states."""
        self._offer(_Healths(tuple(healths)))

    def on_notice(self, notice: Notice) -> None:
        """Publish ``alert:raised``."""
        self._offer(notice)

    def _offer(self, item: _Item) -> None:
        try:
            self._mailbox.put(item)
        except Closed:
            log.debug("an item came after the live publisher was stopped")

    # --- the publisher's thread --------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        while True:
            try:
                items = self._mailbox.take(_AT_ONCE, _IDLE_S)
            except Closed:
                break
            try:
                self._publish(items)
            except BarnhandError as error:
                self._server_went(error)
                token.wait(self._retry_s)
                self._retry_s = min(self._retry_s * 2.0, _RETRY_TO_S)
                if token.stopping:
                    break
        self._withdraw()

    def _publish(self, items: Sequence[_Item]) -> None:
        with translated("publishing"):
            if self.state is not PublisherState.OK:
                self._meet_server()
            pipeline = self._client.pipeline(transaction=True)
            for item in items:
                self._add(pipeline, item)
            now = time.monotonic()
            if now >= self._renew_mono_s:
                self._renew_mono_s = now + _RENEW_S
                for stream_id, fields in self._statuses.items():
                    _put(pipeline, stream_state_key(stream_id), fields, STREAM_STATE_LIFE_S)
            if len(pipeline):
                # One MULTI: a reader never sees a state without its event.
                pipeline.execute()
        self.published += len(items)

    def _add(self, pipeline: redis.client.Pipeline, item: _Item) -> None:
        match item:
            case FrameResult():
                self._add_result(pipeline, item)
            case StreamStatusChanged():
                fields = status_fields(item)
                self._remember(item.stream_id, fields)
                _put(pipeline, stream_state_key(item.stream_id), fields, STREAM_STATE_LIFE_S)
                self._event(
                    pipeline,
                    STREAM_STATUS,
                    item.stream_id,
                    stream_status(item),
                    item.at.isoformat(),
                )
            case Notice():
                at = item.at.isoformat()
                self._event(pipeline, ALERT_RAISED, item.stream_id, notice(item), at)
            case _Healths():
                for health in item.healths:
                    fields = health_fields(health)
                    self._remember(health.stream_id, fields)
                    _put(pipeline, stream_state_key(health.stream_id), fields, STREAM_STATE_LIFE_S)

    def _add_result(self, pipeline: redis.client.Pipeline, result: FrameResult) -> None:
        stream_id = result.stamp.stream_id
        for row, horse_id in enumerate(result.tracks.horse_ids):
            if horse_id is not None:
                key = horse_state_key(stream_id, horse_id)
                _put(pipeline, key, horse_fields(result, row), HORSE_STATE_LIFE_S)
        self._event(
            pipeline,
            DETECTION_UPDATE,
            stream_id,
            detection_update(result),
            datetime.now(UTC).isoformat(),
        )

    def _event(
        self,
        pipeline: redis.client.Pipeline,
        event: str,
        stream_id: StreamId | None,
        data: dict[str, object],
        timestamp: str,
    ) -> None:
        channel = events_channel(stream_id)
        if channel not in self._sequences:
            self._sequences[channel] = self._stored_sequence(channel)
        self._sequences[channel] += 1
        sequence = self._sequences[channel]
        message = EventMessage(
            event, None if stream_id is None else str(stream_id), timestamp, sequence, data
        )
        pipeline.hset(SEQUENCE_KEY, channel, str(sequence))
        pipeline.publish(channel, encode_event(message))

    def _stored_sequence(self, channel: str) -> int:
        stored = self._client.hget(SEQUENCE_KEY, channel)
        return int(stored) if isinstance(stored, bytes | str) else 0

    def _remember(self, stream_id: StreamId, fields: Mapping[str, str]) -> None:
        if fields["state"] == StreamState.INACTIVE.value:
            # A stopped stream's state lives out its time; others are renewed.
            self._statuses.pop(stream_id, None)
        else:
            self._statuses[stream_id] = {**self._statuses.get(stream_id, {}), **fields}

    def _meet_server(self) -> None:
        """After (re)connecting: the server may have lost everything."""
        self._client.ping()
        for channel, ours in self._sequences.items():
            self._sequences[channel] = max(ours, self._stored_sequence(channel))
        self._renew_mono_s = 0.0
        self._retry_s = _RETRY_FROM_S
        self.state = PublisherState.OK
        if self._away_told:
            self._away_told = False
            log.info("the live-state server answers again")
            self._tell(Severity.INFO, "The live-state server answers again.", "", active=False)

    def _server_went(self, error: BarnhandError) -> None:
        self.state = PublisherState.AWAY
        if not self._away_told:
            self._away_told = True
            log.warning("%s", error)
            advice = (
                "Remote viewers see nothing new meanwhile."
                if isinstance(error, StoreUnavailable)
                else error.advice
            )
            self._tell(Severity.WARNING, error.message, advice, active=True)

    def _tell(self, severity: Severity, message: str, advice: str, active: bool) -> None:
        if self._on_notice is not None:
            self._on_notice(
                Notice(LIVE_STATE_AWAY, severity, message, advice, datetime.now(UTC), active=active)
            )

    def _withdraw(self) -> None:
        """No engine runs these streams any more: say so at once instead of after a minute."""
        try:
            if self._statuses and self.state is PublisherState.OK:
                with translated("withdrawing the streams' states"):
                    self._client.delete(*map(stream_state_key, self._statuses))
        except BarnhandError as error:
            log.info("%s", error)
        finally:
            self._client.close()
            self.state = PublisherState.STOPPED


def _put(pipeline: redis.client.Pipeline, key: str, fields: Mapping[str, str], life_s: int) -> None:
    mapping: Any = dict(fields)
    pipeline.hset(key, mapping=mapping)
    pipeline.expire(key, life_s)
