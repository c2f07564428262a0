"""The rules: a situation in, findings out. Pure; who calls them and what becomes of findings is in
``watch``.

Every rule looks at spells that lasted, never at one picture. None looks at asymmetry: the reference
ranges of 6 and 3 mm are for reading, sound horses vary by more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.behaviour.baseline import Baseline, LocalTime, hours_between, system_local_time
from engine.behaviour.horse_log import LEAST_S, Down, HorseLog, Spell, overlap_s
from engine.behaviour.rule_catalogue import CATALOGUE
from engine.domain.behaviour import AlertRule, RuleKind
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Posture

FRESH_S = 120.0
"""A state that was last seen longer ago than this is not taken to last."""
TOLD_AFTER_NIGHT_H = 3.0
ALWAYS_SEEN = 0.8
"""Share of days on which a horse was seen at a time from which it is always seen then."""

Parameters = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CameraFact:
    """A camera that should run; ``away_since_s`` POSIX seconds, None while it gives pictures."""

    stream_id: StreamId
    name: str
    away_since_s: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A standing condition of the engine's models, since when (POSIX seconds)."""

    key: str
    message: str
    since_s: float


@dataclass(frozen=True)
class Situation:
    """All that rules look at, at one moment. ``unowned``: spells of tracks that are nobody's yet.
    ``expected_residents``: None when the farm did not say."""

    now_s: float
    logs: tuple[HorseLog, ...] = ()
    unowned: tuple[Spell, ...] = ()
    baselines: Mapping[HorseId, Baseline] = field(default_factory=dict)
    cameras: tuple[CameraFact, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    expected_residents: int | None = None
    local: LocalTime = system_local_time

    def baseline(self, horse_id: HorseId) -> Baseline:
        """A horse's earlier days; none where unknown."""
        return self.baselines.get(horse_id, Baseline())


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's condition holds. ``subject`` is the horse or camera it is about, or ``farm``."""

    rule: AlertRule
    subject: str
    started_s: float
    message: str
    evidence: Mapping[str, object]
    horse_id: HorseId | None = None
    stream_id: StreamId | None = None
    track_id: TrackId | None = None

    @property
    def key(self) -> str:
        """What a cool-down counts by."""
        return f"{self.rule.id}:{self.subject}"


def findings(rules: Iterable[AlertRule], situation: Situation) -> tuple[Finding, ...]:
    """Everything that holds now, rule by rule. Raises OperatorMistake for a rule whose parameters
    are out of their limits."""
    found: list[Finding] = []
    for rule in rules:
        if rule.enabled:
            values = CATALOGUE[rule.kind].values(rule.parameters)
            found += _WATCHES[rule.kind](rule, values, situation)
    return tuple(found)


# --- horses that are down -------------------------------------------------------------------------


def _cast(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    for log in _horses(rule, situation):
        down = _down_now(log, situation)
        if down is None or _lasted_s(down) < p["down_min"] * 60.0:
            continue
        spells = [s for s in log.rolling if s.end_s > down.start_s and s.start_s < down.end_s + 5.0]
        struggled_s = sum(s.duration_s for s in spells)
        if len(spells) >= p["spells"] and struggled_s >= p["struggle_s"]:
            yield _about(
                rule,
                log,
                down.start_s,
                f"{log.title} has been down for {_minutes(_lasted_s(down))} and struggled "
                f"{len(spells)} times ({struggled_s:.0f} s): it may be cast.",
                {
                    "down_min": round(_lasted_s(down) / 60.0, 1),
                    "struggle_spells": len(spells),
                    "struggle_s": round(struggled_s, 1),
                },
            )


def _rolling(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    since_s = situation.now_s - p["window_min"] * 60.0
    for log in _horses(rule, situation):
        downs = [d for d in log.downs if d.end_s >= since_s and _rolled(log, d)]
        usual = situation.baseline(log.horse_id).most_rolls()
        if len(downs) >= max(p["times"], usual + 1) and _fresh(downs[-1].end_s, situation, 900.0):
            yield _about(
                rule,
                log,
                downs[0].start_s,
                f"{log.title} went down and rolled {len(downs)} times within "
                f"{p['window_min']:.0f} min; usually at most {usual} an hour.",
                {"rolls": len(downs), "window_min": p["window_min"], "usual_an_hour": usual},
            )


def _long(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    for log in _horses(rule, situation):
        down = _down_now(log, situation)
        if down is not None and _lasted_s(down) >= p["hours"] * 3600.0:
            flat_s = sum(s.duration_s for s in down.spells if _flat(s))
            yield _about(
                rule,
                log,
                down.start_s,
                f"{log.title} has been lying for {_minutes(_lasted_s(down))} without getting up.",
                {
                    "down_min": round(_lasted_s(down) / 60.0, 1),
                    "lateral_min": round(flat_s / 60.0, 1),
                },
            )


def _foaling(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    since_s = situation.now_s - p["window_min"] * 60.0
    for log in _horses(rule, situation):
        downs = [d for d in log.downs if d.end_s >= since_s]
        flat = sum(any(_flat(s) for s in d.spells) for d in downs)
        enough = len(downs) >= p["times"] and flat >= p["lateral"]
        if enough and _fresh(downs[-1].end_s, situation, 900.0):
            yield _about(
                rule,
                log,
                downs[0].start_s,
                f"{log.title} went down {len(downs)} times within {p['window_min']:.0f} min, "
                f"{flat} times flat on the side: it may be foaling.",
                {"downs": len(downs), "lateral": flat, "window_min": p["window_min"]},
            )


# --- horses against their own baseline ------------------------------------------------------------


def _restless(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    now_s, window_s = situation.now_s, p["window_min"] * 60.0
    hours = _local_hours(now_s - window_s - 1800.0, now_s + 1800.0, situation)
    for log in _horses(rule, situation):
        seen_s = overlap_s(log.seen, now_s - window_s, now_s)
        if seen_s < 0.6 * window_s:
            continue
        changes = sum(1 for at_s in log.changes_s if at_s >= now_s - window_s)
        rate = changes / seen_s * 3600.0
        days, usual, deviation = situation.baseline(log.horse_id).usual_changes(hours)
        limit = usual + max(p["deviations"] * deviation, p["extra"])
        if days >= p["days"] and rate >= limit:
            yield _about(
                rule,
                log,
                now_s - window_s,
                f"{log.title} changed what it does {rate:.0f} times an hour; usual at this time "
                f"are {usual:.0f}.",
                {
                    "changes_an_hour": round(rate, 1),
                    "usual_an_hour": round(usual, 1),
                    "deviation": round(deviation, 1),
                    "baseline_days": days,
                },
            )


def _sleepless(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    now = situation.local(situation.now_s)
    ended = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    ended += p["until_hour"] * 3600.0
    if not 0.0 <= situation.now_s - ended <= TOLD_AFTER_NIGHT_H * 3600.0:
        return
    length_s = (((p["until_hour"] - p["from_hour"]) % 24.0) or 24.0) * 3600.0
    began, share = ended - length_s, p["coverage"] / 100.0
    hours = hours_between(p["from_hour"], p["until_hour"])
    for log in _horses(rule, situation):
        if overlap_s(log.seen, began, ended) < share * length_s:
            continue
        lying = [(s.start_s, s.end_s) for d in log.downs for s in d.spells]
        lying_s = overlap_s(lying, began, ended)
        days, usual_s = situation.baseline(log.horse_id).usual_lying_s(hours, share)
        least_s = p["least_min"] * 60.0
        if days >= p["days"] and lying_s < least_s and usual_s >= 3.0 * least_s:
            yield _about(
                rule,
                log,
                began,
                f"{log.title} lay for {_minutes(lying_s)} in the night; usual are "
                f"{_minutes(usual_s)}.",
                {
                    "lying_min": round(lying_s / 60.0, 1),
                    "usual_min": round(usual_s / 60.0, 1),
                    "baseline_days": days,
                },
            )


def _missing(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    now_s = situation.now_s
    working = {camera.stream_id for camera in situation.cameras if camera.away_since_s is None}
    usual_s = p["usual_hours"] * 3600.0
    hours = _local_hours(now_s - usual_s, now_s, situation)
    for log in _horses(rule, situation):
        if log.last_seen_s is None or not log.resident or not working:
            continue
        if log.streams and not log.streams & working:
            continue  # the cameras that see it are away: that is told of itself
        unseen_s = now_s - log.last_seen_s
        days, on = situation.baseline(log.horse_id).seen_on(hours)
        always = days >= p["days"] and on >= ALWAYS_SEEN * days
        if unseen_s >= p["hours"] * 3600.0 or (always and unseen_s >= usual_s):
            why = f"; it was seen at this time on {on} of {days} days" if always else ""
            yield _about(
                rule,
                log,
                log.last_seen_s,
                f"{log.title} has not been seen for {_minutes(unseen_s)}{why}.",
                {"unseen_h": round(unseen_s / 3600.0, 1), "days_seen_then": on, "days": days},
            )


def _person(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    hours = hours_between(p["from_hour"], p["until_hour"])
    if situation.local(situation.now_s).hour not in hours:
        return
    for log in _horses(rule, situation):
        spell = log.company[-1] if log.company else None
        if spell and spell.duration_s >= p["for_s"] and _fresh(spell.end_s, situation):
            yield _about(
                rule,
                log,
                spell.start_s,
                f"Somebody has been with {log.title} for {_minutes(spell.duration_s)}.",
                {"person_s": round(spell.duration_s, 1)},
                spell,
            )


# --- farm and cameras -----------------------------------------------------------------------------


def _too_many(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    expected = situation.expected_residents
    if expected is None:
        return
    instants = [situation.now_s - p["for_s"] * share for share in (1.0, 0.75, 0.5, 0.25, 0.0)]
    counts = [_visible(situation, at_s, rule.stream_ids) for at_s in instants]
    if min(counts) > expected:
        yield Finding(
            rule,
            "farm",
            instants[0],
            f"{min(counts)} horses are seen at once; {expected} live here.",
            {"horses": min(counts), "expected": expected},
        )


def _camera_down(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    for camera in situation.cameras:
        if rule.stream_ids and camera.stream_id not in rule.stream_ids:
            continue
        since_s = camera.away_since_s
        if since_s is not None and situation.now_s - since_s >= p["for_s"]:
            away_s = situation.now_s - since_s
            yield Finding(
                rule,
                str(camera.stream_id),
                since_s,
                f"{camera.name} has been away for {_minutes(away_s)}. {camera.reason}".strip(),
                {"away_s": round(away_s), "reason": camera.reason},
                stream_id=camera.stream_id,
            )


def _degraded(rule: AlertRule, p: Parameters, situation: Situation) -> Iterable[Finding]:
    for trouble in situation.troubles:
        if situation.now_s - trouble.since_s >= p["for_s"]:
            yield Finding(
                rule, trouble.key, trouble.since_s, trouble.message, {"condition": trouble.key}
            )


# --- inside ---------------------------------------------------------------------------------------


def _horses(rule: AlertRule, situation: Situation) -> Iterable[HorseLog]:
    if CATALOGUE[rule.kind].needs_horses and not rule.horse_ids:
        return ()
    return (log for log in situation.logs if not rule.horse_ids or log.horse_id in rule.horse_ids)


def _down_now(log: HorseLog, situation: Situation) -> Down | None:
    down = log.downs[-1] if log.downs else None
    return None if down is None or down.up or not _fresh(down.end_s, situation) else down


def _lasted_s(down: Down) -> float:
    return down.end_s - down.start_s


def _rolled(log: HorseLog, down: Down) -> bool:
    return any(down.start_s - 5.0 <= s.start_s <= down.end_s + 5.0 for s in log.rolling)


def _flat(spell: Spell) -> bool:
    return spell.word == Posture.LATERAL.label and spell.duration_s >= LEAST_S


def _fresh(at_s: float, situation: Situation, within_s: float = FRESH_S) -> bool:
    return situation.now_s - at_s <= within_s


def _visible(situation: Situation, at_s: float, streams: frozenset[StreamId]) -> int:
    def there(spell: Spell) -> bool:
        here = spell.start_s <= at_s <= spell.end_s + 15.0
        return here and (not streams or spell.stream_id in streams)

    known = sum(any(there(s) for s in (*log.postures, *log.actions)) for log in situation.logs)
    return known + len({s.track_id for s in situation.unowned if there(s)})


def _local_hours(start_s: float, end_s: float, situation: Situation) -> Sequence[int]:
    steps = max(int((end_s - start_s) // 1800.0), 1)
    instants = (start_s + (end_s - start_s) * step / steps for step in range(steps + 1))
    return sorted({situation.local(at_s).hour for at_s in instants})


def _about(
    rule: AlertRule,
    log: HorseLog,
    started_s: float,
    message: str,
    evidence: Mapping[str, object],
    spell: Spell | None = None,
) -> Finding:
    where = spell or log.latest
    return Finding(
        rule,
        str(log.horse_id),
        started_s,
        message,
        evidence,
        log.horse_id,
        None if where is None else where.stream_id,
        None if where is None else where.track_id,
    )


def _minutes(seconds: float) -> str:
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    if seconds < 5400.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3600.0:.1f} h"


_WATCHES: Mapping[RuleKind, Callable[[AlertRule, Parameters, Situation], Iterable[Finding]]] = {
    RuleKind.CAST: _cast,
    RuleKind.ROLLING: _rolling,
    RuleKind.RESTLESS: _restless,
    RuleKind.LONG_RECUMBENCY: _long,
    RuleKind.NO_RECUMBENCY: _sleepless,
    RuleKind.FOALING: _foaling,
    RuleKind.MISSING: _missing,
    RuleKind.TOO_MANY: _too_many,
    RuleKind.PERSON: _person,
    RuleKind.CAMERA_DOWN: _camera_down,
    RuleKind.MODEL_DEGRADED: _degraded,
}
