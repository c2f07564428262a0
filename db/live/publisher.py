"""Tells the world what the engine sees: events on channels and live state under keys."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import redis

from db.live.connection import connect, translated
from db.live.motion_data import metrics_update
from db.live.protocol import (
    ALERT_RAISED,
    DETECTION_UPDATE,
    HORSE_IDENTIFIED,
    HORSE_STATE_LIFE_S,
    HORSE_UPDATE,
    METRICS_UPDATE,
    PUBLISH_EVENT,
    PUT_HORSE_STATE,
    SEQUENCE_KEY,
    STREAM_STATUS,
    TRACK_UPDATED,
    detection_update,
    event_halves,
    events_channel,
    horse_added,
    horse_identified,
    horse_state_key,
    notice,
    stream_state_key,
    stream_status,
    track_withdrawn,
)
from db.live.state import STREAM_STATE_LIFE_S, health_fields, horse_fields, status_fields
from engine.domain.errors import BarnhandError, StoreUnavailable
from engine.domain.horses import Horse
from engine.domain.identity import IdentityEvent, RegistrySnapshot, SpanDecided, SpanWithdrawn
from engine.domain.ids import HorseId, StreamId
from engine.domain.motion import MotionEvent
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
_METRICS_EVERY_S = 0.5
"""So often what a camera's horses do is told."""
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


_Item = FrameResult | StreamStatusChanged | Notice | _Healths | SpanDecided | SpanWithdrawn | Horse


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
        self._horses: frozenset[HorseId] | None = None
        self._statuses: dict[StreamId, dict[str, str]] = {}
        self._metrics_mono_s: dict[StreamId, float] = {}
        self._renew_mono_s = 0.0
        self._retry_s = _RETRY_FROM_S
        self._away_told = False
        self.state = PublisherState.STARTING
        self.published = 0

    @property
    def dropped(self) -> int:
        """Items that were never published."""
        return self._mailbox.dropped

    @property
    def waiting(self) -> int:
        """Items waiting to be published now."""
        return len(self._mailbox)

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
        """Publish ``detection:update``, twice a second ``metrics:update``, and the states of
        identified horses."""
        self._offer(result)

    def on_identity(self, event: IdentityEvent) -> None:
        """Publish ``horse:identified``, or ``track:updated`` when a decision is taken back."""
        if isinstance(event, SpanDecided | SpanWithdrawn):
            self._offer(event)

    def on_registry(self, snapshot: RegistrySnapshot) -> None:
        """Publish ``horse:update`` for every horse that is in the registry since the last call;
        of several engines one does. Corrections are told by whoever made them."""
        now = frozenset(known.horse.id for known in snapshot.horses)
        before, self._horses = self._horses, now
        if before is not None:
            for known in snapshot.horses:
                if known.horse.id not in before:
                    self._offer(known.horse)

    def on_motion(self, events: Sequence[MotionEvent]) -> None:
        """No event of its own: results tell what horses do now, the store what they did."""

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
            numbered: dict[int, str] = {}
            for item in items:
                self._add(pipeline, item, numbered)
            now = time.monotonic()
            if now >= self._renew_mono_s:
                self._renew_mono_s = now + _RENEW_S
                for stream_id, fields in self._statuses.items():
                    _put(pipeline, stream_state_key(stream_id), fields, STREAM_STATE_LIFE_S)
            if len(pipeline):
                # One MULTI: a reader never sees a state without its event.
                answers = pipeline.execute()
                for place, channel in numbered.items():
                    given = int(answers[place])
                    self._sequences[channel] = max(self._sequences.get(channel, 0), given)
        self.published += len(items)

    def _add(self, pipeline: redis.client.Pipeline, item: _Item, numbered: dict[int, str]) -> None:
        now = datetime.now(UTC).isoformat()
        event: tuple[str, StreamId | None, dict[str, Any], str]
        once = ""
        match item:
            case FrameResult():
                self._add_states(pipeline, item)
                self._add_metrics(pipeline, item, numbered, now)
                event = (DETECTION_UPDATE, item.stamp.stream_id, detection_update(item), now)
            case StreamStatusChanged():
                fields = status_fields(item)
                self._remember(item.stream_id, fields)
                _put(pipeline, stream_state_key(item.stream_id), fields, STREAM_STATE_LIFE_S)
                event = (STREAM_STATUS, item.stream_id, stream_status(item), item.at.isoformat())
            case Notice():
                event = (ALERT_RAISED, item.stream_id, notice(item), item.at.isoformat())
            case SpanDecided():
                event = (HORSE_IDENTIFIED, item.stream_id, horse_identified(item), now)
            case SpanWithdrawn():
                event = (TRACK_UPDATED, item.stream_id, track_withdrawn(item), now)
            case Horse():
                once = f"barnhand:told:horse:{item.id}"
                event = (HORSE_UPDATE, None, horse_added(item), now)
            case _Healths():
                for health in item.healths:
                    fields = health_fields(health)
                    self._remember(health.stream_id, fields)
                    _put(pipeline, stream_state_key(health.stream_id), fields, STREAM_STATE_LIFE_S)
                return
        self._add_event(pipeline, event, numbered, once)

    def _add_event(
        self,
        pipeline: redis.client.Pipeline,
        event: tuple[str, StreamId | None, dict[str, Any], str],
        numbered: dict[int, str],
        once: str = "",
    ) -> None:
        name, stream_id, data, timestamp = event
        channel = events_channel(stream_id)
        head, tail = event_halves(name, stream_id, timestamp, data)
        known = self._sequences.get(channel, 0)
        numbered[len(pipeline)] = channel
        pipeline.eval(PUBLISH_EVENT, 1, SEQUENCE_KEY, channel, head, tail, once, str(known))

    def _add_metrics(
        self,
        pipeline: redis.client.Pipeline,
        result: FrameResult,
        numbered: dict[int, str],
        now: str,
    ) -> None:
        stamp = result.stamp
        last = self._metrics_mono_s.get(stamp.stream_id, -math.inf)
        if stamp.captured_mono_s - last < _METRICS_EVERY_S and stamp.captured_mono_s >= last:
            return
        data = metrics_update(result)
        if data is not None:
            self._metrics_mono_s[stamp.stream_id] = stamp.captured_mono_s
            self._add_event(pipeline, (METRICS_UPDATE, stamp.stream_id, data, now), numbered)

    def _add_states(self, pipeline: redis.client.Pipeline, result: FrameResult) -> None:
        for row, horse_id in enumerate(result.tracks.horse_ids):
            if horse_id is None:
                continue
            fields = [part for field in horse_fields(result, row).items() for part in field]
            key = horse_state_key(result.stamp.stream_id, horse_id)
            pipeline.eval(PUT_HORSE_STATE, 1, key, str(HORSE_STATE_LIFE_S), *fields)

    def _remember(self, stream_id: StreamId, fields: Mapping[str, str]) -> None:
        if fields["state"] == StreamState.INACTIVE.value:
            # A stopped stream's state lives out its time; others are renewed.
            self._statuses.pop(stream_id, None)
        else:
            self._statuses[stream_id] = {**self._statuses.get(stream_id, {}), **fields}

    def _meet_server(self) -> None:
        """After (re)connecting: the server may have lost everything."""
        self._client.ping()
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
