"""The latest picture of a stream."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response

from barnhand_desktop.api.guard import CallerHere, ServicesHere
from engine.domain.ids import StreamId


def snapshot(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, overlays: bool = False
) -> Response:
    """JPEG of the latest picture, with boxes and skeletons drawn in if ``overlays``."""
    jpeg = services.snapshots.take(StreamId(stream_id), overlays)
    return Response(jpeg, media_type="image/jpeg")
