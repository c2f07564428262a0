"""The simulated barn is the same in every run, and its truth fits its pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.geometry import iou_matrix
from engine.domain.skeletons import EQUINE26
from engine.simulation.barn import BarnTruth, SimulatedBarn
from engine.simulation.cameras import CAMERAS, FOCAL_PX, FPS, HEIGHT_PX, WIDTH_PX, background
from engine.simulation.gaits import GAITS, LIMBS, Gait
from engine.sources.simulated import simulated_barn

HOOVES = [EQUINE26.landmarks.index(f"{limb}_hoof") for limb in LIMBS]


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_state_is_a_function_of_time(camera: str) -> None:
    one, other = SimulatedBarn(camera), SimulatedBarn(camera)
    other.picture_at(77.0)
    for t_s in (0.0, 12.36, 4000.2):
        assert np.array_equal(one.picture_at(t_s), other.picture_at(t_s))
        assert np.array_equal(one.truth_at(t_s).keypoints_px, other.truth_at(t_s).keypoints_px)
    assert not np.array_equal(one.picture_at(3.0), one.picture_at(3.4))
    assert not np.array_equal(
        SimulatedBarn(camera, seed=1).truth_at(3.0).keypoints_px, one.truth_at(3.0).keypoints_px
    )


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_boxes_hold_the_horse_that_is_drawn(camera: str) -> None:
    """Alone in the picture, a horse changes pixels inside its box and hardly any outside."""
    barn, empty = SimulatedBarn(camera, horses=1), SimulatedBarn(camera, horses=0)
    checked = 0
    for t_s in np.arange(0.0, 60.0, 7.3):
        truth = barn.truth_at(float(t_s))
        x1, y1, x2, y2 = truth.boxes_xyxy_px[0]
        if x2 - x1 < 60 or x1 < 1 or x2 > WIDTH_PX - 1:
            continue
        changed = (
            np.abs(barn.picture_at(float(t_s)).astype(int) - empty.picture_at(float(t_s))).max(
                axis=2
            )
            > 40
        )
        rows, columns = np.nonzero(changed)
        drawn = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
        overlap = iou_matrix(drawn.astype(np.float32), truth.boxes_xyxy_px)[0, 0]
        assert overlap > 0.6
        inside = changed[int(y1) - 1 : int(y2) + 2, int(x1) - 1 : int(x2) + 2].sum()
        assert inside > 0.93 * changed.sum()  # the rest is shadow
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_landmarks_lie_on_their_horse(camera: str) -> None:
    barn = SimulatedBarn(camera)
    for t_s in np.arange(0.0, 90.0, 4.7):
        truth = barn.truth_at(float(t_s))
        assert truth.keypoints_px.shape == (len(truth.ids), 26, 2)
        for box, points, visible in zip(
            truth.boxes_xyxy_px, truth.keypoints_px, truth.visible, strict=True
        ):
            shown = points[visible]
            assert (shown >= box[:2] - 3).all() and (shown <= box[2:] + 3).all()
            assert ((shown >= 0) & (shown < [WIDTH_PX, HEIGHT_PX])).all()


def test_a_hoof_on_the_ground_stays_where_it_is() -> None:
    barn = SimulatedBarn("arena")
    lanes_m = sorted(barn.camera.lanes_m, reverse=True)  # rows come the farthest first
    held = dict.fromkeys(LIMBS, 0)
    slid: list[float] = []
    before = barn.truth_at(0.0)
    for n in range(1, 1500):
        now = barn.truth_at(n / FPS)
        for row, (gait, earlier) in enumerate(zip(now.gaits, before.gaits, strict=True)):
            if gait != earlier or gait == "standing":
                continue
            for limb, hoof in enumerate(HOOVES):
                if now.contacts[row, limb] and before.contacts[row, limb]:
                    moved = now.keypoints_px[row, hoof] - before.keypoints_px[row, hoof]
                    trunk = now.keypoints_px[row, 7] - before.keypoints_px[row, 7]
                    full_px = GAITS[Gait(gait)].speed_mps / FPS * FOCAL_PX / lanes_m[row]
                    if abs(trunk[0]) > 0.9 * full_px:  # not while starting or stopping
                        held[LIMBS[limb]] += 1
                        slid.append(abs(float(moved[0])) / full_px)
        before = now
    assert min(held.values()) > 30
    assert np.median(slid) < 0.05
    assert max(slid) < 0.5


@pytest.fixture(scope="module")
def one_horse() -> list[BarnTruth]:
    """Two minutes of one horse in the arena."""
    barn = SimulatedBarn("arena", seed=2, horses=1)
    return [barn.truth_at(n / FPS) for n in range(3000)]


@pytest.mark.parametrize("gait", [Gait.WALK, Gait.TROT, Gait.CANTER])
def test_footfalls_come_in_the_gaits_order(gait: Gait, one_horse: list[BarnTruth]) -> None:
    """Landings read off the truth follow the phase table."""
    landings: dict[int, list[float]] = {limb: [] for limb in range(4)}
    for before, now in pairwise(one_horse):
        if now.gaits[0] == before.gaits[0] == gait:
            for limb in range(4):
                if now.contacts[0, limb] and not before.contacts[0, limb]:
                    landings[limb].append(now.t_s)
    reference = np.array(landings[2])
    assert len(reference) > 5
    table = GAITS[gait]
    for limb in range(4):
        phases = []
        for landing in landings[limb]:
            last = reference[reference <= landing + 1e-9]
            if len(last) and landing - last[-1] < 1.0 / table.stride_hz:
                phases.append((landing - last[-1]) * table.stride_hz)
        expected = (table.contact_phase[limb] - table.contact_phase[2]) % 1.0
        error = (np.median(np.exp(2j * np.pi * (np.array(phases) - expected)).real), len(phases))
        assert error[0] > 0.9, (limb, phases[:5], expected)


def test_posts_and_nearer_horses_hide_landmarks() -> None:
    barn = SimulatedBarn("paddock")
    post = barn.camera.posts[0]
    hidden_by_post = hidden_by_horse = 0
    for t_s in np.arange(0.0, 120.0, 2.1):
        truth = barn.truth_at(float(t_s))
        x = truth.keypoints_px[..., 0]
        behind = (x >= post.left_px) & (x < post.right_px)
        hidden_by_post += int(behind.sum())
        assert not (truth.visible & behind).any()
        hidden_by_horse += int((~truth.visible[:, 0] & ~behind[:, 0] & (x[:, 0] > 0)).sum())
    assert hidden_by_post > 20
    assert hidden_by_horse > 0


def test_light_changes_indoors() -> None:
    bright = SimulatedBarn("aisle", horses=0).picture_at(5.0).mean()
    dim = SimulatedBarn("aisle", horses=0).picture_at(45.0).mean()
    assert dim < 0.75 * bright


def test_backgrounds_are_shared_and_safe() -> None:
    empty = background("stall")
    assert empty is background("stall")
    with pytest.raises(ValueError):
        empty[0, 0] = 0


def test_addresses() -> None:
    assert len(simulated_barn("simulated:paddock").truth_at(0.0).ids) == 4
    assert len(simulated_barn("simulated:arena?seed=3&horses=7").truth_at(0.0).ids) == 7
    ids = [i for name in CAMERAS for i in SimulatedBarn(name).truth_at(0.0).ids]
    assert len(set(ids)) == len(ids)
    for wrong in ("simulated:moon", "simulated:stall?colour=red", "simulated:stall?horses=99"):
        with pytest.raises(OperatorMistake):
            simulated_barn(wrong)
