"""The audit trail, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from barnhand_desktop.api import schemas
from barnhand_desktop.api.guard import CallerHere, ServicesHere
from barnhand_desktop.api.problems import Problem
from db.repositories.audit import AuditRow


def list_audit(
    caller: CallerHere,
    services: ServicesHere,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> schemas.Page[schemas.AuditOut]:
    """Who did what, newest first."""
    found = services.audit_rows.list(caller.farm_id, _position(cursor), limit + 1)
    more = len(found) > limit
    return schemas.Page(
        items=[_out(row) for row in found[:limit]],
        next_cursor=schemas.encode_cursor(str(found[limit - 1].id)) if more else None,
    )


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        position = int(schemas.decode_cursor(cursor))
    except ValueError:
        position = 0
    if not 0 < position < 2**63:
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.")
    return position


def _out(row: AuditRow) -> schemas.AuditOut:
    entry = row.entry
    return schemas.AuditOut(
        id=row.id,
        at=row.at,
        user_id=entry.user_id,
        username=entry.username,
        api_key_id=entry.api_key_id,
        action=entry.action,
        object_kind=entry.object_kind,
        object_id=entry.object_id,
        address=entry.address,
        details=dict(entry.details),
    )
