"""Alert rules against simulated days with and without events: precision and recall.

The days are exact histories of the simulated farm in real time (no pictures are drawn: a day has
864,000 of them per camera). What perception does to them is modelled: postures and actions are
confused, missed and cut at stated rates, horses go unseen for stretches. So the figures are about
the rules, given labels of that quality; how good the labels are is measured elsewhere
(``evaluate behaviour``).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

from engine.behaviour.baseline import Baseline, DayFigures, figures_of_days
from engine.behaviour.horse_log import log_of
from engine.behaviour.rule_catalogue import default_rules
from engine.behaviour.rules import CameraFact, Finding, Situation, findings
from engine.domain.behaviour import AlertRule, OwnedBout, RuleKind
from engine.domain.ids import FarmId, HorseId
from engine.evaluation.perceived_days import (
    CAMERA,
    DAY_S,
    LABELS,
    MIDNIGHT,
    Perception,
    perceived,
)
from engine.simulation.days import EventKind, Planned
from engine.simulation.scenarios import day
from engine.simulation.truth import TrueBout, TrueEvent

TICK_S = 60.0
"""How often the rules look in this measurement; the program looks more often."""
SLEEP_UNTIL_S, LEAST_SLEEP_S = 6 * 3600.0, 300.0
"""The night and the least lying of the rule's defaults."""
KNOWN_S = 10 * 3600.0
"""How far back the rules look: more than any of their windows."""
_FARM = FarmId(UUID("00000000-0000-4000-8000-0000000000aa"))

EXPECTED: Mapping[EventKind, frozenset[RuleKind]] = {
    EventKind.CAST: frozenset({RuleKind.CAST}),
    EventKind.ROLLING: frozenset({RuleKind.ROLLING}),
    EventKind.RESTLESS: frozenset({RuleKind.RESTLESS}),
    EventKind.LONG_RECUMBENCY: frozenset({RuleKind.LONG_RECUMBENCY}),
    EventKind.NO_RECUMBENCY: frozenset({RuleKind.NO_RECUMBENCY}),
    EventKind.FOALING: frozenset({RuleKind.FOALING}),
    EventKind.MISSING: frozenset({RuleKind.MISSING}),
}
"""Which rule should tell of which event."""


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """One rule over all days: events that it should tell and told, and what it told beside.
    ``beside_event``: alerts on a horse during another event of that horse, which a person would
    not call false; ``false``: the rest. ``delays_s``: from an event's start to its alert."""

    events: int = 0
    found: int = 0
    alerts: int = 0
    beside_event: int = 0
    false: int = 0
    delays_s: tuple[float, ...] = ()

    @property
    def recall(self) -> float | None:
        """Share of events told of; None without events."""
        return self.found / self.events if self.events else None

    @property
    def precision(self) -> float | None:
        """Share of alerts that tell of an event; None without alerts."""
        return 1.0 - self.false / self.alerts if self.alerts else None


@dataclass
class _Told:
    finding: Finding
    raised_s: float


@dataclass
class _Count:
    events: int = 0
    found: int = 0
    alerts: int = 0
    beside: int = 0
    false: int = 0
    delays_s: list[float] = field(default_factory=list)


def evaluate_alerts(
    seeds: Sequence[int],
    perception: Perception | None = None,
    horses: int = 10,
    baseline_days: int = 5,
    plain_days: int = 1,
) -> dict[RuleKind, RuleFigures]:
    """For each seed: ``baseline_days`` uneventful days to learn from, ``plain_days`` uneventful
    days and one day for every kind of event, all with perception errors."""
    perception = perception or Perception()
    counts: dict[RuleKind, _Count] = {kind: _Count() for kind in RuleKind}
    for seed in seeds:
        earlier = [_day(seed, 100 + n, (), horses, perception) for n in range(baseline_days)]
        baselines = _baselines(earlier)
        for number in range(plain_days):
            _judge(_day(seed, 200 + number, (), horses, perception), baselines, counts)
        for number, kind in enumerate(EXPECTED):
            planned = (_planned(kind, seed),)
            _judge(_day(seed, 300 + number, planned, horses, perception), baselines, counts)
    return {
        kind: RuleFigures(c.events, c.found, c.alerts, c.beside, c.false, tuple(sorted(c.delays_s)))
        for kind, c in counts.items()
        if c.events or c.alerts
    }


