"""The picture of a horse: the best crop of its tracks, or one that a person chose."""

from __future__ import annotations

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import Body, Request, Response

from barnhand_desktop.api.avatars import small_jpeg
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere
from barnhand_desktop.api.ownership import own_horse
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.services import Services
from engine.domain.ids import HorseId

Picture = Annotated[bytes, Body(media_type="image/jpeg")]


def avatar(
    horse_id: UUID, request: Request, caller: CallerHere, services: ServicesHere
) -> Response:
    """The horse's picture as JPEG; 304 when the client has it already."""
    jpeg = services.horses.avatar(own_horse(services, caller, horse_id))
    if jpeg is None:
        raise Problem(404, "no_avatar", "There is no picture of this horse yet.")
    tag = f'"{hashlib.sha256(jpeg).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=60"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


def choose(
    horse_id: UUID,
    body: Picture,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> None:
    """Give the horse a picture, JPEG or PNG; it is kept as a JPEG of at most 512 px and 100 KB, and
    no crop replaces it."""
    horse = own_horse(services, caller, horse_id)
    jpeg = small_jpeg(body)
    services.avatars.choose(horse, jpeg)
    digest = hashlib.sha256(jpeg).hexdigest()
    services.audit.record(caller, "horse.avatar", "horse", horse, address, {"sha256": digest})
    _tell(services, horse)


def forget(
    horse_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Go back to the best crop of the horse's tracks."""
    horse = own_horse(services, caller, horse_id)
    services.avatars.forget(horse)
    services.audit.record(caller, "horse.avatar.forget", "horse", horse, address)
    _tell(services, horse)


def _tell(services: Services, horse_id: HorseId) -> None:
    services.announcer.horse_changed(horse_id, services.horses.get(horse_id).farm_id)
