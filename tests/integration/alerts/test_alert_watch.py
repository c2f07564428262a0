"""The alert watch over a real store: what it raises, when it is over, and who else looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from barnhand_desktop.alert_watch import AlertRelay
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.farms import DEFAULT_FARM
from engine.behaviour.rule_catalogue import default_rules
from engine.behaviour.rules import CameraFact
from engine.behaviour.watch import AlertWatch, EngineFacts
from engine.domain.behaviour import Alert, AlertId, RuleKind
from engine.domain.identity import Merge
from engine.domain.ids import StreamId
from engine.domain.motion import Bout, BoutKind
from engine.domain.notices import Severity
from engine.domain.recording import Chunk, ChunkId, ChunkState
from tests.fixtures_motion import MotionBarn, at, bout

JPEG = b"\xff\xd8\xff\xe0 not looked into \xff\xd9"
START_S = 3600.0


class HeldClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> datetime:
        return at(self.s)

    def mono_s(self) -> float:
        return self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds


class StoodStill:
    """An engine whose cameras do as a test says."""

    def __init__(self) -> None:
        self.cameras: tuple[CameraFact, ...] = ()

    def facts(self) -> EngineFacts:
        return EngineFacts(self.cameras)

    def picture(self, stream_id: StreamId) -> bytes | None:
        return JPEG


class Heard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.over: list[Alert] = []
        self.looks = 0

    def raised(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def ended(self, alerts: Sequence[Alert]) -> None:
        self.over.extend(alerts)

    def looked(self, at: datetime) -> None:
        self.looks += 1


class Yard:
    """A barn with one camera, one resident and a watch."""

    def __init__(self, dsn: str) -> None:
        self.barn = MotionBarn(dsn)
        self.alerts = PostgresAlertRepository(self.barn.pool, default_rules)
        self.clock, self.engine, self.heard = HeldClock(), StoodStill(), Heard()
        self.stall = self.barn.camera("stall")
        self.bella = self.barn.horse("Bella", "active")
        self.track = self.barn.track(self.stall, 0, 40_000, self.bella)
        self.engine.cameras = (CameraFact(self.stall, "stall"),)
        self.watch = self.another()

    def another(self) -> AlertWatch:
        """The watch of a workstation."""
        return AlertWatch(
            DEFAULT_FARM, self.barn.motion, self.alerts, self.barn.horses, self.engine,
            self.heard, self.clock, local=lambda s: datetime.fromtimestamp(s, UTC),
        )  # fmt: skip

    def tell(self, start_s: float, end_s: float, word: str, kind: BoutKind) -> Bout:
        one = bout(self.track, self.stall, start_s, end_s, word, kind)
        self.barn.tell(one)
        return one

    def struggle(self, until_s: float) -> None:
        """Down from START_S on, kicking every half minute."""
        self.tell(START_S, until_s, "lateral", BoutKind.POSTURE)
        at_s = START_S
        while at_s + 30.0 <= until_s:
            self.tell(at_s, at_s + 20.0, "resting", BoutKind.ACTION)
            self.tell(at_s + 20.0, at_s + 30.0, "rolling", BoutKind.ACTION)
            at_s += 30.0


@pytest.fixture
def yard(postgres_dsn: str) -> Iterator[Yard]:
    yard = Yard(postgres_dsn)
    yield yard
    yard.barn.close()


def test_a_cast_horse_is_told_once_with_its_picture_and_figures(yard: Yard) -> None:
    yard.struggle(START_S + 300.0)
    yard.clock.s = START_S + 301.0
    (alert,) = yard.watch.look()
    assert alert.kind is RuleKind.CAST and alert.horse_id == yard.bella
    assert yard.heard.alerts == [alert]
    (stored,) = yard.alerts.list(DEFAULT_FARM)
    assert stored.message == alert.message and "Bella" in stored.message
    assert stored.evidence["struggle_spells"] == 10
    assert stored.started_at == at(START_S) and stored.stream_id == yard.stall
    assert yard.alerts.picture(stored.id) == JPEG
    yard.clock.s += 10.0
    assert yard.watch.look() == ()


def test_it_is_over_when_the_horse_has_been_up_for_a_while(yard: Yard) -> None:
    yard.struggle(START_S + 300.0)
    yard.clock.s = START_S + 301.0
    yard.watch.look()
    yard.tell(START_S + 300.0, START_S + 700.0, "upright", BoutKind.POSTURE)
    yard.clock.s = START_S + 400.0
    yard.watch.look()
    assert yard.heard.over == []  # a label that flickers ends nothing
    yard.clock.s = START_S + 700.0
    yard.watch.look()
    assert [alert.kind for alert in yard.heard.over] == [RuleKind.CAST]
    assert yard.alerts.list(DEFAULT_FARM)[0].ended_at is not None


def test_two_workstations_raise_it_once_and_either_ends_it(yard: Yard) -> None:
    other = yard.another()
    yard.struggle(START_S + 300.0)
    yard.clock.s = START_S + 301.0
    assert len(yard.watch.look()) + len(other.look()) == 1
    assert len(yard.alerts.list(DEFAULT_FARM)) == 1
    # The first one dies; the second sees that the horse got up.
    yard.tell(START_S + 300.0, START_S + 3000.0, "upright", BoutKind.POSTURE)
    yard.clock.s = START_S + 1400.0  # it has read the store again by now
    other.look()
    yard.clock.s = START_S + 1600.0
    other.look()
    assert yard.alerts.list(DEFAULT_FARM)[0].ended_at is not None


def test_a_restarted_watch_does_not_tell_again(yard: Yard) -> None:
    yard.struggle(START_S + 300.0)
    yard.clock.s = START_S + 301.0
    yard.watch.look()
    assert yard.another().look() == ()
    assert len(yard.alerts.list(DEFAULT_FARM)) == 1


def test_corrected_identities_are_seen_at_the_next_look(yard: Yard) -> None:
    guest = yard.barn.horse("Guest")
    yard.track = yard.barn.track(yard.stall, 0, 40_000, guest)
    yard.struggle(START_S + 300.0)
    yard.clock.s = START_S + 301.0
    (first,) = yard.watch.look()
    assert first.horse_id == guest
    daisy = yard.barn.horse("Daisy", "active")
    yard.barn.identity.apply(Merge(daisy, guest), "Anna")
    yard.watch.forget_horses()
    yard.clock.s += 10.0
    assert yard.watch.look() == ()  # it was told, and follows the merge
    (alert,) = yard.alerts.list(DEFAULT_FARM)
    assert alert.horse_id == daisy and alert.ended_at is None
    yard.tell(START_S + 300.0, START_S + 700.0, "upright", BoutKind.POSTURE)
    yard.clock.s = START_S + 700.0
    yard.watch.look()
    assert yard.alerts.list(DEFAULT_FARM)[0].ended_at is not None


def test_a_camera_that_goes_away_and_comes_back(yard: Yard) -> None:
    gone_s = at(0.0).timestamp()
    yard.engine.cameras = (CameraFact(yard.stall, "stall", gone_s, "It refuses."),)
    yard.clock.s = 30.0
    assert yard.watch.look() == ()
    yard.clock.s = 61.0
    (alert,) = yard.watch.look()
    assert alert.kind is RuleKind.CAMERA_DOWN and alert.stream_id == yard.stall
    yard.engine.cameras = (CameraFact(yard.stall, "stall"),)
    yard.clock.s = 200.0
    yard.watch.look()
    assert [a.kind for a in yard.heard.over] == [RuleKind.CAMERA_DOWN]


def test_a_rule_that_is_off_or_about_others_says_nothing(yard: Yard) -> None:
    cast = next(r for r in yard.alerts.rules(DEFAULT_FARM) if r.kind is RuleKind.CAST)
    stranger = yard.barn.horse("Carla", "active")
    changed = yard.alerts.save_rule(replace(cast, horse_ids=frozenset({stranger})))
    yard.struggle(START_S + 300.0)
    yard.clock.s = START_S + 301.0
    assert yard.watch.look() == ()
    yard.alerts.save_rule(replace(changed, horse_ids=frozenset(), enabled=False))
    assert yard.watch.look() == ()


def test_what_settled_is_read_once_and_still_counts(yard: Yard) -> None:
    """Long recumbency reaches back over what was read before and what came since."""
    yard.tell(START_S, START_S + 7000.0, "sternal", BoutKind.POSTURE)
    yard.clock.s = START_S + 7000.0
    assert yard.watch.look() == ()
    yard.tell(START_S + 7000.0, START_S + 7300.0, "lateral", BoutKind.POSTURE)
    yard.clock.s = START_S + 7300.0
    (alert,) = yard.watch.look()
    assert alert.kind is RuleKind.LONG_RECUMBENCY
    assert alert.started_at == at(START_S)
    assert alert.raised_at - alert.started_at == timedelta(seconds=7300)


class Told:
    """Other processes, as far as a relay knows them."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def alert_raised(self, alert: Alert) -> bool:
        self.alerts.append(alert)
        return True


