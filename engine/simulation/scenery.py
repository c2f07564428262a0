"""The empty place behind the horses: panels of the site seen through each camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image
from engine.simulation.cameras import NEAR_M, SimulatedCamera
from engine.simulation.gaits import Floats
from engine.simulation.obstacles import BARS, Bar
from engine.simulation.textures import TEXTURES, Canvas

Point = tuple[float, float, float]
_BAR_COLOURS = {"wood": (58, 84, 112), "fence": (196, 202, 204), "steel": (128, 132, 134)}


@dataclass(frozen=True, slots=True)
class Panel:
    """A rectangle in the site: its corner, and the vectors along its texture's top edge and down
    its left edge, metres. per_m: texture pixels a metre. tone: brightness."""

    texture: str
    corner: Point
    across: Point
    down: Point
    per_m: float
    tone: float = 1.0


def _wall(
    texture: str, a: tuple[float, float], b: tuple[float, float], low: float, high: float,
    per_m: float, tone: float = 1.0,
) -> Panel:  # fmt: skip
    """An upright panel from a to b on the ground plan."""
    return Panel(
        texture, (*a, high), (b[0] - a[0], b[1] - a[1], 0.0), (0.0, 0.0, low - high), per_m, tone
    )


def _floor(
    texture: str, west: float, south: float, east: float, north: float, per_m: float,
    height: float = 0.0, tone: float = 1.0,
) -> Panel:  # fmt: skip
    return Panel(
        texture, (west, north, height), (east - west, 0.0, 0.0), (0.0, south - north, 0.0),
        per_m, tone,
    )  # fmt: skip


def _stall(west: float, east_camera: bool) -> tuple[Panel, ...]:
    """Inside a stall between y 2.0 and 6.2; the camera's own corner walls are behind it."""
    east, south, north = west + 4.2, 2.0, 6.2
    far = ((east, north), (east, south)) if not east_camera else ((west, south), (west, north))
    return (
        _floor("concrete", west - 4.0, -2.0, east + 4.0, south, 50.0),
        _floor("straw", west, south, east, north, 90.0),
        _wall("boards", (west, north), (east, north), 0.0, 3.2, 70.0),
        _wall("boards", *far, 0.0, 3.2, 70.0, 0.82),
        _wall("window", (west + 1.4, north - 0.02), (west + 2.8, north - 0.02), 1.7, 2.6, 60.0),
        _wall("rack", (west + 0.5, north - 0.3), (west + 1.2, north - 0.3), 0.9, 1.5, 60.0, 0.8),
        _floor("roof", west, south, east, north, 30.0, 3.2, 0.7),
        _wall("stall front", (west - 6.0, south), (west, south), 0.0, 2.6, 40.0, 0.8),
        _wall("stall front", (east, south), (east + 6.0, south), 0.0, 2.6, 40.0, 0.8),
        _wall("dark boards", (west - 6.0, south), (west, south), 2.6, 3.6, 30.0, 0.8),
        _wall("dark boards", (east, south), (east + 6.0, south), 2.6, 3.6, 30.0, 0.8),
    )


