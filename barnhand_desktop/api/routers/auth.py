"""Logging in and out, the own account, API keys."""

from __future__ import annotations

import contextlib
from uuid import UUID

from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller, Scope
from barnhand_desktop.api.accounts import LoginRefused, RefreshReused, TokenPair
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.rates import network_of
from barnhand_desktop.api.services import Services
from db.repositories.users import ApiKey, Role
from engine.domain.errors import NotFound
from engine.domain.ids import UserId


def login(body: schemas.Login, services: ServicesHere, address: AddressHere) -> schemas.Tokens:
    """Exchange a name and a password for tokens. Counted before the password is looked at."""
    username = body.username.strip().lower()
    rates = services.config.rates
    services.limit(f"login:address:{network_of(address)}", rates.login_address)
    services.limit(f"login:account:{username}", rates.login_account)
    try:
        pair = services.accounts.log_in(username, body.password.get_secret_value())
    except LoginRefused as error:
        services.audit.record_stranger(username, "login.refused", address)
        raise Problem(401, "login_refused", error.message) from error
    services.audit.record(pair.caller, "login", "account", pair.caller.user_id, address)
    return _tokens(pair)


def refresh(body: schemas.Refresh, services: ServicesHere, address: AddressHere) -> schemas.Tokens:
    """Exchange the newest refresh token. One that was used before ends its whole login."""
    try:
        pair = services.accounts.refresh(body.refresh_token.get_secret_value())
    except RefreshReused as error:
        services.audit.record_stranger(str(error.user_id), "refresh.reused", address)
        _tell_owner(services, error.user_id)
        raise Problem(401, "refresh_reused", str(error)) from error
    return _tokens(pair)


def logout(caller: CallerHere, services: ServicesHere, address: AddressHere) -> None:
    """End this login; its tokens stop working at once."""
    services.accounts.log_out(caller)
    services.audit.record(caller, "logout", "account", caller.user_id, address)
    services.announcer.session_revoked(caller.username, "logout")


def me(caller: CallerHere) -> schemas.Me:
    """The account this request is made by."""
    return _me(caller)


def change_password(
    body: schemas.PasswordChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> None:
    """Change the own password; the account's other logins end."""
    _limit_own_password(services, caller, address)
    try:
        services.accounts.change_password(
            caller,
            body.current_password.get_secret_value(),
            body.new_password.get_secret_value(),
        )
    except LoginRefused as error:
        raise Problem(403, "password_wrong", error.message) from error
    services.audit.record(caller, "password.change", "account", caller.user_id, address)
    services.announcer.session_revoked(caller.username, "password changed")


def list_keys(caller: CallerHere, services: ServicesHere) -> schemas.Page[schemas.ApiKeyOut]:
    """The own API keys."""
    return schemas.Page(items=[_key(key) for key in services.users.keys(caller.user_id)])


def add_key(
    body: schemas.ApiKeyIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> schemas.ApiKeyMade:
    """Make an API key; its secret is in this answer and nowhere else."""
    if Scope.WRITE in body.scopes and not caller.has(Role.MANAGER):
        raise Problem(403, "forbidden", "A viewer's key cannot write.")
    secret, key = services.accounts.add_key(caller, body.name, body.scopes, body.expires_at)
    services.audit.record(
        caller, "api_key.add", "api_key", key.id, address, {"scopes": list(key.scopes)}
    )
    return schemas.ApiKeyMade(**_key(key).model_dump(), key=secret)


def revoke_key(
    key_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Revoke one of the own API keys."""
    services.users.revoke_key(caller.user_id, key_id)
    services.audit.record(caller, "api_key.revoke", "api_key", key_id, address)
    services.announcer.session_revoked(caller.username, "API key revoked")


def _tell_owner(services: Services, user_id: UUID) -> None:
    with contextlib.suppress(NotFound):
        owner = services.users.get(UserId(user_id))
        services.announcer.session_revoked(owner.username, "refresh token used twice")


def _limit_own_password(services: Services, caller: Caller, address: str) -> None:
    rates = services.config.rates
    services.limit(f"login:address:{network_of(address)}", rates.login_address)
    services.limit(f"login:account:{caller.username}", rates.login_account)


def _tokens(pair: TokenPair) -> schemas.Tokens:
    return schemas.Tokens(
        access_token=pair.access,
        refresh_token=pair.refresh,
        expires_in=pair.expires_in_s,
        user=_me(pair.caller),
    )


def _me(caller: Caller) -> schemas.Me:
    return schemas.Me(
        id=caller.user_id,
        username=caller.username,
        role=caller.role,
        farm_id=caller.farm_id,
        must_change_password=caller.must_change_password,
        scopes=None if caller.scopes is None else sorted(caller.scopes),
    )


def _key(key: ApiKey) -> schemas.ApiKeyOut:
    return schemas.ApiKeyOut(
        id=key.id,
        name=key.name,
        scopes=list(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
    )
