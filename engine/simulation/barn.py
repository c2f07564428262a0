"""The simulated barn: pictures and ground truth as pure functions of camera and time."""

from __future__ import annotations

import random
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray, read_only
from engine.domain.skeletons import EQUINE26
from engine.simulation.anatomy import Body, pose_body
from engine.simulation.cameras import (
    CAMERAS,
    FPS,
    HEIGHT_PX,
    WIDTH_PX,
    SimulatedCamera,
    background,
    posts_layer,
)
from engine.simulation.drawing import Silhouette, draw
from engine.simulation.looks import LOOKS, Look
from engine.simulation.plans import Moment, Plan, make_plan

HORSES_AT_MOST = 12


@dataclass(frozen=True, slots=True)
class BarnTruth:
    """What one camera shows at one time, N horses, nearest last.

    ids: stable numbers, unique over the barn's cameras. boxes_xyxy_px: float32 (N, 4) of the whole
    horse, hidden parts included, cut to the picture. keypoints_px: float32 (N, 26, 2) in EQUINE26
    order. visible: bool (N, 26), False where a post, a nearer horse, the horse's own trunk or the
    picture's edge hides the landmark. contacts: bool (N, 4), hoof on the ground, in the order of
    ``gaits.LIMBS``.
    """

    t_s: float
    ids: tuple[int, ...]
    looks: tuple[str, ...]
    boxes_xyxy_px: FloatArray
    keypoints_px: FloatArray
    visible: NDArray[np.bool_]
    gaits: tuple[str, ...]
    actions: tuple[str, ...]
    contacts: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for column in (self.boxes_xyxy_px, self.keypoints_px, self.visible, self.contacts):
            read_only(column)


@dataclass(frozen=True, slots=True)
class _Resident:
    id: int
    look: Look
    plan: Plan
    lane_m: float
    head_start_s: float
    rhythm: float


@dataclass(frozen=True, slots=True)
class _Seen:
    resident: _Resident
    moment: Moment
    body: Body
    silhouette: Silhouette


