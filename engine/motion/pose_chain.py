"""Poses of one camera over time: corrected, smoothed, and measured in metres and degrees.

A step a picture: find the trunk, turn landmarks into body positions, correct what cannot be,
smooth, and measure. All rows go through at once; what a track was is kept in ``TrackMemory``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

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
from engine.motion.body_plan import BodyPlan, body_plan
from engine.motion.calibration import Ground
from engine.motion.ground_speed import slopes, speeds_of
from engine.motion.pose_columns import PoseColumns
from engine.motion.scale import (
    NECK_TRUNK_SHARE,
    RESTING_UNITS_S,
    TRUNK_SHARE,
    Sizes,
    follow_scale,
    sizes_of,
)
from engine.motion.smoothing import one_euro
from engine.motion.track_memory import PATH, Slots, TrackMemory
from engine.settings import MotionSettings, SkeletonLimits

__all__ = ["STILL_PX", "PoseChain", "PoseColumns"]

STILL_PX: FloatArray = np.zeros(2, np.float32)
"""``camera_px`` of a fixed camera."""
KEEP_SCALE_S = 10.0
"""A track's scale outlives a gap as long as the track itself does."""
FORGET_AFTER_S = 30.0
"""Tracks not seen for so long are forgotten even if nobody said that they closed."""
DROP_S = 1.0
"""Time constant of how far the ground lies below the trunk."""
PROFILE_S = 0.5
EYE_TO_POLL = 0.13
NECK_TO_WITHERS = 0.164
"""How far the poll lies over the eyes, and the withers over the base of the neck, in heights at the
withers: medians over 947 and 967 poses of ridden horses seen from the side."""

Bools = NDArray[np.bool_]


@dataclass(slots=True)
class _Picture:
    """The horses of one picture on their way through the steps; n rows with one slot each."""

    now_s: float
    size_px: tuple[int, int]
    plan: BodyPlan
    limits: SkeletonLimits
    slots: Slots
    boxes: FloatArray
    heights_m: FloatArray
    elapsed_s: FloatArray
    camera_px: FloatArray | None
    flags: Bools
    lags: FloatArray


