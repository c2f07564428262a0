"""The view of a simulated steered camera: a window that moves over a large picture."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from engine.domain.frames import Image
from engine.domain.geometry import read_only

PAN_PX_S = 900.0
TILT_PX_S = 600.0
"""Pixels of the large picture that the view's centre moves in a second at full speed."""
ZOOM_LOG2_S = 1.0
"""Doublings of the zoom in a second at full speed."""
ZOOM_MOST = 8.0
TRAVEL_S = 1.2
"""Time from any view to a preset."""


@dataclass(frozen=True, slots=True)
class ViewState:
    """Where a view is: its centre in px of the large picture (x right, y down), and how many times
    smaller than at its widest it is."""

    x_px: float
    y_px: float
    zoom: float


@dataclass(frozen=True, slots=True)
class _Travel:
    start: ViewState
    end: ViewState
    began_s: float


class MovingView:
    """A view that integrates speeds over time. May be used from any thread.

    ``panorama``: uint8 (h, w, 3) BGR. ``size_px``: the view's picture (width, height). At zoom 1 it
    shows ``widest_px`` of the panorama's width. Speeds are shares in -1..1 of full speed; positive
    pan is right, positive tilt up.
    """

    def __init__(
        self,
        panorama: Image,
        mono_s: Callable[[], float],
        size_px: tuple[int, int] = (640, 360),
        widest_px: float = 1280.0,
        start: ViewState | None = None,
    ) -> None:
        self.size_px = size_px
        self._panorama = panorama
        self._mono_s = mono_s
        self._widest_px = min(widest_px, float(panorama.shape[1]))
        height, width = panorama.shape[:2]
        self._state = start or ViewState(width / 2.0, height / 2.0, 1.0)
        self._speed = (0.0, 0.0, 0.0)
        self._since_s = mono_s()
        self._travel: _Travel | None = None
        self._presets: dict[int, ViewState] = {}
        self._lock = threading.Lock()

    @property
    def state(self) -> ViewState:
        """Where the view is now."""
        with self._lock:
            return self._advance()

    @property
    def speed(self) -> tuple[float, float, float]:
        """Pan, tilt and zoom speeds that are set now, shares of full speed."""
        with self._lock:
            return self._speed

    @property
    def moving(self) -> bool:
        """The view is turning, zooming or on its way to a preset."""
        with self._lock:
            self._advance()
            return self._speed != (0.0, 0.0, 0.0) or self._travel is not None

    @property
    def presets(self) -> Mapping[int, ViewState]:
        """The stored views, by the camera's own numbers."""
        with self._lock:
            return dict(self._presets)

    def drive(self, pan: float, tilt: float, zoom: float) -> None:
        """Set the speeds; zeros stop."""
        with self._lock:
            self._advance()
            self._travel = None
            self._speed = (pan, tilt, zoom)

    def store(self, number: int, at: ViewState | None = None) -> None:
        """Keep a view, or the present one, as a preset."""
        with self._lock:
            self._presets[number] = at or self._advance()

    def go_to(self, number: int) -> bool:
        """Travel to a preset; False when nothing is stored there."""
        target = self.presets.get(number)
        if target is None:
            return False
        self.go(target)
        return True

    def go(self, target: ViewState) -> None:
        """Travel to a view."""
        with self._lock:
            self._travel, now = None, self._advance()
            self._speed = (0.0, 0.0, 0.0)
            self._travel = _Travel(now, target, self._mono_s())

    def at(self, pan: float, tilt: float, zoom: float) -> ViewState:
        """The view at a position: pan and tilt -1..1 over the panorama, zoom 0..1."""
        height, width = self._panorama.shape[:2]
        return ViewState(
            (pan + 1.0) / 2.0 * width, (1.0 - tilt) / 2.0 * height, ZOOM_MOST ** max(zoom, 0.0)
        )

    def picture(self) -> Image:
        """What the camera sees now, uint8 (h, w, 3) BGR."""
        state = self.state
        width, height = self.size_px
        scale = width * state.zoom / self._widest_px
        matrix = np.array(
            [
                [scale, 0.0, width / 2.0 - scale * state.x_px],
                [0.0, scale, height / 2.0 - scale * state.y_px],
            ]
        )
        smaller = scale < 1.0
        flags = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        seen = cv2.warpAffine(self._panorama, matrix, (width, height), flags=flags)
        return np.asarray(seen, np.uint8)

    def _advance(self) -> ViewState:
        now_s = self._mono_s()
        elapsed_s, self._since_s = now_s - self._since_s, now_s
        if self._travel is not None:
            self._state = self._travelled(self._travel, now_s)
            return self._state
        pan, tilt, zoom = self._speed
        nearer = math.sqrt(self._state.zoom)  # cameras turn slower when zoomed in
        height, width = self._panorama.shape[:2]
        self._state = ViewState(
            _within(self._state.x_px + pan * PAN_PX_S * elapsed_s / nearer, width),
            _within(self._state.y_px - tilt * TILT_PX_S * elapsed_s / nearer, height),
            min(max(self._state.zoom * 2.0 ** (zoom * ZOOM_LOG2_S * elapsed_s), 1.0), ZOOM_MOST),
        )
        return self._state

    def _travelled(self, travel: _Travel, now_s: float) -> ViewState:
        share = min((now_s - travel.began_s) / TRAVEL_S, 1.0)
        if share >= 1.0:
            self._travel = None
        a, b = travel.start, travel.end
        return ViewState(
            a.x_px + (b.x_px - a.x_px) * share,
            a.y_px + (b.y_px - a.y_px) * share,
            a.zoom * (b.zoom / a.zoom) ** share,
        )


def _within(value: float, limit: float) -> float:
    return min(max(value, 0.0), float(limit))


def panorama_of(
    pictures: Sequence[Image], columns: int, tile_px: tuple[int, int] = (1280, 720)
) -> tuple[Image, tuple[ViewState, ...]]:
    """Pictures side by side as one large one, and the view that shows each of them.

    Each picture is fitted into its tile with grey borders. Returns uint8 (h, w, 3) BGR.
    """
    width, height = tile_px
    rows = -(-len(pictures) // columns)
    large = np.full((rows * height, columns * width, 3), 96, np.uint8)
    views = []
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        y = row * height + (height - size[1]) // 2
        x = column * width + (width - size[0]) // 2
        large[y : y + size[1], x : x + size[0]] = fitted
        views.append(ViewState((column + 0.5) * width, (row + 0.5) * height, 1.0))
    return large, tuple(views)


@lru_cache(maxsize=2)
def drawn_panorama(width_px: int = 5120, height_px: int = 1440) -> Image:
    """A large card with a grid and coordinates, on which every movement shows."""
    y, x = np.mgrid[0:height_px, 0:width_px]
    large = np.stack(
        [x * 200 // width_px, y * 200 // height_px, 200 - x * 200 // width_px], axis=2
    ).astype(np.uint8)
    for column in range(0, width_px, 160):
        cv2.line(large, (column, 0), (column, height_px), (230, 230, 230), 2)
        for row in range(0, height_px, 160):
            place = (column + 8, row + 90)
            text = f"{column // 160}.{row // 160}"
            cv2.putText(large, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3)
    for row in range(0, height_px, 160):
        cv2.line(large, (0, row), (width_px, row), (230, 230, 230), 2)
    read_only(large)
    return large