class SimulatedBarn:
    """One simulated camera's world. ``horses`` None takes the camera's own number.

    Raises OperatorMistake for an unknown camera or an impossible number of horses.
    """

    def __init__(self, camera: str, seed: int = 0, horses: int | None = None) -> None:
        if camera not in CAMERAS:
            raise OperatorMistake(
                f"There is no simulated camera {camera!r}.", f"There are {', '.join(CAMERAS)}."
            )
        self.camera: SimulatedCamera = CAMERAS[camera]
        count = len(self.camera.lanes_m) if horses is None else horses
        if not 0 <= count <= HORSES_AT_MOST:
            raise OperatorMistake(f"A simulated camera holds 0 to {HORSES_AT_MOST} horses.")
        self._residents = _populate(self.camera, seed, count)
        chance = np.random.default_rng(seed + 11)
        self._noise = chance.integers(0, 9, (HEIGHT_PX + 64, WIDTH_PX + 64, 3), np.uint8)
        coarse = chance.normal(128, 5, (HEIGHT_PX // 3, WIDTH_PX // 3)).astype(np.float32)
        fine = np.clip(cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX)), 0, 255).astype(np.uint8)
        self._dapple = np.asarray(cv2.merge([fine, fine, fine]), np.uint8)

    def picture_at(self, t_s: float) -> Image:
        """The camera's picture at a time, uint8 ``(540, 960, 3)`` BGR, a new array."""
        picture = background(self.camera.name).copy()
        for seen in self._seen(t_s):
            draw(picture, seen.silhouette, self._dapple)
        for post, pixels in posts_layer(self.camera.name):
            picture[:, post.left_px : post.right_px] = pixels
        lit = cv2.convertScaleAbs(picture, alpha=self.camera.light(t_s))
        index = round(t_s * FPS)
        dy, dx = index * 29 % 61, index * 37 % 59
        return np.asarray(
            cv2.add(lit, self._noise[dy : dy + HEIGHT_PX, dx : dx + WIDTH_PX]), np.uint8
        )

    def truth_at(self, t_s: float) -> BarnTruth:
        """Everything there is to know about the picture at a time."""
        everyone = self._seen(t_s)
        boxes, keypoints, visible = [], [], []
        for place, seen in enumerate(everyone):
            boxes.append(np.clip(seen.silhouette.box_xyxy_px, 0, [WIDTH_PX, HEIGHT_PX] * 2))
            points = self.camera.project(seen.silhouette.to_camera(seen.body.landmarks))
            keypoints.append(points)
            nearer = [other.silhouette for other in everyone[place + 1 :]]
            visible.append(self._visible(points, seen, nearer))
        count = len(everyone)
        return BarnTruth(
            t_s=t_s,
            ids=tuple(seen.resident.id for seen in everyone),
            looks=tuple(seen.resident.look.name for seen in everyone),
            boxes_xyxy_px=np.array(boxes, np.float32).reshape(count, 4),
            keypoints_px=np.array(keypoints, np.float32).reshape(count, 26, 2),
            visible=np.array(visible, np.bool_).reshape(count, 26),
            gaits=tuple(seen.moment.gait.value for seen in everyone),
            actions=tuple(seen.moment.action.value for seen in everyone),
            contacts=np.array([seen.body.contacts for seen in everyone], np.bool_).reshape(
                count, 4
            ),
        )

    def _seen(self, t_s: float) -> list[_Seen]:
        """Every horse at a time, the farthest first."""
        everyone = []
        for resident in self._residents:
            moment = resident.plan.at(t_s + resident.head_start_s)
            body = pose_body(moment, t_s, resident.rhythm)
            silhouette = Silhouette(
                body, resident.look, self.camera, moment.x_m, resident.lane_m, moment.yaw
            )
            everyone.append(_Seen(resident, moment, body, silhouette))
        return everyone

    def _visible(
        self, points_px: FloatArray, seen: _Seen, nearer: list[Silhouette]
    ) -> NDArray[np.bool_]:
        shown = np.ones(len(points_px), np.bool_)
        for index, (x, y) in enumerate(points_px):
            inside = 0 <= x < WIDTH_PX and 0 <= y < HEIGHT_PX
            behind_post = any(p.left_px <= x < p.right_px for p in self.camera.posts)
            hidden = any(other.covers(x, y) for other in nearer)
            shown[index] = inside and not behind_post and not hidden
        if abs(np.cos(seen.moment.yaw)) > 0.5:
            far = "right" if np.cos(seen.moment.yaw) < 0 else "left"
            for part in ("eye", "elbow", "stifle"):
                shown[EQUINE26.landmarks.index(f"{far}_{part}")] = False
        return shown


def _populate(camera: SimulatedCamera, seed: int, count: int) -> list[_Resident]:
    """The camera's horses, the farthest lane first; the same for the same seed."""
    place = list(CAMERAS).index(camera.name)
    chance = random.Random(seed * 1009 + place)
    looks = chance.sample(LOOKS, len(LOOKS))
    residents = []
    for number in range(count):
        near, far = min(camera.lanes_m), max(camera.lanes_m)
        lane = (
            camera.lanes_m[number]
            if count == len(camera.lanes_m)
            else (near + (far - near) * chance.random() + 0.01 * number)
        )
        ends = _ends_m(chance, camera, lane)
        plan = make_plan(chance, ends, camera.gaits, camera.still_s)
        residents.append(
            _Resident(
                id=place * 100 + number + 1,
                look=looks[number % len(looks)],
                plan=plan,
                lane_m=lane,
                head_start_s=chance.uniform(0.0, plan.cycle_s),
                rhythm=chance.random(),
            )
        )
    return sorted(residents, key=lambda resident: -resident.lane_m)


def _ends_m(chance: random.Random, camera: SimulatedCamera, lane_m: float) -> tuple[float, float]:
    """Where a horse turns, its own on every lane, so that the horses spread over the picture."""
    reach = camera.visible_half_m(lane_m) - camera.margin_m
    left = -reach * chance.uniform(0.25, 1.0)
    return left, max(reach * chance.uniform(0.25, 1.0), left + 1.5)
