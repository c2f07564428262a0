"""Painting a horse's skin: coat, points, mane, patches and markings, face by face."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.simulation.gaits import LIMBS, Floats
from engine.simulation.looks import HOOF, WHITE, FaceMark, Look, Pattern
from engine.simulation.meshes import Mesh, horse_mesh, rest_middles

Bools = NDArray[np.bool_]


@lru_cache(maxsize=64)
def skin_colours(look: Look, fine: bool) -> Floats:
    """Colours of the faces of ``horse_mesh(fine)``, float64 (M, 3) BGR, before light; read-only."""
    mesh = horse_mesh(fine)
    middle = rest_middles(mesh)
    colours = np.empty((len(mesh.faces), 3))
    names = np.array([skin.name for skin in mesh.skins])[mesh.table.part]
    colours[:] = look.body
    _patch(colours, look, middle, names)
    hair = np.isin(names, ("mane", "tail", "forelock"))
    colours[hair] = look.mane
    if look.pattern is Pattern.PINTO:
        colours[np.isin(names, ("mane",)) & (_noise(middle, 0.9, look.grain) > 0.2)] = WHITE
    _paint_head(colours, look, mesh, names)
    _paint_legs(colours, look, middle, mesh, names)
    colours *= _muscles(middle, names)[:, None]
    grain = np.random.default_rng(look.grain).normal(1.0, 0.028, (len(colours), 1))
    grain[hair] += np.random.default_rng(3).normal(0.0, 0.10, (int(hair.sum()), 1))
    colours *= grain
    colours.setflags(write=False)
    return colours


def _muscles(middle: Floats, names: NDArray[np.str_]) -> Floats:
    """Light and shade that make shoulder and thigh stand out from the barrel, factors (M,)."""
    x, z = middle[:, 0], middle[:, 2]
    flank = x - (-0.20 - 0.55 * (z - 1.10))
    girth = x - (0.20 + 0.35 * (z - 1.15))
    low = np.clip((1.50 - z) / 0.25, 0.0, 1.0)
    shade = 0.34 * np.exp(-((flank / 0.075) ** 2)) + 0.30 * np.exp(-((girth / 0.065) ** 2))
    bulge = np.exp(-(((x + 0.52) / 0.20) ** 2) - ((z - 1.18) / 0.22) ** 2)
    bulge += np.exp(-(((x - 0.45) / 0.16) ** 2) - ((z - 1.18) / 0.22) ** 2)
    trunk = 1.0 - shade * low + 0.16 * bulge
    legs = 1.0 + 0.16 * np.clip((z - 0.75) / 0.2, 0.0, 1.0)
    return np.where(names == "trunk", trunk, np.where(np.isin(names, LIMBS), legs, 1.0))


def _noise(points: Floats, grain_m: float, seed: int) -> Floats:
    """Smooth random numbers of about unit spread; blots have about ``grain_m``."""
    chance = np.random.default_rng(seed)
    waves = chance.normal(0.0, 2.2 / grain_m, (9, 3)) * np.array([1.0, 1.3, 1.0])
    return np.asarray(
        np.cos(points @ waves.T + chance.uniform(0, 2 * np.pi, 9)).sum(axis=1) * (2 / 9) ** 0.5
    )


def _patch(colours: Floats, look: Look, middle: Floats, names: NDArray[np.str_]) -> None:
    belly = np.clip((1.02 - middle[:, 2]) / 0.3, 0.0, 1.0) * (names == "trunk")
    colours *= (1.0 + 0.10 * belly)[:, None]
    if look.pattern is Pattern.PINTO:
        trunk = np.isin(names, ("trunk", "neck"))
        colours[(_noise(middle, 0.75, look.grain) > 0.05) & trunk] = WHITE
        low = np.isin(names, LIMBS) & (_noise(middle, 0.75, look.grain) > 0.05)
        colours[low] = WHITE
    elif look.pattern is Pattern.APPALOOSA:
        edge = -0.10 + 0.14 * _noise(middle, 0.5, look.grain + 1)
        blanket = (middle[:, 0] < edge) & (middle[:, 2] > 0.75)
        spots = _noise(middle, 0.11, look.grain + 2) > 1.0
        colours[blanket] = WHITE
        colours[blanket & spots] = look.body
        flecks = ~blanket & (_noise(middle, 0.09, look.grain + 3) > 1.5) & (names == "trunk")
        colours[flecks] = WHITE
    elif look.pattern is Pattern.DAPPLE:
        rings = _noise(middle, 0.13, look.grain)
        dark = np.clip(0.90 - 0.09 * np.clip(rings, -1, 1), 0.0, 1.0)
        colours *= dark[:, None]
        legs = np.isin(names, LIMBS)
        colours[legs] *= 0.82


def _paint_head(colours: Floats, look: Look, mesh: Mesh, names: NDArray[np.str_]) -> None:
    head = names == "head"
    along, around = mesh.table.along, mesh.table.around
    front = np.abs((around + np.pi) % (2 * np.pi) - np.pi)
    muzzle = head & (along > 0.80)
    dark = 0.62 if sum(look.body) > 240 else 0.8
    colours[muzzle] *= dark
    mark = {
        FaceMark.NONE: np.zeros(len(along), np.bool_),
        FaceMark.STAR: (along > 0.26) & (along < 0.40) & (front < 0.42),
        FaceMark.STRIPE: (along > 0.24) & (along < 0.84) & (front < 0.25),
        FaceMark.BLAZE: (along > 0.22) & (along < 0.94) & (front < 0.62),
    }[look.face]
    colours[head & mark] = WHITE


def _paint_legs(
    colours: Floats, look: Look, middle: Floats, mesh: Mesh, names: NDArray[np.str_]
) -> None:
    for limb, name in enumerate(LIMBS):
        leg = names == name
        height = middle[:, 2]
        fade = np.clip((0.62 - height) / 0.16, 0.0, 1.0)[:, None]
        pointed = colours * (1 - fade) + np.array(look.points) * fade
        if look.pattern is not Pattern.PINTO:
            colours[leg] = pointed[leg]
        colours[leg & (height < look.socks[limb])] = WHITE
        colours[leg & (mesh.table.along > 0.80)] = HOOF
        colours[leg & (height < 0.075)] = HOOF
