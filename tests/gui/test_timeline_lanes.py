"""Runs made ready, stacked, and turned into pixels; lanes in their order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from uuid import UUID, uuid4

import numpy as np
import pytest

from engine.domain.behaviour import LaneKind, TimelineRuns
from ui.theme import load_theme
from ui.timeline.lane_tile import ACTIVITY, KINDS, Row, Runs, prepare
from ui.timeline.lanes import Grouping, Order, Subject, laid_out, ordered, row_at, total_px
from ui.timeline.marks import LEGEND, STYLES, Mark, mark_of, mark_word
from ui.timeline.raster import Paints, bar_codes, codes, columns_of, presence, segments
from ui.timeline.stacks import Stack
from ui.timeline.tile_grid import BUCKETS_US, TILE_BUCKETS, TileKey, beside, covering, level_for

HORSE, CAMERA, OTHER = uuid4(), uuid4(), uuid4()
Told = tuple[UUID, LaneKind, str, int, int]


def runs(*told: Told, share: Sequence[float] = (), exact: bool = True) -> TimelineRuns:
    """What a store answers."""
    lanes = (HORSE, CAMERA, OTHER)
    words = tuple(dict.fromkeys(word for _, _, word, _, _ in told))
    return TimelineRuns(
        lanes,
        words,
        np.array([lanes.index(t[0]) for t in told], np.int32),
        np.array([KINDS.index(t[1]) for t in told], np.int8),
        np.array([words.index(t[2]) for t in told], np.int16),
        np.array([t[3] for t in told], np.int64),
        np.array([t[4] for t in told], np.int64),
        np.array(share or [1.0] * len(told), np.float32),
        exact,
    )


def shown(row: Runs | Stack) -> list[tuple[int, int, Mark]]:
    """A row of single runs in plain values."""
    assert isinstance(row, Runs)
    return [
        (int(a), int(b), Mark(int(m)))
        for a, b, m in zip(row.start_us, row.end_us, row.mark, strict=True)
    ]


def row_of(answer: TimelineRuns, who: UUID, row: Row) -> Runs | Stack:
    return prepare(answer, [HORSE], [CAMERA]).rows[who, row]


# --- what a horse does --------------------------------------------------------------------------


def test_what_a_horse_does_is_worked_out_from_posture_gait_and_action() -> None:
    answer = runs(
        (HORSE, LaneKind.SEEN, "seen", 0, 100),
        (HORSE, LaneKind.ACTION, "grazing", 10, 30),
        (HORSE, LaneKind.ACTION, "resting", 30, 60),
        (HORSE, LaneKind.POSTURE, "upright", 0, 40),
        (HORSE, LaneKind.POSTURE, "sternal", 40, 60),
        (HORSE, LaneKind.GAIT, "trot", 70, 80),
        (HORSE, LaneKind.ACTION, "walking", 60, 90),
    )
    assert shown(row_of(answer, HORSE, ACTIVITY)) == [
        (0, 10, Mark.STANDING),
        (10, 30, Mark.GRAZING),
        (30, 40, Mark.RESTING),
        (40, 60, Mark.LYING),
        (60, 70, Mark.WALKING),
        (70, 80, Mark.RUNNING),
        (80, 90, Mark.WALKING),
        (90, 100, Mark.SEEN),
    ]


def test_a_horse_has_no_data_only_while_every_camera_is_dark() -> None:
    second = uuid4()
    answer = runs(
        (HORSE, LaneKind.SEEN, "seen", 0, 20),
        (CAMERA, LaneKind.NO_DATA, "no_data", 10, 60),
        (OTHER, LaneKind.NO_DATA, "no_data", 40, 80),
    )
    tile = prepare(answer, [HORSE], [CAMERA, OTHER])
    assert shown(tile.rows[HORSE, ACTIVITY]) == [(0, 20, Mark.SEEN), (40, 60, Mark.NO_DATA)]
    lit = prepare(answer, [HORSE], [CAMERA, OTHER, second])
    assert shown(lit.rows[HORSE, ACTIVITY]) == [(0, 20, Mark.SEEN)]


def test_where_runs_overlap_the_later_one_is_on_top_and_the_longer_goes_on() -> None:
    answer = runs(
        (CAMERA, LaneKind.ALERT, "warning", 0, 100),
        (CAMERA, LaneKind.ALERT, "critical", 20, 40),
        (CAMERA, LaneKind.ALERT, "info", 30, 50),
    )
    assert shown(row_of(answer, CAMERA, LaneKind.ALERT)) == [
        (0, 20, Mark.WARNING),
        (20, 30, Mark.CRITICAL),
        (30, 50, Mark.INFO),
        (50, 100, Mark.WARNING),
    ]


def test_sums_are_stacked_and_what_is_done_adds_up_to_what_was_seen() -> None:
    answer = runs(
        (HORSE, LaneKind.SEEN, "seen", 0, 100),
        (HORSE, LaneKind.POSTURE, "upright", 0, 100),
        (HORSE, LaneKind.POSTURE, "sternal", 0, 100),
        (HORSE, LaneKind.ACTION, "grazing", 0, 100),
        (HORSE, LaneKind.ACTION, "resting", 0, 100),
        share=(0.9, 0.4, 0.3, 0.25, 0.4),
        exact=False,
    )
    stack = row_of(answer, HORSE, ACTIVITY)
    assert isinstance(stack, Stack)
    told = dict(stack.told(0))
    assert told[Mark.LYING] == pytest.approx(0.3)
    assert told[Mark.GRAZING] == pytest.approx(0.25)
    assert told[Mark.RESTING] == pytest.approx(0.1)
    assert told[Mark.SEEN] == pytest.approx(0.25)
    assert sum(told.values()) == pytest.approx(0.9)
    assert prepare(answer, [HORSE], []).step_us == 100


def test_a_stack_is_as_high_as_its_shares() -> None:
    answer = runs(
        (HORSE, LaneKind.POSTURE, "sternal", 0, 100),
        (HORSE, LaneKind.POSTURE, "upright", 0, 100),
        share=(0.25, 0.5),
        exact=False,
    )
    row = row_of(answer, HORSE, LaneKind.POSTURE)
    bar = bar_codes([(row, 0, 100)], columns_of(0, 10.0, 10), 8)
    assert [Mark(int(m)) for m in bar[:, 0]] == [
        *[Mark.NOTHING] * 2,
        *[Mark.UPRIGHT] * 4,
        *[Mark.STERNAL] * 2,
    ]
    assert presence([(row, 0, 100)], columns_of(0, 10.0, 10))[3] == pytest.approx(0.75)


def test_every_word_of_the_store_has_a_mark_a_colour_and_a_name() -> None:
    theme = load_theme()
    for mark in Mark:
        assert mark_word(mark)
        if mark is not Mark.NOTHING:
            assert theme.timeline_colour(STYLES[mark].colour).isValid()
    assert mark_of(LaneKind.GAIT, "unknown") is Mark.NOTHING
    assert mark_of(LaneKind.ALERT, "critical") is Mark.CRITICAL
    assert mark_of(LaneKind.RECORDED, "locked") is Mark.LOCKED


def test_marks_that_mean_different_things_never_differ_by_colour_alone() -> None:
    """Without colour there are still pattern and lightness (or the word, which wide runs carry)."""
    paints = Paints(load_theme())
    grey = np.array([0.114, 0.587, 0.299])
    faces = {}
    for mark in LEGEND:
        patch = paints.swatch(mark, 8, 8)
        channels = np.stack([(patch >> s) & 255 for s in (0, 8, 16)], axis=-1)
        light = (channels * grey).sum(axis=-1)
        faces[mark] = np.rint(light / 6).astype(int).tobytes()
    assert len(set(faces.values())) == len(LEGEND)


# --- pixels -------------------------------------------------------------------------------------


def test_a_short_run_is_still_a_pixel_wide() -> None:
    answer = runs((HORSE, LaneKind.GAIT, "trot", 500, 501))
    row = row_of(answer, HORSE, LaneKind.GAIT)
    drawn = codes([(row, 0, 10_000)], columns_of(0, 100.0, 100))
    assert np.flatnonzero(drawn).tolist() == [5]


def test_parts_of_tiles_are_drawn_side_by_side() -> None:
    answer = runs((HORSE, LaneKind.GAIT, "walk", 0, 600), (HORSE, LaneKind.GAIT, "trot", 600, 900))
    row = row_of(answer, HORSE, LaneKind.GAIT)
    drawn = codes([(row, 0, 300), (row, 300, 700)], columns_of(0, 100.0, 10))
    assert [Mark(int(m)) for m in drawn] == [
        *[Mark.WALKING] * 6, Mark.TROT, *[Mark.NOTHING] * 3,
    ]  # fmt: skip
    assert segments(drawn, 2) == [(0, 6, Mark.WALKING)]


def test_pixels_agree_with_the_runs_at_any_place() -> None:
    rng = np.random.default_rng(7)
    bounds = np.sort(rng.choice(1_000_000, 401, replace=False))
    words = rng.choice(["standing", "walk", "trot", "canter"], 400)
    told = [
        (HORSE, LaneKind.GAIT, str(w), int(a), int(b))
        for w, a, b in zip(words, bounds[:-1], bounds[1:], strict=True)
    ]
    row = row_of(runs(*told), HORSE, LaneKind.GAIT)
    assert isinstance(row, Runs)
    columns = columns_of(100_000, 37.0, 900)
    drawn = codes([(row, 0, 1_000_000)], columns)
    for column in range(0, 900, 13):
        at = [row.at(round(100_000 + (column + part) * 37.0)) for part in (0.01, 0.25, 0.5, 0.99)]
        assert drawn[column] in {row.mark[index] for index in at if index is not None}


# --- tiles and lanes ----------------------------------------------------------------------------


def test_tiles_cover_a_window_without_gap_or_overlap() -> None:
    for us_per_px in (200.0, 5e4, 7e6, 6e9):
        level = level_for(us_per_px)
        start = 1_790_000_000_000_000
        end = start + round(us_per_px * 1300)
        keys = covering(level, start, end)
        assert keys[0].start_us <= start and keys[-1].end_us >= end
        assert all(a.end_us == b.start_us for a, b in itertools.pairwise(keys))
        assert len(keys) <= 1300 // TILE_BUCKETS + 2 or level == 0
        assert BUCKETS_US[level] >= us_per_px or level == len(BUCKETS_US) - 1
        assert beside(keys) == [
            TileKey(level, keys[-1].index + 1),
            TileKey(level, keys[0].index - 1),
        ]


def subjects() -> list[Subject]:
    return [
        Subject(UUID(int=1), "Rex", False, recent_us=5),
        Subject(UUID(int=2), "Annie", False, recent_us=9),
        Subject(UUID(int=3), "horse_007", False, guest=True, recent_us=20),
        Subject(UUID(int=4), "Yard", True),
        Subject(UUID(int=5), "Aisle", True),
    ]


def titles(found: Sequence[Subject]) -> list[str]:
    return [subject.title for subject in found]


def test_lanes_are_filtered_and_ordered() -> None:
    every = subjects()
    by_name = ordered(every, Grouping.BOTH, Order.NAME)
    assert titles(by_name) == ["Annie", "Rex", "horse_007", "Aisle", "Yard"]
    assert titles(ordered(every, Grouping.HORSES, Order.RECENT)) == ["horse_007", "Annie", "Rex"]
    assert titles(ordered(every, Grouping.CAMERAS, Order.NAME, "yA")) == ["Yard"]
    own = [UUID(int=4), UUID(int=1)]
    assert titles(ordered(every, Grouping.BOTH, Order.OWN, own=own)) == [
        "Rex", "Annie", "horse_007", "Yard", "Aisle",
    ]  # fmt: skip


def test_open_lanes_have_a_row_of_every_kind() -> None:
    shown = ordered(subjects(), Grouping.BOTH, Order.NAME)
    rows = laid_out(shown, {UUID(int=1)}, ("Horses", "Cameras"))
    kinds = [row.row for row in rows if row.subject and row.subject.id == UUID(int=1)]
    assert kinds[0] == ACTIVITY and set(kinds[1:]) == {
        LaneKind.POSTURE, LaneKind.GAIT, LaneKind.ACTION, LaneKind.COMPANY, LaneKind.SEEN,
        LaneKind.ALERT,
    }  # fmt: skip
    assert [row.title for row in rows if row.subject is None] == ["Horses", "Cameras"]
    for above, below in itertools.pairwise(rows):
        assert above.y + above.height <= below.y
    assert row_at(rows, rows[3].y + 1) is rows[3]
    assert total_px(rows) > rows[-1].y
