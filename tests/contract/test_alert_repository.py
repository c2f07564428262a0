"""The AlertRepository contract on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import time
from uuid import uuid4

import pytest

from db.repositories.alerts import PostgresAlertRepository
from db.repositories.farms import DEFAULT_FARM
from engine.behaviour.rule_catalogue import default_rules
from engine.domain.behaviour import Alert, AlertId, AlertRule, QuietHours, RuleId, RuleKind
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.identity import Merge, Reassign, Reject, Scope, Split
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.notices import Severity
from engine.runtime.worker import StopToken, Worker
from tests.fixtures_identity import at
from tests.fixtures_motion import MotionBarn, alert


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[MotionBarn]:
    barn = MotionBarn(postgres_dsn)
    yield barn
    barn.close()


def rule(name: str = "Rolling at night", **fields: object) -> AlertRule:
    plain = AlertRule(RuleId(uuid4()), DEFAULT_FARM, RuleKind.ROLLING, name, Severity.WARNING)
    return replace(plain, **fields)


# --- rules ---------------------------------------------------------------------------------------


def test_rules_read_back_change_and_go(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    told = rule(
        parameters={"min_s": 5.0}, horse_ids=frozenset({bella}), stream_ids=frozenset({camera}),
        quiet=QuietHours(time(22), time(5, 30), frozenset({5, 6})), cooldown_s=60.0, sound=False,
    )  # fmt: skip
    assert barn.alerts.save_rule(told) == told
    other = barn.alerts.save_rule(rule("A rule", severity=Severity.CRITICAL))
    assert barn.alerts.rules() == barn.alerts.rules(DEFAULT_FARM) == (other, told)
    assert barn.alerts.rules(FarmId(uuid4())) == ()
    changed = barn.alerts.save_rule(replace(told, name="Rolling", enabled=False))
    assert (changed.version, changed.name, changed.enabled) == (2, "Rolling", False)
    with pytest.raises(Conflict, match="changed meanwhile"):
        barn.alerts.save_rule(told)
    barn.alerts.remove_rule(told.id)
    with pytest.raises(NotFound):
        barn.alerts.remove_rule(told.id)
    with pytest.raises(Conflict, match="removed"):
        barn.alerts.save_rule(changed)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "  "},
        {"name": "x\0"},
        {"cooldown_s": float("nan")},
        {"cooldown_s": -1.0},
        {"parameters": {"min_s": float("inf")}},
        {"quiet": QuietHours(time(1), time(2), frozenset({7}))},
    ],
)
def test_rules_that_are_none_are_refused(barn: MotionBarn, fields: dict[str, object]) -> None:
    with pytest.raises(OperatorMistake):
        barn.alerts.save_rule(replace(rule(), **fields))


def test_rules_name_only_what_is_their_farm_s(barn: MotionBarn) -> None:
    with pytest.raises(NotFound):
        barn.alerts.save_rule(rule(horse_ids=frozenset({HorseId(uuid4())})))
    with pytest.raises(NotFound):
        barn.alerts.save_rule(rule(stream_ids=frozenset({StreamId(uuid4())})))


def test_a_rule_follows_its_horse_into_a_merge(barn: MotionBarn) -> None:
    bella, guest = barn.horse(), barn.horse()
    barn.alerts.save_rule(rule(horse_ids=frozenset({guest})))
    record = barn.identity.apply(Merge(bella, guest), "Anna")
    assert barn.alerts.rules()[0].horse_ids == {bella}
    barn.identity.undo(record.id, "Ben")
    assert barn.alerts.rules()[0].horse_ids == {guest}


def test_a_farm_gets_the_defaults_once(barn: MotionBarn) -> None:
    alerts = PostgresAlertRepository(barn.pool, default_rules)
    given = alerts.rules()
    assert {one.kind for one in given} == {one.kind for one in default_rules(DEFAULT_FARM)}
    for one in given:
        alerts.remove_rule(one.id)
    assert alerts.rules() == ()
    assert PostgresAlertRepository(barn.pool, default_rules).rules(DEFAULT_FARM) == ()


# --- alerts --------------------------------------------------------------------------------------


def test_an_alert_reads_back_with_its_picture(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.track(camera, 0, 100, bella)
    saved = barn.alerts.save_rule(rule())
    told = replace(
        alert(), rule_id=saved.id, horse_id=bella, track_id=track, stream_id=camera,
        evidence={"times": 3, "words": ["a"]}, quiet=True,
    )  # fmt: skip
    assert barn.alerts.raise_(told, b"jpeg")
    assert barn.alerts.get(told.id) == replace(told, picture=True)
    assert barn.alerts.picture(told.id) == b"jpeg"
    barn.alerts.remove_rule(saved.id)
    assert barn.alerts.get(told.id).rule_id is None
    with pytest.raises(OperatorMistake):
        barn.alerts.raise_(alert("other"), b"x" * 102_401)
    stranger = AlertId(uuid4())
    for asked in (barn.alerts.get, barn.alerts.picture):
        with pytest.raises(NotFound):
            asked(stranger)
    with pytest.raises(NotFound):
        barn.alerts.acknowledge(stranger, "Anna", "", at(0))


def test_what_an_alert_names_and_the_store_does_not_know_is_left_out(barn: MotionBarn) -> None:
    told = replace(alert(), horse_id=HorseId(uuid4()), stream_id=StreamId(uuid4()))
    assert barn.alerts.raise_(told)
    stored = barn.alerts.get(told.id)
    assert (stored.horse_id, stored.stream_id, stored.picture) == (None, None, False)


def test_one_of_a_key_at_a_time_and_a_pause_after_it(barn: MotionBarn) -> None:
    first = alert("k", 0)
    assert barn.alerts.raise_(first)
    assert not barn.alerts.raise_(alert("k", 5000))
    assert barn.alerts.raise_(alert("other", 0))
    (ended,) = barn.alerts.end("k", at(60))
    assert (ended.id, ended.ended_at) == (first.id, at(60))
    assert barn.alerts.end("k", at(70)) == ()
    assert not barn.alerts.raise_(alert("k", 99), cooldown_s=100.0)
    assert barn.alerts.raise_(alert("k", 101), cooldown_s=100.0)


def test_several_workstations_raise_the_same_once(barn: MotionBarn) -> None:
    raised: list[bool] = []

    def run(_: StopToken) -> None:
        raised.append(barn.alerts.raise_(alert("same", 0), cooldown_s=60.0))

    workers = [Worker(f"raise {n}", run, restart_budget=0) for n in range(4)]
    for worker in workers:
        worker.start()
    assert all(worker.join(30.0) for worker in workers)
    assert sorted(raised) == [False, False, False, True]


def test_acknowledging_keeps_the_first_name_and_every_note(barn: MotionBarn) -> None:
    one = barn.raised()
    first = barn.alerts.acknowledge(one, "Anna", "vet called", at(100))
    assert (first.acknowledged_by, first.acknowledged_at, first.note) == (
        "Anna", at(100), "vet called",
    )  # fmt: skip
    again = barn.alerts.acknowledge(one, "Ben", "she is fine", at(200))
    assert (again.acknowledged_by, again.acknowledged_at) == ("Anna", at(100))
    assert again.note == "vet called\nBen: she is fine"
    assert barn.alerts.acknowledge(one, "Eve", "", at(300)).note == again.note
    with pytest.raises(OperatorMistake):
        barn.alerts.acknowledge(one, "Eve", "\0", at(300))


def test_alerts_are_listed_open_first_and_page_by_page(barn: MotionBarn) -> None:
    ids = [barn.raised(f"k{n}", n * 100.0) for n in range(6)]
    barn.alerts.acknowledge(ids[5], "Anna", "", at(900))
    barn.alerts.acknowledge(ids[1], "Anna", "", at(901))
    want = [ids[n] for n in (4, 3, 2, 0, 5, 1)]
    found: list[AlertId] = []
    while page := barn.alerts.list(limit=2, before=found[-1] if found else None):
        found += [one.id for one in page]
    assert found == want

    def listed(alerts: tuple[Alert, ...] | object) -> list[AlertId]:
        assert isinstance(alerts, tuple)
        return [one.id for one in alerts]

    assert listed(barn.alerts.list(open_only=True)) == want[:4]
    assert listed(barn.alerts.list(start=at(105), end=at(305))) == [ids[2], ids[1]]
    assert listed(barn.alerts.list(farm_id=DEFAULT_FARM)) == want
    assert barn.alerts.list(farm_id=FarmId(uuid4())) == ()
    with pytest.raises(NotFound):
        barn.alerts.list(before=AlertId(uuid4()))
    for limit in (0, 10**6):
        with pytest.raises(OperatorMistake):
            barn.alerts.list(limit=limit)


def test_an_alert_follows_its_track_and_its_horse(barn: MotionBarn) -> None:
    camera, bella, guest = barn.camera("north"), barn.horse(), barn.horse()
    track = barn.track(camera, 0, 100, guest)
    of_track = barn.raised("a", 50, horse_id=guest, track_id=track)
    of_horse = barn.raised("b", 60, horse_id=guest)

    def owners() -> list[HorseId | None]:
        return [barn.alerts.get(one).horse_id for one in (of_track, of_horse)]

    assert owners() == [guest, guest]
    merge = barn.identity.apply(Merge(bella, guest), "Anna")
    assert owners() == [bella, bella]
    assert {one.id for one in barn.alerts.list(horse_id=bella)} == {of_track, of_horse}
    assert {one.id for one in barn.alerts.list(horse_id=guest)} == {of_track, of_horse}
    split = barn.identity.apply(Split(bella, at(40), Scope.TRACK, track), "Anna")
    made = split.created[0]
    assert owners() == [made, bella]
    own = barn.raised("c", 70, horse_id=made, track_id=track)
    barn.identity.undo(split.id, "Ben")
    assert owners() == [bella, bella]
    assert barn.alerts.get(own).horse_id == bella
    barn.identity.undo(merge.id, "Ben")
    assert owners() == [guest, guest]
    barn.identity.apply(Reassign(track, bella, None, at(49)), "Anna")
    assert owners() == [guest, guest]
    barn.identity.apply(Reject(track, guest), "Anna")
    assert owners() == [None, guest]
