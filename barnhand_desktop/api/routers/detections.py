"""Stored detections."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import islice
from typing import Annotated
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import CallerHere, ServicesHere
from barnhand_desktop.api.ownership import own_stream
from barnhand_desktop.api.services import Services
from engine.domain.ids import HorseId, StreamId
from engine.domain.ports import DetectionRecord


def list_detections(
    caller: CallerHere,
    services: ServicesHere,
    stream_id: UUID | None = None,
    horse_id: UUID | None = None,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> schemas.Page[schemas.DetectionOut]:
    """Detections of the streams the caller sees, newest first, ``start_time <= at < end_time``."""

    def query(stream: StreamId | None) -> Sequence[DetectionRecord]:
        return services.detections.query(
            stream_id=stream,
            horse_id=None if horse_id is None else HorseId(horse_id),
            start=start_time,
            end=end_time,
            limit=limit + 1,
            cursor=cursor,
        )

    pages = [query(stream) for stream in _streams(caller, services, stream_id)]
    # Every page is newest first with the same order, so merging them keeps it and the cursor.
    newest = heapq.merge(*pages, key=lambda record: (record.at, record.track_id), reverse=True)
    found = list(islice(newest, limit + 1))
    return schemas.Page(
        items=[_out(record) for record in found[:limit]],
        next_cursor=found[limit - 1].cursor if len(found) > limit else None,
    )


def _streams(
    caller: Caller, services: Services, stream_id: UUID | None
) -> Sequence[StreamId | None]:
    """The streams to ask for; None stands for all, which only accounts of all farms may ask."""
    if (wanted := own_stream(services, caller, stream_id)) is not None:
        return [wanted]
    if caller.farm_id is None and not caller.sees_granted_only:
        return [None]
    return sorted(services.visible_to(caller))


def _out(record: DetectionRecord) -> schemas.DetectionOut:
    return schemas.DetectionOut(
        at=record.at,
        stream_id=record.stream_id,
        track_id=record.track_id,
        horse_id=record.horse_id,
        bbox_xyxy_px=record.bbox_xyxy_px,
        score=record.score,
        class_name=record.class_name,
        skeleton=record.skeleton,
        keypoints=dict(record.keypoints),
        flags=record.flags,
    )
