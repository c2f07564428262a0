"""The simulated farm: one herd, one clock, every camera; truth without drawing a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from engine.domain.errors import OperatorMistake
from engine.simulation.anatomy import Bodies, Stance, bodies
from engine.simulation.cameras import SimulatedCamera
from engine.simulation.gaits import Floats
from engine.simulation.history import truth_between
from engine.simulation.lighting import Daylight
from engine.simulation.looks import SimulatedHorse
from engine.simulation.observation import crowd_of, observe, observe_people
from engine.simulation.people import PeopleRows, SimulatedPerson, people_rows
from engine.simulation.postures import Posture, Situation, posture
from engine.simulation.site import CAMERAS, PLACE_NAMES, place_codes
from engine.simulation.timelines import Codes, States, Timeline
from engine.simulation.truth import BarnTruth, IntervalTruth, PeopleSightings, Sightings, TrueEvent

_ROWS_AT_ONCE = 1500
_REACH_M = 2.0
"""No part of a horse is farther from the middle of its trunk."""


@dataclass(frozen=True, slots=True)
class HorseRows:
    """Horses at instants as rows: which horse (index), when, and its state; all (N,)."""

    horse: Codes
    time_index: Codes
    t_s: Floats
    states: States

    def __len__(self) -> int:
        return len(self.horse)

    def select(self, rows: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> HorseRows:
        """Rows by mask or index."""
        chosen = {f.name: getattr(self.states, f.name)[rows] for f in fields(States)}
        return HorseRows(self.horse[rows], self.time_index[rows], self.t_s[rows], States(**chosen))


class SimulatedFarm:
    """A herd with its timelines under the site's cameras.

    ``horses`` and ``timelines`` belong together by position. Everything is a pure function of time,
    any number of threads may ask.
    """

    def __init__(
        self,
        horses: Sequence[SimulatedHorse],
        timelines: Sequence[Timeline],
        people: Sequence[SimulatedPerson] = (),
        events: Sequence[TrueEvent] = (),
        daylight: Daylight | None = None,
    ) -> None:
        self.horses = tuple(horses)
        self.timelines = tuple(timelines)
        self.people = tuple(people)
        self.events = tuple(events)
        self.daylight = daylight or Daylight()
        self._size = np.array([horse.build.size for horse in horses])
        self._bulk = np.array([horse.build.bulk for horse in horses])
        self._rhythm = np.array([horse.rhythm for horse in horses])
        kinds = [horse.asymmetry for horse in horses]
        shape = (len(kinds), 4)
        self._asymmetry_m = np.array(
            [(k.hd_min_mm, k.hd_max_mm, k.pd_min_mm, k.pd_max_mm) for k in kinds]
        ).reshape(shape) / (1000.0 * self._size[:, None])
        self._spread_m = np.array([(k.head_spread_mm, k.pelvis_spread_mm) for k in kinds]).reshape(
            len(kinds), 2
        ) / (1000.0 * self._size[:, None])

    def camera(self, name: str) -> SimulatedCamera:
        """A camera by name. Raises OperatorMistake."""
        try:
            return CAMERAS[name]
        except KeyError:
            raise OperatorMistake(
                f"There is no simulated camera {name!r}.", f"There are {', '.join(CAMERAS)}."
            ) from None

    def rows_at(self, times_s: Floats) -> HorseRows:
        """Every horse at every time: rows by time, then horse."""
        times = np.asarray(times_s, np.float64)
        columns = [timeline.at(times) for timeline in self.timelines]
        count = len(self.horses)
        stacked: dict[str, Any] = {
            field.name: np.stack([getattr(c, field.name) for c in columns], axis=1).reshape(-1)
            if columns
            else np.zeros(0)
            for field in fields(States)
        }
        return HorseRows(
            np.tile(np.arange(count), len(times)),
            np.repeat(np.arange(len(times)), count),
            np.repeat(times, count),
            States(**stacked),
        )

    def postures(self, rows: HorseRows) -> Posture:
        """The pose of every row, coming over from the bout before where one has just begun."""
        now = posture(self._situation(rows))
        blend_s = np.zeros(len(rows))
        previous = rows.states.bout.copy()
        for index, timeline in enumerate(self.timelines):
            mine = rows.horse == index
            bout = rows.states.bout[mine]
            blend_s[mine] = timeline.blend_s[bout]
            previous[mine] = (bout - 1) % len(timeline.bouts)
        weight = np.clip(rows.states.since_s / np.maximum(blend_s, 1e-6), 0.0, 1.0)
        fresh = np.nonzero(weight < 1.0)[0]
        if not len(fresh):
            return now
        ended = posture(self._situation(self._ends(rows.select(fresh), previous[fresh])))
        eased = weight[fresh] ** 2 * (3.0 - 2.0 * weight[fresh])
        part = Posture(**{f.name: getattr(now, f.name)[fresh] for f in fields(Posture)})
        mixed = ended.blended(part, eased)
        for field in fields(Posture):
            if field.name != "contact":  # told by the gait alone, as footfalls are
                getattr(now, field.name)[fresh] = getattr(mixed, field.name)
        return now

    def bodies_of(self, rows: HorseRows) -> tuple[Bodies, Posture]:
        """Rings and landmarks of every row in the site frame, and the poses they come from."""
        pose = self.postures(rows)
        horse, states = rows.horse, rows.states
        stance = Stance(states.x_m, states.y_m, states.yaw, self._size[horse], self._bulk[horse])
        return bodies(pose, stance), pose

    def in_view(self, camera: SimulatedCamera, rows: HorseRows) -> HorseRows:
        """Rows whose horse is at a place the camera looks into and near its field of view."""
        if not len(rows):
            return rows
        codes = place_codes(rows.states.x_m, rows.states.y_m)
        seen = np.isin(codes, [PLACE_NAMES.index(name) for name in camera.places])
        spots = np.stack([rows.states.x_m, rows.states.y_m, np.full(len(rows), 0.9)], axis=-1)
        right, down, forward = np.moveaxis(camera.to_camera(spots), -1, 0)
        half_x = camera.width_px / 2 / camera.focal_px
        half_y = camera.height_px / 2 / camera.focal_px
        seen &= forward > 0.6
        seen &= np.abs(right) - _REACH_M * np.hypot(1, half_x) < half_x * forward
        seen &= np.abs(down) - _REACH_M * np.hypot(1, half_y) < half_y * forward
        return rows.select(np.nonzero(seen)[0])

    def sightings(
        self, camera: SimulatedCamera | str, times_s: Floats, keypoints: bool = True
    ) -> Sightings:
        """What one camera sees at many times, without drawing. Times should rise."""
        view = self.camera(camera) if isinstance(camera, str) else camera
        times = np.asarray(times_s, np.float64)
        parts = []
        step = max(_ROWS_AT_ONCE // max(len(self.horses), 1), 1)
        for first in range(0, max(len(times), 1), step):
            rows = self.in_view(view, self.rows_at(times[first : first + step]))
            made, pose = self.bodies_of(rows)
            crowd = crowd_of(view, self, times[first : first + step])
            parts.append(observe(view, self, rows, made, pose, keypoints, first, crowd))
        return joined(parts)

    def people_sightings(self, camera: SimulatedCamera | str, times_s: Floats) -> PeopleSightings:
        """The people one camera sees at many times, without drawing."""
        view = self.camera(camera) if isinstance(camera, str) else camera
        return observe_people(view, self, np.asarray(times_s, np.float64))

    def people_at(self, times_s: Floats) -> PeopleRows:
        """Everyone on the farm at each time."""
        ids = tuple(horse.id for horse in self.horses)
        return people_rows(self.people, self.timelines, ids, np.asarray(times_s, np.float64))

    def truth_between(self, start_s: float, end_s: float) -> IntervalTruth:
        """Bouts, footfalls, strides and events between two times, exact, not sampled."""
        return truth_between(self, start_s, end_s)

    def landmarks_m(self, horse: int, times_s: Floats) -> Floats:
        """Landmarks of one horse (its index) at many times, float64 (N, 26, 3), site frame."""
        made = []
        for first in range(0, len(times_s), _ROWS_AT_ONCE):
            times = np.asarray(times_s[first : first + _ROWS_AT_ONCE], np.float64)
            index = np.arange(len(times))
            states = self.timelines[horse].at(times)
            rows = HorseRows(np.full(len(times), horse), index, times, states)
            made.append(self.bodies_of(rows)[0].landmarks)
        return np.concatenate(made) if made else np.zeros((0, 26, 3))

    def truth_at(self, camera: SimulatedCamera, t_s: float) -> BarnTruth:
        """What one camera shows at one time."""
        seen = self.sightings(camera, np.array([t_s]))
        by_id = {horse.id: horse for horse in self.horses}
        horses = [by_id[int(number)] for number in seen.horse_ids]
        return BarnTruth(
            t_s=t_s,
            ids=tuple(horse.id for horse in horses),
            names=tuple(horse.name for horse in horses),
            looks=tuple(horse.look.name for horse in horses),
            boxes_xyxy_px=seen.boxes_xyxy_px,
            keypoints_px=seen.keypoints_px,
            visible=seen.visible,
            gaits=tuple(str(gait) for gait in seen.gaits),
            actions=tuple(str(action) for action in seen.actions),
            contacts=seen.contacts,
            sightings=seen,
            people=self.people_sightings(camera, np.array([t_s])),
        )

    def _situation(self, rows: HorseRows) -> Situation:
        states, horse = rows.states, rows.horse
        share, side, stride_m = np.zeros((3, len(rows)))
        for index, timeline in enumerate(self.timelines):
            mine = horse == index
            bout = states.bout[mine]
            share[mine] = np.clip(states.since_s[mine] / timeline.duration_s[bout], 0.0, 1.0)
            side[mine] = timeline.side[bout]
            hertz = np.maximum(timeline.stride_hz[bout], 1e-6)
            stride_m[mine] = timeline.speed_mps[bout] / hertz / self._size[index]
        return Situation(
            t_s=rows.t_s,
            rhythm=self._rhythm[horse],
            activity=states.activity,
            share=share,
            since_s=states.since_s,
            side=side,
            gait=states.gait,
            strides=states.strides,
            amplitude=states.amplitude,
            stride_m=stride_m,
            turning=states.turning,
            asymmetry_m=self._asymmetry_m[horse],
            spread_m=self._spread_m[horse],
        )

    def _ends(self, rows: HorseRows, bouts: Codes) -> HorseRows:
        """The same horses at the ends of other bouts."""
        made: dict[str, Any] = {
            field.name: getattr(rows.states, field.name).copy() for field in fields(States)
        }
        for index, timeline in enumerate(self.timelines):
            mine = np.nonzero(rows.horse == index)[0]
            if len(mine):
                ended = timeline.within(bouts[mine], timeline.duration_s[bouts[mine]])
                for field in fields(States):
                    made[field.name][mine] = getattr(ended, field.name)
        return HorseRows(rows.horse, rows.time_index, rows.t_s, States(**made))


def joined(parts: Sequence[Sightings]) -> Sightings:
    """Sightings of the same camera, one after the other."""
    columns: dict[str, Any] = {}
    for field in fields(Sightings):
        first = getattr(parts[0], field.name)
        if isinstance(first, np.ndarray):
            columns[field.name] = np.concatenate([getattr(p, field.name) for p in parts])
        else:
            columns[field.name] = first
    return Sightings(**columns)
