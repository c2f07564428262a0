"""The pose chain on the simulated farm's exact truth and on made-up faults."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from engine.domain.derived_poses import AP10K_FROM_EQUINE26
from engine.domain.detections import SubjectClass
from engine.domain.geometry import FloatArray
from engine.domain.ids import new_track_id
from engine.domain.results import FrameResult
from engine.domain.skeletons import EQUINE26
from engine.motion.calibration import ground_of
from engine.motion.pose_chain import PoseChain, PoseColumns
from engine.motion.validation import MOST_WORDS, WORDS
from engine.settings import MotionSettings
from engine.simulation.scenarios import gaits_in_the_arena
from engine.simulation.truth import Sightings
from tests.helpers.simulated_results import result_of, watched

FARM = gaits_in_the_arena(1)
HEIGHT = np.array([FARM.horses[0].build.withers_m], np.float32)
HOOF = EQUINE26.landmarks.index("left_front_hoof")
POLL = EQUINE26.landmarks.index("poll")
Seen = list[tuple[FrameResult, Sightings]]


def seen_from(start_s: float, end_s: float, fps: float, noise: float = 0.008) -> Seen:
    return list(watched(FARM, "arena", np.arange(start_s, end_s, 1.0 / fps), noise))


@pytest.fixture(scope="module")
def walking() -> Seen:
    """Eight seconds of walk across the picture, ten pictures a second."""
    return seen_from(101.0, 109.0, 10.0)


def run(chain: PoseChain, seen: Seen, heights: FloatArray | None = HEIGHT) -> list[PoseColumns]:
    return [chain.update(result, heights) for result, _ in seen]


def errors(seen: Seen, columns: list[PoseColumns], skip: int = 10) -> tuple[float, float]:
    """Mean error of speed in m/s and median relative error of scale, after settling."""
    view = FARM.camera("arena")
    speed = [c.speeds_mps[0] - s.speed_mps[0] for (_, s), c in zip(seen, columns, strict=True)]
    scale = [
        c.scales_px_m[0] * s.distance_m[0] / view.focal_px - 1.0
        for (_, s), c in zip(seen, columns, strict=True)
    ]
    return float(np.abs(speed[skip:]).mean()), float(np.median(np.abs(scale[skip:])))


@pytest.mark.parametrize(
    ("start_s", "end_s", "mps"), [(101.0, 109.0, 0.15), (126.5, 133.0, 0.4), (139.0, 143.0, 0.8)]
)
def test_speed_and_scale_by_body_size_at_walk_trot_and_canter(
    start_s: float, end_s: float, mps: float
) -> None:
    seen = seen_from(start_s, end_s, 10.0)
    speed, scale = errors(seen, run(PoseChain(MotionSettings()), seen))
    assert speed < mps
    assert scale < 0.06


def arena_ground() -> dict[str, object]:
    view = FARM.camera("arena")
    corners = np.array([(47.0, -4.0, 0.0), (55.0, -4.0, 0.0), (55.0, 6.0, 0.0), (47.0, 6.0, 0.0)])
    points = view.project(corners) / [view.width_px, view.height_px]
    return {"kind": "rectangle", "points": points.tolist(), "width_m": 8.0, "length_m": 10.0}


def test_a_calibrated_ground_needs_no_body_size(walking: Seen) -> None:
    chain = PoseChain(MotionSettings(), ground_of(arena_ground()))
    wrong_height = np.array([1.2], np.float32)
    columns = run(chain, walking, wrong_height)
    speed, scale = errors(walking, columns)
    assert speed < 0.12
    assert scale < 0.03
    # The rectangle's first corner is the origin of the ground's axes; it lies at (47, -4) outside.
    there = np.array([s.ground_m[0] - (47.0, -4.0) for _, s in walking[10:]])
    found = np.array([c.ground_m[0] for c in columns[10:]])
    assert np.median(np.hypot(*(there - found).T)) < 0.6


def test_a_horse_said_to_be_twice_as_tall_is_twice_as_fast_and_half_the_scale(
    walking: Seen,
) -> None:
    one = run(PoseChain(MotionSettings()), walking)[-1]
    two = run(PoseChain(MotionSettings()), walking, HEIGHT * 2)[-1]
    assert two.scales_px_m[0] == pytest.approx(one.scales_px_m[0] / 2, rel=1e-3)
    assert two.speeds_mps[0] == pytest.approx(one.speeds_mps[0] * 2, rel=0.05)


def test_a_camera_that_pans_with_the_horse_is_taken_out(walking: Seen) -> None:
    fixed, panning = PoseChain(MotionSettings()), PoseChain(MotionSettings())
    for index, (result, _) in enumerate(walking):
        still = fixed.update(result, HEIGHT)
        shift = np.array([2000.0 - 20.0 * index, 3.0 * index], np.float32)
        assert result.poses is not None
        moved = result_of(
            result.stamp.captured_mono_s,
            result.tracks.boxes_xyxy_px + np.tile(shift, 2),
            result.tracks.track_ids,
            result.poses.keypoints_px + shift,
            result.poses.scores,
            size_px=(4000, 4000),
        )
        panned = panning.update(moved, HEIGHT, shift)
    assert panned.speeds_mps[0] == pytest.approx(still.speeds_mps[0], abs=0.15)


def test_no_speed_is_told_while_the_view_moves(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    run(chain, walking[:20])
    result, _ = walking[20]
    moving = result_of(
        result.stamp.captured_mono_s, result.tracks.boxes_xyxy_px, result.tracks.track_ids,
        result.poses.keypoints_px if result.poses else None, view_moving=True,
    )  # fmt: skip
    columns = chain.update(moving, HEIGHT)
    assert np.isnan(columns.speeds_mps[0])
    assert np.isfinite(columns.scales_px_m[0])
    assert np.isnan(chain.update(walking[21][0], HEIGHT).speeds_mps[0])
    later = run(chain, walking[22:34])
    assert np.isfinite(later[-1].speeds_mps[0])


def test_people_and_dogs_have_rows_that_tell_nothing(walking: Seen) -> None:
    result, _ = walking[0]
    assert result.poses is not None
    boxes = np.repeat(result.tracks.boxes_xyxy_px, 3, axis=0)
    points = np.repeat(result.poses.keypoints_px, 3, axis=0)
    kinds = [SubjectClass.PERSON, SubjectClass.HORSE, SubjectClass.DOG]
    ids = [new_track_id() for _ in kinds]
    columns = PoseChain(MotionSettings()).update(result_of(0.0, boxes, ids, points, classes=kinds))
    assert columns.poses is not None
    assert (columns.poses.scores[[0, 2]] == 0).all()
    assert (columns.poses.scores[1] > 0).all()
    assert np.isnan(columns.scales_px_m[[0, 2]]).all()
    assert columns.issues[0] == columns.issues[2] == ()
    nobody = PoseChain(MotionSettings()).update(
        result_of(0.0, boxes[:1], ids[:1], points[:1], classes=kinds[:1])
    )
    assert np.isnan(nobody.centres_px).all()


def test_an_empty_picture_gives_empty_columns() -> None:
    empty = result_of(0.0, np.zeros((0, 4)), [], np.zeros((0, 26, 2)))
    assert len(PoseChain(MotionSettings()).update(empty)) == 0


def test_a_walking_horse_is_no_outlier() -> None:
    seen = seen_from(101.0, 109.0, 10.0, noise=0.0)
    words = [word for c in run(PoseChain(MotionSettings()), seen) for word in c.issues[0]]
    assert "outlier" not in words
    assert "sides" not in words


def altered(
    result: FrameResult, points: FloatArray, scores: FloatArray | None = None
) -> FrameResult:
    assert result.poses is not None
    return result_of(
        result.stamp.captured_mono_s, result.tracks.boxes_xyxy_px, result.tracks.track_ids,
        points, result.poses.scores if scores is None else scores,
        size_px=(result.width_px, result.height_px),
    )  # fmt: skip


def test_a_landmark_that_jumps_is_put_back_and_the_raw_one_is_kept(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    run(chain, walking[:20])
    result, truth = walking[20]
    assert result.poses is not None
    points = result.poses.keypoints_px.copy()
    points[0, POLL] += (160.0, 140.0)
    columns = chain.update(altered(result, points), HEIGHT)
    assert columns.poses is not None
    assert "outlier" in columns.issues[0]
    assert np.hypot(*(columns.poses.keypoints_px[0, POLL] - truth.keypoints_px[0, POLL])) < 25.0
    assert columns.poses.scores[0, POLL] < 0.85
    assert (result.poses.keypoints_px[0, POLL] != columns.poses.keypoints_px[0, POLL]).all()


def test_a_landmark_that_stays_elsewhere_is_believed_in_the_end(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    run(chain, walking[:20])
    told = []
    for result, _ in walking[20:26]:
        assert result.poses is not None
        points = result.poses.keypoints_px.copy()
        points[0, POLL] += (160.0, 140.0)
        columns = chain.update(altered(result, points), HEIGHT)
        assert columns.poses is not None
        told.append(float(np.hypot(*(columns.poses.keypoints_px[0, POLL] - points[0, POLL]))))
    assert told[0] > 100.0
    assert told[-1] < 20.0


def test_an_unsure_landmark_is_predicted_and_its_score_fades(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    run(chain, walking[:20])
    scores, off = [], []
    for result, truth in walking[20:26]:
        assert result.poses is not None
        points, doubt = result.poses.keypoints_px.copy(), result.poses.scores.copy()
        points[0, POLL], doubt[0, POLL] = (5.0, 5.0), 0.1
        columns = chain.update(altered(result, points, doubt), HEIGHT)
        assert columns.poses is not None
        scores.append(float(columns.poses.scores[0, POLL]))
        off.append(
            float(np.hypot(*(columns.poses.keypoints_px[0, POLL] - truth.keypoints_px[0, POLL])))
        )
    assert off[0] < 20.0
    assert scores[0] > 0.3
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.3


def test_without_correction_poses_are_only_smoothed(walking: Seen) -> None:
    chain = PoseChain(MotionSettings(correct=False, smoothing_cutoff_hz=20.0, smoothing_speed=100))
    for result, _ in walking[:5]:
        columns = chain.update(result, HEIGHT)
    assert result.poses is not None and columns.poses is not None
    assert np.abs(columns.poses.keypoints_px - result.poses.keypoints_px).max() < 5.0
    assert np.array_equal(columns.poses.scores, result.poses.scores)


def test_legs_exchanged_in_one_picture_are_exchanged_back() -> None:
    seen = seen_from(8.9, 14.0, 25.0, noise=0.002)
    chain = PoseChain(MotionSettings())
    pairs = [
        (left, right)
        for left, right in EQUINE26.pairs
        if any(word in EQUINE26.landmarks[left] for word in ("hoof", "fetlock", "carpus", "hock"))
    ]
    put_back = 0
    for index, (result, truth) in enumerate(seen):
        assert result.poses is not None
        points = result.poses.keypoints_px.copy()
        apart = np.abs(truth.keypoints_px[0, HOOF] - truth.keypoints_px[0, HOOF + 1]).max()
        exchange = index % 10 == 9 and apart > 50.0
        if exchange:
            for left, right in pairs:
                points[0, [left, right]] = points[0, [right, left]]
        columns = chain.update(altered(result, points), HEIGHT)
        assert columns.poses is not None
        if exchange:
            off = columns.poses.keypoints_px[0, HOOF] - truth.keypoints_px[0, HOOF]
            put_back += int(np.hypot(*off) < apart / 2)
            assert not put_back or "sides" in columns.issues[0] or np.hypot(*off) >= apart / 2
    assert put_back >= 3


def test_a_track_that_was_away_starts_anew(walking: Seen) -> None:
    chain = PoseChain(MotionSettings(reset_after_s=1.0))
    run(chain, walking[:20])
    result, _ = walking[70]
    columns = chain.update(result, HEIGHT)
    assert result.poses is not None and columns.poses is not None
    assert np.abs(columns.poses.keypoints_px - result.poses.keypoints_px).max() < 1e-2
    assert np.isnan(columns.speeds_mps[0])


def test_a_still_scene_looked_at_every_two_seconds_has_a_speed(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    for step in range(4):
        result, _ = walking[0]
        assert result.poses is not None
        columns = chain.update(
            result_of(
                2.0 * step, result.tracks.boxes_xyxy_px, result.tracks.track_ids,
                result.poses.keypoints_px, result.poses.scores,
                size_px=(result.width_px, result.height_px),
            ),
            HEIGHT,
        )  # fmt: skip
    assert columns.speeds_mps[0] == pytest.approx(0.0, abs=0.02)


def test_rows_do_not_depend_on_their_order_or_on_each_other(walking: Seen) -> None:
    alone, together = PoseChain(MotionSettings()), PoseChain(MotionSettings())
    other = new_track_id()
    for index, (result, _) in enumerate(walking[:25]):
        assert result.poses is not None
        one = alone.update(result, HEIGHT)
        boxes, points = result.tracks.boxes_xyxy_px[0], result.poses.keypoints_px[0]
        shift = np.array([40.0 + index, 10.0], np.float32)
        rows = [(result.tracks.track_ids[0], boxes, points)]
        rows.insert(index % 2, (other, boxes + np.tile(shift, 2), points + shift))
        both = together.update(
            result_of(
                result.stamp.captured_mono_s, np.array([r[1] for r in rows]),
                [r[0] for r in rows], np.array([r[2] for r in rows]),
                np.repeat(result.poses.scores, 2, axis=0),
            ),
            np.repeat(HEIGHT, 2),
        )  # fmt: skip
        mine = [r[0] for r in rows].index(result.tracks.track_ids[0])
        assert both.scales_px_m[mine] == pytest.approx(one.scales_px_m[0], rel=1e-4)
        assert np.allclose(both.angles_deg[mine], one.angles_deg[0], atol=1e-2, equal_nan=True)
        assert both.issues[mine] == one.issues[0]


def test_held_pictures_repeat_the_pose_and_bring_the_speed_to_rest(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    last = run(chain, walking[:30])[-1]
    result, _ = walking[29]
    assert result.poses is not None and last.poses is not None
    for step in range(1, 20):
        held = result_of(
            result.stamp.captured_mono_s + step * 0.1, result.tracks.boxes_xyxy_px,
            result.tracks.track_ids, result.poses.keypoints_px, result.poses.scores,
            size_px=(result.width_px, result.height_px), held=True,
        )  # fmt: skip
        columns = chain.update(held, HEIGHT)
    assert columns.poses is not None
    assert np.allclose(columns.poses.keypoints_px, last.poses.keypoints_px)
    assert last.speeds_mps[0] > 1.0
    assert columns.speeds_mps[0] < 0.05


def test_without_a_pose_model_the_box_tells_scale_and_speed(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    speeds = []
    for result, truth in walking:
        tracks = result.tracks
        bare = result_of(
            result.stamp.captured_mono_s, tracks.boxes_xyxy_px, tracks.track_ids, None,
            size_px=(result.width_px, result.height_px),
        )  # fmt: skip
        columns = chain.update(bare, HEIGHT)
        speeds.append(float(columns.speeds_mps[0] - truth.speed_mps[0]))
    assert columns.poses is None
    assert np.abs(speeds[12:]).mean() < 0.5


def test_ap10k_tells_the_same_speed_and_nearly_the_same_head(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    heads = []
    for result, truth in walking:
        assert result.poses is not None
        poses = AP10K_FROM_EQUINE26.apply(result.poses)
        columns = chain.update(
            result_of(
                result.stamp.captured_mono_s, result.tracks.boxes_xyxy_px,
                result.tracks.track_ids, poses.keypoints_px, poses.scores,
                skeleton=poses.skeleton, size_px=(result.width_px, result.height_px),
            ),
            HEIGHT,
        )  # fmt: skip
        heads.append(
            columns.head_heights_m[0] - (truth.keypoints_m[0, POLL, 2] - truth.keypoints_m[0, 7, 2])
        )
    assert columns.speeds_mps[0] == pytest.approx(walking[-1][1].speed_mps[0], abs=0.3)
    assert np.abs(np.median(heads)) < 0.25
    assert np.isnan(columns.angles_deg[0, -1])


def test_another_skeleton_begins_with_nothing_remembered(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    run(chain, walking[:20])
    result, _ = walking[20]
    assert result.poses is not None
    poses = AP10K_FROM_EQUINE26.apply(result.poses)
    columns = chain.update(
        result_of(
            result.stamp.captured_mono_s, result.tracks.boxes_xyxy_px, result.tracks.track_ids,
            poses.keypoints_px, poses.scores, skeleton=poses.skeleton,
        )
    )  # fmt: skip
    assert columns.poses is not None
    assert np.allclose(columns.poses.keypoints_px, poses.keypoints_px, atol=1e-2)


def crowd(count: int) -> Iterator[FrameResult]:
    chance = np.random.default_rng(3)
    ids = [new_track_id() for _ in range(count)]
    points = chance.uniform(100, 300, (count, 26, 2))
    for step in range(4):
        boxes = np.tile([90.0, 90.0, 310.0, 310.0], (count, 1))
        yield result_of(step * 0.1, boxes, ids, points + chance.normal(0, 1, points.shape))


def test_closed_tracks_are_forgotten_and_their_room_is_used_again() -> None:
    chain = PoseChain(MotionSettings())
    for results in (list(crowd(20)), list(crowd(20))):
        for result in results:
            columns = chain.update(result)
        chain.forget(result.tracks.track_ids)
        assert len(chain._memory) == 0
    assert np.isnan(chain._memory.scale).all()
    assert len(chain._memory.seen_s) <= 64
    assert all(len(words) <= MOST_WORDS for words in columns.issues)
    assert {word for words in columns.issues for word in words} <= set(WORDS)


def test_nonsense_from_a_model_does_no_harm(walking: Seen) -> None:
    chain = PoseChain(MotionSettings())
    run(chain, walking[:15])
    result, truth = walking[15]
    assert result.poses is not None
    points = result.poses.keypoints_px.copy()
    points[0, ::3] = np.nan
    points[0, 1::7] = np.inf
    columns = chain.update(altered(result, points), HEIGHT)
    assert columns.poses is not None
    assert np.isfinite(columns.poses.keypoints_px).all()
    assert np.abs(columns.poses.keypoints_px[0, 7] - truth.keypoints_px[0, 7]).max() < 30.0


def test_head_height_and_centre_of_mass_are_where_they_should_be(walking: Seen) -> None:
    columns = run(PoseChain(MotionSettings()), walking)
    for (_, truth), found in list(zip(walking, columns, strict=True))[10:]:
        told = truth.keypoints_m[0, POLL, 2] - truth.keypoints_m[0, 7, 2]
        assert found.head_heights_m[0] == pytest.approx(told, abs=0.12)
        withers, tail = truth.keypoints_px[0, 7], truth.keypoints_px[0, 9]
        hooves = truth.keypoints_px[0, 22:].mean(axis=0)
        x, y = found.centres_px[0]
        assert min(withers[0], tail[0]) < x < max(withers[0], tail[0])
        assert withers[1] < y < (withers[1] + hooves[1]) / 2
    assert 0.0 <= columns[-1].profiles[0] <= 1.0
    assert columns[-1].withers_heights_m[0] == pytest.approx(HEIGHT[0], rel=0.12)
