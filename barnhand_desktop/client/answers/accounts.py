"""Accounts, tokens and keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from .base import Answer


class Me(Answer):
    """The account a request is made by."""

    id: UUID
    username: str
    role: str
    farm_id: UUID | None
    must_change_password: bool
    scopes: tuple[str, ...] | None = None


class Tokens(Answer):
    """A login: send ``access_token`` as a bearer token, exchange ``refresh_token`` once."""

    access_token: str
    refresh_token: str
    token_type: str = "bearer"
    expires_in: int
    user: Me


class ApiKey(Answer):
    """A key without its secret."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyMade(Answer):
    """A fresh key; ``key`` is shown this once."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    key: str


class User(Answer):
    """An account."""

    id: UUID
    username: str
    role: str
    farm_id: UUID | None
    enabled: bool
    must_change_password: bool
    created_at: datetime
    last_login_at: datetime | None
    version: int


class Grants(Answer):
    """The streams a viewer sees."""

    stream_ids: tuple[UUID, ...]


class AuditRow(Answer):
    """Who did what to which object."""

    id: int
    at: datetime
    user_id: UUID | None
    username: str
    api_key_id: UUID | None
    action: str
    object_kind: str
    object_id: str | None
    address: str | None
    details: dict[str, Any]
