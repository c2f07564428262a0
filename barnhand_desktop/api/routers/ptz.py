"""Camera control for remote people: through the engine's arbiter, never to the camera itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Path, Response

from barnhand_desktop.api import ptz_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere
from barnhand_desktop.api.ownership import own_horse
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.services import Services
from barnhand_desktop.ptz_requests import scan_plan_of, tour_of
from db.repositories.ptz import schedule_values
from engine.domain.commands import PlansChanged
from engine.domain.errors import NotFound
from engine.domain.ids import StreamId
from engine.domain.ptz import Tour
from engine.ptz.config import KEY

ANSWER_S = 3.0
PICTURE_S = 8.0
"""Connecting to a camera takes up to 2 s and its picture up to 3 s more."""

Number = Annotated[int, Path(ge=1, le=8)]
_PROBLEMS = {
    "held": (409, "camera_held"),
    "refused": (422, "refused"),
    "camera": (503, "camera_unreachable"),
    "missing": (404, "not_found"),
}


def get_state(stream_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.PtzOut:
    """Who steers, what moves, what runs, the presets and the last scan."""
    return _ask(services, caller, stream_id, "state")


def move(
    stream_id: UUID,
    body: bodies.MoveIn,
    caller: CallerHere,
    services: ServicesHere,
) -> bodies.PtzOut:
    """Move, and take the camera; repeat within a second to go on. Stands in the audit trail by
    its first request (``hold``), not by each repetition."""
    return _ask(services, caller, stream_id, "move", body.model_dump())


def stop(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.PtzOut:
    """Stop now; never refused to anyone who may steer."""
    return _act(services, caller, address, stream_id, "stop")


def hold(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.PtzOut:
    """Take the camera; 409 while somebody of higher priority has it."""
    return _act(services, caller, address, stream_id, "hold")


def release(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.PtzOut:
    """Give the camera back."""
    return _act(services, caller, address, stream_id, "release")


def list_presets(
    stream_id: UUID, caller: CallerHere, services: ServicesHere
) -> list[bodies.PresetOut]:
    """The stored views of the camera."""
    return _ask(services, caller, stream_id, "state").presets


def store_preset(
    stream_id: UUID,
    number: Number,
    body: bodies.PresetIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.PtzOut:
    """Store the present view."""
    values = {"preset": number, "name": body.name}
    answer = _ask(services, caller, stream_id, "store", values)
    services.audit.record(caller, "ptz.preset", "stream", stream_id, address, {"preset": number})
    return answer


def go_to(
    stream_id: UUID,
    number: Number,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.PtzOut:
    """Go to a stored view."""
    return _act(services, caller, address, stream_id, "go_to", {"preset": number}, "ptz.goto")


def thumbnail(stream_id: UUID, number: Number, services: ServicesHere) -> Response:
    """The picture of a stored view."""
    stored = services.ptz.presets(StreamId(stream_id)).get(StreamId(stream_id), ())
    for preset in stored:
        if preset.number == number and preset.thumbnail is not None:
            headers = {"Cache-Control": "private, max-age=60"}
            return Response(preset.thumbnail, media_type="image/jpeg", headers=headers)
    raise Problem(404, "not_found", "There is no picture of this preset.")


def snapshot(stream_id: UUID, caller: CallerHere, services: ServicesHere) -> Response:
    """A JPEG straight from the camera, fetched by the engine; no credentials travel."""
    document = _document(services, caller, stream_id, "snapshot", {}, PICTURE_S)
    jpeg = base64.b64decode(str(document["jpeg"]))
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def follow(
    stream_id: UUID,
    body: bodies.FollowIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.PtzOut:
    """Keep a horse in the picture, or end that."""
    horse = None if body.horse_id is None else str(own_horse(services, caller, body.horse_id))
    answer = _ask(services, caller, stream_id, "follow", {"horse_id": horse})
    services.audit.record(caller, "ptz.follow", "stream", stream_id, address, {"horse": horse})
    return answer


def end_activity(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.PtzOut:
    """End the tour, scan or following; a scan goes home."""
    return _act(services, caller, address, stream_id, "end")


def scan(
    stream_id: UUID,
    body: bodies.ScanIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.PtzOut:
    """Scan now, or with a schedule: store the plan, to run by itself from then on."""
    values = body.model_dump(mode="json")
    if body.schedule is not None:
        services.ptz.save_scan_plan(scan_plan_of(StreamId(stream_id), values))
        services.tell_engine(PlansChanged())
        answer = _ask(services, caller, stream_id, "state")
    else:
        answer = _ask(services, caller, stream_id, "scan", values)
    services.audit.record(caller, "ptz.scan", "stream", stream_id, address, values)
    return answer


def list_tours(stream_id: UUID, services: ServicesHere) -> list[bodies.TourOut]:
    """The camera's tours by name."""
    return [_tour_out(tour) for tour in services.ptz.tours(StreamId(stream_id))]


