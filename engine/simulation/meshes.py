"""Skins over rings: how the rings of a body become small four-cornered faces.

A mesh is fixed for a kind of body; its corners follow from any pose's rings by one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.simulation.anatomy import PARTS, Stance, bodies, trunk_section
from engine.simulation.gaits import STANCE_PASTERN_RAD, Floats
from engine.simulation.postures import REST_X_M, Posture

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Skin:
    """One surface: rings ``first`` to ``last`` (one past), spans between rings, corners around.

    ``open_start``: the first ring lies inside another skin and needs no lid.
    """

    name: str
    first: int
    last: int
    spans: int
    corners: int
    open_start: bool = False


@dataclass(frozen=True, slots=True)
class FaceTable:
    """What is known of M faces without a pose. part: index of the skin. along: 0..1 from the skin's
    first ring to its last. around: radians, 0 towards the ring's upper axis, rising to its wide
    axis."""

    part: Ints
    along: Floats
    around: Floats


_NEARER_M = {"neck": 0.14, "mane": 0.16, "head": 0.10, "forelock": 0.14}
"""Neck and mane grow out of the trunk; where their faces meet they are drawn over it."""


class Mesh:
    """Skins joined into one table of corners and faces.

    faces: int64 (M, 4), corner indices, counter-clockwise seen from outside. table: ``FaceTable``.
    nearer_m: float64 (M,), how much nearer than it is a face counts when faces are sorted.
    """

    def __init__(self, skins: Sequence[Skin]) -> None:
        self.skins = tuple(skins)
        self._maps: list[tuple[Floats, Floats, Floats]] = []
        faces, part, along, around = [], [], [], []
        base = 0
        for index, skin in enumerate(skins):
            weights, sizes = _interpolation(skin)
            angles = np.linspace(0.0, 2 * np.pi, skin.corners, endpoint=False)
            self._maps.append((weights, weights * sizes[:, None], angles))
            rows, corners = len(weights), skin.corners
            ring, corner = np.meshgrid(np.arange(rows - 1), np.arange(corners), indexing="ij")
            after = (corner + 1) % corners
            quad = np.stack(
                [ring * corners + corner, ring * corners + after,
                 (ring + 1) * corners + after, (ring + 1) * corners + corner], axis=-1,
            ).reshape(-1, 4)  # fmt: skip
            faces.append(quad + base)
            part.append(np.full(len(quad), index))
            along.append(((ring + 0.5) / (rows - 1)).reshape(-1))
            around.append(((corner + 0.5) / corners * 2 * np.pi).reshape(-1))
            base += rows * corners
        self.faces: Ints = np.concatenate(faces)
        self.table = FaceTable(np.concatenate(part), np.concatenate(along), np.concatenate(around))
        self.nearer_m = self._nearer()

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Leave out the other faces for good."""
        self.faces = self.faces[rows]
        table = self.table
        self.table = FaceTable(table.part[rows], table.along[rows], table.around[rows])
        self.nearer_m = self._nearer()

    def _nearer(self) -> Floats:
        return np.array([_NEARER_M.get(skin.name, 0.0) for skin in self.skins])[self.table.part]

    def corners(self, centres: Floats, up: Floats, wide: Floats) -> Floats:
        """Corner positions (C, 3) of one body from its rings, each (R, 3)."""
        made = []
        for skin, (weights, sized, angles) in zip(self.skins, self._maps, strict=True):
            rings = slice(skin.first, skin.last)
            middle, high, broad = weights @ centres[rings], sized @ up[rings], sized @ wide[rings]
            made.append(
                middle[:, None]
                + high[:, None] * np.cos(angles)[None, :, None]
                + broad[:, None] * np.sin(angles)[None, :, None]
            )
        return np.concatenate([part.reshape(-1, 3) for part in made])


def _interpolation(skin: Skin) -> tuple[Floats, Floats]:
    """Smooth (Catmull-Rom) weights of the rings for every finer ring, and its size factor: the ends
    are closed by rings that shrink to a point."""
    count = skin.last - skin.first
    places = np.linspace(0.0, count - 1.0, (count - 1) * skin.spans + 1)
    lid = [] if skin.open_start else [0.0, 0.0]
    places = np.concatenate([lid, places, [count - 1.0, count - 1.0]])
    sizes = np.ones(len(places))
    sizes[-2:] = 0.7, 0.02
    if lid:
        sizes[:2] = 0.02, 0.7
    weights = np.zeros((len(places), count))
    for row, place in enumerate(places):
        left = min(int(place), count - 2)
        share = place - left
        squared, cubed = share**2, share**3
        kernel = (
            (-cubed + 2 * squared - share) / 2,
            (3 * cubed - 5 * squared + 2) / 2,
            (-3 * cubed + 4 * squared + share) / 2,
            (cubed - squared) / 2,
        )
        for step, value in zip(range(-1, 3), kernel, strict=True):
            weights[row, min(max(left + step, 0), count - 1)] += value
    return weights, sizes


_FINE = {
    "trunk": (3, 18), "neck": (2, 14), "head": (3, 16), "mane": (2, 5), "tail": (2, 6),
    "left_ear": (1, 5), "right_ear": (1, 5), "forelock": (1, 4),
}  # fmt: skip
_COARSE = {
    "trunk": (2, 11), "neck": (2, 9), "head": (2, 10), "mane": (1, 4), "tail": (1, 5),
    "left_ear": (1, 4), "right_ear": (1, 4), "forelock": (1, 3),
}  # fmt: skip


@lru_cache(maxsize=2)
def horse_mesh(fine: bool) -> Mesh:
    """The horse's mesh for pictures near (fine) and far."""
    table, leg = (_FINE, (2, 8)) if fine else (_COARSE, (1, 5))
    skins = [
        Skin(part.name, part.first, part.last, *table.get(part.name, leg), part.limb >= 0)
        for part in PARTS
    ]
    mesh = Mesh(skins)
    mesh.keep(~_inside_trunk(mesh))
    return mesh


def rest_middles(mesh: Mesh) -> Floats:
    """Face middles of a standing horse: x forward, y left, z up, metres of a 1.60 m horse."""
    zero, one = np.zeros(1), np.ones(1)
    hoof = np.zeros((1, 4, 3))
    hoof[0, :, 0] = REST_X_M
    still = Posture(
        zero, zero, zero, zero, np.radians([38.0]), np.radians([-42.0]), zero, hoof,
        np.full((1, 4), STANCE_PASTERN_RAD), zero, zero, zero, np.ones((1, 4), np.bool_),
    )  # fmt: skip
    made = bodies(still, Stance(zero, zero, zero, one, one))
    corners = mesh.corners(made.centres[0], made.up[0], made.wide[0])
    return np.asarray(corners[mesh.faces].mean(axis=1))


def _inside_trunk(mesh: Mesh) -> NDArray[np.bool_]:
    """Faces of legs and neck that lie deep inside the trunk and would shine through it."""
    trunk = [skin.name for skin in mesh.skins].index("trunk")
    return np.asarray((mesh.table.part != trunk) & (out_of_trunk(rest_middles(mesh)) < 0.8))


def out_of_trunk(rest_m: Floats) -> Floats:
    """How far points of a standing horse (N, 3) are from the trunk's axis; 1 is on its skin."""
    axis_m, high_m, wide_m = trunk_section(rest_m[:, 0])
    return np.asarray(np.hypot((rest_m[:, 2] - axis_m) / high_m, rest_m[:, 1] / wide_m))
