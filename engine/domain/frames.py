"""One picture of one camera and when it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.domain.ids import StreamId

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """Where and when a picture was captured.

    ``sequence`` counts decoded pictures of this stream since it was added to the engine (it goes on
    over reconnects). ``captured_at`` is UTC and may jump; ``captured_mono_s`` is monotonic and is
    what rates and timeouts use. ``pts_s`` is the presentation time inside the source in seconds,
    None where the source states none.
    """

    stream_id: StreamId
    sequence: int
    captured_at: datetime
    captured_mono_s: float
    pts_s: float | None


class Picture(Protocol):
    """A decoded picture that can be scaled without first being converted as a whole.

    Implementations keep the decoded planes and are immutable; every method may be called from any
    thread and returns a new array.
    """

    @property
    def width_px(self) -> int: ...

    @property
    def height_px(self) -> int: ...

    def scaled_bgr(self, width_px: int, height_px: int) -> Image:
        """The whole picture scaled to this size, uint8 ``(height, width, 3)`` BGR."""
        ...

    def scaled_bgra(self, width_px: int, height_px: int) -> Image:
        """The whole picture scaled to this size, uint8 ``(height, width, 4)`` BGRA, opaque.

        On little-endian machines this is Qt's ``Format_RGB32`` memory layout.
        """
        ...

    def warped_bgr(
        self, matrix: NDArray[np.float64], width_px: int, height_px: int, fill: int = 0
    ) -> Image:
        """A crop by a 2x3 map from picture to crop pixels; outside is grey level ``fill``.

        Returns uint8 ``(height, width, 3)`` BGR.
        """
        ...


@dataclass(frozen=True, slots=True)
class AnalysisFrame:
    """A picture selected for analysis, ready for the detector.

    ``detector_bgr`` is the picture scaled to fit the detector's input (no padding), uint8
    ``(h, w, 3)``, read-only; ``scale`` is detector pixels per picture pixel (same on both axes up
    to rounding of the size).
    """

    stamp: FrameStamp
    picture: Picture
    detector_bgr: Image
    scale: float


@dataclass(frozen=True, slots=True)
class WallFrame:
    """A picture scaled to its wall tile: uint8 ``(h, w, 4)`` BGRA, read-only.

    ``picture_width_px`` and ``picture_height_px`` are the size of the source picture, in which
    overlays are given.
    """

    stamp: FrameStamp
    bgra: Image
    picture_width_px: int
    picture_height_px: int
