"""Tells every console and client of a correction, from the process that made it.

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
from db.live.protocol import (
    HORSE_UPDATE,
    PUBLISH_EVENT,
    SEQUENCE_KEY,
    TRACK_UPDATED,
    event_halves,
    events_channel,
)
from engine.domain.errors import BarnhandError
from engine.domain.identity import CommandRecord

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
                pipeline.execute()
        except BarnhandError as error:
            log.warning("a correction was not announced: %s", error)
            return False
        return True

    def _add(
        self, pipeline: redis.client.Pipeline, event: str, at: str, data: dict[str, Any]
    ) -> None:
        head, tail = event_halves(event, None, at, data)
        pipeline.eval(PUBLISH_EVENT, 1, SEQUENCE_KEY, events_channel(None), head, tail, "", "0")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
