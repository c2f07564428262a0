"""From posed bodies to what a camera sees: boxes, landmarks, what is hidden and by whom."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.simulation.anatomy import PART, Bodies
from engine.simulation.cameras import NEAR_M, SimulatedCamera
from engine.simulation.gaits import GAIT_LIST, LIMBS
from engine.simulation.obstacles import BAR_LINKS, bars_in_view
from engine.simulation.occlusion import Shapes, hidden, overlapping_pairs, projected
from engine.simulation.people import PERSON_LINKS, PeopleRows, people_bodies
from engine.simulation.postures import Posture
from engine.simulation.site import PLACE_NAMES, place_codes
from engine.simulation.timelines import ACTIVITY_LIST, Activity
from engine.simulation.truth import NOBODY, PERSON, SCENERY, Bools, PeopleSightings, Sightings

if TYPE_CHECKING:
    from engine.simulation.farm import HorseRows, SimulatedFarm

Ints = NDArray[np.int64]
_NEAREST_PERSON_M = 0.8
_LEAST_PX = 6.0
"""Smaller pieces of a horse at the picture's edge are not counted as seen."""


def _links() -> Ints:
    chains = [
        [PART["trunk"].first + k for k in range(9)],
        [PART["neck"].first + k for k in range(5)],
        [PART["neck"].last - 1, *(PART["head"].first + k for k in (1, 2, 3, 5))],
        [PART["tail"].first + k for k in (0, 2, 4)],
    ]
    chains += [[PART[limb].first + k for k in (0, 1, 3, 6, 10)] for limb in LIMBS]
    return np.array([pair for chain in chains for pair in pairwise(chain)])


LINKS = _links()


def _samples() -> tuple[Ints, FloatArray, FloatArray]:
    """Rings, places along their upper half axis, and weights of points that stand for a body."""
    rings, places, weights = [], [], []
    for name, weight, spots in (
        ("trunk", 1.0, (-0.7, 0.0, 0.7)), ("neck", 0.45, (-0.6, 0.0, 0.6)), ("head", 0.3, (0.0,)),
        ("tail", 0.15, (0.0,)),
    ):  # fmt: skip
        for ring in range(PART[name].first, PART[name].last):
            for spot in spots:
                rings.append(ring)
                places.append(spot)
                weights.append(weight)
    for limb in LIMBS:
        for offset, weight in ((1, 0.4), (2, 0.35), (3, 0.25), (5, 0.2), (6, 0.2), (9, 0.2)):
            rings.append(PART[limb].first + offset)
            places.append(0.0)
            weights.append(weight)
    share = np.array(weights, np.float32)
    return np.array(rings), np.array(places, np.float32), share / share.sum()


_SAMPLE_RINGS, _SAMPLE_PLACES, _SAMPLE_WEIGHTS = _samples()


@dataclass(frozen=True, slots=True)
class Crowd:
    """People as they stand in one picture or many: their rows and projected bodies."""

    rows: PeopleRows
    shapes: Shapes


def crowd_of(camera: SimulatedCamera, farm: SimulatedFarm, times_s: NDArray[np.float64]) -> Crowd:
    """The people near a camera's view at each time, by time."""
    rows = farm.people_at(times_s)
    codes = place_codes(rows.x_m, rows.y_m)
    near = np.isin(codes, [PLACE_NAMES.index(name) for name in camera.places])
    spots = np.stack([rows.x_m, rows.y_m, np.full(len(rows), 0.9)], axis=-1)
    near &= camera.to_camera(spots)[..., 2] > _NEAREST_PERSON_M
    kept = np.nonzero(near)[0]
    rows = PeopleRows(*(getattr(rows, field.name)[kept] for field in fields(PeopleRows)))
    made = people_bodies(farm.people, rows)
    return Crowd(rows, projected(camera, made.centres, made.up, made.wide))


