"""Farms: made and removed by administrators of all farms."""

from __future__ import annotations

from uuid import UUID

from barnhand_desktop.api import area_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.services import Services
from db.repositories.farms import DEFAULT_FARM, Farm
from engine.domain.errors import Conflict, NotFound


def list_farms(caller: CallerHere, services: ServicesHere) -> list[bodies.FarmOut]:
    """The farms the caller belongs to."""
    return [_farm(farm) for farm in services.farms.list(caller.farm_id)]


def add_farm(
    body: bodies.FarmIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.FarmOut:
    """Make a farm; for administrators of all farms."""
    if caller.farm_id is not None:
        raise NotFound("Only an administrator of all farms makes another farm.")
    farm = services.farms.add(body.name)
    services.audit.record(caller, "farm.add", "farm", farm.id, address, {"name": farm.name})
    return _farm(farm)


def change_farm(
    farm_id: UUID,
    body: bodies.FarmChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.FarmOut:
    """Rename a farm, or say how many horses live there."""
    own = own_farm(services, caller, farm_id)
    if own is None:
        raise NotFound("There is no such farm.")
    farm = services.farms.change(own, body.name, body.expected_residents)
    services.audit.record(caller, "farm.change", "farm", own, address, body.model_dump())
    return _farm(farm)


def get_farm(farm_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.FarmOut:
    """One farm."""
    return _farm(_own(services, caller, farm_id))


def remove_farm(
    farm_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove a farm that nothing belongs to any more; for administrators of all farms. The farm
    that every installation starts with stays."""
    if caller.farm_id is not None:
        raise NotFound("Only an administrator of all farms removes a farm.")
    farm = _own(services, caller, farm_id)
    try:
        removed = farm.id != DEFAULT_FARM and services.farms.remove(farm.id)
    except (Conflict, NotFound):  # a row that belongs to it stands in the way
        removed = False
    if not removed:
        raise Problem(
            409, "farm_not_empty", "Cameras, horses, accounts or records belong to this farm."
        )
    services.audit.record(caller, "farm.remove", "farm", farm.id, address, {"name": farm.name})


def _own(services: Services, caller: Caller, farm_id: UUID) -> Farm:
    own = own_farm(services, caller, farm_id)
    for farm in services.farms.list(own):
        if farm.id == farm_id:
            return farm
    raise NotFound("There is no such farm.")


def _farm(farm: Farm) -> bodies.FarmOut:
    return bodies.FarmOut(id=farm.id, name=farm.name, expected_residents=farm.expected_residents)