# --- one day --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Day:
    bouts: Mapping[HorseId, tuple[OwnedBout, ...]]
    events: tuple[TrueEvent, ...]
    kinds: frozenset[EventKind]
    mares: frozenset[HorseId]


def horse_of(number: int) -> HorseId:
    """The id of a simulated horse."""
    return HorseId(uuid5(_FARM, f"horse {number}"))


def _planned(kind: EventKind, seed: int) -> Planned:
    chance = random.Random(f"{seed} {kind}")
    hours = {
        EventKind.MISSING: 5.0, EventKind.LONG_RECUMBENCY: 3.5, EventKind.NO_RECUMBENCY: 6.0,
    }  # fmt: skip
    start = {EventKind.MISSING: 16.2, EventKind.NO_RECUMBENCY: 0.0}
    horse = chance.randrange(4)
    return Planned(kind, horse, start.get(kind, chance.uniform(0.5, 2.0)), hours.get(kind, 1.0))


def _day(
    seed: int, number: int, events: Sequence[Planned], horses: int, perception: Perception
) -> _Day:
    farm = day(seed * 1009 + number, events, horses, compress=1.0)
    truth = farm.truth_between(0.0, DAY_S)
    chance = random.Random(seed * 7919 + number)
    by_horse: dict[int, list[TrueBout]] = {}
    for bout in truth.bouts:
        by_horse.setdefault(bout.horse_id, []).append(bout)
    # Identifiers of simulated horses are those of their place in the herd on every day.
    ids = {horse.id: index for index, horse in enumerate(farm.horses)}
    return _Day(
        {
            horse_of(ids[horse_id]): tuple(
                perceived(bouts, horse_of(ids[horse_id]), perception, chance)
            )
            for horse_id, bouts in by_horse.items()
        },
        (*_sleepless(by_horse, ids), *_happened(truth.events, ids)),
        frozenset(event.kind for event in events),
        frozenset(horse_of(e.horse) for e in events if e.kind is EventKind.FOALING),
    )


def _happened(events: Iterable[TrueEvent], ids: Mapping[int, int]) -> Iterable[TrueEvent]:
    """Planned events by place in the herd; nights without lying are told from the truth itself."""
    for event in events:
        if event.kind != EventKind.NO_RECUMBENCY.value:
            yield replace(event, horse_id=ids[event.horse_id])


def _sleepless(
    bouts: Mapping[int, Sequence[TrueBout]], ids: Mapping[int, int]
) -> Iterable[TrueEvent]:
    """Every horse that really lay for less than five minutes between midnight and six."""
    for horse_id, many in bouts.items():
        lying_s = sum(
            max(0.0, min(b.end_s, SLEEP_UNTIL_S) - b.start_s)
            for b in many
            if b.posture in ("sternal", "lateral", "rolling") and b.start_s < SLEEP_UNTIL_S
        )
        if lying_s < LEAST_SLEEP_S:
            yield TrueEvent(ids[horse_id], EventKind.NO_RECUMBENCY.value, 0.0, SLEEP_UNTIL_S)


