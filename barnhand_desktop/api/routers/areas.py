"""Barns, stalls and paddocks of a farm: who is expected where."""

from __future__ import annotations

from uuid import UUID

import numpy as np

from barnhand_desktop.api import area_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_horse, own_stream
from barnhand_desktop.api.services import Services
from db.repositories.areas import AreaId, StoredArea
from engine.domain.errors import NotFound
from engine.domain.identity import Area


def list_areas(
    caller: CallerHere, services: ServicesHere, farm_id: UUID | None = None
) -> list[bodies.AreaOut]:
    """The places of the caller's farm by name; viewers see those without a camera and those of
    cameras granted to them."""
    visible = services.visible_to(caller)
    return [
        _out(stored)
        for stored in services.areas.list(own_farm(services, caller, farm_id))
        if stored.area.stream_id is None or stored.area.stream_id in visible
    ]


def add_area(
    body: bodies.AreaIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.AreaOut:
    """Make a place."""
    farm = own_farm(services, caller, body.farm_id)
    stored = services.areas.add(_area(body, caller, services), farm)
    services.audit.record(caller, "area.add", "area", stored.id, address, {"name": body.name})
    return _out(stored)


def get_area(area_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.AreaOut:
    """One place."""
    return _out(_theirs(services, caller, area_id))


def change_area(
    area_id: UUID,
    body: bodies.AreaChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.AreaOut:
    """Change a place."""
    before = _theirs(services, caller, area_id)
    area = _area(body, caller, services)
    stored = services.areas.update(StoredArea(before.id, before.farm_id, body.version, area))
    services.audit.record(caller, "area.change", "area", area_id, address, {"name": body.name})
    return _out(stored)


def remove_area(
    area_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove a place; horses and cameras stay."""
    stored = _theirs(services, caller, area_id)
    services.areas.remove(stored.id)
    services.audit.record(
        caller, "area.remove", "area", area_id, address, {"name": stored.area.name}
    )


def _area(body: bodies.AreaIn | bodies.AreaChange, caller: Caller, services: Services) -> Area:
    region = None if body.region is None else np.array(body.region, np.float32)
    expected = None if body.expected is None else own_horse(services, caller, body.expected)
    return Area(
        body.name, body.kind, own_stream(services, caller, body.stream_id), region, expected
    )


def _theirs(services: Services, caller: Caller, area_id: UUID) -> StoredArea:
    stored = services.areas.get(AreaId(area_id))
    foreign = caller.farm_id is not None and stored.farm_id != caller.farm_id
    camera = stored.area.stream_id
    if foreign or (camera is not None and camera not in services.visible_to(caller)):
        raise NotFound(f"There is no area {area_id}.")
    return stored


def _out(stored: StoredArea) -> bodies.AreaOut:
    area = stored.area
    return bodies.AreaOut(
        id=stored.id,
        farm_id=stored.farm_id,
        name=area.name,
        kind=area.kind,
        stream_id=area.stream_id,
        region=None if area.region is None else [(float(x), float(y)) for x, y in area.region],
        expected=area.expected,
        version=stored.version,
    )