def test_recordings_before_and_after_an_alert_are_kept(yard: Yard) -> None:
    chunks = PostgresChunkRepository(yard.barn.pool, uuid4())
    made = [chunk_at(yard.stall, START_S + offset_s) for offset_s in (-100, -30, 30, 200)]
    told = Told()
    relay = AlertRelay(told, chunks)
    alert = replace(raised_alert(), stream_id=yard.stall, raised_at=at(START_S))
    chunks.put(made[0])
    chunks.put(made[1])
    relay.raised(alert)
    assert [chunks.get(one.id).locked for one in made[:2]] == [False, True]
    assert told.alerts == [alert]
    chunks.put(made[2])
    chunks.put(made[3])
    relay.looked(at(START_S + 60))
    assert not chunks.get(made[2].id).locked
    relay.looked(at(START_S + 91))
    assert [chunks.get(one.id).locked for one in made] == [False, True, True, False]


def chunk_at(stream_id: StreamId, start_s: float) -> Chunk:
    chunk_id = ChunkId(uuid4())
    return Chunk(
        chunk_id, stream_id, at(start_s), at(start_s + 10), f"recordings/{chunk_id}.mp4", "h264",
        640, 360, ChunkState.COMPLETE, 1000, "0" * 64,
    )  # fmt: skip


def raised_alert() -> Alert:
    return Alert(
        AlertId(uuid4()), DEFAULT_FARM, None, RuleKind.CAST, Severity.CRITICAL, "Bella may be "
        "cast.", "key", at(START_S - 200), at(START_S),
    )  # fmt: skip