class PoseChain:
    """One camera's poses over time. Used by one thread; ``settings`` and ``ground`` may be
    replaced between pictures (``ground`` comes from ``engine.motion.calibration.read_ground``)."""

    def __init__(self, settings: MotionSettings, ground: Ground | None = None) -> None:
        self.settings = settings
        self._ground = ground
        self._plan = body_plan(EQUINE26)
        self._memory = TrackMemory(len(EQUINE26.landmarks))
        self._lag_s = 0.0

    @property
    def ground(self) -> Ground | None:
        """Where the ground lies in the picture, where somebody said it."""
        return self._ground

    @ground.setter
    def ground(self, ground: Ground | None) -> None:
        if ground != self._ground:
            self._memory.path_s[:] = np.nan
            self._memory.scale[:] = np.nan
        self._ground = ground

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
        picture = self._begin(result, rows, heights_m, camera_px)
        points, scores = self._raw(result.poses, rows)
        if not result.held:
            self._take(picture, points, scores)
        return self._measured(picture, result, rows)

    def forget(self, track_ids: Collection[TrackId]) -> None:
        """These tracks are closed."""
        self._memory.forget(track_ids)

    def reset(self) -> None:
        """Forget everything: the camera looks elsewhere now, or was away."""
        self._memory = TrackMemory(len(self._plan.skeleton.landmarks))

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
    ) -> _Picture:
        """Slots and elapsed times; tracks that were away too long start anew."""
        memory, now_s = self._memory, result.stamp.captured_mono_s
        memory.forget_before(now_s - FORGET_AFTER_S)
        slots = memory.slots([result.tracks.track_ids[row] for row in rows])
        elapsed = now_s - memory.seen_s[slots]
        away = elapsed > self.settings.reset_after_s
        if away.any():
            memory.clear(slots[away], but=("scale", "profile", "drop"))
            memory.clear(slots[elapsed > KEEP_SCALE_S])
        default = self.settings.withers_height_m
        told = np.full(len(rows), np.nan) if heights_m is None else heights_m[rows]
        count = len(rows)
        return _Picture(
            now_s=now_s,
            size_px=(result.width_px, result.height_px),
            plan=self._plan,
            limits=self.settings.limits_of(self._plan.skeleton.name),
            slots=slots,
            boxes=result.tracks.boxes_xyxy_px[rows],
            heights_m=np.where(told > 0.3, told, default).astype(np.float32),
            elapsed_s=np.where(away | ~np.isfinite(elapsed), 0.0, elapsed).astype(np.float32),
            camera_px=camera_px,
            flags=np.zeros((count, len(validation.WORDS)), np.bool_),
            lags=np.zeros(count, np.float32),
        )

    def _raw(
        self, poses: PoseBatch | None, rows: NDArray[np.intp]
    ) -> tuple[FloatArray, FloatArray]:
        if poses is not None:
            return poses.keypoints_px[rows], poses.scores[rows]
        count = len(self._plan.skeleton.landmarks)
        return np.zeros((len(rows), count, 2), np.float32), np.zeros((len(rows), count), np.float32)

    def _take(self, picture: _Picture, points: FloatArray, scores: FloatArray) -> None:
        """Correct and smooth one picture's landmarks into the memory."""
        memory, slots, elapsed = self._memory, picture.slots, picture.elapsed_s
        finite: Bools = np.asarray(np.isfinite(points).all(axis=2))
        points = np.where(finite[..., None], points, 0.0).astype(np.float32)
        believed = finite & (scores >= picture.limits.confidence)
        units = body_units(memory.unit_px[slots], picture.boxes, elapsed)
        middle = self._find_trunk(picture, points, believed, units)
        body = ((points - middle[:, None]) / units[:, None, None]).astype(np.float32)
        predicted, known = self._predict(picture)
        body, scores = self._keep_sides(picture, body, scores, believed, predicted, known)
        believed = finite & (scores >= picture.limits.confidence)
        wrong = self._wrong(picture, body, scores, believed, predicted, units, middle)
        body, put = self._correct(picture, body, believed, wrong, predicted, known)
        good = believed & ~wrong
        self._smooth(picture, body, good, put)
        self._remember(picture, body, scores, good, put)
        memory.unit_px[slots] = units
        memory.middle_px[slots] = middle
        memory.box_px[slots] = (picture.boxes[:, :2] + picture.boxes[:, 2:]) / 2
        memory.seen_s[slots] = picture.now_s

    def _find_trunk(
        self, picture: _Picture, points: FloatArray, believed: Bools, units: FloatArray
    ) -> FloatArray:
        memory, slots = self._memory, picture.slots
        boxes = (picture.boxes[:, :2] + picture.boxes[:, 2:]) / 2
        moved = memory.middle_px[slots] + boxes - memory.box_px[slots]
        by_box = np.where(np.isfinite(moved), moved, boxes)
        shape = memory.shape[slots]
        weights = picture.plan.trunk
        middle, told = locate(points, believed, shape, units, weights, by_box)
        body = (points - middle[:, None]) / units[:, None, None]
        follow_shape(shape, body, believed & told[:, None], picture.elapsed_s)
        memory.shape[slots] = shape
        return middle

    def _predict(self, picture: _Picture) -> tuple[FloatArray, Bools]:
        """Where each landmark should be by its own history, and whether that is worth anything."""
        memory, slots = self._memory, picture.slots
        rest = validation.PREDICT_S
        carried = rest * (1.0 - np.exp(-picture.elapsed_s / rest))
        predicted = memory.smooth[slots] + memory.rate[slots] * carried[:, None, None]
        age = picture.now_s - memory.good_s[slots]
        known = np.isfinite(predicted[..., 0]) & (age <= self.settings.reset_after_s)
        return np.nan_to_num(predicted), known

    def _keep_sides(
        self, picture: _Picture, body: FloatArray, scores: FloatArray, believed: Bools,
        predicted: FloatArray, known: Bools,
    ) -> tuple[FloatArray, FloatArray]:  # fmt: skip
        """Exchange left and right legs back where the model took them for each other."""
        if not self.settings.correct:
            return body, scores
        found = validation.exchanged_sides(body, predicted, believed & known, picture.plan)
        since = self._memory.swapped_s[picture.slots]
        since = np.where(found, np.where(np.isfinite(since), since, picture.now_s), np.nan)
        lasting = picture.now_s - since > validation.EXCHANGE_AT_MOST_S
        self._memory.swapped_s[picture.slots] = np.where(lasting, np.nan, since)
        if not found.any():
            return body, scores
        body, scores = body.copy(), scores.copy()
        for end, (left, right) in enumerate(picture.plan.ends):
            rows = np.nonzero(found[:, end] & ~lasting[:, end])[0][:, None]
            body[rows, left], body[rows, right] = body[rows, right], body[rows, left]
            scores[rows, left], scores[rows, right] = scores[rows, right], scores[rows, left]
            given_up = np.nonzero(lasting[:, end])[0][:, None]
            both = np.concatenate([left, right])
            self._start_over(picture.slots[given_up], both, body[given_up, both])
        picture.flags[:, 6] = found.any(axis=1)
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
        self, picture: _Picture, body: FloatArray, scores: FloatArray, believed: Bools,
        predicted: FloatArray, units: FloatArray, middle: FloatArray,
    ) -> Bools:  # fmt: skip
        """Landmarks (n, K) that are believed by the model and yet errors."""
        memory, slots, plan, limits = self._memory, picture.slots, picture.plan, picture.limits
        elapsed = np.maximum(picture.elapsed_s, 1e-3)
        speed = np.hypot(*(middle - memory.middle_px[slots]).T) / units / elapsed
        speed = np.minimum(np.nan_to_num(speed), 6.0)[:, None]
        reach = (plan.reach_rest + plan.reach_moving * speed) * picture.elapsed_s[:, None]
        recent = picture.now_s - memory.history_s[slots] <= self.settings.reset_after_s
        outlier = believed & validation.outliers(
            body, predicted, memory.history[slots], recent, reach, self.settings.outlier_z
        )
        again = outlier & (memory.rejected[slots] >= validation.ACCEPT_AFTER)
        if again.any():
            rows, landmarks = np.nonzero(again)
            self._start_over(slots[rows], landmarks, body[again])
            outlier &= ~again
        memory.rejected[slots] = np.where(outlier, memory.rejected[slots] + 1, 0)
        wide, tall = ((picture.boxes[:, 2:] - picture.boxes[:, :2]) / units[:, None]).T
        found = validation.anatomy(body, believed, np.maximum(wide, tall), plan, limits)
        weak = found.landmarks & (scores < limits.confidence + validation.SURE)
        flags = picture.flags
        posed = scores.max(axis=1, initial=0.0) > 0
        flags[:, 0] = posed & ((~believed).mean(axis=1) > validation.WEAK_SHARE)
        flags[:, 1], flags[:, 2], flags[:, 3] = found.spine, found.legs, found.neck
        flags[:, 4], flags[:, 5] = found.joint, outlier.any(axis=1)
        return np.asarray(outlier | (weak & believed))

    def _correct(
        self, picture: _Picture, body: FloatArray, believed: Bools, wrong: Bools,
        predicted: FloatArray, known: Bools,
    ) -> tuple[FloatArray, Bools]:  # fmt: skip
        """Positions with predictions in place of errors, and where those were put, bool (n, K)."""
        bad = ~believed | wrong
        if not self.settings.correct:
            return body, np.zeros_like(bad)
        put = bad & known
        body = np.where(put[..., None], predicted, body)
        by_side, told = validation.by_other_side(body, believed & ~wrong, picture.plan)
        guess = bad & ~put & told
        return np.where(guess[..., None], by_side, body).astype(np.float32), put

    def _smooth(self, picture: _Picture, body: FloatArray, good: Bools, put: Bools) -> None:
        memory, slots = self._memory, picture.slots
        smoothed, rates, lags = one_euro(
            body, memory.smooth[slots], memory.rate[slots], picture.elapsed_s,
            self.settings.smoothing_cutoff_hz, self.settings.smoothing_speed,
        )  # fmt: skip
        rest = np.exp(-picture.elapsed_s / validation.PREDICT_S)[:, None, None]
        # What was predicted is smooth already; its speed fades until it is seen again.
        memory.rate[slots] = np.where(good[..., None], rates, memory.rate[slots] * rest)
        memory.smooth[slots] = np.where(put[..., None], body, smoothed)
        counted = good.sum(axis=1)
        picture.lags = np.where(good, lags, 0.0).sum(axis=1) / np.maximum(counted, 1)

    def _remember(
        self, picture: _Picture, body: FloatArray, scores: FloatArray, good: Bools, put: Bools
    ) -> None:
        memory, slots = self._memory, picture.slots
        history = memory.history[slots]
        history[:, :-1] = history[:, 1:]
        history[:, -1] = np.where(good[..., None], body, np.nan)
        memory.history[slots] = history
        times = memory.history_s[slots]
        times[:, :-1] = times[:, 1:]
        times[:, -1] = picture.now_s
        memory.history_s[slots] = times
        good_s = np.where(good, picture.now_s, memory.good_s[slots])
        good_score = np.where(good, scores, memory.good_score[slots])
        fade = np.exp(-(picture.now_s - good_s) / validation.TRUST_S)
        memory.good_s[slots], memory.good_score[slots] = good_s, good_score
        memory.scores[slots] = np.where(put, good_score * fade, scores)

    # --- measuring ----------------------------------------------------------------------------

    def _measured(
        self, picture: _Picture, result: FrameResult, rows: NDArray[np.intp]
    ) -> PoseColumns:
        memory, slots, plan = self._memory, picture.slots, picture.plan
        middle, units = memory.middle_px[slots], memory.unit_px[slots]
        points = middle[:, None] + memory.smooth[slots] * units[:, None, None]
        scores = memory.scores[slots]
        believed = (scores >= picture.limits.confidence) & np.isfinite(points[..., 0])
        points = np.nan_to_num(points).astype(np.float32)
        sizes = sizes_of(points, believed, picture.boxes, plan)
        scale = self._scale(picture, sizes, middle, units)
        ground_m = self._walk(picture, middle, units, sizes, scale)
        speeds, velocities = self._speeds(picture, middle, scale)
        trunk_share = TRUNK_SHARE if plan.true_withers else NECK_TRUNK_SHARE
        profile = sizes.trunk_px / (trunk_share * picture.heights_m * scale)
        columns = {
            "scales_px_m": scale,
            "speeds_mps": speeds,
            "angles_deg": angles_of(points, believed, plan.skeleton),
            "head_heights_m": _head_heights(points, believed, scale, picture),
            "centres_px": _centres(points, believed, middle, plan),
            "velocities_mps": velocities,
            "profiles": np.clip(profile, 0.0, 1.0),
            "withers_heights_m": sizes.standing_px / scale,
            "trunk_degs": _slopes(points, believed, plan),
            "ground_m": ground_m,
        }
        words = validation.issue_words(picture.flags)
        if not result.held and len(picture.lags):
            self._lag_s = float(np.median(picture.lags))
        return _spread(columns, words, points, scores, result, rows, self._lag_s)

    def _scale(
        self, picture: _Picture, sizes: Sizes, middle: FloatArray, units: FloatArray
    ) -> FloatArray:
        """Pixels per metre (n,): the ground's where calibrated, else the smoothed body's."""
        memory, slots = self._memory, picture.slots
        drop = (sizes.foot_px - middle[:, 1]) / units
        before = memory.drop[slots]
        follow = 1.0 - np.exp(-picture.elapsed_s / DROP_S)
        drop = np.where(np.isfinite(before), before + (drop - before) * follow, drop)
        memory.drop[slots] = drop
        width_px, height_px = picture.size_px
        if self._ground is not None:
            feet = self._feet(picture, middle, units)
            told = self._ground.scales_px_m(feet, width_px, height_px)
            own = sizes.height_px / picture.heights_m
            return np.where(np.isfinite(told), told, own).astype(np.float32)
        told = np.log(np.maximum(sizes.height_px / picture.heights_m, 1e-3))
        resting = self._resting(picture, middle, units)
        memory.scale[slots] = follow_scale(memory.scale[slots], told, picture.elapsed_s, resting)
        return np.exp(memory.scale[slots])

    def _resting(self, picture: _Picture, middle: FloatArray, units: FloatArray) -> Bools:
        """Trunks that hardly moved in the picture over the last second."""
        memory, slots = self._memory, picture.slots
        line = slopes(
            memory.path_s[slots], memory.path[slots], memory.path_scale[slots],
            picture.now_s, self.settings.speed_window_s,
        )  # fmt: skip
        return np.asarray(line.known & (np.hypot(*line.rate.T) < RESTING_UNITS_S * units))

    def _feet(self, picture: _Picture, middle: FloatArray, units: FloatArray) -> FloatArray:
        """The ground under each trunk, float32 (n, 2) in shares of the picture."""
        below = middle[:, 1] + self._memory.drop[picture.slots] * units
        width_px, height_px = picture.size_px
        return np.stack([middle[:, 0] / width_px, below / height_px], axis=1)

    def _walk(
        self, picture: _Picture, middle: FloatArray, units: FloatArray, sizes: Sizes,
        scale: FloatArray,
    ) -> FloatArray:  # fmt: skip
        """Add where the horses are to their paths; returns metres on the ground (n, 2)."""
        memory, slots = self._memory, picture.slots
        ground_m = np.full((len(slots), 2), np.nan, np.float32)
        if picture.camera_px is None or not np.isfinite(picture.camera_px).all():
            memory.path_s[slots] = np.nan
            memory.path[slots] = np.nan
            return ground_m
        place = (middle - picture.camera_px).astype(np.float64)
        if self._ground is not None and self._ground.calibration is not None:
            ground_m = self._ground.place_m(self._feet(picture, middle, units))
            place = ground_m.astype(np.float64)
        logs = np.log(scale)
        if self._ground is None:
            logs = np.log(np.maximum(sizes.height_px / picture.heights_m, 1e-3))
        least_s = self.settings.speed_window_s / (PATH - 8)
        due = ~(picture.now_s - memory.path_s[slots, -1] < least_s)
        rows = slots[due]
        for column, value in (
            (memory.path_s, np.full(len(rows), picture.now_s)),
            (memory.path, place[due]),
            (memory.path_scale, logs[due]),
        ):
            held = column[rows]
            held[:, :-1] = held[:, 1:]
            held[:, -1] = value
            column[rows] = held
        return ground_m

    def _speeds(
        self, picture: _Picture, middle: FloatArray, scale: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Speeds (n,) and velocities (n, 2) in m/s from the paths."""
        memory, slots = self._memory, picture.slots
        line = slopes(
            memory.path_s[slots], memory.path[slots], memory.path_scale[slots],
            picture.now_s, self.settings.speed_window_s,
        )  # fmt: skip
        known = line.known & (picture.camera_px is not None)
        if self._ground is not None and self._ground.calibration is not None:
            velocity, error = line.rate, line.error
            depth = np.zeros(len(slots))
        else:
            width_px, height_px = picture.size_px
            focal_px = self.settings.focal_widths * width_px
            off = middle - np.array([width_px / 2, height_px / 2], np.float32)
            velocity = (line.rate - off * line.scale_rate[:, None]) / scale[:, None]
            error = line.error / scale
            depth = focal_px / scale * line.scale_rate
        whole = np.concatenate([velocity, depth[:, None]], axis=1)
        whole = np.where(known[:, None], whole, np.nan).astype(np.float32)
        return speeds_of(whole, error.astype(np.float32)), whole[:, :2]


def _centres(points: FloatArray, believed: Bools, middle: FloatArray, plan: BodyPlan) -> FloatArray:
    """Centres of mass (n, 2); the trunk's middle where less than half of the mass is seen."""
    mass = believed * plan.mass
    total = mass.sum(axis=1, keepdims=True)
    centres = (points * mass[..., None]).sum(axis=1) / np.maximum(total, 1e-6)
    return np.where(total >= 0.5, centres, middle).astype(np.float32)


def _head_heights(
    points: FloatArray, believed: Bools, scale: FloatArray, picture: _Picture
) -> FloatArray:
    """Poll over withers in metres (n,), NaN where either is not seen."""
    plan = picture.plan
    if not len(plan.head) or plan.withers < 0:
        return np.full(len(points), np.nan, np.float32)
    seen = believed[:, plan.head]
    rows = (points[:, plan.head, 1] * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    known = seen.any(axis=1) & believed[:, plan.withers]
    over = (points[:, plan.withers, 1] - rows) / scale
    if not plan.true_withers:
        over = over + (EYE_TO_POLL - NECK_TO_WITHERS) * picture.heights_m
    return np.where(known, over, np.nan).astype(np.float32)


def _slopes(points: FloatArray, believed: Bools, plan: BodyPlan) -> FloatArray:
    """How far the back is from level, degrees (n,) in 0..90."""
    along = points[:, plan.withers] - points[:, plan.tail]
    known = believed[:, plan.withers] & believed[:, plan.tail]
    slope = np.degrees(np.arctan2(np.abs(along[:, 1]), np.abs(along[:, 0])))
    return np.where(known, slope, np.nan).astype(np.float32)


def _spread(
    columns: dict[str, FloatArray], words: tuple[tuple[str, ...], ...], points: FloatArray,
    scores: FloatArray, result: FrameResult, rows: NDArray[np.intp], lag_s: float,
) -> PoseColumns:  # fmt: skip
    """The horses' rows put among all tracks; the others know nothing."""
    count = len(result.tracks)
    spread: dict[str, FloatArray] = {}
    for name, column in columns.items():
        spread[name] = np.full((count, *column.shape[1:]), np.nan, np.float32)
        spread[name][rows] = column
    issues: list[tuple[str, ...]] = [()] * count
    for row, found in zip(rows.tolist(), words, strict=True):
        issues[row] = found
    poses = None
    if result.poses is not None:
        all_points = np.zeros_like(result.poses.keypoints_px)
        all_scores = np.zeros_like(result.poses.scores)
        all_points[rows], all_scores[rows] = points, np.clip(scores, 0.0, 1.0)
        poses = PoseBatch(all_points, all_scores, result.poses.skeleton)
    return PoseColumns(poses=poses, issues=tuple(issues), lag_s=lag_s, **spread)
