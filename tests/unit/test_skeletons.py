"""Skeletons are consistent data, and a role means the same place in all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.domain.derived_poses import AP10K_FROM_EQUINE26, as_skeleton
from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import AP10K, EQUINE26, GAIT28, LIMBS, SKELETONS, Skeleton

ALL = pytest.mark.parametrize("skeleton", list(SKELETONS.values()), ids=lambda s: s.name)

HIND_LEG = ("stifle_left", "hock_left", "hoof_left_hind")
FORE_LEG = ("elbow_right", "carpus_right", "hoof_right_front")


@ALL
def test_mirroring_twice_changes_nothing_and_swaps_every_side(skeleton: Skeleton) -> None:
    order = skeleton.flip_order
    assert [order[index] for index in order] == list(range(len(skeleton.landmarks)))
    for role, index in skeleton.roles:
        for here, there in (("left", "right"), ("right", "left")):
            if here in role.split("_"):
                assert order[index] == skeleton.index_by_role[role.replace(here, there)], role


@ALL
def test_landmarks_are_named_once_and_bones_join_them_all(skeleton: Skeleton) -> None:
    assert len(set(skeleton.landmarks)) == len(skeleton.landmarks)
    reached, before = {0}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {b for pair in skeleton.bones for b in pair if reached & set(pair)}
    assert reached == set(range(len(skeleton.landmarks)))
    assert all(0.02 <= sigma <= 0.11 for sigma in skeleton.sigmas)


@ALL
def test_gait_can_be_seen_on_every_skeleton(skeleton: Skeleton) -> None:
    limbs = [f"hoof_{limb}" for limb in LIMBS]
    assert skeleton.missing(*limbs, *HIND_LEG, *FORE_LEG, "nose", "tail_root") == ()


def test_a_skeleton_says_what_an_analysis_would_miss() -> None:
    needed = ("poll", "withers", "croup", "hoof_left_hind")
    assert AP10K.missing(*needed) == ("poll", "withers", "croup")
    assert EQUINE26.missing(*needed) == ()
    assert GAIT28.missing(*needed, "eye_left") == ("eye_left",)
    assert [s.name for s in SKELETONS.values() if not s.sides_known] == ["gait28"]


def test_wrong_skeletons_are_refused() -> None:
    for wrong in (
        {"roles": (*AP10K.roles, ("knee_of_the_bee", 0))},
        {"roles": (*AP10K.roles, ("nose", 3))},
        {"bones": ((0, 17),)},
        {"sigmas": AP10K.sigmas[1:]},
    ):
        with pytest.raises(Bug, match="ap10k"):
            replace(AP10K, **wrong)


def test_the_spec_order_of_both_model_skeletons_stands() -> None:
    assert (AP10K.landmarks[3], AP10K.landmarks[13]) == ("neck", "left_back_paw")
    assert (EQUINE26.landmarks[8], EQUINE26.landmarks[22]) == ("hip", "left_front_hoof")


# --- AP-10K from equine26 ------------------------------------------------------------------------


def some_poses() -> PoseBatch:
    """Four poses of equine26 whose points lie anywhere."""
    chance = np.random.default_rng(4)
    points = chance.uniform(0, 500, (4, 26, 2)).astype(np.float32)
    return PoseBatch(points, np.full((4, 26), 0.9, np.float32), EQUINE26)


def angles(poses: PoseBatch, roles: tuple[str, str, str]) -> FloatArray:
    """The angle at the middle role, degrees."""
    a, b, c = (poses.keypoints_px[:, poses.skeleton.index_by_role[role]] for role in roles)
    u, v = a - b, c - b
    cosine = (u * v).sum(axis=1) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1))
    degrees: FloatArray = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return degrees


def test_analyses_by_role_agree_on_both_skeletons() -> None:
    equine = some_poses()
    ap10k = as_skeleton(equine, AP10K)
    assert ap10k.skeleton is AP10K
    for roles in (HIND_LEG, FORE_LEG):
        np.testing.assert_array_equal(angles(ap10k, roles), angles(equine, roles))
    shared_roles = set(AP10K.index_by_role) & set(EQUINE26.index_by_role)
    assert len(shared_roles) == 16
    for role in shared_roles:
        np.testing.assert_array_equal(
            ap10k.keypoints_px[:, AP10K.index_by_role[role]],
            equine.keypoints_px[:, EQUINE26.index_by_role[role]],
        )


def test_only_the_neck_is_derived_and_the_others_are_named() -> None:
    assert AP10K_FROM_EQUINE26.derived == ("neck",)
    renamed = dict(AP10K_FROM_EQUINE26.renamed)
    assert renamed["left_shoulder"] == "left_elbow"
    assert renamed["right_back_paw"] == "right_hind_hoof"
    assert "nose" not in renamed


def test_a_derived_point_moves_turns_and_grows_with_the_horse_and_is_never_surer() -> None:
    equine = some_poses()
    scores = equine.scores.copy()
    scores[:, EQUINE26.index_by_role["throat"]] = 0.2
    turn = 2.5 * np.array([[0.8, -0.6], [0.6, 0.8]], np.float32)
    moved = PoseBatch(equine.keypoints_px @ turn.T + [30.0, -70.0], scores, EQUINE26)
    neck = AP10K.index_by_role["neck"]
    before = as_skeleton(equine, AP10K).keypoints_px[:, neck]
    after = as_skeleton(moved, AP10K)
    expected = before @ turn.T + [30.0, -70.0]
    np.testing.assert_allclose(after.keypoints_px[:, neck], expected, atol=0.01)
    np.testing.assert_array_equal(after.scores[:, neck], np.float32(0.2))


def test_what_cannot_be_derived_is_refused() -> None:
    poses = as_skeleton(some_poses(), AP10K)
    with pytest.raises(Bug, match="equine26 cannot be derived from ap10k"):
        as_skeleton(poses, EQUINE26)
    with pytest.raises(Bug, match="not of equine26"):
        AP10K_FROM_EQUINE26.apply(poses)
    assert as_skeleton(poses, AP10K) is poses


def test_the_neck_lies_where_ap10k_labels_it(shared: Path) -> None:
    """On AP-10K's antelope, read as a horse with withers and throat marked by hand."""
    document = json.loads((shared / "data/pose_mmpose/test_ap10k.json").read_text())
    labels = next(a for a in document["annotations"] if a["image_id"] == 4)
    ap10k = np.array(labels["keypoints"], np.float32).reshape(17, 3)[:, :2]
    equine = np.zeros((1, 26, 2), np.float32)
    for role, index in AP10K.roles:
        if role in EQUINE26.index_by_role:
            equine[0, EQUINE26.index_by_role[role]] = ap10k[index]
    equine[0, EQUINE26.index_by_role["withers"]] = 603, 252
    equine[0, EQUINE26.index_by_role["throat"]] = 522, 378
    poses = PoseBatch(equine, np.ones((1, 26), np.float32), EQUINE26)
    neck = as_skeleton(poses, AP10K).keypoints_px[0, AP10K.index_by_role["neck"]]
    extent = float(np.ptp(ap10k, axis=0).max())
    assert np.hypot(*(neck - ap10k[3])) < 0.1 * extent


