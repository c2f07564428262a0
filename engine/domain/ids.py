"""Distinct identifier types, so that a horse is never passed where a track is meant."""

from __future__ import annotations

from typing import NewType
from uuid import UUID, uuid4

FarmId = NewType("FarmId", UUID)
StreamId = NewType("StreamId", UUID)
TrackId = NewType("TrackId", UUID)
HorseId = NewType("HorseId", UUID)
UserId = NewType("UserId", UUID)
ModelId = NewType("ModelId", str)
"""``name@version`` of a registered model; features of different models are never compared."""


def new_stream_id() -> StreamId:
    """A fresh random stream id."""
    return StreamId(uuid4())


def new_track_id() -> TrackId:
    """A fresh random track id; unique over all cameras, nodes and restarts."""
    return TrackId(uuid4())
