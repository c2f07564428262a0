"""Poses of one camera over time: corrected, smoothed, and measured in metres and degrees.

A step a picture: find the trunk, turn landmarks into body positions, correct what cannot be,
smooth, and measure. All rows go through at once; what a track was is kept in ``TrackMemory``.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.geometry import FloatArray
from engine.domain.ids import TrackId
from engine.domain.poses import PoseBatch
from engine.domain.results import FrameResult
from engine.domain.skeletons import EQUINE26, Skeleton
from engine.motion import validation
from engine.motion.angles import angles_of
from engine.motion.body_frame import body_units, follow_shape, locate
from engine.motion.body_measures import centres_of_mass, head_heights, trunk_slopes
from engine.motion.body_plan import body_plan
from engine.motion.calibration import Ground
from engine.motion.ground_speed import OLDEST_S
from engine.motion.horse_rows import HorseRows, cut_off, piled_up
from engine.motion.learned_ground import LearnedGround
from engine.motion.pose_columns import PoseColumns
from engine.motion.scale import NECK_TRUNK_SHARE, TRUNK_SHARE, sizes_of
from engine.motion.smoothing import one_euro
from engine.motion.track_memory import Slots, TrackMemory
from engine.motion.whereabouts import Land, whereabouts
from engine.settings import MotionSettings

__all__ = ["STILL_PX", "PoseChain", "PoseColumns"]

STILL_PX: FloatArray = np.zeros(2, np.float32)
"""``camera_px`` of a fixed camera."""
KEEP_SCALE_S = 10.0
"""A track's scale outlives a gap as long as the track itself does."""
FORGET_AFTER_S = 30.0
"""Tracks not seen for so long are forgotten even if nobody said that they closed."""

Bools = NDArray[np.bool_]


