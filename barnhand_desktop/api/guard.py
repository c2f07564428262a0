"""Stands before every endpoint: counts the request, finds the caller, checks role and object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request

from barnhand_desktop.api.access import ApiRoute, Caller
from barnhand_desktop.api.config import is_loopback
from barnhand_desktop.api.doorman import forwarded
from barnhand_desktop.api.negotiation import require_media_types
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.rates import network_of
from barnhand_desktop.api.services import Services
from engine.domain.ids import FarmId, StreamId

_BEARER = "bearer "


def services_of(request: Request) -> Services:
    """The application's services."""
    return cast(Services, request.app.state.services)


def client_address(request: Request) -> str:
    """The peer's address; behind a trusted proxy the server has put the client's there."""
    return request.client.host if request.client else "unknown"


def caller_of(request: Request) -> Caller:
    """The caller that the guard let in."""
    return cast(Caller, request.state.caller)


CallerHere = Annotated[Caller, Depends(caller_of)]
ServicesHere = Annotated[Services, Depends(services_of)]
AddressHere = Annotated[str, Depends(client_address)]


def guard(route: ApiRoute) -> Callable[[Request], None]:
    """The dependency that enforces one row of the route table."""

    def check(request: Request) -> None:
        services = services_of(request)
        address = client_address(request)
        services.limit(f"address:{network_of(address)}", services.config.rates.address)
        if route.role is None:
            require_media_types(route, request.headers)
            return
        credential = _credential(request)
        if credential is None:
            if route.open_locally and _is_local(request, services, address):
                return
            raise Problem(401, "unauthenticated", "This needs an access token or an API key.")
        caller = services.accounts.identify(credential)
        services.limit(caller.subject, services.config.rates.caller)
        _require_rights(caller, route, services.config.remote)
        if route.checks_stream:
            _require_stream(caller, services, request.path_params["stream_id"])
        require_media_types(route, request.headers)
        request.state.caller = caller

    return check


def _credential(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is not None:
        if header[: len(_BEARER)].lower() != _BEARER:
            raise Problem(401, "unauthenticated", "Only bearer tokens are taken.")
        return header[len(_BEARER) :].strip()
    return request.headers.get("x-api-key")


def _is_local(request: Request, services: Services, address: str) -> bool:
    return not services.config.remote and is_loopback(address) and not forwarded(request.headers)


def _require_rights(caller: Caller, route: ApiRoute, remote: bool) -> None:
    if caller.must_change_password and remote and not route.unchanged_password:
        raise Problem(
            403, "password_change_required", "The one-time password must be changed first."
        )
    if caller.scopes is not None and (route.scope is None or route.scope not in caller.scopes):
        raise Problem(403, "scope_missing", "The API key is not made for this.")
    if route.role is not None and not caller.has(route.role):
        raise Problem(403, "forbidden", f"This needs the role {route.role}.")


def _require_stream(caller: Caller, services: Services, text: object) -> None:
    """404 for streams of other farms and for streams not granted: they do not exist for them."""
    try:
        stream_id = StreamId(UUID(str(text)))
    except ValueError:
        raise Problem(404, "not_found", "There is no such stream.") from None
    if not services.sees(caller, stream_id):
        raise Problem(404, "not_found", "There is no such stream.")


def own_farm(services: Services, caller: Caller, farm_id: UUID | None) -> FarmId | None:
    """The farm a request is about: the caller's own, or for accounts of all farms the one asked
    for. Problem 404 for any other."""
    if farm_id is None:
        return caller.farm_id
    foreign = caller.farm_id is not None and farm_id != caller.farm_id
    if foreign or not services.grants.farm_exists(farm_id):
        raise Problem(404, "not_found", "There is no such farm.")
    return FarmId(farm_id)
