"""Accounts, by administrators; an administrator of one farm sees that farm's only."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.paging import text_position
from barnhand_desktop.api.services import Services
from db.repositories.users import User
from engine.domain.errors import NotFound
from engine.domain.ids import UserId

Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=500)]


def list_users(
    caller: CallerHere, services: ServicesHere, limit: Limit = 100, cursor: Cursor = None
) -> schemas.Page[schemas.UserOut]:
    """Accounts by name."""
    after = text_position(cursor)
    found = services.users.list(caller.farm_id, after, limit + 1)
    more = len(found) > limit
    return schemas.Page(
        items=[_out(user) for user in found[:limit]],
        next_cursor=schemas.encode_cursor(found[limit - 1].username) if more else None,
    )


def add_user(
    body: schemas.UserIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> schemas.UserOut:
    """Make an account."""
    user = services.account_acts.add(
        caller,
        address,
        body.username,
        body.password.get_secret_value(),
        body.role,
        own_farm(services, caller, body.farm_id),
    )
    return _out(user)


def get_user(user_id: UUID, caller: CallerHere, services: ServicesHere) -> schemas.UserOut:
    """One account."""
    return _out(_theirs(services, caller, user_id))


def change_user(
    user_id: UUID,
    body: schemas.UserChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> schemas.UserOut:
    """Change role, farm or state of an account; switching it off ends its logins."""
    user = _theirs(services, caller, user_id)
    farm_id = own_farm(services, caller, body.farm_id)
    wanted = replace(
        user, role=body.role, farm_id=farm_id, enabled=body.enabled, version=body.version
    )
    changed = services.account_acts.change(caller, address, wanted)
    return _out(changed)


def remove_user(
    user_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove an account; the audit trail keeps its name."""
    user = _theirs(services, caller, user_id)
    services.account_acts.remove(caller, address, user)


def get_grants(user_id: UUID, caller: CallerHere, services: ServicesHere) -> schemas.Grants:
    """The streams granted to an account."""
    user = _theirs(services, caller, user_id)
    return schemas.Grants(stream_ids=list(services.grants.grants(user.id)))


def set_grants(
    user_id: UUID,
    body: schemas.Grants,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> schemas.Grants:
    """Replace the streams granted to an account."""
    user = _theirs(services, caller, user_id)
    granted = services.account_acts.set_grants(caller, address, user, body.stream_ids)
    return schemas.Grants(stream_ids=list(granted))


def _theirs(services: Services, caller: Caller, user_id: UUID) -> User:
    """The account if it is of the caller's farm; NotFound otherwise."""
    user = services.users.get(UserId(user_id))
    if caller.farm_id is not None and user.farm_id != caller.farm_id:
        raise NotFound("There is no such account.")
    return user


def _out(user: User) -> schemas.UserOut:
    return schemas.UserOut(
        id=user.id,
        username=user.username,
        role=user.role,
        farm_id=user.farm_id,
        enabled=user.enabled,
        must_change_password=user.must_change_password,
        created_at=user.created_at,
        last_login_at=user.last_login_at,
        version=user.version,
    )
