"""The simulated barn is the same in every run, and its truth fits its pictures."""

from __future__ import annotations

import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import iou_matrix
from engine.simulation.barn import SimulatedBarn
from engine.simulation.cameras import HEIGHT_PX, WIDTH_PX
from engine.simulation.programmes import SCENE_HORSES
from engine.simulation.rendering import render
from engine.simulation.scenarios import occlusion_and_reentry
from engine.simulation.scenery import background
from engine.simulation.site import CAMERAS
from engine.sources.simulated import simulated_barn


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_state_is_a_function_of_time(camera: str) -> None:
    one, other = SimulatedBarn(camera), SimulatedBarn(camera)
    other.picture_at(77.0)
    for t_s in (12.36, 4000.2):
        assert np.array_equal(one.picture_at(t_s), other.picture_at(t_s))
        assert np.array_equal(one.truth_at(t_s).keypoints_px, other.truth_at(t_s).keypoints_px)
    assert not np.array_equal(one.picture_at(3.0), one.picture_at(3.4))
    assert not np.array_equal(
        SimulatedBarn(camera, seed=1).truth_at(3.0).keypoints_px, one.truth_at(3.0).keypoints_px
    )


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_boxes_hold_the_horse_that_is_drawn(camera: str) -> None:
    """Alone in the picture, a horse without shadow changes pixels in its box, and only there."""
    farm, view = SimulatedBarn(camera, horses=1).farm, CAMERAS[camera]
    empty = SimulatedBarn(camera, horses=0).farm
    checked = 0
    for t_s in np.arange(0.0, 60.0, 9.3):
        truth = farm.truth_at(view, float(t_s))
        (x1, _, x2, y2), seen = truth.boxes_xyxy_px[0], truth.sightings
        if seen.visibility[0] < 0.97 or x1 < 1 or x2 > WIDTH_PX - 1 or y2 > HEIGHT_PX - 1:
            continue
        picture = render(farm, view, float(t_s), shadows=False).astype(int)
        changed = np.abs(picture - render(empty, view, float(t_s))).max(axis=2) > 6
        rows, columns = np.nonzero(changed)
        drawn = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
        assert iou_matrix(drawn.astype(np.float32), truth.boxes_xyxy_px)[0, 0] > 0.85
        checked += 1
    assert checked >= 1


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_landmarks_lie_on_their_horse(camera: str) -> None:
    barn = SimulatedBarn(camera)
    for t_s in np.arange(0.0, 90.0, 11.7):
        truth = barn.truth_at(float(t_s))
        assert truth.keypoints_px.shape == (len(truth.ids), 26, 2)
        for box, points, visible in zip(
            truth.boxes_xyxy_px, truth.keypoints_px, truth.visible, strict=True
        ):
            shown = points[visible]
            assert len(shown) >= 4
            assert (shown >= box[:2] - 4).all() and (shown <= box[2:] + 4).all()
            assert ((shown >= 0) & (shown < [WIDTH_PX, HEIGHT_PX])).all()


def test_backgrounds_are_shared_and_safe() -> None:
    empty = background(CAMERAS["stall"])
    assert empty is background(CAMERAS["stall"])
    with pytest.raises(ValueError):
        empty[0, 0] = 0


def test_a_picture_comes_in_the_asked_size_with_truth_to_match() -> None:
    small, large = SimulatedBarn("arena"), SimulatedBarn("arena", size_px=(1280, 720))
    assert large.picture_at(5.0).shape == (720, 1280, 3)
    ratio = large.truth_at(5.0).keypoints_px / small.truth_at(5.0).keypoints_px
    assert np.allclose(ratio, 4 / 3, rtol=1e-4)


def test_every_camera_has_horses_of_its_own() -> None:
    ids = []
    for name, count in SCENE_HORSES.items():
        truth = SimulatedBarn(name).truth_at(0.0)
        assert len(truth.ids) == count
        ids += truth.ids
    assert len(set(ids)) == len(ids)


def test_addresses() -> None:
    assert len(simulated_barn("simulated:paddock").truth_at(0.0).ids) == 4
    assert len(simulated_barn("simulated:arena?seed=3&horses=7").truth_at(0.0).ids) == 7
    one, other = (simulated_barn(f"simulated://barn/{name}?seed=3") for name in ("aisle", "yard"))
    assert one.farm is other.farm
    assert len(one.farm.horses) == 11
    assert simulated_barn("simulated:yard?width=640").picture_at(0.0).shape == (360, 640, 3)
    for wrong in (
        "simulated:moon",
        "simulated://barn/aisle?programme=opera",
        "simulated:stall?colour=red",
        "simulated:stall?horses=99",
    ):
        with pytest.raises(OperatorMistake):
            simulated_barn(wrong)


def test_cameras_of_one_farm_see_the_same_horses() -> None:
    farm = occlusion_and_reentry(seed=4)
    times = np.arange(0.0, 600.0, 1.0)
    south, east = farm.sightings("paddock", times), farm.sightings("paddock2", times)
    both = 0
    for t in range(0, 600, 25):
        one, other = south.select(south.time_index == t), east.select(east.time_index == t)
        for number in set(one.horse_ids) & set(other.horse_ids):
            spot = one.ground_m[one.horse_ids == number], other.ground_m[other.horse_ids == number]
            assert np.array_equal(*spot)
            both += 1
    assert both > 10
    seen_by = [set(farm.sightings(name, times, keypoints=False).horse_ids) for name in CAMERAS]
    assert len(set.union(*seen_by)) >= 10
    assert sum(1 for number in set.union(*seen_by) if sum(number in s for s in seen_by) >= 3) >= 5
