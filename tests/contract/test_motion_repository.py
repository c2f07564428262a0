"""The MotionRepository contract on PostgreSQL: bouts, strides, metrics and budgets follow the
identity of tracks, and final motion takes the place of provisional."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import OperatorMistake
from engine.domain.identity import Merge, Reassign, Scope, Split, Swap
from engine.domain.ids import FarmId, HorseId, TrackId
from engine.domain.motion import BoutId, BoutKind, Gait
from tests.fixtures_identity import at
from tests.fixtures_motion import TROT, WALK, MotionBarn, bout, motion, seconds, stride

ACTION, GAIT, POSTURE = BoutKind.ACTION, BoutKind.GAIT, BoutKind.POSTURE
DAY_S = 86_400.0


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[MotionBarn]:
    barn = MotionBarn(postgres_dsn)
    yield barn
    barn.close()


# --- bouts ---------------------------------------------------------------------------------------


def test_bouts_read_back_as_they_were_told(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.track(camera, 0, 100, bella)
    told = bout(track, camera, 10, 40, "grazing", ACTION, 0.7, open_=True)
    barn.tell(told, bout(track, camera, 40, 60, "lateral", POSTURE))
    owned = barn.motion.bouts(at(0), at(100), [bella])
    assert owned[0].horse_id == bella and owned[0].bout.confidence == pytest.approx(0.7)
    assert owned[0].bout.id == told.id and owned[0].bout.stream_id == camera
    assert owned[0].bout.open and owned[0].bout.provisional
    assert barn.told(bella) == [("action", "grazing", 10, 40), ("posture", "lateral", 40, 60)]


def test_a_repeated_telling_extends_and_never_doubles(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track, one = barn.track(camera, 0, 100, bella), BoutId(uuid4())
    for end in (10, 20, 15):
        barn.tell(bout(track, camera, 0, end, bout_id=one, open_=True))
    assert barn.told(bella) == [("gait", WALK, 0, 20)]
    barn.tell(bout(track, camera, 0, 25, bout_id=one))
    assert not barn.motion.bouts(at(0), at(99), [bella])[0].bout.open
    barn.tell(bout(track, camera, 0, 30, TROT, bout_id=one, provisional=False))
    barn.tell(bout(track, camera, 0, 50, WALK, bout_id=one))
    assert barn.told(bella) == [("gait", TROT, 0, 30)]


def test_bouts_of_unknown_tracks_are_left_out(barn: MotionBarn) -> None:
    camera = barn.camera("north")
    barn.tell(bout(TrackId(uuid4()), camera, 0, 10), stride(TrackId(uuid4()), camera, 0))
    assert barn.motion.bouts(at(-10), at(10)) == ()


def test_bouts_are_found_by_time_camera_kind_and_farm(barn: MotionBarn) -> None:
    north, south, bella = barn.camera("north"), barn.camera("south"), barn.horse()
    barn.seen(north, 0, 100, bella, (GAIT, WALK), (ACTION, "walking"))
    barn.seen(south, 200, 300, None, (GAIT, TROT))
    assert len(barn.motion.bouts(at(0), at(300))) == 3
    assert barn.motion.bouts(at(100), at(200)) == ()
    assert [o.bout.kind for o in barn.motion.bouts(at(99), at(201), kinds=[GAIT])] == [GAIT, GAIT]
    assert [o.horse_id for o in barn.motion.bouts(at(0), at(300), stream_id=south)] == [None]
    assert len(barn.motion.bouts(at(0), at(300), farm_id=DEFAULT_FARM)) == 3
    assert barn.motion.bouts(at(0), at(300), farm_id=FarmId(uuid4())) == ()
    assert barn.motion.bouts(at(0), at(300), [HorseId(uuid4())]) == ()
    assert len(barn.motion.bouts(at(0), at(300), limit=1)) == 1
    for limit in (0, -1, 10**9):
        with pytest.raises(OperatorMistake):
            barn.motion.bouts(at(0), at(1), limit=limit)


def test_bouts_are_cut_to_spans_and_the_rest_is_nobody_s(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.seen(camera, 0, 100, None, (GAIT, WALK))
    barn.identity.apply(Reassign(track, bella, at(20), at(45)), "Anna")
    assert barn.told(bella) == [("gait", WALK, 20, 45)]
    assert barn.told(None) == [("gait", WALK, 0, 20), ("gait", WALK, 45, 100)]


def test_bouts_strides_and_budgets_follow_every_correction(barn: MotionBarn) -> None:
    camera, bella, guest = barn.camera("north"), barn.horse(), barn.horse()
    barn.seen(camera, 0, 100, bella, (GAIT, WALK))
    other = barn.seen(camera, 200, 300, guest, (GAIT, TROT))
    barn.tell(*(stride(other, camera, s) for s in (210, 240)))

    def state() -> list[object]:
        horses = [horse.id for horse in barn.horses.list()]
        budgets = barn.motion.budgets(horses, at(0), at(400), 400)
        return [
            [(b.horse_id, b.seen_s, dict(b.gaits_s)) for b in budgets],
            [barn.told(horse) for horse in horses],
            [len(barn.motion.strides(at(0), at(400), horse)) for horse in horses],
        ]

    seen = [state()]
    corrections = (
        Merge(bella, guest),
        Split(bella, at(240), Scope.EVERYWHERE),
        Swap(bella, guest, at(0), None),
    )
    records = []
    for correction in corrections[:2]:
        records.append(barn.identity.apply(correction, "Anna"))
        seen.append(state())
    merged, split = seen[1], seen[2]
    assert merged[0] == [(bella, 200.0, {WALK: 100.0, TROT: 100.0}), (guest, 0.0, {})]
    made = records[1].created[0]
    assert split[1] == [
        [("gait", WALK, 0, 100), ("gait", TROT, 200, 240)], [], [("gait", TROT, 240, 300)],
    ]  # fmt: skip
    assert split[2] == [1, 0, 1]
    assert [h.id for h in barn.horses.list()] == [bella, guest, made]
    for record in reversed(records):
        seen.pop()
        barn.identity.undo(record.id, "Ben")
        assert state() == seen[-1]
    barn.identity.apply(corrections[2], "Anna")
    assert barn.told(bella) == [("gait", TROT, 200, 300)]


# --- strides -------------------------------------------------------------------------------------


def test_strides_read_back_and_are_found(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track, stray = barn.track(camera, 0, 100, bella), barn.track(camera, 0, 100)
    told = stride(track, camera, 10)
    barn.tell(
        told,
        stride(track, camera, 20, gait=Gait.WALK),
        stride(track, camera, 30, straight=False),
        stride(stray, camera, 15),
    )
    first = barn.motion.strides(at(0), at(100), bella)[0]
    assert first.horse_id == bella and first.stride.id == told.id
    assert first.stride.phases == told.phases and first.stride.gait is Gait.TROT
    assert first.stride.asymmetry.hd_min_mm == 3.0
    assert math.isnan(first.stride.asymmetry.pd_max_mm)

    def starts(**asked: object) -> list[float]:
        found = barn.motion.strides(at(0), at(100), **asked)
        return [seconds(one.stride.start_at) for one in found]

    assert starts() == [10, 15, 20, 30]
    assert starts(horse_id=bella) == [10, 20, 30]
    assert starts(horse_id=bella, gaits=[Gait.TROT], straight_only=True) == [10]
    assert starts(track_id=stray) == [15]
    assert starts(track_id=stray, horse_id=bella) == []
    assert [o.horse_id for o in barn.motion.strides(at(0), at(100), track_id=stray)] == [None]
    assert starts(limit=2) == [10, 15]
    assert len(barn.motion.strides(at(15), at(30))) == 2


# --- the chunk lane ------------------------------------------------------------------------------


def test_final_motion_replaces_what_was_provisional_in_its_stretch(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.seen(camera, 0, 100, bella, (GAIT, WALK))
    barn.tell(*(stride(track, camera, s) for s in (5, 30, 45, 60)))
    final = motion(
        track, camera, 30, 60,
        [bout(track, camera, 25, 50, TROT), bout(track, camera, 50, 70, WALK)],
        [stride(track, camera, s) for s in (29, 35, 36)],
    )  # fmt: skip
    want = [(WALK, 0, 30), (TROT, 30, 50), (WALK, 50, 60), (WALK, 60, 100)]
    for _ in range(3):
        barn.motion.replace([final])
        assert barn.told(bella) == [("gait", *one) for one in want]
        owned = barn.motion.bouts(at(0), at(100), [bella])
        assert [one.bout.provisional for one in owned] == [True, False, False, True]
        strides = barn.motion.strides(at(0), at(100), bella)
        assert [(seconds(o.stride.start_at), o.stride.provisional) for o in strides] == [
            (5, True), (35, False), (36, False), (60, True),
        ]  # fmt: skip


def test_provisional_motion_that_is_told_later_yields_to_final(barn: MotionBarn) -> None:
    camera, bella, one = barn.camera("north"), barn.horse(), BoutId(uuid4())
    track = barn.track(camera, 0, 200, bella)
    barn.tell(bout(track, camera, 0, 50, bout_id=one, open_=True))
    barn.motion.replace([motion(track, camera, 20, 30, [bout(track, camera, 20, 30, TROT)], [])])
    barn.tell(bout(track, camera, 0, 60, bout_id=one, open_=True), stride(track, camera, 25))
    want = [("gait", WALK, 0, 20), ("gait", TROT, 20, 30), ("gait", WALK, 30, 60)]
    assert barn.told(bella) == want
    barn.motion.replace([motion(track, camera, 30, 40, [bout(track, camera, 30, 40, TROT)], [])])
    barn.tell(bout(track, camera, 0, 70, bout_id=one))
    barn.tell(bout(track, camera, 32, 38, TROT))
    assert barn.told(bella) == [
        ("gait", WALK, 0, 20), ("gait", TROT, 20, 30), ("gait", TROT, 30, 40),
        ("gait", WALK, 40, 70),
    ]  # fmt: skip
    assert [o.bout.open for o in barn.motion.bouts(at(0), at(99), [bella])] == [False] * 4
    assert barn.motion.strides(at(0), at(99), bella) == ()


def test_a_final_bout_that_goes_on_in_the_next_stretch_keeps_both_parts(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.track(camera, 0, 100, bella)
    long = bout(track, camera, 0, 40, TROT)
    parts = [motion(track, camera, s, s + 10, [long]) for s in (0, 10, 30)]
    for order in (parts, parts[::-1]):
        barn.motion.replace(order)
        told = barn.told(bella)
        assert sum(end - start for _, _, start, end in told) == 30
        assert [(s, e) for _, _, s, e in told] == sorted({(s, e) for _, _, s, e in told})
        assert all(a[3] <= b[2] for a, b in itertools.pairwise(told))


def test_final_motion_of_unknown_tracks_is_left_out(barn: MotionBarn) -> None:
    camera = barn.camera("north")
    stranger = TrackId(uuid4())
    barn.motion.replace([motion(stranger, camera, 0, 9, [bout(stranger, camera, 0, 9)])])
    assert barn.motion.bouts(at(0), at(9)) == ()


# --- budgets -------------------------------------------------------------------------------------


def test_time_on_two_cameras_counts_once_and_the_surer_one_holds(barn: MotionBarn) -> None:
    north, south, bella = barn.camera("north"), barn.camera("south"), barn.horse()
    first, second = barn.track(north, 0, 100, bella), barn.track(south, 50, 150, bella)
    barn.tell(
        bout(first, north, 0, 100, "standing", ACTION, 0.9),
        bout(second, south, 50, 150, "grazing", ACTION, 0.6),
        bout(second, south, 140, 150, "resting", ACTION, 0.1, provisional=False),
    )
    (budget,) = barn.motion.budgets([bella], at(0), at(300), 300)
    assert budget.seen_s == 150.0 and budget.coverage == 0.5
    assert dict(budget.actions_s) == {"standing": 100.0, "grazing": 40.0, "resting": 10.0}
    assert dict(budget.postures_s) == dict(budget.gaits_s) == {}


def test_budgets_come_by_horse_and_step(barn: MotionBarn) -> None:
    camera, bella, stella = barn.camera("north"), barn.horse(), barn.horse()
    barn.seen(camera, 0, 150, bella, (GAIT, WALK))
    barn.seen(camera, 100, 120, stella, (POSTURE, "lateral"))
    found = barn.motion.budgets([bella, stella], at(0), at(250), 100)
    assert [(b.horse_id, seconds(b.start_at), seconds(b.end_at), b.seen_s) for b in found] == [
        (bella, 0, 100, 100), (bella, 100, 200, 50), (bella, 200, 250, 0),
        (stella, 0, 100, 0), (stella, 100, 200, 20), (stella, 200, 250, 0),
    ]  # fmt: skip
    assert dict(found[4].postures_s) == {"lateral": 20.0}
    assert barn.motion.budgets([], at(0), at(10), 1) == ()
    for step in (0.0, -1.0, math.nan, 1e-9):
        with pytest.raises(OperatorMistake):
            barn.motion.budgets([bella], at(0), at(10), step)


def test_budgets_from_sums_are_those_from_bouts(barn: MotionBarn) -> None:
    """A season is read from sums by hour: they agree with the bouts, also after corrections."""
    camera, bella, guest = barn.camera("north"), barn.horse(), barn.horse()
    start = at(0).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=60)
    first_s = seconds(start)
    tracks = {}
    for day in (0, 1, 2, 30, 58):
        for owner, hour in ((bella, 5), (guest, 9)):
            begin = first_s + day * DAY_S + hour * 3600 + 600
            tracks[day, owner] = barn.seen(
                camera, begin, begin + 7000, owner, (GAIT, WALK), (POSTURE, "sternal")
            )

    def check() -> None:
        both = [bella, guest]
        end = start + timedelta(days=59)
        season = barn.motion.budgets(both, start, end, 86_400)
        assert len(season) == 2 * 59
        by_day = [
            budget
            for horse in both
            for day in range(59)
            for budget in barn.motion.budgets(
                [horse], start + timedelta(days=day), start + timedelta(days=day + 1), 86_400
            )
        ]
        for one, other in zip(season, by_day, strict=True):
            assert (one.horse_id, one.start_at) == (other.horse_id, other.start_at)
            assert one.seen_s == pytest.approx(other.seen_s, abs=1e-3)
            assert dict(one.gaits_s) == pytest.approx(dict(other.gaits_s), abs=1e-3)

    check()
    kept = barn.ask("SELECT count(*) AS days FROM timeline_day_states WHERE summed = generation")
    assert kept[0]["days"] == 2 * 59
    check()
    record = barn.identity.apply(Merge(bella, guest), "Anna")
    check()
    barn.identity.undo(record.id, "Ben")
    check()
    barn.identity.apply(Reassign(tracks[30, bella], guest), "Anna")
    check()
    barn.tell(bout(tracks[58, guest], camera, first_s + 58 * DAY_S + 9 * 3600 + 600,
                   first_s + 58 * DAY_S + 9 * 3600 + 900, TROT, provisional=False))  # fmt: skip
    check()
    begin = first_s + 2 * DAY_S + 5 * 3600 + 600
    barn.motion.replace([motion(tracks[2, bella], camera, begin, begin + 60)])
    check()


# --- metrics -------------------------------------------------------------------------------------


def store_metrics(barn: MotionBarn, track: TrackId, start_s: float, rows: int) -> None:
    """Ten rows a second; the speed rises by a millimetre a second each row."""
    for n in range(rows):
        barn.run(
            "INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture, speed_mps, "
            "back_deg) VALUES (%s, %s, 1, 0, 1, 1, %s, 17050)",
            at(start_s + n / 10), track, n,
        )  # fmt: skip


def test_metrics_come_row_by_row_or_thinned(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.track(camera, 0, 100, bella)
    store_metrics(barn, track, 0, 40)
    exact = barn.motion.metrics(bella, at(0), at(10))
    assert exact.bucket_s == 0.0 and len(exact.at_us) == 40
    assert exact.values["speed_mps"][39].tolist() == pytest.approx([0.039] * 3)
    assert exact.values["back_deg"][0, 0] == pytest.approx(170.5)
    assert bool(all(math.isnan(v) for v in exact.values["hip_left_deg"][0]))
    thinned = barn.motion.metrics(bella, at(0), at(10), ["speed_mps"], points=10)
    assert thinned.bucket_s == 1.0 and set(thinned.values) == {"speed_mps"}
    assert thinned.values["speed_mps"][1].tolist() == pytest.approx([0.0145, 0.010, 0.019])
    assert (thinned.at_us - exact.at_us[0]).tolist() == [0, 1_000_000, 2_000_000, 3_000_000]
    with pytest.raises(OperatorMistake):
        barn.motion.metrics(bella, at(0), at(10), ["colour"])
    assert len(barn.motion.metrics(HorseId(uuid4()), at(0), at(10)).at_us) == 0


def test_metrics_follow_a_split(barn: MotionBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.track(camera, 0, 100, bella)
    store_metrics(barn, track, 0, 30)
    record = barn.identity.apply(Split(bella, at(1), Scope.TRACK, track), "Anna")
    made = record.created[0]
    assert len(barn.motion.metrics(bella, at(0), at(10)).at_us) == 10
    assert len(barn.motion.metrics(made, at(0), at(10)).at_us) == 20
