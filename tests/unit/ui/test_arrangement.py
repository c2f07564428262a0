"""Places on the wall: pure values."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.ids import new_stream_id
from ui.live.arrangement import FREE_CELLS, Arrangement, Layout, Rect, default_free

CAMERAS = tuple(new_stream_id() for _ in range(12))
SQUARES = [Layout.ONE, Layout.FOUR, Layout.NINE, Layout.SIXTEEN]


def overlap(a: Rect, b: Rect) -> bool:
    return (
        a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    )


@given(
    layout=st.sampled_from(SQUARES),
    width=st.integers(320, 4000),
    height=st.integers(200, 2400),
    aspect=st.one_of(st.none(), st.floats(0.4, 3.0)),
)
def test_places_fill_the_wall_without_touching(
    layout: Layout, width: int, height: int, aspect: float | None
) -> None:
    rects = Arrangement(layout).rects(width, height, 4, aspect)
    assert len(rects) == int(layout)
    for rect in rects.values():
        assert rect.x >= 0 and rect.y >= 0
        assert rect.x + rect.width <= width and rect.y + rect.height <= height
    assert not any(overlap(a, b) for a, b in itertools.combinations(rects.values(), 2))


def test_places_take_the_shape_of_the_pictures() -> None:
    rects = Arrangement(Layout.NINE).rects(1200, 1000, 4, 16 / 9)
    assert all(abs(r.width / r.height - 16 / 9) < 0.02 for r in rects.values())
    assert rects[4].y + rects[4].height // 2 == pytest.approx(500, abs=2)


def test_new_cameras_take_the_first_empty_place_and_gone_ones_leave_theirs() -> None:
    wall = Arrangement(Layout.FOUR).with_streams(CAMERAS[:3])
    assert wall.places == CAMERAS[:3]
    wall = wall.with_streams([CAMERAS[0], CAMERAS[2]])
    assert wall.places == (CAMERAS[0], None, CAMERAS[2])
    assert wall.with_streams([CAMERAS[0], CAMERAS[2], CAMERAS[5]]).places[1] == CAMERAS[5]


def test_swapping_with_an_empty_place_moves_the_camera() -> None:
    wall = Arrangement(Layout.FOUR).with_streams(CAMERAS[:1]).swapped(0, 3)
    assert wall.places == (None, None, None, CAMERAS[0])
    assert wall.position_of(CAMERAS[0]) == 3


def test_cameras_beyond_a_page_are_on_the_next() -> None:
    wall = Arrangement(Layout.FOUR).with_streams(CAMERAS)
    assert wall.pages == 3
    assert wall.with_page(2).positions() == range(8, 12)
    assert wall.with_page(99).page == 2
    assert wall.with_page(-1).page == 0


def test_a_smaller_layout_keeps_the_chosen_camera_in_view() -> None:
    wall = Arrangement(Layout.SIXTEEN).with_streams(CAMERAS)
    assert wall.with_layout(Layout.FOUR, keep=CAMERAS[6]).page == 1
    assert wall.with_layout(Layout.ONE, keep=CAMERAS[6]).positions() == range(6, 7)


@pytest.mark.parametrize("count", range(1, 17))
def test_the_free_layout_starts_without_overlaps(count: int) -> None:
    rects = default_free(count)
    assert len(rects) == count
    assert not any(overlap(a, b) for a, b in itertools.combinations(rects, 2))
    for r in rects:
        assert r.x >= 0 and r.x + r.width <= FREE_CELLS
        assert r.y >= 0 and r.y + r.height <= FREE_CELLS


def test_free_places_stay_inside_the_wall_and_large_enough() -> None:
    wall = Arrangement().with_streams(CAMERAS[:3]).with_layout(Layout.FREE)
    moved = wall.with_free_rect(1, Rect(100, -5, 1, 99))
    assert moved.free[1] == Rect(FREE_CELLS - 3, 0, 3, FREE_CELLS)
    assert moved.free[0] == wall.free[0]


def test_a_new_camera_leaves_free_places_where_they_were() -> None:
    wall = Arrangement().with_streams(CAMERAS[:2]).with_layout(Layout.FREE)
    wall = wall.with_free_rect(0, Rect(1, 1, 5, 5)).with_streams(CAMERAS[:3])
    assert wall.free[0] == Rect(1, 1, 5, 5)
    assert len(wall.free) == 3
