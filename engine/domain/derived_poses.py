"""Poses of one skeleton from those of another: which landmarks are the same, which are derived."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.domain.errors import Bug
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import AP10K, EQUINE26, Skeleton


@dataclass(frozen=True)
class Derivation:
    """How each landmark of ``target`` comes from landmarks of ``source``.

    parts: for each landmark of ``target`` its (source landmark, weight) pairs. Weights sum to 1, so
    the derived point moves, turns and grows with the horse. Raises Bug otherwise.
    """

    source: Skeleton
    target: Skeleton
    parts: tuple[tuple[tuple[int, float], ...], ...]

    def __post_init__(self) -> None:
        count = len(self.source.landmarks)
        known = all(0 <= index < count for part in self.parts for index, _ in part)
        whole = all(abs(sum(w for _, w in part) - 1.0) < 1e-9 for part in self.parts)
        if len(self.parts) != len(self.target.landmarks) or not known or not whole:
            raise Bug(f"{self.target.name} cannot be derived from {self.source.name} like this")

    @property
    def derived(self) -> tuple[str, ...]:
        """Landmarks of the target that the source does not have; they are put together from its
        others and never as good as labelled ones."""
        return tuple(
            name
            for name, part in zip(self.target.landmarks, self.parts, strict=True)
            if len(part) > 1
        )

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """(target, source) names of landmarks that are the same place under another name."""
        pairs = [
            (name, self.source.landmarks[part[0][0]])
            for name, part in zip(self.target.landmarks, self.parts, strict=True)
            if len(part) == 1
        ]
        return tuple((ours, theirs) for ours, theirs in pairs if ours != theirs)

    def apply(self, poses: PoseBatch) -> PoseBatch:
        """The same N poses for ``target``. A derived landmark is as sure as the least sure landmark
        it comes from. Raises Bug when the poses are of another skeleton."""
        if poses.skeleton != self.source:
            raise Bug(f"poses of {poses.skeleton.name} are not of {self.source.name}")
        weights = np.zeros((len(self.parts), len(self.source.landmarks)), np.float32)
        for row, part in enumerate(self.parts):
            for index, weight in part:
                weights[row, index] = weight
        keypoints = np.einsum("ks,nsd->nkd", weights, poses.keypoints_px).astype(np.float32)
        scores = np.stack(
            [poses.scores[:, [index for index, _ in part]].min(axis=1) for part in self.parts],
            axis=1,
        )
        return PoseBatch(keypoints, scores, self.target)


def _same(*roles: str) -> tuple[tuple[tuple[int, float], ...], ...]:
    return tuple(((EQUINE26.index_by_role[role], 1.0),) for role in roles)


AP10K_FROM_EQUINE26 = Derivation(
    source=EQUINE26,
    target=AP10K,
    parts=(
        *_same("eye_left", "eye_right", "nose"),
        # The base of the neck, which equine26 has not. The weights were read off the two pictures
        # of AP-10K that its makers publish as examples; with two pictures, no error can be stated.
        tuple(
            (EQUINE26.index_by_role[role], weight)
            for role, weight in (
                ("withers", 0.55), ("throat", 0.25), ("elbow_left", 0.1), ("elbow_right", 0.1)
            )
        ),
        *_same(
            "tail_root",
            "elbow_left", "carpus_left", "hoof_left_front",
            "elbow_right", "carpus_right", "hoof_right_front",
            "stifle_left", "hock_left", "hoof_left_hind",
            "stifle_right", "hock_right", "hoof_right_hind",
        ),
    ),
)  # fmt: skip
"""AP-10K's 17 points from equine26: sixteen are the same places, partly under other names, and the
neck is derived."""

DERIVATIONS = (AP10K_FROM_EQUINE26,)


def as_skeleton(poses: PoseBatch, target: Skeleton) -> PoseBatch:
    """The poses for ``target``: themselves, or derived; Bug when there is no way."""
    if poses.skeleton == target:
        return poses
    for derivation in DERIVATIONS:
        if derivation.source == poses.skeleton and derivation.target == target:
            return derivation.apply(poses)
    raise Bug(f"{target.name} cannot be derived from {poses.skeleton.name}")
