"""Events for one account: a room of its own beside those of streams and of the farm.

An account is known by its username, because that is what jobs and alerts name as their actor, in
whichever process they end. Usernames are unique on a server and never change.
"""

from __future__ import annotations

from typing import Any

from engine.domain.behaviour import Alert

USER_ROOM_PREFIX = "user:"
ALERT_UPDATED = "alert:updated"
SESSION_REVOKED = "session:revoked"


def user_room(username: str) -> str:
    """The name of an account's room; ``events_channel`` of it is its channel."""
    return f"{USER_ROOM_PREFIX}{username}"


def alert_updated(alert: Alert) -> dict[str, Any]:
    """Data of ``alert:updated``: an alert was acknowledged, or its condition has ended."""
    acknowledged_at = alert.acknowledged_at
    return {
        "alert_id": str(alert.id),
        "farm_id": str(alert.farm_id),
        "severity": alert.severity.value,
        "acknowledged_at": None if acknowledged_at is None else acknowledged_at.isoformat(),
        "acknowledged_by": alert.acknowledged_by,
        "active": alert.ended_at is None,
    }


def session_revoked(reason: str) -> dict[str, Any]:
    """Data of ``session:revoked``: a login, key or right of the account has ended. Its sockets are
    judged again at once, and those that may not stay are closed."""
    return {"reason": reason}