def add_tour(
    stream_id: UUID,
    body: bodies.TourIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.TourOut:
    """Store a tour; with a schedule it runs by itself."""
    values = {"id": str(uuid4()), **body.model_dump(mode="json")}
    tour = tour_of(StreamId(stream_id), values)
    services.ptz.save_tour(tour)
    services.tell_engine(PlansChanged())
    services.audit.record(caller, "ptz.tour.add", "tour", tour.id, address, {"name": tour.name})
    return _tour_out(tour)


def remove_tour(
    stream_id: UUID,
    tour_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> None:
    """Forget a tour."""
    tour = _tour(services, stream_id, tour_id)
    services.ptz.remove_tour(tour.id)
    services.tell_engine(PlansChanged())
    services.audit.record(caller, "ptz.tour.remove", "tour", tour_id, address)


def start_tour(
    stream_id: UUID,
    tour_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.PtzOut:
    """Run a tour now."""
    told = _tour_out(_tour(services, stream_id, tour_id)).model_dump(mode="json")
    answer = _ask(services, caller, stream_id, "tour", told)
    services.audit.record(caller, "ptz.tour.start", "tour", tour_id, address)
    return answer


# --- what they share -----------------------------------------------------------------------------


def _ask(
    services: Services,
    caller: Caller,
    stream_id: UUID,
    act: str,
    values: Mapping[str, object] | None = None,
) -> bodies.PtzOut:
    document = _document(services, caller, stream_id, act, values or {}, ANSWER_S)
    return bodies.PtzOut.model_validate(document["state"])


def _act(
    services: Services,
    caller: Caller,
    address: str,
    stream_id: UUID,
    act: str,
    values: Mapping[str, object] | None = None,
    action: str = "",
) -> bodies.PtzOut:
    """Ask for an act and note it in the audit trail, as ``action`` or under the act's own name."""
    answer = _ask(services, caller, stream_id, act, values)
    services.audit.record(caller, action or f"ptz.{act}", "stream", stream_id, address, values)
    return answer


def _document(
    services: Services,
    caller: Caller,
    stream_id: UUID,
    act: str,
    values: Mapping[str, object],
    timeout_s: float,
) -> dict[str, Any]:
    """The engine's answer; a Problem where it is an error or nobody answers, 404 at once for a
    camera that has no control at all."""
    if KEY not in services.streams.get(StreamId(stream_id)).extra:
        raise Problem(404, "no_camera_control", "This camera has no control set up.")
    person = (f"api:{caller.subject}", caller.username)
    answer = services.commands.steer(StreamId(stream_id), act, person, values, timeout_s)
    if not answer:
        raise Problem(503, "not_steered", "No engine steers this camera now.")
    document: dict[str, Any] = json.loads(answer)
    error = document.get("error")
    if error is not None:
        status, code = _PROBLEMS[error["kind"]]
        raise Problem(status, code, f"{error['message']} {error['advice']}".strip())
    return document


def _tour(services: Services, stream_id: UUID, tour_id: UUID) -> Tour:
    for tour in services.ptz.tours(StreamId(stream_id)):
        if tour.id == tour_id:
            return tour
    raise NotFound("There is no such tour of this camera.")


def _tour_out(tour: Tour) -> bodies.TourOut:
    steps = [bodies.TourStepIn(preset=step.preset, dwell_s=step.dwell_s) for step in tour.steps]
    values = schedule_values(tour.schedule)
    schedule = None if values is None else bodies.ScheduleIn.model_validate(values)
    return bodies.TourOut(id=tour.id, name=tour.name, steps=steps, schedule=schedule)