def _judge(
    one: _Day, baselines: Mapping[HorseId, Baseline], counts: dict[RuleKind, _Count]
) -> None:
    told = _run(one, baselines)
    for event in one.events:
        for kind in EXPECTED.get(EventKind(event.kind), ()):
            counts[kind].events += 1
            hits = [t for t in told if t.finding.rule.kind is kind and _tells(t, event)]
            if hits:
                counts[kind].found += 1
                counts[kind].delays_s.append(min(t.raised_s for t in hits) - event.start_s)
    for alert in told:
        kind = alert.finding.rule.kind
        counts[kind].alerts += 1
        about = [event for event in one.events if _tells(alert, event)]
        if not about:
            counts[kind].false += 1
        elif not any(kind in EXPECTED.get(EventKind(e.kind), ()) for e in about):
            counts[kind].beside += 1


def _tells(alert: _Told, event: TrueEvent) -> bool:
    """The alert is about this event's horse and was raised during it or within three hours."""
    same = alert.finding.horse_id == horse_of(event.horse_id)
    return same and event.start_s <= alert.raised_s <= event.end_s + 3 * 3600.0


def _run(one: _Day, baselines: Mapping[HorseId, Baseline]) -> list[_Told]:
    """The rules over a day, minute by minute, with their cool-downs."""
    rules = tuple(_with_mares(rule, one.mares) for rule in default_rules(_FARM))
    told: list[_Told] = []
    standing: dict[str, float] = {}
    logs = [log_of(horse_id, "horse", True, bouts) for horse_id, bouts in one.bouts.items()]
    tick_s = TICK_S
    while tick_s < DAY_S:
        now_s = MIDNIGHT.timestamp() + tick_s
        situation = Situation(
            now_s=now_s,
            logs=tuple(log.between(now_s - KNOWN_S, now_s) for log in logs),
            baselines=baselines,
            cameras=(CameraFact(CAMERA, "all cameras"),),
            local=lambda posix_s: datetime.fromtimestamp(posix_s, UTC),
        )
        for finding in findings(rules, situation):
            last_s = standing.get(finding.key)
            if last_s is None or tick_s - last_s > max(finding.rule.cooldown_s, 2 * TICK_S):
                told.append(_Told(finding, tick_s))
            standing[finding.key] = tick_s
        tick_s += TICK_S
    return told


def _with_mares(rule: AlertRule, mares: frozenset[HorseId]) -> AlertRule:
    if rule.kind is not RuleKind.FOALING:
        return rule
    return replace(rule, horse_ids=mares, enabled=bool(mares))


def _baselines(days: Sequence[_Day]) -> dict[HorseId, Baseline]:
    figures: dict[HorseId, list[DayFigures]] = {}
    for one in days:
        for horse_id, bouts in one.bouts.items():
            log = log_of(horse_id, "horse", True, bouts)
            end_s = MIDNIGHT.timestamp() + DAY_S
            made = figures_of_days(log, lambda s: datetime.fromtimestamp(s, UTC), end_s)
            figures.setdefault(horse_id, []).extend(made)
    return {horse_id: Baseline(tuple(many)) for horse_id, many in figures.items()}


# --- the command ----------------------------------------------------------------------------------


def alert_report(seeds: Sequence[int], horses: int = 10, labels: str = "mild") -> dict[str, object]:
    """Figures of ``barnhand evaluate alerts`` as plain JSON values."""
    perception = LABELS[labels]
    figures = evaluate_alerts(seeds, perception, horses)
    days = len(seeds) * (1 + len(EXPECTED))
    return {
        "data": f"simulated farm, real time, {days} days of {horses} horses, seeds {list(seeds)}",
        "shows_not": "how well pictures are understood; labels have the stated errors",
        "labels": labels,
        "perception": {f.name: getattr(perception, f.name) for f in fields(perception)},
        "horse_days": days * horses,
        "rules": {kind.value: _plain(figure) for kind, figure in figures.items()},
    }


def _plain(figure: RuleFigures) -> dict[str, object]:
    delays = [round(s) for s in figure.delays_s]
    return {
        "events": figure.events,
        "found": figure.found,
        "recall": figure.recall,
        "alerts": figure.alerts,
        "beside_event": figure.beside_event,
        "false": figure.false,
        "precision": figure.precision,
        "delays_s": delays,
    }
