"""Models: list, upload, remove, and which streams use which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool

from barnhand_desktop.api import model_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.model_uploads import Received, received
from barnhand_desktop.api.ownership import own_stream
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.schemas import Page
from barnhand_desktop.api.services import Services
from barnhand_desktop.model_catalogue import known_models
from engine.domain.commands import ModelsChanged
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId, StreamId
from engine.domain.models import (
    PER_STREAM,
    Activation,
    ModelState,
    ModelTask,
    RegisteredId,
    RegisteredModel,
)


def list_models(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    task: Annotated[str | None, Query(max_length=20)] = None,
) -> Page[bodies.ModelOut]:
    """Registered models and those of the manifest, with their figures and where they are used."""
    farm = own_farm(services, caller, farm_id)
    registry = services.model_desk.registry
    choices, visible = registry.choices(farm), services.visible_to(caller)
    found = [bodies.registered_out(model, choices, visible) for model in registry.list(farm)]
    found += [bodies.known_out(known) for known in known_models()]
    return Page(items=[model for model in found if task in (None, model.task)])


def get_model(model_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.ModelOut:
    """One model."""
    for known in known_models():
        if known.id == model_id:
            return bodies.known_out(known)
    return _out(services, caller, _own(services, caller, model_id))


async def upload_model(
    request: Request, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.ModelOut:
    """Register a model: a form with the JSON part ``description`` and the part ``file`` (ONNX, or
    safetensors as weights that must be exported first). A confined process looks at it before it
    is stored; every refusal says what to do."""
    desk = services.model_desk
    subject, rate = f"model-upload:{caller.subject}", services.config.rates.model_upload
    await run_in_threadpool(services.limit, subject, rate)
    with desk.place():
        async with received(request, desk.folder, desk.limit_bytes) as upload:
            return await run_in_threadpool(_take_in, upload, caller, services, address)


def remove_model(
    model_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove a registered model that no stream uses, with its bytes."""
    model = _administered(services, caller, model_id)
    services.model_acts.remove(caller, address, model)


def activate_model(
    model_id: UUID,
    body: bodies.ModelUse,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.ModelUsed:
    """Use a registered detector or pose model at one stream, or with a null stream_id at all of
    the farm. Engines take it up within seconds, without a restart."""
    model = _registered(services, caller, model_id)
    if model.task not in PER_STREAM:
        raise Problem(
            422,
            "model_not_per_stream",
            "Appearance models are not chosen per stream: vectors of different models are never "
            "compared, so all cameras need the same. Import it on the workstation (barnhand models "
            "import), set engine.tracking.embedder, and start again.",
        )
    if model.state is not ModelState.READY:
        raise Problem(
            422,
            "model_needs_export",
            f"{model.model_id} is weights only. Export it to ONNX and upload that.",
        )
    return _use(model, model.id, "model.activate", body, caller, services, address)


def deactivate_model(
    model_id: UUID,
    body: bodies.ModelUse,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.ModelUsed:
    """Take the workstation's own model again: at one stream, or with a null stream_id wherever
    this model is used."""
    model = _registered(services, caller, model_id)
    if body.stream_id is not None:
        return _use(model, None, "model.deactivate", body, caller, services, address)
    farm = own_farm(services, caller, body.farm_id)
    ended = services.model_desk.registry.deactivate(model.id, farm)
    return _told(model, "model.deactivate", {"choices": ended}, caller, services, address)


# --- inside --------------------------------------------------------------------------------------


def _take_in(upload: Received, caller: Caller, services: Services, address: str) -> bodies.ModelOut:
    farm = own_farm(services, caller, upload.description.farm_id)
    model = services.model_acts.take_in(caller, address, upload, farm)
    return _out(services, caller, model)


def _use(
    model: RegisteredModel,
    chosen: RegisteredId | None,
    action: str,
    body: bodies.ModelUse,
    caller: Caller,
    services: Services,
    address: str,
) -> bodies.ModelUsed:
    stream_id = own_stream(services, caller, body.stream_id)
    registry = services.model_desk.registry
    for farm in _farms(model, services, caller, body.farm_id, stream_id):
        registry.activate(Activation(farm, stream_id, ModelTask(model.task), chosen))
    details = {"stream_id": None if stream_id is None else str(stream_id)}
    return _told(model, action, details, caller, services, address)


def _farms(
    model: RegisteredModel,
    services: Services,
    caller: Caller,
    farm_id: UUID | None,
    stream_id: StreamId | None,
) -> Sequence[FarmId]:
    """The farms that a choice is made for: the stream's, the one named, or all the caller has."""
    farm = own_farm(services, caller, farm_id)
    if stream_id is not None:
        of_stream = services.background.farm_of(stream_id)
        if of_stream is None or farm not in (None, of_stream):
            raise Problem(404, "not_found", "There is no such stream.")
        return (of_stream,)
    farm = farm or model.farm_id
    return (farm,) if farm is not None else tuple(one.id for one in services.farms.list())


def _told(
    model: RegisteredModel,
    action: str,
    details: Mapping[str, object],
    caller: Caller,
    services: Services,
    address: str,
) -> bodies.ModelUsed:
    """Audited and told to the engines."""
    services.model_acts.note(caller, address, action, model, details)
    notified = services.tell_engine(ModelsChanged())
    return bodies.ModelUsed(model=_out(services, caller, model), engine_notified=notified)


def _registered(services: Services, caller: Caller, model_id: UUID) -> RegisteredModel:
    """A model that can be chosen for streams; Problem 422 for those of the manifest."""
    if any(known.id == model_id for known in known_models()):
        raise Problem(
            422,
            "model_not_registered",
            "Models of the product are each workstation's own choice (engine.detection.model, "
            "engine.pose.model). Deactivate a registered model to use them.",
        )
    return _own(services, caller, model_id)


def _administered(services: Services, caller: Caller, model_id: UUID) -> RegisteredModel:
    """A model that the caller may remove: every farm's only by accounts of all farms."""
    model = _registered(services, caller, model_id)
    if caller.farm_id is not None and model.farm_id is None:
        raise Problem(403, "forbidden", "This model is every farm's.")
    return model


def _own(services: Services, caller: Caller, model_id: UUID) -> RegisteredModel:
    try:
        model = services.model_desk.registry.get(RegisteredId(model_id))
    except NotFound:
        raise Problem(404, "not_found", "There is no such model.") from None
    if caller.farm_id is not None and model.farm_id not in (None, caller.farm_id):
        raise Problem(404, "not_found", "There is no such model.")
    return model


def _out(services: Services, caller: Caller, model: RegisteredModel) -> bodies.ModelOut:
    choices = services.model_desk.registry.choices(caller.farm_id)
    return bodies.registered_out(model, choices, services.visible_to(caller))
