"""Ground calibration: the right comes back exactly, nonsense is refused with advice."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import OperatorMistake
from engine.motion.calibration import GROUND_KEY, ground_of, read_ground, with_ground
from engine.simulation.site import CAMERAS

VIEW = CAMERAS["arena"]
CORNERS_M = np.array([(47.0, -4.0), (55.0, -4.0), (55.0, 6.0), (47.0, 6.0)])
TOLD_M = [float(np.hypot(*(CORNERS_M[a] - CORNERS_M[b]))) for a, b in combinations(range(4), 2)]


def shown(places_m: np.ndarray) -> np.ndarray:
    on_ground = np.concatenate([places_m, np.zeros((len(places_m), 1))], axis=1)
    return VIEW.project(on_ground) / [VIEW.width_px, VIEW.height_px]


def rectangle() -> dict[str, object]:
    return {
        "kind": "rectangle", "points": shown(CORNERS_M).tolist(), "width_m": 8.0, "length_m": 10.0
    }  # fmt: skip


def distances() -> dict[str, object]:
    return {"kind": "distances", "points": shown(CORNERS_M).tolist(), "distances_m": TOLD_M}


@given(st.floats(42, 60), st.floats(-6, 7), st.floats(42, 60), st.floats(-6, 7))
def test_four_points_measure_the_ground_between_any_places(
    ax: float, ay: float, bx: float, by: float
) -> None:
    places = np.array([(ax, ay), (bx, by)])
    for told in (rectangle(), distances()):
        found = ground_of(told).place_m(shown(places)).astype(float)
        apart = np.hypot(*(found[0] - found[1]))
        assert apart == pytest.approx(math.hypot(ax - bx, ay - by), abs=0.03)


def test_the_rectangle_gives_its_own_axes_and_says_how_well_it_fits() -> None:
    ground = ground_of(rectangle())
    assert np.allclose(ground.place_m(shown(CORNERS_M)), CORNERS_M - CORNERS_M[0], atol=0.01)
    assert ground.error_m < 0.01
    measured = np.array(TOLD_M) * (1, 1.04, 1, 1, 0.97, 1)
    rough = ground_of({**distances(), "distances_m": measured.tolist()})
    assert 0.01 < rough.error_m < 0.5


def test_the_scale_on_the_ground_is_the_cameras() -> None:
    place = np.array([(50.0, 1.0)])
    depth = VIEW.to_camera(np.array([[50.0, 1.0, 0.0]]))[0, 2]
    found = ground_of(rectangle()).scales_px_m(shown(place), VIEW.width_px, VIEW.height_px)
    assert found[0] == pytest.approx(VIEW.focal_px / depth, rel=0.01)


def test_points_at_the_horizon_have_no_place() -> None:
    ground = ground_of(rectangle())
    assert np.isnan(ground.place_m(np.array([(0.5, 0.01)]))).all()
    assert np.isnan(ground.scales_px_m(np.array([(0.5, 0.01)]), 960, 540)).all()


def post(camera_m: float | None) -> dict[str, object]:
    foot, top = VIEW.project(np.array([(51.0, -2.0, 0.0), (51.0, -2.0, 2.0)]))
    size = np.array([VIEW.width_px, VIEW.height_px])
    told: dict[str, object] = {
        "kind": "height", "foot": (foot / size).tolist(), "top": (top / size).tolist(),
        "height_m": 2.0,
    }  # fmt: skip
    return told if camera_m is None else {**told, "camera_m": camera_m}


def test_one_known_height_gives_a_scale_and_the_cameras_height_its_change() -> None:
    near, far = shown(np.array([(51.0, -4.0)])), shown(np.array([(51.0, 5.0)]))
    depths = [VIEW.to_camera(np.array([[51.0, y, 0.0]]))[0, 2] for y in (-4.0, 5.0)]
    flat = ground_of(post(None))
    assert flat.scales_px_m(near, 960, 540)[0] == flat.scales_px_m(far, 960, 540)[0]
    assert np.isnan(flat.place_m(near)).all()
    deep = ground_of(post(VIEW.z_m))
    for place, depth in zip((near, far), depths, strict=True):
        found = deep.scales_px_m(place, VIEW.width_px, VIEW.height_px)[0]
        assert found == pytest.approx(VIEW.focal_px / depth, rel=0.06)


SQUARE = [[0.2, 0.6], [0.8, 0.6], [0.9, 0.9], [0.1, 0.9]]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"kind": "circle"}, "kind"),
        ({"kind": "rectangle", "points": SQUARE[:3], "width_m": 5, "length_m": 5}, "4 points"),
        ({"kind": "rectangle", "points": "abcd", "width_m": 5, "length_m": 5}, "4 points"),
        ({"kind": "rectangle", "points": [[1, 2, 3]] * 4, "width_m": 5, "length_m": 5}, "damaged"),
        ({"kind": "rectangle", "points": SQUARE, "width_m": 0, "length_m": 5}, "0 m"),
        ({"kind": "rectangle", "points": SQUARE, "width_m": 5, "length_m": math.nan}, "number"),
        ({"kind": "rectangle", "points": SQUARE, "width_m": True, "length_m": 5}, "number"),
        ({"kind": "rectangle", "points": SQUARE, "width_m": 5}, "number"),
        (
            {"kind": "rectangle", "points": [[0.1, 0.5], [0.4, 0.5], [0.9, 0.5], [0.5, 0.9]],
             "width_m": 5, "length_m": 5},
            "on a line",
        ),
        (
            {"kind": "rectangle", "points": [SQUARE[0], SQUARE[0], *SQUARE[2:]], "width_m": 5,
             "length_m": 5},
            "the same",
        ),
        (
            {"kind": "rectangle", "points": [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]],
             "width_m": 5, "length_m": 5},
            "cross",
        ),
        (
            {"kind": "rectangle", "points": [[0.5, 0.5], [0.51, 0.5], [0.51, 0.51], [0.5, 0.51]],
             "width_m": 5, "length_m": 5},
            "too close",
        ),
        (
            {"kind": "rectangle", "points": [[0.2, 0.6], [0.8, 0.6], [1.4, 0.9], [0.1, 0.9]],
             "width_m": 5, "length_m": 5},
            "outside",
        ),
        (
            {"kind": "rectangle", "points": [[0.2, 0.6], [0.8, math.inf], [0.9, 0.9], [0.1, 0.9]],
             "width_m": 5, "length_m": 5},
            "number",
        ),
        ({"kind": "distances", "points": SQUARE, "distances_m": [1, 2, 3]}, "6 distances"),
        ({"kind": "distances", "points": SQUARE, "distances_m": [1, 40, 1, 1, 1, 1]}, "contradict"),
        ({"kind": "distances", "points": SQUARE, "distances_m": [4, 4, 4, 4, 4, -4]}, "-4 m"),
        ({"kind": "height", "foot": [0.5, 0.4], "top": [0.5, 0.6], "height_m": 2}, "upside down"),
        ({"kind": "height", "foot": [0.5, 0.6], "top": [0.5, 0.4], "height_m": 90}, "90 m"),
        ({"kind": "height", "foot": [0.5, 0.6], "top": None, "height_m": 2}, "damaged"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_advice(told: dict[str, object], words: str) -> None:
    with pytest.raises(OperatorMistake) as refused:
        ground_of(told)
    assert words in str(refused.value)
    assert refused.value.advice


def test_a_concave_piece_of_ground_is_refused() -> None:
    dart = [[0.1, 0.9], [0.5, 0.3], [0.9, 0.9], [0.5, 0.7]]
    with pytest.raises(OperatorMistake):
        ground_of({"kind": "rectangle", "points": dart, "width_m": 5, "length_m": 5})


def test_what_a_camera_keeps_is_read_back_and_can_be_taken_away() -> None:
    kept = with_ground({"other": 1}, rectangle())
    assert kept["other"] == 1
    assert kept[GROUND_KEY] == rectangle()
    ground = read_ground(kept)
    assert ground is not None and ground.calibration is not None
    assert read_ground(with_ground(kept, None)) is None
    assert read_ground({}) is None
    with pytest.raises(OperatorMistake):
        with_ground({}, {"kind": "rectangle"})
    with pytest.raises(OperatorMistake):
        read_ground({GROUND_KEY: 7})