def observe_people(
    camera: SimulatedCamera, farm: SimulatedFarm, times_s: NDArray[np.float64]
) -> PeopleSightings:
    """People that show in the picture; see ``SimulatedFarm.people_sightings``."""
    crowd = crowd_of(camera, farm, times_s)
    rows = crowd.rows
    full = crowd.shapes.boxes() if len(rows) else np.zeros((0, 4), np.float32)
    limits = np.array([camera.width_px, camera.height_px] * 2, np.float32)
    cut = np.clip(np.nan_to_num(full, posinf=0, neginf=0), 0, limits)
    kept = np.nonzero((cut[:, 2:] - cut[:, :2] >= _LEAST_PX).all(axis=1))[0]
    ids = np.array([person.id for person in farm.people], np.int64)
    return PeopleSightings(
        camera=camera.name,
        t_s=rows.t_s[kept],
        time_index=rows.time_index[kept],
        person_ids=ids[rows.person[kept]] if len(ids) else np.zeros(0, np.int64),
        boxes_xyxy_px=cut[kept],
        ground_m=np.stack([rows.x_m[kept], rows.y_m[kept]], axis=-1),
        with_horse=rows.with_horse[kept],
    )


def observe(
    camera: SimulatedCamera,
    farm: SimulatedFarm,
    rows: HorseRows,
    made: Bodies,
    pose: Posture,
    keypoints: bool,
    first_index: int,
    crowd: Crowd,
) -> Sightings:
    """Sightings of posed horses; rows of one time must stand together. ``first_index`` is added to
    their time indices."""
    shapes = projected(camera, made.centres, made.up, made.wide)
    order, full, cut = _seen_rows(camera, rows, shapes, made)
    rows, shapes = rows.select(order), _rows_of(shapes, order)
    landmarks = made.landmarks[order]
    samples_px, sample_depths = _sample_points(camera, made, order)
    marks = camera.to_camera(landmarks.astype(np.float32))
    marks_px, marks_depth = np.asarray(camera.to_pixels(marks), np.float32), marks[..., 2]
    points = np.concatenate([samples_px, marks_px], axis=1) if keypoints else samples_px
    depths = np.concatenate([sample_depths, marks_depth], axis=1) if keypoints else sample_depths
    covered, hider = _covered(camera, rows, shapes, points, depths.astype(np.float32), cut, crowd)
    count = samples_px.shape[1]
    inside = _inside(camera, points)
    shown = ~covered & inside
    visible = shown[:, count:]
    if keypoints and len(rows):
        own = np.arange(len(rows))
        itself = hidden(marks_px, marks_depth.astype(np.float32), shapes, LINKS, own, own)
        visible = visible & ~itself
    states = rows.states
    ids = np.array([horse.id for horse in farm.horses], np.int64)
    hider = np.where(hider > 0, ids[np.clip(hider - 1, 0, None)] if len(ids) else 0, hider)
    gaits = np.array([gait.label for gait in GAIT_LIST])[states.gait]
    activities = np.array([activity.value for activity in ACTIVITY_LIST])[states.activity]
    return Sightings(
        camera=camera.name,
        t_s=rows.t_s,
        time_index=rows.time_index + first_index,
        horse_ids=ids[rows.horse] if len(ids) else np.zeros(0, np.int64),
        full_boxes_xyxy_px=full[order],
        boxes_xyxy_px=cut,
        visible_boxes_xyxy_px=_visible_boxes(shapes, shown[:, :count], cut),
        visibility=(shown[:, :count] @ _SAMPLE_WEIGHTS).astype(np.float32),
        hidden_by=hider,
        keypoints_px=marks_px if keypoints else np.zeros((0, 26, 2), np.float32),
        keypoints_m=landmarks.astype(np.float32) if keypoints else np.zeros((0, 26, 3), np.float32),
        visible=visible if keypoints else np.zeros((0, 26), np.bool_),
        ground_m=np.stack([states.x_m, states.y_m], axis=-1),
        yaw=states.yaw,
        distance_m=_distance(camera, rows),
        speed_mps=states.speed_mps,
        stride_hz=states.stride_hz,
        phase=states.phase,
        contacts=pose.contact[order],
        gaits=gaits,
        leads=np.array([gait.lead for gait in GAIT_LIST])[states.gait],
        activities=activities,
        actions=ACTIONS[states.activity, states.gait],
        postures=POSTURES[states.activity],
    )


