"""Camera control."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ..answers import Preset, Ptz, Schedule, Tour, TourStep
from ..connection import given
from .base import Subject


class CameraControl(Subject):
    """Steer a camera; nobody sees its credentials::

    barn.ptz.move(stream.id, pan=0.3)      # stops by itself after a second
    barn.ptz.go_to(stream.id, 2)
    """

    def state(self, stream_id: UUID) -> Ptz:
        """Who steers, what the camera can do, how a scan is going."""
        return self._api.get(Ptz, _at(stream_id))

    def move(self, stream_id: UUID, pan: float = 0.0, tilt: float = 0.0, zoom: float = 0.0) -> Ptz:
        """Move for a second, in shares of full speed: right, up and in are positive."""
        return self._do(stream_id, "move", {"pan": pan, "tilt": tilt, "zoom": zoom})

    def stop(self, stream_id: UUID) -> Ptz:
        """Stop moving."""
        return self._do(stream_id, "stop")

    def hold(self, stream_id: UUID) -> Ptz:
        """Keep the camera for oneself."""
        return self._do(stream_id, "hold")

    def release(self, stream_id: UUID) -> Ptz:
        """Let others have it."""
        return self._do(stream_id, "release")

    def presets(self, stream_id: UUID) -> tuple[Preset, ...]:
        """Stored views."""
        return self._api.get(tuple[Preset, ...], f"{_at(stream_id)}/presets")

    def store_preset(self, stream_id: UUID, number: int, name: str = "") -> Ptz:
        """Store the present view as number 1 to 8."""
        return self._api.send(Ptz, "PUT", f"{_at(stream_id)}/presets/{number}", {"name": name})

    def go_to(self, stream_id: UUID, number: int) -> Ptz:
        """Turn to a stored view."""
        return self._do(stream_id, f"presets/{number}/goto")

    def thumbnail(self, stream_id: UUID, number: int) -> bytes:
        """A stored view as JPEG."""
        return self._api.content(f"{_at(stream_id)}/presets/{number}/thumbnail")

    def snapshot(self, stream_id: UUID) -> bytes:
        """The camera's own still as JPEG."""
        return self._api.content(f"{_at(stream_id)}/snapshot")

    def follow(self, stream_id: UUID, horse_id: UUID | None) -> Ptz:
        """Keep a horse in the picture; None ends it."""
        return self._do(stream_id, "follow", {"horse_id": horse_id})

    def end(self, stream_id: UUID) -> Ptz:
        """End a tour, a scan or following."""
        return self._do(stream_id, "end")

    def scan(
        self,
        stream_id: UUID,
        presets: Sequence[int],
        settle_s: float = 5.0,
        record_s: float = 10.0,
        schedule: Schedule | None = None,
    ) -> Ptz:
        """Look at every preset, record those with horses, go home."""
        body = given(presets=presets, settle_s=settle_s, record_s=record_s, schedule=schedule)
        return self._do(stream_id, "scan", body)

    def tours(self, stream_id: UUID) -> tuple[Tour, ...]:
        """Stored tours."""
        return self._api.get(tuple[Tour, ...], f"{_at(stream_id)}/tours")

    def add_tour(
        self,
        stream_id: UUID,
        name: str,
        steps: Sequence[TourStep],
        schedule: Schedule | None = None,
    ) -> Tour:
        """Store a tour: ``[TourStep(preset=1, dwell_s=20)]``."""
        body = given(name=name, steps=steps, schedule=schedule)
        return self._api.send(Tour, "POST", f"{_at(stream_id)}/tours", body)

    def remove_tour(self, stream_id: UUID, tour_id: UUID) -> None:
        """Remove a tour."""
        self._api.do("DELETE", f"{_at(stream_id)}/tours/{tour_id}")

    def start_tour(self, stream_id: UUID, tour_id: UUID) -> Ptz:
        """Start a stored tour."""
        return self._do(stream_id, f"tours/{tour_id}/start")

    def _do(self, stream_id: UUID, act: str, body: dict[str, object] | None = None) -> Ptz:
        return self._api.send(Ptz, "POST", f"{_at(stream_id)}/{act}", body)


def _at(stream_id: UUID) -> str:
    return f"/streams/{stream_id}/ptz"
