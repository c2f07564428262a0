"""Alert rules: what they tell, what they leave alone, and that no single picture raises one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from uuid import UUID, uuid5

import pytest

from engine.behaviour.baseline import (
    Baseline,
    DayFigures,
    baseline_of,
    figures_of_days,
    hours_between,
)
from engine.behaviour.horse_log import HorseLog, Spell, one_line
from engine.behaviour.rule_catalogue import CATALOGUE, check_rule, default_rules
from engine.behaviour.rules import CameraFact, Finding, Situation, Trouble, findings
from engine.behaviour.watch import is_quiet
from engine.domain.behaviour import AlertRule, QuietHours, RuleKind
from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.domain.notices import Severity

FARM = FarmId(UUID(int=1))
BELLA = HorseId(uuid5(FARM, "Bella"))
STALL = StreamId(uuid5(FARM, "stall"))
PADDOCK = StreamId(uuid5(FARM, "paddock"))
TRACK = TrackId(uuid5(FARM, "track"))
MIDNIGHT_S = datetime(2026, 3, 10, tzinfo=UTC).timestamp()
DAY_S = 86_400.0
RULES = {rule.kind: replace(rule, enabled=True) for rule in default_rules(FARM)}


def utc(posix_s: float) -> datetime:
    return datetime.fromtimestamp(posix_s, UTC)


def spells(*parts: tuple[str, float], start_s: float) -> tuple[Spell, ...]:
    """Spells one after another: (word, seconds)."""
    made = []
    for word, seconds in parts:
        made.append(Spell(word, start_s, start_s + seconds, TRACK, STALL))
        start_s += seconds
    return tuple(made)


def bella(
    postures: Sequence[Spell] = (),
    actions: Sequence[Spell] = (),
    company: Sequence[Spell] = (),
    last_seen_s: float | None = None,
) -> HorseLog:
    ends = [s.end_s for s in (*postures, *actions)]
    seen_s = last_seen_s if last_seen_s is not None else max(ends, default=None)
    return HorseLog(BELLA, "Bella", True, tuple(postures), tuple(actions), tuple(company), seen_s)


def told(
    kind: RuleKind,
    now_s: float,
    *logs: HorseLog,
    baselines: Mapping[HorseId, Baseline] | None = None,
    cameras: tuple[CameraFact, ...] = (CameraFact(STALL, "Stall"),),
    troubles: tuple[Trouble, ...] = (),
    unowned: tuple[Spell, ...] = (),
    expected_residents: int | None = None,
) -> tuple[Finding, ...]:
    """What the default rule of a kind finds."""
    rule = RULES[kind]
    if CATALOGUE[kind].needs_horses:
        rule = replace(rule, horse_ids=frozenset({BELLA}))
    situation = Situation(
        now_s, logs, unowned, baselines or {}, cameras, troubles, expected_residents, utc
    )
    return findings((rule,), situation)


def days_of(*days: Iterable[Spell]) -> Baseline:
    """A baseline of uneventful days before the tenth of March."""
    figures: list[DayFigures] = []
    for number, actions in enumerate(days):
        shift_s = -(number + 1) * DAY_S
        moved = tuple(
            replace(s, start_s=s.start_s + shift_s, end_s=s.end_s + shift_s) for s in actions
        )
        lying = tuple(s for s in moved if s.word == "resting")
        postures = tuple(replace(s, word="sternal") for s in lying)
        figures += figures_of_days(bella(postures, moved), utc, MIDNIGHT_S)
    return Baseline(tuple(figures))


class TestDown:
    def test_struggling_without_getting_up_may_be_cast(self) -> None:
        start_s = MIDNIGHT_S + 3600.0
        down = spells(("lateral", 400.0), start_s=start_s)
        struggle = [("resting", 20.0), ("rolling", 12.0)] * 10
        found = told(
            RuleKind.CAST, start_s + 330.0, bella(down, spells(*struggle, start_s=start_s))
        )
        assert [f.horse_id for f in found] == [BELLA]
        assert found[0].evidence["struggle_spells"] == 10
        assert found[0].started_s == start_s
        assert "may be cast" in found[0].message

    def test_a_roll_and_up_again_is_not_cast(self) -> None:
        start_s = MIDNIGHT_S
        postures = spells(("lateral", 40.0), ("upright", 300.0), start_s=start_s)
        actions = spells(("rolling", 35.0), ("standing", 305.0), start_s=start_s)
        assert not told(RuleKind.CAST, start_s + 340.0, bella(postures, actions))

    def test_long_recumbency_counts_over_short_gaps_and_ends_with_getting_up(self) -> None:
        start_s = MIDNIGHT_S
        lying = [
            *spells(("sternal", 4000.0), start_s=start_s),
            *spells(("lateral", 4000.0), start_s=start_s + 4100.0),
        ]
        now_s = start_s + 8100.0
        found = told(RuleKind.LONG_RECUMBENCY, now_s, bella(lying))
        assert len(found) == 1 and found[0].evidence["lateral_min"] == pytest.approx(66.7)
        up = [*lying, *spells(("upright", 60.0), start_s=now_s)]
        assert not told(RuleKind.LONG_RECUMBENCY, now_s + 60.0, bella(up))

    def test_what_was_last_seen_lying_long_ago_is_not_told(self) -> None:
        lying = spells(("sternal", 9000.0), start_s=MIDNIGHT_S)
        assert told(RuleKind.LONG_RECUMBENCY, MIDNIGHT_S + 9010.0, bella(lying))
        assert not told(RuleKind.LONG_RECUMBENCY, MIDNIGHT_S + 9600.0, bella(lying))

    def test_rolling_is_judged_against_what_the_horse_ever_did(self) -> None:
        postures = spells(*[("lateral", 20.0), ("upright", 60.0)] * 3, start_s=MIDNIGHT_S)
        actions = spells(*[("rolling", 15.0), ("standing", 65.0)] * 3, start_s=MIDNIGHT_S)
        log, now_s = bella(postures, actions), MIDNIGHT_S + 240.0
        assert len(told(RuleKind.ROLLING, now_s, log)) == 1
        # A horse that rolls three times an hour every day is not told of for a third time.
        earlier = HorseLog(
            BELLA,
            "Bella",
            True,
            tuple(replace(s, start_s=s.start_s - DAY_S, end_s=s.end_s - DAY_S) for s in postures),
            tuple(replace(s, start_s=s.start_s - DAY_S, end_s=s.end_s - DAY_S) for s in actions),
        )
        usual = {BELLA: baseline_of(earlier, utc, MIDNIGHT_S)}
        assert usual[BELLA].most_rolls() == 3
        assert not told(RuleKind.ROLLING, now_s, log, baselines=usual)

    def test_foaling_needs_a_named_mare_and_lateral_spells(self) -> None:
        cycle = [("sternal", 60.0), ("lateral", 30.0), ("upright", 200.0)]
        log = bella(spells(*cycle * 4, start_s=MIDNIGHT_S))
        now_s = MIDNIGHT_S + 4 * 290.0
        assert len(told(RuleKind.FOALING, now_s, log)) == 1
        flat = [("sternal", 90.0), ("upright", 200.0)]
        assert not told(RuleKind.FOALING, now_s, bella(spells(*flat * 4, start_s=MIDNIGHT_S)))
        unnamed = replace(RULES[RuleKind.FOALING], horse_ids=frozenset())
        assert not findings((unnamed,), Situation(now_s=now_s, logs=(log,), local=utc))


class TestBaseline:
    CALM = spells(*[("standing", 600.0), ("grazing", 600.0)] * 9, start_s=MIDNIGHT_S)
    WILD = spells(*[("standing", 10.0), ("walking", 10.0)] * 200, start_s=MIDNIGHT_S + 3600.0)

    def test_restless_is_told_against_own_days_only(self) -> None:
        log, now_s = bella(actions=self.WILD), MIDNIGHT_S + 3600.0 + 3900.0
        usual = {BELLA: days_of(*[self.CALM] * 5)}
        found = told(RuleKind.RESTLESS, now_s, log, baselines=usual)
        assert len(found) == 1 and found[0].evidence["baseline_days"] == 5
        assert not told(RuleKind.RESTLESS, now_s, log)  # nothing known yet
        wild = {BELLA: days_of(*[self.WILD] * 5)}
        assert not told(RuleKind.RESTLESS, now_s, log, baselines=wild)

    def test_a_night_without_lying_is_told_when_it_is_over(self) -> None:
        night = spells(("resting", 3600.0), ("standing", 18_000.0), start_s=MIDNIGHT_S)
        usual = {BELLA: days_of(*[night] * 4)}
        awake = spells(("upright", 21_600.0), start_s=MIDNIGHT_S)
        over_s = MIDNIGHT_S + 6 * 3600.0 + 60.0
        kind = RuleKind.NO_RECUMBENCY
        assert len(told(kind, over_s, bella(awake), baselines=usual)) == 1
        assert not told(kind, over_s - 3600.0, bella(awake), baselines=usual)
        slept = spells(("sternal", 1800.0), ("upright", 19_800.0), start_s=MIDNIGHT_S)
        assert not told(kind, over_s, bella(slept), baselines=usual)
        unseen = spells(("upright", 7_200.0), start_s=MIDNIGHT_S)
        assert not told(kind, over_s, bella(unseen), baselines=usual)

    def test_missing_where_it_always_was(self) -> None:
        day = spells(("standing", DAY_S - 1.0), start_s=MIDNIGHT_S)
        usual = {BELLA: days_of(*[day] * 4)}
        gone = bella(last_seen_s=MIDNIGHT_S)
        kind, later_s = RuleKind.MISSING, MIDNIGHT_S + 2.5 * 3600.0
        assert len(told(kind, later_s, gone, baselines=usual)) == 1
        assert not told(kind, later_s, gone)  # not known to be always seen then
        assert told(kind, MIDNIGHT_S + 25 * 3600.0, gone)
        away = (CameraFact(STALL, "Stall", away_since_s=MIDNIGHT_S),)
        assert not told(kind, later_s, gone, baselines=usual, cameras=away)
        guest = HorseLog(BELLA, "guest", False, last_seen_s=MIDNIGHT_S)
        assert not told(kind, later_s, guest, baselines=usual)

    def test_hours_go_over_midnight(self) -> None:
        assert hours_between(22.0, 5.0) == (22, 23, 0, 1, 2, 3, 4)
        assert hours_between(0.0, 6.0) == (0, 1, 2, 3, 4, 5)


class TestFarm:
    def test_too_many_must_last(self) -> None:
        now_s = MIDNIGHT_S + 600.0
        long = spells(("standing", 600.0), start_s=MIDNIGHT_S)
        other = HorseLog(HorseId(uuid5(FARM, "other")), "other", False, (), long)
        logs = (bella(actions=long), other)
        assert len(told(RuleKind.TOO_MANY, now_s, *logs, expected_residents=1)) == 1
        assert not told(RuleKind.TOO_MANY, now_s, *logs, expected_residents=2)
        assert not told(RuleKind.TOO_MANY, now_s, *logs)
        brief = (bella(actions=long), replace(other, actions=long[:0]))
        assert not told(RuleKind.TOO_MANY, now_s, *brief, expected_residents=1)

    def test_camera_and_models(self) -> None:
        away = CameraFact(PADDOCK, "Paddock", MIDNIGHT_S, "It refuses.")
        found = told(RuleKind.CAMERA_DOWN, MIDNIGHT_S + 61.0, cameras=(away,))
        assert [f.stream_id for f in found] == [PADDOCK]
        assert "It refuses." in found[0].message
        assert not told(RuleKind.CAMERA_DOWN, MIDNIGHT_S + 30.0, cameras=(away,))
        trouble = (Trouble("model.pose.missing", "No pose model.", MIDNIGHT_S),)
        assert told(RuleKind.MODEL_DEGRADED, MIDNIGHT_S + 61.0, troubles=trouble)

    def test_a_person_at_night_only(self) -> None:
        visit = Spell("person", MIDNIGHT_S + 3600.0, MIDNIGHT_S + 3630.0, TRACK, STALL)
        log = bella(spells(("upright", 60.0), start_s=MIDNIGHT_S + 3600.0), company=[visit])
        found = told(RuleKind.PERSON, MIDNIGHT_S + 3630.0, log)
        assert [f.stream_id for f in found] == [STALL]
        noon_s = MIDNIGHT_S + 12 * 3600.0
        day = replace(visit, start_s=noon_s, end_s=noon_s + 30.0)
        assert not told(RuleKind.PERSON, noon_s + 30.0, bella(company=[day]))


@pytest.mark.parametrize("kind", list(RuleKind))
def test_no_rule_fires_on_single_pictures(kind: RuleKind) -> None:
    """A hundred single pictures of the most alarming labels, 30 s apart."""
    postures: list[Spell] = []
    actions: list[Spell] = []
    company: list[Spell] = []
    for number in range(100):
        at_s = MIDNIGHT_S + 30.0 * number
        postures.append(Spell("lateral", at_s, at_s + 0.1, TRACK, STALL))
        postures.append(Spell("upright", at_s + 0.1, at_s + 30.0, TRACK, STALL))
        actions.append(Spell("rolling", at_s, at_s + 0.1, TRACK, STALL))
        actions.append(Spell("standing", at_s + 0.1, at_s + 30.0, TRACK, STALL))
        company.append(Spell("person", at_s, at_s + 0.1, TRACK, STALL))
    calm = spells(("standing", DAY_S - 1.0), start_s=MIDNIGHT_S)
    usual = {BELLA: days_of(*[calm] * 5)}
    log, now_s = bella(postures, actions, company), MIDNIGHT_S + 3000.0
    flash = Spell("standing", now_s - 0.1, now_s, TrackId(uuid5(FARM, "flash")), STALL)
    assert not told(kind, now_s, log, baselines=usual, expected_residents=1, unowned=(flash,))


def test_no_rule_is_about_asymmetry() -> None:
    names = {p.name for spec in CATALOGUE.values() for p in spec.parameters}
    assert not any(word in name for name in names for word in ("asymmetry", "hd_", "pd_", "mm"))


def test_cameras_that_disagree_become_one_line() -> None:
    sure = Spell("sternal", 0.0, 10.0, TRACK, STALL, 0.9)
    unsure = Spell("upright", 5.0, 20.0, TRACK, PADDOCK, 0.6)
    line = one_line((unsure, sure))
    assert [(s.word, s.start_s, s.end_s) for s in line] == [
        ("sternal", 0.0, 10.0),
        ("upright", 10.0, 20.0),
    ]


class TestRules:
    def test_parameters_are_checked_by_name_and_limit(self) -> None:
        cast = RULES[RuleKind.CAST]
        with pytest.raises(OperatorMistake, match="Down for at least"):
            check_rule(replace(cast, parameters={"down_min": 1000.0}))
        with pytest.raises(OperatorMistake, match="no parameter 'minutes'"):
            check_rule(replace(cast, parameters={"minutes": 3.0}))
        with pytest.raises(OperatorMistake, match="at least one horse"):
            check_rule(RULES[RuleKind.FOALING])
        for rule in default_rules(FARM):
            check_rule(rule)

    def test_default_rules_are_the_same_every_time(self) -> None:
        assert default_rules(FARM) == default_rules(FARM)
        assert len({rule.id for rule in default_rules(FARM)}) == len(RuleKind)

    @pytest.mark.parametrize(
        ("hour", "weekday", "expected"),
        [(23, 0, True), (5, 1, True), (5, 0, False), (12, 0, False), (23, 1, False)],
    )
    def test_quiet_hours_belong_to_the_evening_they_begin(
        self, hour: int, weekday: int, expected: bool
    ) -> None:
        quiet = QuietHours(time(22), time(6), frozenset({0}))  # Monday nights
        rule: AlertRule = replace(RULES[RuleKind.MISSING], quiet=quiet)
        local = datetime(2026, 3, 9 + weekday, hour, 30, tzinfo=UTC)  # the ninth is a Monday
        assert is_quiet(rule, local) is expected
        assert not is_quiet(replace(rule, severity=Severity.CRITICAL), local)