def _words() -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Actions by (activity, gait) code and postures by activity code, in the engine's words."""
    plain = {
        Activity.STANDING: "standing", Activity.ALERT: "alert", Activity.GRAZING: "grazing",
        Activity.DOZING: "resting", Activity.LOWERING: "standing", Activity.STERNAL: "resting",
        Activity.LATERAL: "resting", Activity.ROLLING: "rolling", Activity.RISING: "standing",
        Activity.STRUGGLING: "rolling", Activity.PAWING: "standing",
        Activity.FLANK_WATCHING: "standing", Activity.AWAY: "away", Activity.MOVING: "running",
    }  # fmt: skip
    lying = {
        Activity.STERNAL: "sternal", Activity.LATERAL: "lateral", Activity.ROLLING: "rolling",
        Activity.STRUGGLING: "lateral", Activity.LOWERING: "lowering", Activity.RISING: "rising",
    }  # fmt: skip
    actions = [[plain[activity]] * len(GAIT_LIST) for activity in ACTIVITY_LIST]
    moving = ACTIVITY_LIST.index(Activity.MOVING)
    actions[moving] = ["walking" if g.label == "walk" else "running" for g in GAIT_LIST]
    return np.array(actions), np.array([lying.get(a, "standing") for a in ACTIVITY_LIST])


ACTIONS, POSTURES = _words()


def _seen_rows(
    camera: SimulatedCamera, rows: HorseRows, shapes: Shapes, made: Bodies
) -> tuple[Ints, FloatArray, FloatArray]:
    """Rows that show in the picture, by time and then the farthest first; all full boxes; the
    boxes of the seen rows cut to the picture."""
    full = shapes.boxes() if len(rows) else np.zeros((0, 4), np.float32)
    limits = np.array([camera.width_px, camera.height_px] * 2, np.float32)
    cut = np.clip(np.nan_to_num(full, posinf=0, neginf=0), 0, limits)
    size = cut[:, 2:] - cut[:, :2]
    seen = np.nonzero((size >= _LEAST_PX).all(axis=1))[0]
    distance = _distance(camera, rows.select(seen))
    order = seen[np.lexsort((-distance, rows.time_index[seen]))]
    return order, full, cut[order]


def _distance(camera: SimulatedCamera, rows: HorseRows) -> NDArray[np.float64]:
    spots = np.stack([rows.states.x_m, rows.states.y_m, np.full(len(rows), 0.9)], axis=-1)
    return np.asarray(camera.to_camera(spots)[..., 2], np.float64)


def _rows_of(shapes: Shapes, order: Ints) -> Shapes:
    return Shapes(shapes.centres_px[order], shapes.halves_px[order], shapes.depths_m[order])


def _sample_points(
    camera: SimulatedCamera, made: Bodies, order: Ints
) -> tuple[FloatArray, FloatArray]:
    centres = made.centres[np.ix_(order, _SAMPLE_RINGS)]
    up = made.up[np.ix_(order, _SAMPLE_RINGS)]
    points = (centres + up * _SAMPLE_PLACES[None, :, None]).astype(np.float32)
    seen = camera.to_camera(points)
    return np.asarray(camera.to_pixels(seen), np.float32), np.asarray(seen[..., 2], np.float32)


def _inside(camera: SimulatedCamera, points_px: FloatArray) -> Bools:
    x, y = points_px[..., 0], points_px[..., 1]
    return np.asarray((x >= 0) & (x < camera.width_px) & (y >= 0) & (y < camera.height_px))


