"""Drawing skins into a picture: faces sorted by distance, lit, smoothed, with soft edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image
from engine.simulation.cameras import NEAR_M, SimulatedCamera
from engine.simulation.gaits import Floats
from engine.simulation.lighting import Light
from engine.simulation.meshes import Mesh

_SHIFT = 4
"""Corners carry 4 fractional bits, so that horses glide instead of jumping by whole pixels."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One body to draw: mesh, colours (M, 3), its rings (R, 3) each, and dots like eyes: site
    position, outward direction, radius in metres. smooth_m: how far neighbouring faces' colours run
    into each other."""

    mesh: Mesh
    colours: Floats
    centres: Floats
    up: Floats
    wide: Floats
    dots: tuple[tuple[Floats, Floats, float], ...] = ()
    gloss: float = 0.25
    smooth_m: float = 0.011


def draw_figure(picture: Image, camera: SimulatedCamera, figure: Figure, light: Light) -> None:
    """Draw one body over a writable picture."""
    corners = figure.mesh.corners(figure.centres, figure.up, figure.wide)
    seen = camera.to_camera(corners)
    pixels = np.asarray(camera.to_pixels(seen))
    quads_px, quads_m = pixels[figure.mesh.faces], corners[figure.mesh.faces]
    depth = seen[:, 2][figure.mesh.faces]
    first, second = quads_px[:, 2] - quads_px[:, 0], quads_px[:, 3] - quads_px[:, 1]
    facing = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] < 0
    shown = np.nonzero(facing & (depth.min(axis=1) > NEAR_M))[0]
    if not len(shown):
        return
    left, top = np.floor(quads_px[shown].min(axis=(0, 1))).astype(int) - 3
    right, bottom = np.ceil(quads_px[shown].max(axis=(0, 1))).astype(int) + 4
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, camera.width_px), min(bottom, camera.height_px)
    if right - left < 2 or bottom - top < 2:
        return
    shown = shown[np.argsort(figure.mesh.nearer_m[shown] - depth[shown].mean(axis=1))]
    lit = _lit(figure, quads_m[shown], shown, camera, light)
    corners_fixed = np.round((quads_px[shown] - (left, top)) * (1 << _SHIFT)).astype(np.int32)
    corners_fixed = np.clip(corners_fixed, -(1 << 18), 1 << 18)
    canvas = np.empty((bottom - top, right - left, 4), np.uint8)
    canvas[:] = (*lit[:, :3].mean(axis=0).astype(int).tolist(), 0)
    paint = cv2.fillConvexPoly
    for corners_of, colour in zip(corners_fixed, lit.tolist(), strict=True):
        paint(canvas, corners_of, colour, cv2.LINE_8, _SHIFT)
    scale = camera.focal_px / float(depth[shown].mean())
    _dots(canvas, camera, figure, scale, (left, top))
    _lay_over(picture[top:bottom, left:right], canvas, figure.smooth_m * scale)


def _lit(
    figure: Figure,
    quads_m: Floats,
    shown: NDArray[np.int64],
    camera: SimulatedCamera,
    light: Light,
) -> Floats:
    """Colours of faces under the light, float64 (M, 4) with full opacity."""
    normal = _cross(quads_m[:, 2] - quads_m[:, 0], quads_m[:, 3] - quads_m[:, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    view = camera.position_m - quads_m.mean(axis=1)
    view /= np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-9)
    normal *= np.sign((normal * view).sum(axis=1, keepdims=True) + 1e-9)
    sky = 0.72 + 0.28 * normal[:, 2]
    direct = np.clip(normal @ light.towards, 0.0, 1.0)
    half = view + light.towards
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9)
    shine = figure.gloss * np.clip((normal * half).sum(axis=1), 0, 1) ** 14 * light.direct
    tone = light.ambient * sky + light.direct * direct
    colours = figure.colours[shown] * tone[:, None] + 70.0 * shine[:, None]
    lit = np.full((len(colours), 4), 255.0)
    lit[:, :3] = np.clip(colours * np.array(light.tint), 0, 255)
    return lit


def _cross(a: Floats, b: Floats) -> Floats:
    """Cross products of rows, (M, 3); numpy's own is slow for few rows."""
    ax, ay, az = a.T
    bx, by, bz = b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def _dots(
    canvas: Image, camera: SimulatedCamera, figure: Figure, scale: float, corner: tuple[int, int]
) -> None:
    for spot, outward, radius_m in figure.dots:
        towards = camera.position_m - spot
        if float(outward @ towards) < 0.12 * float(np.linalg.norm(towards)):
            continue
        x, y = np.asarray(camera.project(spot[None]))[0] - corner
        radius = max(radius_m * scale, 0.6)
        centre = (round(float(x) * 16), round(float(y) * 16))
        cv2.circle(canvas, centre, round(radius * 16), (14, 14, 16, 255), -1, cv2.LINE_AA, _SHIFT)


def _lay_over(part: Image, canvas: Image, smooth_px: float) -> None:
    """Blend a figure over its part of the picture: smooth skin, soft outline."""
    sigma = min(max(smooth_px, 0.45), 2.4)
    alpha = cv2.blur(canvas[..., 3], (3, 3))
    weight = alpha.astype(np.float32) * np.float32(1 / 255)
    skin = cv2.GaussianBlur(canvas[..., :3], (0, 0), sigma)
    cv2.blendLinear(skin, part, weight, 1 - weight, dst=part)


def shade_ground(
    picture: Image,
    camera: SimulatedCamera,
    centres: Floats,
    radii_m: Floats,
    links: NDArray[np.int64],
    light: Light,
) -> None:
    """The shadow of a body's links on the ground, site z = 0."""
    if light.shadow <= 0.02:
        return
    slope = light.towards[:2] / max(float(light.towards[2]), 0.35)
    ground = centres.copy()
    ground[:, :2] -= centres[:, 2:3] * slope
    ground[:, 2] = 0.0
    seen = camera.to_camera(ground)
    if (seen[:, 2] < 1.0).any():
        return
    pixels = np.asarray(camera.to_pixels(seen))
    size = radii_m * camera.focal_px / seen[:, 2] * 0.8
    low = np.floor((pixels - size[:, None]).min(axis=0)).astype(int) - 6
    high = np.ceil((pixels + size[:, None]).max(axis=0)).astype(int) + 7
    left, top = max(int(low[0]), 0), max(int(low[1]), 0)
    right, bottom = min(int(high[0]), camera.width_px), min(int(high[1]), camera.height_px)
    if right - left < 4 or bottom - top < 4:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    fixed = np.clip(np.round((pixels - (left, top)) * 16), -(1 << 18), 1 << 18).astype(int).tolist()
    flat = float(np.clip(np.median(camera.z_m / seen[:, 2]), 0.15, 0.9))
    for one, other in links.tolist():
        thick = max(round(float(size[one] + size[other]) * (0.35 + flat)), 1)
        cv2.line(mask, fixed[one], fixed[other], 255, min(thick, 200), cv2.LINE_8, _SHIFT)
    blur = max(0.05 * camera.focal_px / float(seen[:, 2].mean()), 1.0)
    mask = np.asarray(cv2.blur(mask, (int(blur) * 2 + 1,) * 2), np.uint8)
    weight = mask.astype(np.float32) * np.float32(light.shadow / 255)
    part = picture[top:bottom, left:right]
    cv2.blendLinear(np.full_like(part, (22, 24, 26)), part, weight, 1 - weight, dst=part)
