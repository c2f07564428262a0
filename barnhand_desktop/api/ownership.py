"""Whether the objects a request names are the caller's: what is not does not exist for them."""

from __future__ import annotations

from uuid import UUID

from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.services import Services
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId


def own_horse(services: Services, caller: Caller, horse_id: UUID) -> HorseId:
    """The horse's id if it is of the caller's farm; Problem 404 otherwise."""
    _require(services, caller, "horse", horse_id)
    return HorseId(horse_id)


def own_command(services: Services, caller: Caller, command_id: UUID) -> None:
    """Problem 404 unless the correction is of the caller's farm."""
    _require(services, caller, "command", command_id)


def own_review(services: Services, caller: Caller, review_id: UUID) -> None:
    """Problem 404 unless the review is of the caller's farm."""
    _require(services, caller, "review", review_id)


def own_track(services: Services, caller: Caller, track_id: UUID) -> TrackId:
    """The track's id if its camera is one the caller sees; Problem 404 otherwise."""
    place = services.tracking.place_of_track(track_id)
    if place is None or not services.sees(caller, place[1]):
        raise Problem(404, "not_found", "There is no such track.")
    return TrackId(track_id)


def own_stream(services: Services, caller: Caller, stream_id: UUID | None) -> StreamId | None:
    """The stream's id if the caller sees it, None for none; Problem 404 otherwise."""
    if stream_id is None:
        return None
    if not services.sees(caller, StreamId(stream_id)):
        raise Problem(404, "not_found", "There is no such stream.")
    return StreamId(stream_id)


def _require(services: Services, caller: Caller, kind: str, object_id: UUID) -> FarmId:
    farm_id = services.tracking.farm_of(kind, object_id)
    if farm_id is None or (caller.farm_id is not None and farm_id != caller.farm_id):
        raise Problem(404, "not_found", f"There is no such {kind}.")
    return farm_id
