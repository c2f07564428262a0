"""Who may call what: roles, key scopes, and the caller a request was made by."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from barnhand_desktop.api.config import ApiConfig
from db.repositories.users import Role
from engine.domain.ids import FarmId, UserId

BASE_PATH = "/api/v1"

_RANK = {Role.VIEWER: 0, Role.MANAGER: 1, Role.ADMIN: 2}


class Scope(StrEnum):
    """What an API key may be used for; a key never does more than its owner's role."""

    READ = "read"
    WRITE = "write"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. ``family_id`` is the login of an access token, ``api_key_id`` the key;
    exactly one of them is set. ``scopes`` is None for a person. ``expires_at`` None never."""

    user_id: UserId
    username: str
    role: Role
    farm_id: FarmId | None
    must_change_password: bool
    family_id: UUID | None = None
    api_key_id: UUID | None = None
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None

    def has(self, role: Role) -> bool:
        """True if the caller's role is ``role`` or a higher one."""
        return _RANK[self.role] >= _RANK[role]

    @property
    def sees_granted_only(self) -> bool:
        """Viewers see the streams granted to them; the others every stream of their farm."""
        return not self.has(Role.MANAGER)

    @property
    def subject(self) -> str:
        """Name under which requests of this caller are counted."""
        return f"key:{self.api_key_id}" if self.api_key_id else f"user:{self.user_id}"


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One row of the route table.

    ``role`` None is public. ``scope`` None refuses API keys. ``open_locally``: no token needed
    from this machine while remote access is off. ``unchanged_password``: allowed to an account
    whose one-time password is still to be changed. ``stream_id`` in the path is checked against
    the caller's farm and grants before the endpoint runs. ``body_bytes``: the longest body where
    it is not ``ApiConfig.body_bytes`` (uploads; such a path names no object, and its endpoint reads
    ``request.stream()`` so that nothing is kept in memory). ``request_body``: the OpenAPI
    description of a body that the endpoint reads itself. ``media``: media types of its success
    where that is not JSON; ``files``: it answers byte ranges; ``also``: further statuses of
    success; ``refuses``: of problems; ``accepts``: media types of its body.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    role: Role | None
    scope: Scope | None = None
    status: int = 200
    open_locally: bool = False
    unchanged_password: bool = False
    base_path: str = BASE_PATH
    documented: bool = True
    body_bytes: Callable[[ApiConfig], int] | None = None
    request_body: Mapping[str, Any] | None = None
    media: tuple[str, ...] = ()
    files: bool = False
    also: tuple[int, ...] = ()
    refuses: tuple[int, ...] = ()
    accepts: tuple[str, ...] = ("application/json",)

    @property
    def takes_body(self) -> bool:
        """True if the endpoint has a body."""
        return (
            self.request_body is not None or "body" in inspect.signature(self.endpoint).parameters
        )

    @property
    def body_types(self) -> tuple[str, ...]:
        """Media types that a body may be of."""
        if self.request_body is None:
            return self.accepts
        return tuple(self.request_body.get("content", {}))

    @property
    def checks_stream(self) -> bool:
        """True if the path names a stream."""
        return "{stream_id}" in self.path