_PANELS: dict[str, tuple[Panel, ...]] = {
    "stall": _stall(2.0, False),
    "stall2": _stall(6.4, True),
    "aisle": (
        _floor("dirt", 24.0, -14.0, 60.0, 14.0, 14.0),
        _wall("trees", (60.0, 20.0), (60.0, -20.0), 0.0, 9.0, 12.0),
        _wall("rail fence", (36.0, 8.0), (36.0, -8.0), 0.0, 1.5, 24.0),
        _floor("concrete", 0.0, -2.0, 24.0, 2.0, 60.0),
        _wall("stall front", (2.0, 2.0), (24.0, 2.0), 0.0, 2.6, 44.0),
        _wall("stall front", (24.0, -2.0), (2.0, -2.0), 0.0, 2.6, 44.0, 0.9),
        _wall("dark boards", (0.0, 2.0), (24.0, 2.0), 2.6, 3.4, 30.0),
        _wall("dark boards", (24.0, -2.0), (0.0, -2.0), 2.6, 3.4, 30.0, 0.9),
        _floor("roof", 0.0, -2.0, 24.0, 2.0, 30.0, 3.4, 0.6),
    ),
    "paddock": (
        _floor("grass", 10.0, 4.0, 84.0, 60.0, 22.0),
        _wall("trees", (0.0, 62.0), (90.0, 62.0), 0.0, 11.0, 12.0),
        _wall("rail fence", (28.0, 32.0), (60.0, 32.0), 0.0, 1.5, 26.0),
    ),
    "paddock2": (
        _floor("grass", 0.0, -20.0, 64.0, 60.0, 20.0),
        _wall("trees", (-4.0, -16.0), (-4.0, 60.0), 0.0, 12.0, 11.0),
        _wall("dark boards", (24.0, -7.0), (24.0, 6.0), 0.0, 4.5, 20.0, 1.2),
        _wall("rail fence", (28.0, 10.0), (28.0, 32.0), 0.0, 1.5, 26.0),
        _wall("rail fence", (28.0, 32.0), (60.0, 32.0), 0.0, 1.5, 26.0),
    ),
    "arena": (
        _floor("sand", 30.0, -13.5, 72.0, 8.0, 26.0),
        _wall("pale boards", (30.0, 8.0), (72.0, 8.0), 1.4, 6.0, 24.0),
        _wall("kick boards", (30.0, 8.0), (72.0, 8.0), 0.0, 1.4, 30.0),
        *(
            _wall("window", (x, 7.98), (x + 2.6, 7.98), 2.6, 3.9, 30.0)
            for x in (33.0, 39.0, 45.0, 51.0, 57.0, 63.0)
        ),
        _floor("roof", 30.0, -13.5, 72.0, 8.0, 14.0, 6.0, 0.9),
    ),
    "yard": (
        _wall("trees", (-30.0, 60.0), (110.0, 60.0), 0.0, 11.0, 10.0),
        _floor("grass", -30.0, 6.0, 110.0, 60.0, 14.0),
        _floor("dirt", 10.0, -14.0, 60.0, 10.0, 22.0),
        _wall("rail fence", (28.0, 32.0), (60.0, 32.0), 0.0, 1.5, 20.0),
        _wall("kick boards", (36.0, 8.0), (36.0, 1.6), 0.0, 1.4, 26.0),
    ),
}
"""What each camera has before it, in drawing order."""
_SKY = {"paddock", "paddock2", "yard", "aisle"}


@lru_cache(maxsize=32)
def background(camera: SimulatedCamera) -> Image:
    """The empty place by full light, uint8 (h, w, 3) BGR, read-only; the same in every run."""
    canvas = np.full((camera.height_px, camera.width_px, 3), (52, 58, 62), np.float32)
    if camera.name in _SKY:
        canvas[:] = _sky(camera)
    for number, panel in enumerate(_PANELS[camera.name]):
        _lay_panel(canvas, camera, panel, number)
    picture = np.clip(canvas, 0, 255).astype(np.uint8)
    picture.setflags(write=False)
    return picture


def _sky(camera: SimulatedCamera) -> Canvas:
    rows = np.linspace(0, 1, camera.height_px, dtype=np.float32)[:, None, None]
    top, low = np.array([224, 186, 148], np.float32), np.array([236, 226, 214], np.float32)
    return np.asarray(top * (1 - rows) + low * rows, np.float32)