class PoseChain:
    """One camera's poses over time. Used by one thread; ``settings`` and ``ground`` may be
    replaced between pictures (``ground`` comes from ``engine.motion.calibration.read_ground``)."""

    def __init__(self, settings: MotionSettings, ground: Ground | None = None) -> None:
        self.settings = settings
        self._land = Land(ground, LearnedGround())
        self._plan = body_plan(EQUINE26)
        self._memory = TrackMemory(len(EQUINE26.landmarks))
        self._lag_s = 0.0

    @property
    def ground(self) -> Ground | None:
        """Where the ground lies in the picture, where somebody said it."""
        return self._land.told

    @ground.setter
    def ground(self, ground: Ground | None) -> None:
        if ground is not self._land.told:
            self._memory.path_s[:] = np.nan
            self._memory.scale[:] = np.nan
        self._land.told = ground

    def update(
        self,
        result: FrameResult,
        heights_m: FloatArray | None = None,
        camera_px: FloatArray | None = STILL_PX,
    ) -> PoseColumns:
        """Take in one result, later than the one before.

        heights_m: float32 (N,), height at the withers by track row, NaN where nobody said it.
        camera_px: float32 (2,), where a fixed point of the ground lies in this picture (only its
        changes count); None where that is unknown, then speeds are NaN. A ``view_moving`` result
        counts as unknown if it says zero.
        """
        tracks = result.tracks
        rows = np.nonzero(tracks.class_ids == SubjectClass.HORSE)[0]
        if not len(rows):
            return PoseColumns.unknown(result.poses, len(tracks))
        if result.poses is not None:
            self._use(result.poses.skeleton)
        if result.view_moving and camera_px is STILL_PX:
            camera_px = None
        horses = self._begin(result, rows, heights_m, camera_px)
        points, scores = self._raw(result.poses, rows)
        if result.held:
            self._memory.seen_s[horses.slots] = horses.now_s
        else:
            self._take(horses, points, scores)
        return self._measured(horses, result, rows)

    def forget(self, track_ids: Collection[TrackId]) -> None:
        """These tracks are closed."""
        self._memory.forget(track_ids)

    def reset(self) -> None:
        """Forget everything: the camera looks elsewhere now, or was away."""
        self._memory = TrackMemory(len(self._plan.skeleton.landmarks))
        self._land = Land(self._land.told, LearnedGround())

    # --- taking in ----------------------------------------------------------------------------

    def _use(self, skeleton: Skeleton) -> None:
        if skeleton != self._plan.skeleton:
            self._plan = body_plan(skeleton)
            self.reset()

    def _begin(
        self,
        result: FrameResult,
        rows: NDArray[np.intp],
        heights_m: FloatArray | None,
        camera_px: FloatArray | None,
    ) -> HorseRows:
        """Slots and elapsed times; tracks that were away too long start anew."""
        memory, now_s = self._memory, result.stamp.captured_mono_s
        memory.forget_before(now_s - FORGET_AFTER_S)
        slots = memory.slots([result.tracks.track_ids[row] for row in rows])
        elapsed = now_s - memory.seen_s[slots]
        away = elapsed > self.settings.reset_after_s
        if away.any():
            memory.clear(slots[away], but=("scale", "path_s", "path", "path_scale", "path_depth"))
            memory.clear(slots[elapsed > OLDEST_S], but=("scale",))
            memory.clear(slots[elapsed > KEEP_SCALE_S])
        default = self.settings.withers_height_m
        told = np.full(len(rows), np.nan) if heights_m is None else heights_m[rows]
        count = len(rows)
        return HorseRows(
            now_s=now_s,
            width_px=result.width_px,
            height_px=result.height_px,
            plan=self._plan,
            settings=self.settings,
            limits=self.settings.limits_of(self._plan.skeleton.name),
            slots=slots,
            boxes=result.tracks.boxes_xyxy_px[rows],
            heights_m=np.where(told > 0.3, told, default).astype(np.float32),
            elapsed_s=np.where(away | ~np.isfinite(elapsed), 0.0, elapsed).astype(np.float32),
            since_s=np.where(np.isfinite(elapsed), elapsed, 0.0).astype(np.float32),
            camera_px=camera_px,
            flags=np.zeros((count, len(validation.WORDS)), np.bool_),
            lags_s=np.zeros(count, np.float32),
            cut=cut_off(result, rows),
            placed=np.ones(count, np.bool_),
        )

    def _raw(
        self, poses: PoseBatch | None, rows: NDArray[np.intp]
    ) -> tuple[FloatArray, FloatArray]:
        if poses is not None:
            return poses.keypoints_px[rows], poses.scores[rows]
        count = len(self._plan.skeleton.landmarks)
        return np.zeros((len(rows), count, 2), np.float32), np.zeros((len(rows), count), np.float32)

    def _take(self, horses: HorseRows, points: FloatArray, scores: FloatArray) -> None:
        """Correct and smooth one picture's landmarks into the memory."""
        memory, slots, elapsed = self._memory, horses.slots, horses.elapsed_s
        finite: Bools = np.asarray(np.isfinite(points).all(axis=2))
        points = np.where(finite[..., None], points, 0.0).astype(np.float32)
        believed = finite & (scores >= horses.limits.confidence)
        units = body_units(memory.unit_px[slots], horses.boxes, elapsed)
        middle = self._find_trunk(horses, points, scores, believed, units)
        body = ((points - middle[:, None]) / units[:, None, None]).astype(np.float32)
        predicted, known = self._predict(horses)
        apart = np.where(known, _distances(body, predicted), 0.0).astype(np.float32)
        kept = self._keep_sides(horses, body, scores, believed & known, predicted, apart)
        if kept is not None:
            body, scores = kept
            believed = finite & (scores >= horses.limits.confidence)
            apart = np.where(known, _distances(body, predicted), 0.0).astype(np.float32)
        wrong = self._wrong(horses, body, scores, believed, apart, middle, units)
        body, put = self._correct(horses, body, believed, wrong, predicted, known)
        good = believed & ~wrong
        self._smooth(horses, body, good, put)
        self._remember(horses, body, scores, good, put)
        memory.unit_px[slots] = units
        memory.middle_px[slots] = middle
        memory.box_px[slots] = (horses.boxes[:, :2] + horses.boxes[:, 2:]) / 2
        memory.seen_s[slots] = horses.now_s

    def _find_trunk(
        self, horses: HorseRows, points: FloatArray, scores: FloatArray, believed: Bools,
        units: FloatArray,
    ) -> FloatArray:  # fmt: skip
        memory, slots = self._memory, horses.slots
        boxes = (horses.boxes[:, :2] + horses.boxes[:, 2:]) / 2
        moved = memory.middle_px[slots] + boxes - memory.box_px[slots]
        by_box = np.where(np.isfinite(moved), moved, boxes)
        shape = memory.shape[slots]
        weights = horses.plan.trunk
        believed = believed & ~piled_up(horses, points)
        sure = scores >= horses.limits.confidence + validation.SURE
        believed &= sure | ~horses.cut[:, None]
        middle, told = locate(points, believed, shape, units, weights, by_box)
        horses.placed = told | ~horses.cut
        body = (points - middle[:, None]) / units[:, None, None]
        follow_shape(shape, body, believed & told[:, None], horses.elapsed_s)
        memory.shape[slots] = shape
        return middle

    def _predict(self, horses: HorseRows) -> tuple[FloatArray, Bools]:
        """Where each landmark should be by its own history, and whether that is worth anything."""
        memory, slots = self._memory, horses.slots
        rest = validation.PREDICT_S
        carried = rest * (1.0 - np.exp(-horses.elapsed_s / rest))
        rate = memory.rate[slots]
        most = horses.plan.reach_rest + horses.plan.reach_moving
        speed = np.hypot(rate[..., 0], rate[..., 1])
        rate = rate * np.minimum(most / np.maximum(speed, most), 1.0)[..., None]
        predicted = memory.smooth[slots] + rate * carried[:, None, None]
        age = horses.now_s - memory.good_s[slots]
        known = np.isfinite(predicted[..., 0]) & (age <= self.settings.reset_after_s)
        return np.where(known[..., None], predicted, 0.0).astype(np.float32), known

    def _keep_sides(
        self, horses: HorseRows, body: FloatArray, scores: FloatArray, trusted: Bools,
        predicted: FloatArray, apart: FloatArray,
    ) -> tuple[FloatArray, FloatArray] | None:  # fmt: skip
        """Exchange left and right legs back where the model took them for each other; None where
        all is as it should be."""
        if not self.settings.correct:
            return None
        history = self._memory.history[horses.slots]
        found = validation.exchanged_sides(body, predicted, apart, trusted, history, horses.plan)
        since = self._memory.swapped_s[horses.slots]
        since = np.where(found, np.where(np.isfinite(since), since, horses.now_s), np.nan)
        lasting = horses.now_s - since > validation.EXCHANGE_AT_MOST_S
        self._memory.swapped_s[horses.slots] = np.where(lasting, np.nan, since)
        if not found.any():
            return None
        body, scores = body.copy(), scores.copy()
        for end, (left, right) in enumerate(horses.plan.ends):
            rows = np.nonzero(found[:, end] & ~lasting[:, end])[0][:, None]
            body[rows, left], body[rows, right] = body[rows, right], body[rows, left]
            scores[rows, left], scores[rows, right] = scores[rows, right], scores[rows, left]
            given_up = np.nonzero(lasting[:, end])[0][:, None]
            both = np.concatenate([left, right])
            self._start_over(horses.slots[given_up], both, body[given_up, both])
        horses.flags[:, 6] = found.any(axis=1)
        return body, scores

    def _start_over(self, slots: Slots, landmarks: Slots, body: FloatArray) -> None:
        memory = self._memory
        memory.history[
            slots[..., None], np.arange(memory.history.shape[1]), landmarks[..., None]
        ] = np.nan
        memory.smooth[slots, landmarks] = body
        memory.rate[slots, landmarks] = 0.0
        memory.rejected[slots, landmarks] = 0

    def _wrong(
        self, horses: HorseRows, body: FloatArray, scores: FloatArray, believed: Bools,
        apart: FloatArray, middle: FloatArray, units: FloatArray,
    ) -> Bools:  # fmt: skip
        """Landmarks (n, K) that are believed by the model and yet errors."""
        memory, slots, plan, limits = self._memory, horses.slots, horses.plan, horses.limits
        elapsed = np.maximum(horses.elapsed_s, 1e-3)
        speed = np.hypot(*(middle - memory.middle_px[slots]).T) / units / elapsed
        speed = np.minimum(np.nan_to_num(speed), 6.0)[:, None]
        reach = (plan.reach_rest + plan.reach_moving * speed) * horses.elapsed_s[:, None]
        recent = horses.now_s - memory.history_s[slots] <= self.settings.reset_after_s
        outlier = believed & validation.outliers(
            body, apart, memory.history[slots], recent, reach, self.settings.outlier_z
        )
        again = outlier & (memory.rejected[slots] >= validation.ACCEPT_AFTER)
        if again.any():
            rows, landmarks = np.nonzero(again)
            self._start_over(slots[rows], landmarks, body[again])
            outlier &= ~again
        memory.rejected[slots] = np.where(outlier, memory.rejected[slots] + 1, 0)
        wide, tall = ((horses.boxes[:, 2:] - horses.boxes[:, :2]) / units[:, None]).T
        found = validation.anatomy(body, believed, np.maximum(wide, tall), plan, limits)
        weak = found.landmarks & (scores < limits.confidence + validation.SURE)
        flags = horses.flags
        posed = scores.max(axis=1, initial=0.0) > 0
        flags[:, 0] = posed & ((~believed).mean(axis=1) > validation.WEAK_SHARE)
        flags[:, 1], flags[:, 2], flags[:, 3] = found.spine, found.legs, found.neck
        flags[:, 4], flags[:, 5] = found.joint, outlier.any(axis=1)
        return np.asarray(outlier | (weak & believed))

    def _correct(
        self, horses: HorseRows, body: FloatArray, believed: Bools, wrong: Bools,
        predicted: FloatArray, known: Bools,
    ) -> tuple[FloatArray, Bools]:  # fmt: skip
        """Positions with predictions in place of errors, and where those were put, bool (n, K)."""
        bad = ~believed | wrong
        if not self.settings.correct:
            return body, np.zeros_like(bad)
        put = bad & known
        body = np.where(put[..., None], predicted, body)
        by_side, told = validation.by_other_side(body, believed & ~wrong, horses.plan)
        guess = bad & ~put & told
        return np.where(guess[..., None], by_side, body).astype(np.float32), put

    def _smooth(self, horses: HorseRows, body: FloatArray, good: Bools, put: Bools) -> None:
        memory, slots = self._memory, horses.slots
        smoothed, rates, lags = one_euro(
            body, memory.smooth[slots], memory.rate[slots], horses.elapsed_s,
            self.settings.smoothing_cutoff_hz, self.settings.smoothing_speed,
        )  # fmt: skip
        rest = np.exp(-horses.elapsed_s / validation.PREDICT_S)[:, None, None]
        # What was predicted is smooth already; its speed fades until it is seen again.
        memory.rate[slots] = np.where(good[..., None], rates, memory.rate[slots] * rest)
        memory.smooth[slots] = np.where(put[..., None], body, smoothed)
        counted = good.sum(axis=1)
        horses.lags_s = np.where(good, lags, 0.0).sum(axis=1) / np.maximum(counted, 1)

    def _remember(
        self, horses: HorseRows, body: FloatArray, scores: FloatArray, good: Bools, put: Bools
    ) -> None:
        memory, slots = self._memory, horses.slots
        history = memory.history[slots]
        history[:, :-1] = history[:, 1:]
        history[:, -1] = np.where(good[..., None], body, np.nan)
        memory.history[slots] = history
        times = memory.history_s[slots]
        times[:, :-1] = times[:, 1:]
        times[:, -1] = horses.now_s
        memory.history_s[slots] = times
        good_s = np.where(good, horses.now_s, memory.good_s[slots])
        good_score = np.where(good, scores, memory.good_score[slots])
        fade = np.exp(-(horses.now_s - good_s) / validation.TRUST_S)
        memory.good_s[slots], memory.good_score[slots] = good_s, good_score
        memory.scores[slots] = np.where(put, good_score * fade, scores)

    # --- measuring ----------------------------------------------------------------------------

    def _measured(
        self, horses: HorseRows, result: FrameResult, rows: NDArray[np.intp]
    ) -> PoseColumns:
        memory, slots, plan = self._memory, horses.slots, horses.plan
        middle, units = memory.middle_px[slots], memory.unit_px[slots]
        points = middle[:, None] + memory.smooth[slots] * units[:, None, None]
        scores = memory.scores[slots]
        placed = np.isfinite(points[..., 0])
        believed = (scores >= horses.limits.confidence) & placed
        points = np.where(placed[..., None], points, 0.0).astype(np.float32)
        sizes = sizes_of(points, believed, horses.boxes, plan)
        place = whereabouts(memory, horses, sizes, middle, self._land)
        scale = place.scales_px_m
        trunk_share = TRUNK_SHARE if plan.true_withers else NECK_TRUNK_SHARE
        profile = sizes.trunk_px / (trunk_share * horses.heights_m * scale)
        if not result.held:
            self._lag_s = statistics.median(horses.lags_s.tolist())
        columns = {
            "scales_px_m": scale,
            "speeds_mps": place.speeds_mps,
            "angles_deg": angles_of(points, believed, plan.skeleton),
            "head_heights_m": head_heights(points, believed, scale, horses.heights_m, plan),
            "centres_px": centres_of_mass(points, believed, middle, plan),
            "velocities_mps": place.velocities_mps,
            "profiles": np.clip(profile, 0.0, 1.0),
            "withers_heights_m": sizes.standing_px / scale,
            "trunk_degs": trunk_slopes(points, believed, plan),
            "ground_m": place.ground_m,
        }
        poses = None if result.poses is None else _posed(result.poses, rows, points, scores)
        words = validation.issue_words(horses.flags)
        return _spread(columns, words, poses, rows, len(result.tracks), self._lag_s)


