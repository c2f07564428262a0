"""Alert rules and alerts (port AlertRepository)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.behaviour import Alert, AlertId, AlertRule, QuietHours, RuleId, RuleKind
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.domain.notices import Severity

DefaultRules = Callable[[FarmId], Sequence[AlertRule]]
"""The rules that a farm begins with, with fresh ids."""
PICTURE_MOST_BYTES = 102_400
MAX_LIMIT = 1000
_NOTE_MOST = 10_000


def no_rules(farm_id: FarmId) -> Sequence[AlertRule]:
    """A farm that begins with none."""
    return ()


class PostgresAlertRepository:
    """Rules and alerts in the tables of those names. Whose an alert is follows the identity spans
    of its track, and merges of its horse. ``defaults`` are given to a farm once; ``on_update``
    hears, after the commit, of alerts that were acknowledged or have ended."""

    def __init__(
        self,
        pool: ConnectionPool,
        defaults: DefaultRules = no_rules,
        on_update: Callable[[Alert], object] | None = None,
    ) -> None:
        self._pool = pool
        self._told = on_update
        self._defaults = defaults
        self._sql = queries("alerts")

    # --- rules -------------------------------------------------------------------------------

    def rules(self, farm_id: FarmId | None = None) -> Sequence[AlertRule]:
        """See the port. A rule of horses that are all gone applies to none and is left out."""
        with transaction(self._pool, "reading the alert rules") as connection:
            self._give_defaults(connection, farm_id)
            return self._rules(connection, farm_id, None)

    def save_rule(self, rule: AlertRule) -> AlertRule:
        """See the port. Raises NotFound for horses and cameras of another farm, OperatorMistake
        for values that are none."""
        fields = _rule_fields(rule)
        with transaction(self._pool, f"saving the alert rule {rule.name!r}") as connection:
            self._give_defaults(connection, rule.farm_id)
            locked = self._rows(connection, "lock_rule", {"id": rule.id})
            self._refuse_strangers(connection, fields)
            if not locked and rule.version != 1:
                raise Conflict(f"The rule {rule.name!r} was removed meanwhile.")
            if locked and locked[0]["farm_id"] != rule.farm_id:
                raise NotFound(f"That farm has no rule {rule.id}.")
            if locked and locked[0]["version"] != rule.version:
                raise Conflict(
                    f"The rule {locked[0]['name']!r} was changed meanwhile (version "
                    f"{locked[0]['version']}, you changed version {rule.version}).",
                    "Load it again and repeat your change.",
                )
            self._rows(connection, "change_rule" if locked else "add_rule", fields)
            return self._rules(connection, rule.farm_id, rule.id)[0]

    def remove_rule(self, rule_id: RuleId) -> None:
        """See the port."""
        with transaction(self._pool, "removing an alert rule") as connection:
            if not connection.execute(self._sql["remove_rule"], {"id": rule_id}).rowcount:
                raise NotFound(f"There is no alert rule {rule_id}.")

    def _give_defaults(self, connection: Connection, farm_id: FarmId | None) -> None:
        for row in self._rows(connection, "farms_without_rules", {"farm_id": farm_id}):
            defaults = self._defaults(FarmId(row["id"]))
            for rule in defaults:
                self._rows(connection, "add_rule", _rule_fields(rule))
            if defaults:
                self._rows(connection, "has_rules", {"farm_id": row["id"]})

    def _rules(
        self, connection: Connection, farm_id: FarmId | None, rule_id: RuleId | None
    ) -> tuple[AlertRule, ...]:
        rows = self._rows(connection, "rules", {"farm_id": farm_id, "id": rule_id})
        return tuple(_rule(r) for r in rows if r["horse_ids"] or not r["of_some_horses"])

    def _refuse_strangers(self, connection: Connection, fields: Mapping[str, Any]) -> None:
        found = self._rows(connection, "strangers", fields)[0]
        if found["horse"]:
            raise NotFound("That farm has no such horse.")
        if found["stream"]:
            raise NotFound("That farm has no such camera.")

    # --- alerts ------------------------------------------------------------------------------

    def raise_(self, alert: Alert, picture: bytes | None = None, cooldown_s: float = 0.0) -> bool:
        """See the port. Raises OperatorMistake for a picture over 100 KB and evidence that is no
        JSON."""
        if picture is not None and len(picture) > PICTURE_MOST_BYTES:
            raise OperatorMistake("The picture of an alert may have 100 KB.")
        fields = {
            "id": alert.id,
            "farm_id": alert.farm_id,
            "rule_id": alert.rule_id,
            "kind": alert.kind.value,
            "severity": alert.severity.value,
            "message": alert.message,
            "key": alert.key,
            "started_at": alert.started_at,
            "raised_at": alert.raised_at,
            "ended_at": alert.ended_at,
            "horse_id": alert.horse_id,
            "track_id": alert.track_id,
            "stream_id": alert.stream_id,
            "evidence": Jsonb(dict(alert.evidence)),
            "quiet": alert.quiet,
            "picture": picture,
            "acknowledged_at": alert.acknowledged_at,
            "acknowledged_by": alert.acknowledged_by,
            "note": alert.note,
            "cooldown_s": cooldown_s,
        }
        with transaction(self._pool, "raising an alert") as connection:
            self._rows(connection, "hold_key", {"key": alert.key})
            return connection.execute(self._sql["raise"], fields).rowcount == 1

    def end(self, key: str, at: datetime) -> Sequence[Alert]:
        """See the port."""
        with transaction(self._pool, "ending an alert") as connection:
            ended = [r["id"] for r in self._rows(connection, "end", {"key": key, "at": at})]
            alerts = self._some(connection, ended)
        self._tell(alerts)
        return alerts

    def acknowledge(self, alert_id: AlertId, actor: str, note: str, at: datetime) -> Alert:
        """See the port."""
        if "\0" in note or len(note) > _NOTE_MOST:
            raise OperatorMistake(f"A note has at most {_NOTE_MOST} characters.")
        fields = {"id": alert_id, "actor": actor, "note": note, "at": at}
        with transaction(self._pool, "acknowledging an alert") as connection:
            connection.execute(self._sql["acknowledge"], fields)
            alert = self._get(connection, alert_id)
        self._tell((alert,))
        return alert

    def _tell(self, alerts: Sequence[Alert]) -> None:
        if self._told is not None:
            for alert in alerts:
                self._told(alert)

    def list(
        self,
        farm_id: FarmId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        horse_id: HorseId | None = None,
        open_only: bool = False,
        limit: int = 200,
        before: AlertId | None = None,
    ) -> Sequence[Alert]:
        """See the port: those raised in [start, end); open ones are not acknowledged. Raises
        NotFound for a ``before`` that is none, OperatorMistake for such a limit."""
        if not 1 <= limit <= MAX_LIMIT:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
        fields = {
            "farm_id": farm_id,
            "start": start,
            "end": end,
            "horse_id": horse_id,
            "open_only": open_only,
            "limit": limit,
            "before": before,
        }
        with transaction(self._pool, "reading the alerts") as connection:
            if before is not None:
                self._get(connection, before)
            return tuple(map(_alert, self._rows(connection, "list", fields)))

    def get(self, alert_id: AlertId) -> Alert:
        """See the port."""
        with transaction(self._pool, "reading an alert") as connection:
            return self._get(connection, alert_id)

    def picture(self, alert_id: AlertId) -> bytes | None:
        """See the port."""
        with transaction(self._pool, "reading an alert's picture") as connection:
            rows = self._rows(connection, "picture", {"id": alert_id})
        if not rows:
            raise NotFound(f"There is no alert {alert_id}.")
        return None if rows[0]["picture"] is None else bytes(rows[0]["picture"])

    # --- parts -------------------------------------------------------------------------------

    def _get(self, connection: Connection, alert_id: AlertId) -> Alert:
        found = self._some(connection, [alert_id])
        if not found:
            raise NotFound(f"There is no alert {alert_id}.")
        return found[0]

    def _some(self, connection: Connection, ids: Sequence[AlertId]) -> tuple[Alert, ...]:
        return tuple(map(_alert, self._rows(connection, "some", {"ids": [*ids]})))

    def _rows(
        self, connection: Connection, name: str, fields: Mapping[str, Any]
    ) -> Sequence[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        cursor.execute(self._sql[name], fields)
        return [] if cursor.description is None else cursor.fetchall()


def _rule_fields(rule: AlertRule) -> dict[str, Any]:
    name = " ".join(rule.name.split())
    if not name or "\0" in name:
        raise OperatorMistake("An alert rule needs a name.")
    if not (math.isfinite(rule.cooldown_s) and rule.cooldown_s >= 0):
        raise OperatorMistake("The cool-down of a rule is a number of seconds, not below 0.")
    if not all(math.isfinite(value) for value in rule.parameters.values()):
        raise OperatorMistake("The parameters of a rule are numbers.")
    quiet = None
    if rule.quiet is not None:
        if not rule.quiet.weekdays <= set(range(7)):
            raise OperatorMistake("Weekdays are numbered 0 (Monday) to 6.")
        quiet = Jsonb(
            {
                "start": rule.quiet.start.isoformat(),
                "end": rule.quiet.end.isoformat(),
                "weekdays": sorted(rule.quiet.weekdays),
            }
        )
    return {
        "id": rule.id,
        "farm_id": rule.farm_id,
        "kind": rule.kind.value,
        "name": name,
        "severity": rule.severity.value,
        "enabled": rule.enabled,
        "parameters": Jsonb(dict(rule.parameters)),
        "horse_ids": sorted(rule.horse_ids),
        "stream_ids": sorted(rule.stream_ids),
        "quiet": quiet,
        "cooldown_s": rule.cooldown_s,
        "sound": rule.sound,
        "notify": rule.notify,
    }


def _rule(row: Mapping[str, Any]) -> AlertRule:
    quiet = row["quiet"]
    return AlertRule(
        id=RuleId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        kind=RuleKind(row["kind"]),
        name=row["name"],
        severity=Severity(row["severity"]),
        enabled=row["enabled"],
        parameters=row["parameters"],
        horse_ids=frozenset(map(HorseId, row["horse_ids"])),
        stream_ids=frozenset(map(StreamId, row["stream_ids"])),
        quiet=None
        if quiet is None
        else QuietHours(
            time.fromisoformat(quiet["start"]),
            time.fromisoformat(quiet["end"]),
            frozenset(quiet["weekdays"]),
        ),
        cooldown_s=row["cooldown_s"],
        sound=row["sound"],
        notify=row["notify"],
        version=row["version"],
    )


def _alert(row: Mapping[str, Any]) -> Alert:
    horse, track, stream = row["horse_id"], row["track_id"], row["stream_id"]
    return Alert(
        id=AlertId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        rule_id=None if row["rule_id"] is None else RuleId(row["rule_id"]),
        kind=RuleKind(row["kind"]),
        severity=Severity(row["severity"]),
        message=row["message"],
        key=row["key"],
        started_at=row["started_at"],
        raised_at=row["raised_at"],
        horse_id=None if horse is None else HorseId(horse),
        track_id=None if track is None else TrackId(track),
        stream_id=None if stream is None else StreamId(stream),
        ended_at=row["ended_at"],
        evidence=row["evidence"],
        quiet=row["quiet"],
        picture=row["has_picture"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        note=row["note"],
    )