def _lay_panel(canvas: Canvas, camera: SimulatedCamera, panel: Panel, number: int) -> None:
    across, down = np.array(panel.across), np.array(panel.down)
    long, high = np.linalg.norm(across), np.linalg.norm(down)
    size = (max(int(high * panel.per_m), 2), max(int(long * panel.per_m), 2))
    outline = _clipped_outline(camera, np.array(panel.corner), across, down)
    if len(outline) < 3:
        return
    texture = TEXTURES[panel.texture](size, panel.per_m, np.random.default_rng(100 + number))
    axes = camera.axes
    lens = np.array([
        [camera.focal_px, 0, camera.width_px / 2], [0, camera.focal_px, camera.height_px / 2],
        [0, 0, 1],
    ])  # fmt: skip
    columns = np.stack(
        [across / size[1], down / size[0], np.array(panel.corner) - camera.position_m], axis=1
    )
    warped = cv2.warpPerspective(
        texture, lens @ axes @ columns, (camera.width_px, camera.height_px), flags=cv2.INTER_LINEAR
    )
    mask = np.zeros(canvas.shape[:2], np.uint8)
    fixed = np.round(np.clip(outline, -30000, 30000) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
    opacity = (mask.astype(np.float32) / 255.0 * warped[..., 3])[..., None]
    canvas[:] = canvas * (1 - opacity) + warped[..., :3] * panel.tone * opacity


def _clipped_outline(
    camera: SimulatedCamera, corner: Floats, across: Floats, down: Floats
) -> Floats:
    """Pixels of the part of a rectangle in front of the camera, float64 (n, 2)."""
    ring = np.asarray(
        camera.to_camera(np.stack([corner, corner + across, corner + across + down, corner + down]))
    )
    kept = []
    for here, after in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if here[2] > NEAR_M:
            kept.append(here)
        if (here[2] > NEAR_M) != (after[2] > NEAR_M):
            share = (NEAR_M - here[2]) / (after[2] - here[2])
            kept.append(here + (after - here) * share)
    if not kept:
        return np.zeros((0, 2))
    return np.asarray(camera.to_pixels(np.array(kept)))


@dataclass(frozen=True, slots=True)
class BarView:
    """A bar as a camera sees it: its distance along the camera's axis, and strips to fill:
    outline in pixels with 4 fractional bits, and colour by full light."""

    distance_m: float
    strips: tuple[tuple[NDArray[np.int32], Floats], ...]


@lru_cache(maxsize=32)
def bars_seen(camera: SimulatedCamera) -> tuple[BarView, ...]:
    """The camera's bars, ready to draw."""
    return tuple(view for bar in BARS[camera.name] if (view := _bar_view(camera, bar)))


def _bar_view(camera: SimulatedCamera, bar: Bar) -> BarView | None:
    ends = np.array(camera.to_camera(np.array([bar.start, bar.end])))
    distance_m = float(ends[:, 2].mean())
    if ends[:, 2].max() <= NEAR_M:
        return None
    for index in (0, 1):
        if ends[index, 2] <= NEAR_M:
            share = (NEAR_M - ends[index, 2]) / (ends[1 - index, 2] - ends[index, 2])
            ends[index] += (ends[1 - index] - ends[index]) * share
    pixels = np.asarray(camera.to_pixels(ends))
    half = bar.radius_m * camera.focal_px / ends[:, 2]
    way = pixels[1] - pixels[0]
    side = np.array([-way[1], way[0]]) / max(float(np.hypot(*way)), 1e-6)
    colour = np.array(_BAR_COLOURS[bar.kind], np.float64)
    strips = []
    for low, high, shade in ((-1.0, -0.35, 0.62), (-0.4, 0.4, 1.0), (0.35, 1.0, 0.78)):
        corners = np.stack(
            [pixels[0] + side * half[0] * low, pixels[0] + side * half[0] * high,
             pixels[1] + side * half[1] * high, pixels[1] + side * half[1] * low]
        )  # fmt: skip
        fixed = np.round(np.clip(corners, -30000, 30000) * 16).astype(np.int32)
        strips.append((fixed, colour * shade))
    return BarView(distance_m, tuple(strips))


def draw_bar(picture: Image, bar: BarView, tone: float) -> None:
    """Draw a post or rail over a writable picture."""
    for outline, colour in bar.strips:
        cv2.fillConvexPoly(picture, outline, (colour * tone).tolist(), cv2.LINE_AA, 4)
