"""Light over the simulated day: sun, dusk, lamps, and cameras that turn to infra-red."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from engine.domain.frames import Image
from engine.simulation.cameras import SimulatedCamera
from engine.simulation.gaits import Floats


@dataclass(frozen=True, slots=True)
class Light:
    """How a place is lit. towards: unit vector (3,) to the sun or lamp, site frame. ambient and
    direct: shares of full light from everywhere and from there. tint: BGR factors of horses.
    shadow: 0..1, how dark a shadow on the ground is."""

    towards: Floats
    ambient: float
    direct: float
    tint: tuple[float, float, float]
    shadow: float


@dataclass(frozen=True, slots=True)
class Daylight:
    """When it is what time of day.

    noon_s: site time of a noon; day_s: how long a day lasts, 86400 in real time. steady: always
    noon, with clouds and a lamp that dims now and then. lamp_on: (start, end) times of day in hours
    when the lamps indoors burn.
    """

    steady: bool = True
    noon_s: float = 43200.0
    day_s: float = 86400.0
    lamp_on: tuple[tuple[float, float], ...] = ((5.5, 8.0), (16.5, 20.5))

    def hour_at(self, t_s: float) -> float:
        """Time of day in hours, 0..24."""
        if self.steady:
            return 12.0
        return (12.0 + 24.0 * (t_s - self.noon_s) / self.day_s) % 24.0

    def sun_at(self, t_s: float) -> float:
        """How light it is outdoors, 0 night to 1 day; dusk lasts an hour and a half."""
        hour = self.hour_at(t_s)
        return min(max((min(hour - 5.5, 20.5 - hour)) / 1.5, 0.0), 1.0)

    def lamps_at(self, t_s: float) -> bool:
        """Whether the lamps indoors burn."""
        if self.steady:
            return True
        hour = self.hour_at(t_s)
        return any(start <= hour < end for start, end in self.lamp_on)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a camera makes of the light: light on bodies, brightness and BGR factors of the whole
    picture, grey picture (infra-red), and how many times stronger its noise is."""

    light: Light
    gain: tuple[float, float, float]
    infrared: bool
    noise: float


_SUN = np.array([-0.33, -0.48, 0.81])
_LAMP = np.array([0.08, -0.22, 0.972])
_INFRARED_BELOW = 0.22


def exposure(camera: SimulatedCamera, daylight: Daylight, t_s: float) -> Exposure:
    """How a camera sees the place at a time."""
    sun = daylight.sun_at(t_s)
    if camera.indoors:
        return _indoors(camera, daylight, t_s, sun)
    cloud = 0.96 + 0.10 * math.sin(2 * math.pi * t_s / 45.0) + 0.04 * math.sin(t_s / 2.3)
    if sun < _INFRARED_BELOW:
        return _infrared(camera, 0.62)
    dusk = 1.0 - sun
    bright = (0.34 + 0.66 * sun) * (1.0 + (cloud - 1.0) * sun)
    low = np.array([-0.75 * dusk - 0.33 * sun, -0.48, 0.25 + 0.56 * sun])
    light = Light(low / np.linalg.norm(low), 0.62, 0.52 * sun, (1.0, 1.0, 1.0), 0.42 * sun)
    warm = (bright * (1.0 - 0.10 * dusk), bright * (1.0 - 0.06 * dusk), bright * (1 + 0.06 * dusk))
    return Exposure(light, warm, False, 1.0 + 2.0 * dusk)


def _indoors(camera: SimulatedCamera, daylight: Daylight, t_s: float, sun: float) -> Exposure:
    lamps = daylight.lamps_at(t_s)
    if not lamps and sun < _INFRARED_BELOW:
        return _infrared(camera, 0.78)
    bright = max(0.85 if lamps else 0.0, 0.45 + 0.55 * sun if sun > 0 else 0.0)
    if daylight.steady:
        into = t_s % 60.0
        dimmed = min(max(min(into - 38.0, 52.0 - into) / 1.5, 0.0), 1.0)
        bright = 1.0 + 0.02 * math.sin(2 * math.pi * t_s / 17.0) - 0.42 * dimmed
    lamp_only = 1.0 - sun if lamps else 0.0
    light = Light(_LAMP, 0.70, 0.36, (1.0, 1.0, 1.0), 0.30)
    gain = (bright * (1 - 0.20 * lamp_only), bright * (1 - 0.05 * lamp_only), bright * 1.0)
    return Exposure(light, gain, False, 1.0 + max(1.0 - bright, 0.0))


def _infrared(camera: SimulatedCamera, bright: float) -> Exposure:
    """Lit by the camera's own lamp, grey; what is near is bright."""
    light = Light(-camera.axes[2], 0.30, 1.75, (1.0, 1.0, 1.0), 0.0)
    return Exposure(light, (bright, bright, bright), True, 1.6)


def expose(picture: Image, seen: Exposure) -> Image:
    """The picture under an exposure, uint8 (h, w, 3), a new array."""
    if seen.infrared:
        # Hair reflects infra-red well: dark coats come out lighter than by day.
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        grey = cv2.convertScaleAbs(grey, alpha=seen.gain[1] * 0.80, beta=26.0)
        return np.asarray(cv2.multiply(
            cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), _vignette(*grey.shape), scale=1 / 255
        ), np.uint8)  # fmt: skip
    if max(seen.gain) - min(seen.gain) < 1e-3:
        return np.asarray(cv2.convertScaleAbs(picture, alpha=seen.gain[0]), np.uint8)
    factors = np.array(seen.gain, np.float32)
    levels = np.clip(np.arange(256, dtype=np.float32)[:, None] * factors, 0, 255)
    table = np.ascontiguousarray(levels.astype(np.uint8)[:, None, :])
    return np.asarray(cv2.LUT(picture, table), np.uint8)


_VIGNETTES: dict[tuple[int, int], Image] = {}


def _vignette(height_px: int, width_px: int) -> Image:
    """The light of the camera's own lamp: bright in the middle, dark in the corners."""
    key = (height_px, width_px)
    if key not in _VIGNETTES:
        y, x = np.mgrid[-1 : 1 : height_px * 1j, -1 : 1 : width_px * 1j]
        tone = np.clip(255.0 * (1.06 - 0.42 * (x**2 + y**2)), 40, 255).astype(np.uint8)
        _VIGNETTES[key] = np.ascontiguousarray(np.repeat(tone[:, :, None], 3, axis=2))
    return _VIGNETTES[key]
