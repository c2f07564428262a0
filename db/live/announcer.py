"""Tells every console and client of a correction, from the process that made it.

A correction is published once, by whoever committed it: ``horse:update`` for every horse it
touched and ``track:updated`` for the command, in the farm's room. Numbers within a channel are
given by the server, so that several processes can publish on one.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import redis

from db.live.connection import connect, translated
from db.live.protocol import SEQUENCE_KEY, events_channel
from engine.domain.errors import BarnhandError
from engine.domain.identity import CommandRecord

log = logging.getLogger(__name__)

HORSE_UPDATE = "horse:update"
TRACK_UPDATED = "track:updated"

PUBLISH_NUMBERED = """
local number = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('PUBLISH', ARGV[1], ARGV[2] .. number .. ARGV[3])
return number
"""
"""Lua: one channel's next number, put between the two halves of a message, and the message sent."""


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
        head, tail = numbered_halves(event, None, at, data)
        pipeline.eval(PUBLISH_NUMBERED, 1, SEQUENCE_KEY, events_channel(None), head, tail)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def numbered_halves(
    event: str, stream_id: str | None, timestamp: str, data: dict[str, Any]
) -> tuple[str, str]:
    """An event as JSON, cut where its sequence number goes."""
    head = json.dumps({"event": event, "stream_id": stream_id, "timestamp": timestamp})
    body = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return head[:-1] + ',"sequence":', f',"data":{body}}}'
