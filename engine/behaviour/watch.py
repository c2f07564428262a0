"""Looks at what all horses do every few seconds and raises or ends alerts.

Everything it knows of horses comes from the store, so that it sees all cameras of all workstations,
follows corrections of identity, and goes on after a restart. Any number of workstations may watch
the same farm: the store takes each alert once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from engine.behaviour.baseline import (
    BASELINE_DAYS,
    Baseline,
    LocalTime,
    baseline_of,
    system_local_time,
)
from engine.behaviour.horse_log import HorseLog, Spell, log_of
from engine.behaviour.rules import CameraFact, Finding, Situation, Trouble, findings
from engine.domain.behaviour import (
    Alert,
    AlertId,
    AlertRepository,
    AlertRule,
    MotionRepository,
    OwnedBout,
    QuietHours,
)
from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.motion import BoutKind
from engine.domain.notices import Severity
from engine.domain.ports import Clock, HorseRepository
from engine.runtime.worker import StopToken

log = logging.getLogger(__name__)

EVERY_S = 10.0
KNOWN = timedelta(hours=12)
"""How far back the rules look: more than any of their windows."""
SETTLED_AFTER = timedelta(minutes=5)
RELOAD_S = 900.0
OVER_AFTER_S = 120.0
"""A condition that was not found for so long is over."""
BASELINES_A_LOOK = 2
_KINDS = (BoutKind.POSTURE, BoutKind.ACTION, BoutKind.COMPANY)
_BOUTS_AT_MOST = 50_000
_AWAY = (HorseStatus.MERGED, HorseStatus.ARCHIVED)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What the running engine says of its own cameras and models."""

    cameras: tuple[CameraFact, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class WatchedEngine(Protocol):
    """What the watch asks of the engine beside it."""

    def facts(self) -> EngineFacts:
        """How cameras and models are doing."""
        ...

    def picture(self, stream_id: StreamId) -> bytes | None:
        """JPEG of at most 100 KB of now, None where the camera is not this engine's."""
        ...


class Witness(Protocol):
    """Who hears of alerts."""

    def raised(self, alert: Alert) -> None:
        """A new alert is stored."""
        ...

    def ended(self, alerts: Sequence[Alert]) -> None:
        """What these told of is over."""
        ...

    def looked(self, at: datetime) -> None:
        """A look is done, with or without alerts."""
        ...


class AlertWatch:
    """Worker body. Used by one thread; ``forget_horses`` may be called from any.

    ``expected_residents`` and ``horses`` are asked at every reload. A store that is away is tried
    again at the next look.
    """

    def __init__(
        self,
        farm_id: FarmId,
        motion: MotionRepository,
        alerts: AlertRepository,
        horses: HorseRepository,
        engine: WatchedEngine,
        witness: Witness,
        clock: Clock,
        expected_residents: Callable[[], int | None] = lambda: None,
        local: LocalTime = system_local_time,
    ) -> None:
        self._farm_id = farm_id
        self._motion = motion
        self._alerts = alerts
        self._horses = horses
        self._engine = engine
        self._witness = witness
        self._clock = clock
        self._expected_residents = expected_residents
        self._local = local
        self._known: dict[HorseId, Horse] = {}
        self._settled: tuple[OwnedBout, ...] = ()
        self._settled_until: datetime | None = None
        self._expected: int | None = None
        self._reload_mono_s = 0.0
        self._baselines: dict[HorseId, tuple[object, Baseline]] = {}
        self._standing: dict[str, datetime] = {}
        self._stored_keys: dict[str, str] = {}

    def run(self, token: StopToken) -> None:
        """Look every EVERY_S until stopped."""
        while not token.wait(EVERY_S):
            try:
                self.look()
            except BarnhandError as error:
                log.warning("alerts were not looked for: %s", error)

    def forget_horses(self) -> None:
        """Identities changed: read everything again at the next look."""
        self._reload_mono_s = 0.0

    def look(self) -> tuple[Alert, ...]:
        """Judge the situation now; the alerts that it raised. Raises StoreUnavailable."""
        now = self._clock.now()
        self._read(now)
        rules = self._alerts.rules(self._farm_id)
        found = {f.key: f for f in self._judge(rules, self._situation(now))}
        raised = []
        for key, finding in found.items():
            if key in self._standing:
                self._standing[key] = now
            elif (alert := self._raise(finding, now)) is not None:
                self._standing[key] = now
                raised.append(alert)
        self._end(found.keys(), now)
        self._witness.looked(now)
        return tuple(raised)

    # --- what is known ------------------------------------------------------------------------

    def _read(self, now: datetime) -> None:
        mono_s = self._clock.mono_s()
        if self._settled_until is not None and mono_s < self._reload_mono_s:
            return
        self._known = {
            horse.id: horse
            for horse in self._horses.list(self._farm_id)
            if horse.status not in _AWAY
        }
        self._expected = self._expected_residents()
        until = now - SETTLED_AFTER
        bouts = self._bouts(now - KNOWN, until)
        self._settled = tuple(owned for owned in bouts if owned.bout.end_at <= until)
        self._settled_until = until
        self._take_over(now)
        self._reload_mono_s = mono_s + RELOAD_S

    def _bouts(
        self, start: datetime, end: datetime, horse_ids: Sequence[HorseId] | None = None
    ) -> Sequence[OwnedBout]:
        return self._motion.bouts(
            start, end, horse_ids, kinds=_KINDS, farm_id=self._farm_id, limit=_BOUTS_AT_MOST
        )

    def _situation(self, now: datetime) -> Situation:
        assert self._settled_until is not None
        recent = self._bouts(self._settled_until, now + timedelta(seconds=1))
        fresh = [owned for owned in recent if owned.bout.end_at > self._settled_until]
        of: dict[HorseId | None, list[OwnedBout]] = {}
        for owned in (*self._settled, *fresh):
            of.setdefault(owned.horse_id, []).append(owned)
        logs = tuple(self._log(horse, of.get(horse.id, ())) for horse in self._known.values())
        self._learn(logs, now)
        facts = self._engine.facts()
        return Situation(
            now_s=now.timestamp(),
            logs=logs,
            unowned=tuple(Spell.of(owned.bout) for owned in of.get(None, ())),
            baselines={horse_id: made for horse_id, (_, made) in self._baselines.items()},
            cameras=facts.cameras,
            troubles=facts.troubles,
            expected_residents=self._expected,
            local=self._local,
        )

    def _log(self, horse: Horse, bouts: Iterable[OwnedBout]) -> HorseLog:
        last_s = None if horse.last_seen_at is None else horse.last_seen_at.timestamp()
        resident = horse.status is HorseStatus.ACTIVE
        return log_of(horse.id, horse.title, resident, bouts, last_s)

    def _learn(self, logs: Sequence[HorseLog], now: datetime) -> None:
        """Baselines are made once a local day, a few horses at each look."""
        today = self._local(now.timestamp()).date()
        stale = [one for one in logs if self._baselines.get(one.horse_id, (None,))[0] != today]
        for one in stale[:BASELINES_A_LOOK]:
            bouts = self._bouts(now - timedelta(days=BASELINE_DAYS), now, (one.horse_id,))
            days = log_of(one.horse_id, one.title, one.resident, bouts)
            made = baseline_of(days, self._local, now.timestamp())
            self._baselines[one.horse_id] = (today, made)

    # --- what comes of it -----------------------------------------------------------------------

    def _judge(self, rules: Sequence[AlertRule], situation: Situation) -> Iterable[Finding]:
        for rule in rules:
            try:
                yield from findings((rule,), situation)
            except BarnhandError as error:
                log.error("the alert rule %s cannot be judged: %s", rule.name, error)

    def _take_over(self, now: datetime) -> None:
        """Alerts of horses that last by the store, this program's before a restart or another
        workstation's, are ended by whoever sees that they are over. After a merge an alert goes
        on under the horse that is left."""
        for alert in self._alerts.list(self._farm_id, limit=500):
            if alert.ended_at is None and alert.horse_id is not None:
                key = f"{alert.rule_id}:{alert.horse_id}"
                if key != alert.key:
                    self._standing.pop(alert.key, None)
                    self._stored_keys[key] = alert.key
                self._standing.setdefault(key, now)

    def _raise(self, finding: Finding, now: datetime) -> Alert | None:
        rule = finding.rule
        alert = Alert(
            id=AlertId(uuid4()),
            farm_id=self._farm_id,
            rule_id=rule.id,
            kind=rule.kind,
            severity=rule.severity,
            message=finding.message,
            key=finding.key,
            started_at=datetime.fromtimestamp(finding.started_s, UTC),
            raised_at=now,
            horse_id=finding.horse_id,
            track_id=finding.track_id,
            stream_id=finding.stream_id,
            evidence=finding.evidence,
            quiet=is_quiet(rule, self._local(now.timestamp())),
        )
        picture = None if alert.stream_id is None else self._engine.picture(alert.stream_id)
        alert = replace(alert, picture=picture is not None)
        if not self._alerts.raise_(alert, picture, rule.cooldown_s):
            return None
        self._witness.raised(alert)
        return alert

    def _end(self, found: Iterable[str], now: datetime) -> None:
        lasting = set(found)
        over = [
            key
            for key, last_at in self._standing.items()
            if key not in lasting and (now - last_at).total_seconds() >= OVER_AFTER_S
        ]
        for key in over:
            ended = self._alerts.end(self._stored_keys.pop(key, key), self._standing.pop(key))
            if ended:
                self._witness.ended(ended)


def is_quiet(rule: AlertRule, local: datetime) -> bool:
    """Whether the rule makes no sound at this local time; critical ones always may."""
    quiet = rule.quiet
    if quiet is None or rule.severity is Severity.CRITICAL:
        return False
    return _within(quiet, local)


def _within(quiet: QuietHours, local: datetime) -> bool:
    at, weekday = local.time().replace(tzinfo=None), local.weekday()
    if quiet.start < quiet.end:
        return weekday in quiet.weekdays and quiet.start <= at < quiet.end
    evening = weekday in quiet.weekdays and at >= quiet.start
    morning = (weekday - 1) % 7 in quiet.weekdays and at < quiet.end
    return evening or morning