# --- the gait sequences --------------------------------------------------------------------------


def test_the_roles_of_the_gait_sequences_are_where_a_horse_has_them(shared: Path) -> None:
    for path in sorted((shared / "data" / "gait_skeletons").glob("*/*.json"))[::4]:
        document = json.loads(path.read_text())
        assert tuple(document["categories"][0]["keypoints"]) == GAIT28.landmarks
        marks = np.array([a["keypoints"] for a in document["annotations"]], np.float32)
        points = np.where(marks.reshape(-1, 28, 3)[..., 2:] > 0, marks.reshape(-1, 28, 3), np.nan)
        x, y = (dict(zip(GAIT28.landmarks, np.nanmedian(points[..., c], axis=0), strict=True))
                for c in (0, 1))  # fmt: skip
        at = {role: GAIT28.landmarks[index] for role, index in GAIT28.roles}
        for side in ("left", "right"):
            fore = ("withers", f"shoulder_{side}", f"elbow_{side}", f"carpus_{side}",
                    f"fetlock_{side}_front", f"hoof_{side}_front")  # fmt: skip
            hind = ("croup", f"hip_{side}", f"stifle_{side}", f"hock_{side}",
                    f"fetlock_{side}_hind", f"hoof_{side}_hind")  # fmt: skip
            for chain in (fore, hind):
                heights = [float(y[at[role]]) for role in chain]
                assert heights == sorted(heights), (path.name, chain, heights)
        along = [float(x[at[role]]) for role in ("nose", "withers", "croup", "tail_root")]
        assert along in (sorted(along), sorted(along, reverse=True)), path.name