def _distances(body: FloatArray, predicted: FloatArray) -> FloatArray:
    gone = body - predicted
    return np.asarray(np.hypot(gone[..., 0], gone[..., 1]))


def _posed(
    raw: PoseBatch, rows: NDArray[np.intp], points: FloatArray, scores: FloatArray
) -> PoseBatch:
    """Corrected poses among all tracks; rows that are no horses have score 0."""
    all_points, all_scores = np.zeros_like(raw.keypoints_px), np.zeros_like(raw.scores)
    all_points[rows], all_scores[rows] = points, np.clip(scores, 0.0, 1.0)
    return PoseBatch(all_points, all_scores, raw.skeleton)


def _spread(
    columns: dict[str, FloatArray], words: tuple[tuple[str, ...], ...], poses: PoseBatch | None,
    rows: NDArray[np.intp], count: int, lag_s: float,
) -> PoseColumns:  # fmt: skip
    """The horses' rows put among all tracks; the others know nothing."""
    spread: dict[str, FloatArray] = {}
    for name, column in columns.items():
        spread[name] = np.full((count, *column.shape[1:]), np.nan, np.float32)
        spread[name][rows] = column
    issues: list[tuple[str, ...]] = [()] * count
    for row, found in zip(rows.tolist(), words, strict=True):
        issues[row] = found
    return PoseColumns(poses=poses, issues=tuple(issues), lag_s=lag_s, **spread)
