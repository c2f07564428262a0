"""Bodies that a server of two farms accepts, made of the good ones of the API's tests."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.attacks.farmyard import NOON
from tests.fixtures_api import PASSWORD

_AT = (NOON + timedelta(seconds=2)).isoformat()
_EDIT = {
    "edit": "assign", "at": _AT, "track_id": None, "box_xyxy_px": None, "horse_id": None,
    "extent": "frame",
}  # fmt: skip
_RULE: dict[str, object] = {"parameters": {}, "horse_ids": [], "stream_ids": []}
_CHANGES: Mapping[str, Mapping[str, object]] = {
    "POST /users": {"username": "", "password": PASSWORD, "role": "viewer"},
    "POST /streams": {"name": "", "address": "simulated:barn"},
    "PUT /streams/{stream_id}": {"name": "", "address": "simulated:barn", "version": 1},
    "POST /chunks/{chunk_id}/edits": {"edits": [_EDIT]},
    "POST /chunks/{chunk_id}/edits/preview": {"edits": [_EDIT]},
    "POST /tracking/split": {"at": _AT, "scope": "everywhere"},
    "POST /tracking/swap": {"at": _AT},
    "POST /tracking/reassign": {"start": None, "end": None},
    "POST /streams/{stream_id}/ptz/scan": {
        "schedule": {"start": "03:00", "end": "04:00", "weekdays": [1]}
    },
    "POST /areas": {"name": ""},
    "PUT /areas/{area_id}": {"name": ""},
    "POST /farms": {"name": ""},
    "PUT /farms/{farm_id}": {"name": "Other farm"},
    "POST /alert-rules": _RULE,
    "PUT /alert-rules/{rule_id}": _RULE,
}


def plausible(route: str, good: Mapping[str, Mapping[str, object]]) -> Any:
    """A copy of the route's good body with what two farms need; empty names become new ones."""
    body = good.get(route)
    if body is None:
        return None
    made = {**copy.deepcopy(dict(body)), **copy.deepcopy(dict(_CHANGES.get(route, {})))}
    for field in ("name", "username"):
        if made.get(field) == "":
            made[field] = f"x{uuid4().hex[:12]}"
    return made
