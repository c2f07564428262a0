"""The farm as a whole: identities over cameras, occlusion, people, days and events."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation.barn import SimulatedBarn
from engine.simulation.days import FILMED_STALLS, EventKind
from engine.simulation.farm import SimulatedFarm
from engine.simulation.scenarios import PROGRAMMES, day, occlusion_and_reentry, resting_night
from engine.simulation.site import CAMERAS
from engine.simulation.truth import NOBODY, PERSON, SCENERY, Sightings

TIMES = np.arange(0.0, 600.0, 1.0)


@pytest.fixture(scope="module")
def farm() -> SimulatedFarm:
    return occlusion_and_reentry(seed=0)


@pytest.fixture(scope="module")
def seen(farm: SimulatedFarm) -> dict[str, Sightings]:
    return {name: farm.sightings(name, TIMES) for name in CAMERAS}


def test_the_same_seed_gives_the_same_farm(seen: dict[str, Sightings]) -> None:
    again = occlusion_and_reentry(seed=0).sightings("yard", TIMES)
    assert np.array_equal(again.keypoints_px, seen["yard"].keypoints_px)
    other = occlusion_and_reentry(seed=1).sightings("yard", TIMES)
    assert len(other) != len(again) or not np.array_equal(other.boxes_xyxy_px, again.boxes_xyxy_px)


def test_many_times_at_once_are_the_same_as_one_by_one(
    farm: SimulatedFarm, seen: dict[str, Sightings]
) -> None:
    for t in (0, 137, 411):
        alone = farm.sightings("paddock", np.array([float(t)]))
        among = seen["paddock"].select(seen["paddock"].time_index == t)
        assert np.array_equal(alone.horse_ids, among.horse_ids)
        assert np.allclose(alone.boxes_xyxy_px, among.boxes_xyxy_px, atol=0.01)
        assert np.array_equal(alone.visible, among.visible)


def test_boxes_lie_in_each_other(seen: dict[str, Sightings]) -> None:
    for view in seen.values():
        full, cut, visible = (
            view.full_boxes_xyxy_px, view.boxes_xyxy_px, view.visible_boxes_xyxy_px
        )  # fmt: skip
        assert (cut[:, :2] >= full[:, :2] - 1e-3).all()
        assert (cut[:, 2:] <= full[:, 2:] + 1e-3).all()
        shows = view.visibility > 0
        assert (visible[shows, :2] >= cut[shows, :2] - 1e-3).all()
        assert (visible[shows, 2:] <= cut[shows, 2:] + 1e-3).all()
        assert ((view.visibility >= 0) & (view.visibility <= 1.0001)).all()


def test_horses_are_hidden_by_horses_people_and_posts(seen: dict[str, Sightings]) -> None:
    hiders = np.concatenate([view.hidden_by for view in seen.values()])
    assert {NOBODY, SCENERY, PERSON} < set(hiders.tolist())
    view = seen["paddock"]
    by_horse = np.nonzero((view.hidden_by > 0) & (view.visibility < 0.5))[0]
    assert len(by_horse) > 10
    for row in by_horse[:20]:
        now = view.select(view.time_index == view.time_index[row])
        other = np.nonzero(now.horse_ids == view.hidden_by[row])[0][0]
        assert now.distance_m[other] < view.distance_m[row]
    alone = occlusion_and_reentry(seed=0, horses=1, people=False).sightings("stall2", TIMES)
    assert set(alone.hidden_by.tolist()) <= {NOBODY, SCENERY}


def test_horses_leave_and_come_back(seen: dict[str, Sightings]) -> None:
    """Within one camera after seconds and minutes, and from one camera to another."""
    gaps = []
    for view in seen.values():
        for horse in np.unique(view.horse_ids):
            times = view.t_s[(view.horse_ids == horse) & (view.visibility > 0.2)]
            gaps += np.diff(times)[np.diff(times) > 1.5].tolist()
    assert min(gaps) < 10.0
    assert max(gaps) > 60.0
    cameras = {
        horse: sum(horse in view.horse_ids for view in seen.values()) for horse in range(1, 11)
    }
    assert sum(count >= 3 for count in cameras.values()) >= 8


def test_overlapping_cameras_agree_in_metres(seen: dict[str, Sightings]) -> None:
    one, other = seen["paddock"], seen["paddock2"]
    key = one.time_index * 100 + one.horse_ids
    theirs = other.time_index * 100 + other.horse_ids
    shared, mine, its = np.intersect1d(key, theirs, return_indices=True)
    assert len(shared) > 500
    assert np.allclose(one.keypoints_m[mine], other.keypoints_m[its], atol=1e-3)


def test_horses_never_run_into_each_other(farm: SimulatedFarm) -> None:
    rows = farm.rows_at(TIMES)
    count = len(farm.horses)
    x, y = rows.states.x_m.reshape(-1, count), rows.states.y_m.reshape(-1, count)
    apart = np.hypot(x[:, :, None] - x[:, None], y[:, :, None] - y[:, None])
    apart += 1e3 * np.eye(count)
    on_site = y > -13.0
    apart[~on_site[:, :, None] | ~on_site[:, None]] = 1e3
    assert apart.min() > 1.2


def test_people_are_told_with_the_horses_they_lead(farm: SimulatedFarm) -> None:
    people = farm.people_sightings("yard", TIMES)
    assert len(people) > 30
    leading = np.nonzero(people.with_horse > 0)[0]
    assert len(leading) > 5
    index = {horse.id: k for k, horse in enumerate(farm.horses)}
    for row in leading[::7]:
        states = farm.timelines[index[int(people.with_horse[row])]].at(people.t_s[[row]])
        spot = people.ground_m[row]
        assert np.hypot(states.x_m[0] - spot[0], states.y_m[0] - spot[1]) < 1.5


@pytest.mark.parametrize("kind", list(EventKind))
def test_a_day_with_an_event_tells_it_and_a_day_without_does_not(kind: EventKind) -> None:
    quiet, eventful = day(3), day(3, (kind,))
    assert quiet.events == ()
    assert [event.kind for event in eventful.events] == [kind.value]
    event = eventful.events[0]
    assert event.horse_id == eventful.horses[FILMED_STALLS[0]].id
    length = eventful.timelines[0].cycle_s
    assert 0 <= event.start_s < event.end_s <= length
    happened = eventful.truth_between(event.start_s, event.end_s)
    assert happened.events == (event,)
    mine = [bout for bout in happened.bouts if bout.horse_id == event.horse_id]
    activities = {bout.activity for bout in mine}
    expected = {
        EventKind.CAST: {"struggling", "lateral"}, EventKind.ROLLING: {"rolling", "pawing"},
        EventKind.LONG_RECUMBENCY: {"sternal"}, EventKind.FOALING: {"lateral", "flank_watching"},
        EventKind.MISSING: {"away"},
    }.get(kind, set())  # fmt: skip
    assert expected <= activities
    if kind is EventKind.NO_RECUMBENCY:
        assert "sternal" not in activities


def test_a_night_has_lying_standing_and_eating() -> None:
    farm = resting_night(1)
    spent: dict[str, float] = {}
    for bout in farm.truth_between(0.0, 7.5 * 3600 / 12).bouts:
        spent[bout.posture] = spent.get(bout.posture, 0.0) + bout.end_s - bout.start_s
        spent[bout.action] = spent.get(bout.action, 0.0) + bout.end_s - bout.start_s
    total = spent["standing"] + spent["sternal"] + spent["lateral"]
    assert 0.04 < (spent["sternal"] + spent["lateral"]) / total < 0.5
    assert spent["grazing"] > 0.1 * total


def test_lying_is_low_and_seen() -> None:
    farm = day(3, (EventKind.CAST,))
    event = farm.events[0]
    view = farm.sightings("stall", np.arange(0.0, event.end_s, 2.0))
    withers = view.keypoints_m[:, 7, 2]
    assert withers[view.postures == "standing"].min() > 1.25
    assert withers[view.postures == "sternal"].max() < 1.1
    assert withers[view.postures == "lateral"].max() < 0.9
    assert {"standing", "sternal", "lateral", "lowering"} <= set(view.postures.tolist())


def test_night_is_dark_or_infra_red_and_day_is_bright() -> None:
    farm = day(0)
    hour_s = farm.timelines[0].cycle_s / 24.0
    night = SimulatedBarn("paddock", farm=farm).picture_at(2.0 * hour_s).astype(int)
    noon = SimulatedBarn("paddock", farm=farm).picture_at(12.0 * hour_s).astype(int)
    assert np.abs(night[..., 0] - night[..., 2]).mean() < 8  # grey
    assert np.abs(noon[..., 0] - noon[..., 2]).mean() > 20
    assert noon.mean() > 1.2 * night.mean()
    stall = SimulatedBarn("stall", farm=farm)
    lamp, dark = (stall.picture_at(hour * hour_s).astype(int) for hour in (6.5, 2.0))
    assert np.abs(lamp[..., 0] - lamp[..., 2]).mean() > 20 > np.ptp(dark, axis=2).max()


@pytest.mark.parametrize("programme", list(PROGRAMMES))
def test_every_programme_fills_its_cameras(programme: str) -> None:
    farm = PROGRAMMES[programme](0, 6)
    times = np.linspace(0.0, farm.timelines[0].cycle_s, 200)
    counts = [len(farm.sightings(name, times, keypoints=False)) for name in CAMERAS]
    assert sum(count > 0 for count in counts) >= 3
