"""Tells every console and client of corrections and jobs, from the process that made them.

A correction is published once, by whoever committed it: ``horse:update`` for every horse it
touched and ``track:updated`` for the command, in the farm's room. Numbers within a channel are
given by the server, so that several processes can publish on one.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import redis

from db.live.connection import connect, translated
from db.live.personal import (
    ALERT_UPDATED,
    SESSION_REVOKED,
    alert_updated,
    session_revoked,
    user_room,
)
from db.live.protocol import (
    ALERT_RAISED,
    ANALYTICS_GENERATION_KEY,
    CHUNK_PROCESSED,
    HORSE_UPDATE,
    JOB_UPDATE,
    PUBLISH_EVENT,
    SEQUENCE_KEY,
    TRACK_UPDATED,
    alert_raised,
    chunk_processed,
    event_halves,
    events_channel,
    job_update,
)
from engine.domain.behaviour import Alert
from engine.domain.errors import BarnhandError
from engine.domain.identity import CommandRecord
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.recording import Chunk, Job

log = logging.getLogger(__name__)


class Announcer:
    """Publishes on the live-state server at ``url``, from any thread. The commit stands whether or
    not the server is there: what cannot be published is logged, and consoles hear of the change
    from the database."""

    def __init__(self, url: str) -> None:
        self._client: redis.Redis = connect(url)

    def corrected(self, record: CommandRecord, act: str) -> bool:
        """Tell of a correction; ``act`` is ``applied``, ``undone`` or ``redone``. True if told."""
        at = datetime.now(UTC).isoformat()
        command = {
            "farm_id": str(record.farm_id),
            "command_id": str(record.id),
            "kind": record.kind,
            "act": act,
            "actor": record.actor,
            "summary": record.summary,
            "horse_ids": [str(horse_id) for horse_id in record.horse_ids],
        }
        try:
            with translated("telling of a correction"):
                pipeline = self._client.pipeline(transaction=True)
                for horse_id in record.horse_ids:
                    told = {"horse_id": str(horse_id), "farm_id": str(record.farm_id)}
                    self._add(pipeline, HORSE_UPDATE, at, {**told, "command_id": str(record.id)})
                self._add(pipeline, TRACK_UPDATED, at, command)
                pipeline.incr(ANALYTICS_GENERATION_KEY)
                pipeline.execute()
        except BarnhandError as error:
            log.warning("a correction was not announced: %s", error)
            return False
        return True

    def horse_changed(self, horse_id: HorseId, farm_id: FarmId) -> bool:
        """Tell that something of a horse that is no correction changed: its picture. True if
        told."""
        told = {"horse_id": str(horse_id), "farm_id": str(farm_id)}
        return self._tell(HORSE_UPDATE, None, told)

    def alert_raised(self, alert: Alert) -> bool:
        """Tell of a stored alert, in its camera's room or the farm's. True if told."""
        return self._tell(ALERT_RAISED, alert.stream_id, alert_raised(alert))

    def alert_updated(self, alert: Alert) -> bool:
        """Tell of an acknowledgement, where the alert was told and to who gave it. True if told."""
        return self._tell(ALERT_UPDATED, alert.stream_id, alert_updated(alert), (
            alert.acknowledged_by or None
        ))  # fmt: skip

    def session_revoked(self, username: str, reason: str) -> bool:
        """Tell an account that a login, key or right of it has ended. True if told."""
        try:
            with translated("telling of an ended login"):
                pipeline = self._client.pipeline(transaction=True)
                at = datetime.now(UTC).isoformat()
                self._add(pipeline, SESSION_REVOKED, at, session_revoked(reason), user=username)
                pipeline.execute()
        except BarnhandError as error:
            log.warning("%s was not told of an ended login: %s", username, error)
            return False
        return True

    def job(self, job: Job) -> bool:
        """Tell how a job is going: its farm, and who asked for it. True if told."""
        return self._tell(JOB_UPDATE, None, job_update(job), job.actor)

    def chunk_processed(self, chunk: Chunk) -> bool:
        """Tell that a recording's results are final. True if told."""
        return self._tell(CHUNK_PROCESSED, chunk.stream_id, chunk_processed(chunk))

    def _tell(
        self,
        event: str,
        stream_id: StreamId | None,
        data: dict[str, Any],
        user: str | None = None,
    ) -> bool:
        at = datetime.now(UTC).isoformat()
        try:
            with translated(f"telling of {event}"):
                pipeline = self._client.pipeline(transaction=True)
                self._add(pipeline, event, at, data, stream_id)
                if user is not None:
                    self._add(pipeline, event, at, data, user=user)
                pipeline.execute()
        except BarnhandError as error:
            log.info("%s was not announced: %s", event, error)
            return False
        return True

    def _add(
        self,
        pipeline: redis.client.Pipeline,
        event: str,
        at: str,
        data: dict[str, Any],
        stream_id: StreamId | None = None,
        user: str | None = None,
    ) -> None:
        head, tail = event_halves(event, stream_id, at, data, user)
        channel = events_channel(stream_id if user is None else user_room(user))
        pipeline.eval(PUBLISH_EVENT, 1, SEQUENCE_KEY, channel, head, tail, "", "0")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
