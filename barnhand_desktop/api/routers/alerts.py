"""Alerts of a farm and the rules that raise them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Query, Response

from barnhand_desktop.api import alert_schemas as bodies
from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_horse
from barnhand_desktop.api.paging import text_position
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.services import Services
from db.repositories.farms import DEFAULT_FARM
from engine.behaviour.rule_catalogue import check_rule
from engine.domain.behaviour import Alert, AlertId, AlertRule, QuietHours, RuleId
from engine.domain.errors import NotFound
from engine.domain.ids import HorseId, StreamId


def list_alerts(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    horse_id: UUID | None = None,
    open_only: bool = False,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> schemas.Page[bodies.AlertOut]:
    """Alerts of the caller's farm raised in a stretch of time: those that nobody acknowledged
    first, then the newest first. They are of their horse as it is known now."""
    farm = own_farm(services, caller, farm_id)
    horse = None if horse_id is None else own_horse(services, caller, horse_id)
    before = _after(services, caller, cursor)
    found = services.alerts.list(farm, start_time, end_time, horse, open_only, limit + 1, before)
    return schemas.Page(
        items=[_alert_out(alert) for alert in found[:limit]],
        next_cursor=(
            schemas.encode_cursor(str(found[limit - 1].id)) if len(found) > limit else None
        ),
    )


def get_alert(alert_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.AlertOut:
    """One alert."""
    return _alert_out(_own_alert(services, caller, alert_id))


def acknowledge(
    alert_id: UUID,
    body: bodies.AcknowledgeIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.AlertOut:
    """Say that somebody has seen it; a second acknowledgement adds its note."""
    alert = _own_alert(services, caller, alert_id)
    now = services.clock.now()
    told = services.alerts.acknowledge(alert.id, caller.username, body.note, now)
    services.audit.record(caller, "alert.acknowledge", "alert", alert_id, address)
    return _alert_out(told)


def picture(alert_id: UUID, caller: CallerHere, services: ServicesHere) -> Response:
    """The moment as JPEG."""
    jpeg = services.alerts.picture(_own_alert(services, caller, alert_id).id)
    if jpeg is None:
        raise Problem(404, "no_picture", "There is no picture of this alert.")
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


# --- rules ---------------------------------------------------------------------------------------


def list_rules(
    caller: CallerHere, services: ServicesHere, farm_id: UUID | None = None
) -> list[bodies.RuleOut]:
    """The rules of the caller's farm by name."""
    return [_rule_out(rule) for rule in services.alerts.rules(own_farm(services, caller, farm_id))]


def add_rule(
    body: bodies.RuleIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.RuleOut:
    """Make a rule."""
    farm = own_farm(services, caller, body.farm_id) or DEFAULT_FARM
    rule = _rule(body, AlertRule(RuleId(uuid4()), farm, body.kind, body.name, body.severity))
    return _saved(services, caller, address, rule, "alert_rule.add")


def change_rule(
    rule_id: UUID,
    body: bodies.RuleChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.RuleOut:
    """Change a rule."""
    rule = _rule(body, _own_rule(services, caller, rule_id), body.version)
    return _saved(services, caller, address, rule, "alert_rule.change")


def remove_rule(
    rule_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove a rule; its alerts stay."""
    rule = _own_rule(services, caller, rule_id)
    services.alerts.remove_rule(rule.id)
    details = {"name": rule.name}
    services.audit.record(caller, "alert_rule.remove", "alert_rule", rule_id, address, details)


# --- parts ---------------------------------------------------------------------------------------


def _own_alert(services: Services, caller: Caller, alert_id: UUID) -> Alert:
    alert = services.alerts.get(AlertId(alert_id))
    if caller.farm_id is not None and alert.farm_id != caller.farm_id:
        raise NotFound(f"There is no alert {alert_id}.")
    return alert


def _after(services: Services, caller: Caller, cursor: str | None) -> AlertId | None:
    position = text_position(cursor)
    if not position:
        return None
    try:
        return _own_alert(services, caller, UUID(position)).id
    except (ValueError, NotFound):
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.") from None


def _own_rule(services: Services, caller: Caller, rule_id: UUID) -> AlertRule:
    for rule in services.alerts.rules(caller.farm_id):
        if rule.id == rule_id:
            return rule
    raise NotFound(f"There is no alert rule {rule_id}.")


def _rule(body: bodies.RuleValues, before: AlertRule, version: int = 1) -> AlertRule:
    quiet = body.quiet
    return AlertRule(
        id=before.id,
        farm_id=before.farm_id,
        kind=body.kind,
        name=body.name,
        severity=body.severity,
        enabled=body.enabled,
        parameters=dict(body.parameters),
        horse_ids=frozenset(map(HorseId, body.horse_ids)),
        stream_ids=frozenset(map(StreamId, body.stream_ids)),
        quiet=None
        if quiet is None
        else QuietHours(
            quiet.start.replace(tzinfo=None),
            quiet.end.replace(tzinfo=None),
            frozenset(quiet.weekdays),
        ),
        cooldown_s=body.cooldown_s,
        sound=body.sound,
        notify=body.notify,
        version=version,
    )


def _saved(
    services: Services, caller: Caller, address: str, rule: AlertRule, action: str
) -> bodies.RuleOut:
    check_rule(rule)
    saved = services.alerts.save_rule(rule)
    services.audit.record(caller, action, "alert_rule", rule.id, address, {"name": rule.name})
    return _rule_out(saved)


def _alert_out(alert: Alert) -> bodies.AlertOut:
    return bodies.AlertOut(
        id=alert.id,
        farm_id=alert.farm_id,
        rule_id=alert.rule_id,
        kind=alert.kind,
        severity=alert.severity,
        message=alert.message,
        started_at=alert.started_at,
        raised_at=alert.raised_at,
        ended_at=alert.ended_at,
        horse_id=alert.horse_id,
        track_id=alert.track_id,
        stream_id=alert.stream_id,
        evidence=dict(alert.evidence),
        quiet=alert.quiet,
        has_picture=alert.picture,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        note=alert.note,
    )


def _rule_out(rule: AlertRule) -> bodies.RuleOut:
    quiet = rule.quiet
    return bodies.RuleOut(
        id=rule.id,
        farm_id=rule.farm_id,
        kind=rule.kind,
        name=rule.name,
        severity=rule.severity,
        enabled=rule.enabled,
        parameters=dict(rule.parameters),
        horse_ids=sorted(rule.horse_ids),
        stream_ids=sorted(rule.stream_ids),
        quiet=None
        if quiet is None
        else bodies.QuietOut(start=quiet.start, end=quiet.end, weekdays=sorted(quiet.weekdays)),
        cooldown_s=rule.cooldown_s,
        sound=rule.sound,
        notify=rule.notify,
        version=rule.version,
    )
