"""Skeletons as data: landmarks, bones, left/right pairs and anatomical roles.

Analyses ask for landmarks by role, never by index, and say which role was missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from engine.domain.errors import Bug

MIDDLE_ROLES = ("nose", "poll", "throat", "neck", "withers", "croup", "tail_root")
"""Roles of landmarks in the horse's middle plane. Neck is the base of the neck, in front of and
below the withers; croup its highest point over the hip."""

SIDE_ROLES = (
    "eye", "ear", "shoulder", "elbow", "carpus", "hip", "stifle", "hock",
)  # fmt: skip
"""Roles that end in _left and _right. Shoulder is the point of the shoulder, hip the point of the
buttock below the tail: joints of the trunk, above elbow and stifle."""

LIMBS = ("left_front", "right_front", "left_hind", "right_hind")
LIMB_ROLES = ("fetlock", "hoof")
"""Roles that end in a limb: ``hoof_left_front``."""

ROLES = frozenset(
    (
        *MIDDLE_ROLES,
        *(f"{role}_{side}" for role in SIDE_ROLES for side in ("left", "right")),
        *(f"{role}_{limb}" for role in LIMB_ROLES for limb in LIMBS),
    )
)
"""Every role an analysis may ask for."""


@dataclass(frozen=True)
class Skeleton:
    """A named set of landmarks.

    landmarks: names in model output order. bones: index pairs to draw. pairs: (left, right) index
    pairs exchanged when a picture is mirrored. roles: anatomical role (of ROLES) -> landmark index.
    sigmas: OKS fall-off per landmark (fraction of the square root of the object's area).
    """

    name: str
    landmarks: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[int, int], ...]
    roles: tuple[tuple[str, int], ...]
    sigmas: tuple[float, ...]
    sides_known: bool = True
    """False: the two sides are told apart, but which of them is the left one is not known. Then
    left and right in roles and pairs only mean one side and the other."""

    def __post_init__(self) -> None:
        count = len(self.landmarks)
        indices = [i for pair in (*self.bones, *self.pairs) for i in pair]
        indices += [index for _, index in self.roles]
        if len(self.sigmas) != count or any(not 0 <= i < count for i in indices):
            raise Bug(f"skeleton {self.name} is inconsistent")
        names = [role for role, _ in self.roles]
        if len(set(names)) != len(names) or not set(names) <= ROLES:
            raise Bug(f"skeleton {self.name} gives a role twice or one that nobody asks for")

    @cached_property
    def index_by_role(self) -> dict[str, int]:
        """Role name to landmark index."""
        return dict(self.roles)

    def missing(self, *roles: str) -> tuple[str, ...]:
        """Those of the roles that no landmark has: an analysis that needs them cannot run."""
        return tuple(role for role in roles if role not in self.index_by_role)

    @cached_property
    def flip_order(self) -> tuple[int, ...]:
        """Landmark order after mirroring the picture left to right."""
        order = list(range(len(self.landmarks)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)


AP10K = Skeleton(
    name="ap10k",
    landmarks=(
        "left_eye", "right_eye", "nose", "neck", "root_of_tail",
        "left_shoulder", "left_elbow", "left_front_paw",
        "right_shoulder", "right_elbow", "right_front_paw",
        "left_hip", "left_knee", "left_back_paw",
        "right_hip", "right_knee", "right_back_paw",
    ),
    bones=(
        (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (5, 6), (6, 7), (3, 8), (8, 9), (9, 10),
        (4, 11), (11, 12), (12, 13), (4, 14), (14, 15), (15, 16),
    ),
    pairs=((0, 1), (5, 8), (6, 9), (7, 10), (11, 14), (12, 15), (13, 16)),
    roles=(
        ("eye_left", 0), ("eye_right", 1), ("nose", 2), ("neck", 3), ("tail_root", 4),
        ("elbow_left", 5), ("carpus_left", 6), ("hoof_left_front", 7),
        ("elbow_right", 8), ("carpus_right", 9), ("hoof_right_front", 10),
        ("stifle_left", 11), ("hock_left", 12), ("hoof_left_hind", 13),
        ("stifle_right", 14), ("hock_right", 15), ("hoof_right_hind", 16),
    ),
    # Published with the AP-10K benchmark (Yu et al. 2021).
    sigmas=(
        0.025, 0.025, 0.026, 0.035, 0.035, 0.079, 0.072, 0.062, 0.079, 0.072, 0.062,
        0.107, 0.087, 0.089, 0.107, 0.087, 0.089,
    ),
)  # fmt: skip
"""AP-10K's 17 landmarks. Its names are those of a person on all fours: what it calls shoulder,
elbow and paw is labelled at a quadruped's elbow, carpus and hoof, and hip, knee and paw at its
stifle, hock and hoof. The roles say where the points are, not what the set calls them."""

EQUINE26 = Skeleton(
    name="equine26",
    landmarks=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "poll", "throat", "withers",
        "hip", "tail_base", "left_elbow", "right_elbow", "left_stifle", "right_stifle",
        "left_carpus", "right_carpus", "left_hock", "right_hock",
        "left_front_fetlock", "right_front_fetlock", "left_hind_fetlock", "right_hind_fetlock",
        "left_front_hoof", "right_front_hoof", "left_hind_hoof", "right_hind_hoof",
    ),
    bones=(
        (0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (0, 6), (5, 7), (7, 8), (8, 9),
        (7, 10), (7, 11), (10, 14), (11, 15), (14, 18), (15, 19), (18, 22), (19, 23),
        (8, 12), (8, 13), (12, 16), (13, 17), (16, 20), (17, 21), (20, 24), (21, 25),
    ),
    pairs=(
        (1, 2), (3, 4), (10, 11), (12, 13), (14, 15), (16, 17), (18, 19), (20, 21), (22, 23),
        (24, 25),
    ),
    roles=(
        ("nose", 0), ("eye_left", 1), ("eye_right", 2), ("ear_left", 3), ("ear_right", 4),
        ("poll", 5), ("throat", 6), ("withers", 7), ("croup", 8), ("tail_root", 9),
        ("elbow_left", 10), ("elbow_right", 11), ("stifle_left", 12), ("stifle_right", 13),
        ("carpus_left", 14), ("carpus_right", 15), ("hock_left", 16), ("hock_right", 17),
        ("fetlock_left_front", 18), ("fetlock_right_front", 19),
        ("fetlock_left_hind", 20), ("fetlock_right_hind", 21),
        ("hoof_left_front", 22), ("hoof_right_front", 23),
        ("hoof_left_hind", 24), ("hoof_right_hind", 25),
    ),
    # No published sigmas exist for this set; AP-10K's value of the nearest landmark is used.
    sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.035, 0.035, 0.035, 0.079, 0.035, 0.079, 0.079,
        0.107, 0.107, 0.072, 0.072, 0.087, 0.087, 0.072, 0.072, 0.087, 0.087, 0.062, 0.062,
        0.089, 0.089,
    ),
)  # fmt: skip
"""The project's own 26 landmarks, the union of the sets its pose model is trained on."""

GAIT28 = Skeleton(
    name="gait28",
    landmarks=(
        "T1", "T2", "A8", "A7_1", "A7", "A6", "A5", "A3", "A1", "A6_1", "A5_1", "A3_1", "A1_1",
        "A10", "P9", "P9_1", "P7", "P5", "P3", "P1", "P7_1", "P5_1", "P3_1", "P1_1",
        "Q1", "Q2", "Q3", "Q4",
    ),
    bones=(
        (0, 1), (1, 2), (2, 4), (2, 3), (4, 5), (5, 6), (6, 7), (7, 8), (3, 9), (9, 10), (10, 11),
        (11, 12), (2, 13), (13, 14), (13, 15), (14, 16), (16, 17), (17, 18), (18, 19), (15, 20),
        (20, 21), (21, 22), (22, 23), (13, 24), (24, 25), (25, 26), (26, 27),
    ),
    pairs=(
        (4, 3), (5, 9), (6, 10), (7, 11), (8, 12), (14, 15), (16, 20), (17, 21), (18, 22), (19, 23),
    ),
    roles=(
        ("nose", 0), ("poll", 1), ("withers", 2), ("croup", 13), ("tail_root", 24),
        ("shoulder_left", 4), ("elbow_left", 5), ("carpus_left", 6),
        ("fetlock_left_front", 7), ("hoof_left_front", 8),
        ("shoulder_right", 3), ("elbow_right", 9), ("carpus_right", 10),
        ("fetlock_right_front", 11), ("hoof_right_front", 12),
        ("hip_left", 14), ("stifle_left", 16), ("hock_left", 17),
        ("fetlock_left_hind", 18), ("hoof_left_hind", 19),
        ("hip_right", 15), ("stifle_right", 20), ("hock_right", 21),
        ("fetlock_right_hind", 22), ("hoof_right_hind", 23),
    ),
    # No published sigmas exist for this set; AP-10K's value of the nearest landmark is used.
    sigmas=(
        0.026, 0.035, 0.035, 0.079, 0.079, 0.079, 0.072, 0.072, 0.062, 0.079, 0.072, 0.072, 0.062,
        0.079, 0.107, 0.107, 0.107, 0.087, 0.087, 0.089, 0.107, 0.087, 0.087, 0.089,
        0.035, 0.035, 0.035, 0.035,
    ),
    sides_known=False,
)  # fmt: skip
"""28 landmarks of published gait sequences that come without pictures, under the names of their
files: T head, A fore limbs and back, P hind limbs, Q tail, ``_1`` the other side. The limbs were
read off the places of the points; which side is the left one is not stated."""

SKELETONS: dict[str, Skeleton] = {s.name: s for s in (AP10K, EQUINE26, GAIT28)}