def _covered(
    camera: SimulatedCamera,
    rows: HorseRows,
    shapes: Shapes,
    points_px: FloatArray,
    depths_m: FloatArray,
    boxes: FloatArray,
    crowd: Crowd,
) -> tuple[Bools, Ints]:
    """Which points others or bars hide, and by row who hides most: horse index + 1 or a constant of
    ``truth``."""
    covered = np.zeros(points_px.shape[:2], np.bool_)
    most = np.zeros(len(rows), np.int64)
    hider = np.full(len(rows), NOBODY, np.int64)
    if not len(rows):
        return covered, hider
    bars = bars_in_view(camera)
    if bars is not None:
        theirs = bars.boxes()
        meet = (
            np.maximum(boxes[:, None, :2], theirs[None, :, :2])
            < np.minimum(boxes[:, None, 2:], theirs[None, :, 2:])
        ).all(axis=2)
        behind, before = np.nonzero(meet)
        by_bars = hidden(points_px, depths_m, bars, BAR_LINKS, behind, before)
        np.logical_or.at(covered, behind, by_bars)
        most = covered[:, : len(_SAMPLE_RINGS)].sum(axis=1)
        hider = np.where(most > 0, SCENERY, NOBODY)
    behind, before = overlapping_pairs(rows.time_index, boxes)
    if len(behind):
        by_horse = hidden(points_px, depths_m, shapes, LINKS, behind, before)
        np.logical_or.at(covered, behind, by_horse)
        amount = by_horse[:, : len(_SAMPLE_RINGS)].sum(axis=1)
        for row, other, hits in zip(behind, before, amount, strict=True):
            if hits > most[row]:
                most[row], hider[row] = hits, rows.horse[other] + 1
    behind, before = _pairs_with_people(rows, boxes, crowd)
    if len(behind):
        by_people = hidden(points_px, depths_m, crowd.shapes, PERSON_LINKS, behind, before)
        np.logical_or.at(covered, behind, by_people)
        amount = by_people[:, : len(_SAMPLE_RINGS)].sum(axis=1)
        for row, hits in zip(behind, amount, strict=True):
            if hits > most[row]:
                most[row], hider[row] = hits, PERSON
    return covered, hider


def _pairs_with_people(rows: HorseRows, boxes: FloatArray, crowd: Crowd) -> tuple[Ints, Ints]:
    """Rows of horses and of people at the same time whose boxes meet."""
    none = np.zeros(0, np.int64)
    if not len(crowd.rows) or not len(rows):
        return none, none
    theirs = crowd.shapes.boxes()
    first = np.searchsorted(crowd.rows.time_index, rows.time_index, "left")
    last = np.searchsorted(crowd.rows.time_index, rows.time_index, "right")
    behind, before = [none], [none]
    for step in range(int((last - first).max(initial=0))):
        mine = np.nonzero(first + step < last)[0]
        other = first[mine] + step
        meet = (
            np.maximum(boxes[mine, :2], theirs[other, :2])
            < np.minimum(boxes[mine, 2:], theirs[other, 2:])
        ).all(axis=1)
        behind.append(mine[meet])
        before.append(other[meet])
    return np.concatenate(behind), np.concatenate(before)


def _visible_boxes(shapes: Shapes, shown: Bools, cut: FloatArray) -> FloatArray:
    """Boxes around the parts of rings whose sample points show."""
    if not len(shown):
        return np.zeros((0, 4), np.float32)
    centres = shapes.centres_px[:, _SAMPLE_RINGS]
    halves = shapes.halves_px[:, _SAMPLE_RINGS]
    usable = shown & (shapes.depths_m[:, _SAMPLE_RINGS] > NEAR_M)
    low = np.where(usable[..., None], centres - halves, np.inf).min(axis=1)
    high = np.where(usable[..., None], centres + halves, -np.inf).max(axis=1)
    boxes = np.concatenate([np.maximum(low, cut[:, :2]), np.minimum(high, cut[:, 2:])], axis=1)
    empty = ~usable.any(axis=1)
    boxes[empty] = 0.0
    return boxes.astype(np.float32)
