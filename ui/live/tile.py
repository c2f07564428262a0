"""One place of the wall: what it shows now. No painting here, no decisions about layout."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtGui import QImage

from engine.domain.frames import WallFrame
from engine.domain.results import FrameResult
from engine.domain.streams import Stream, StreamHealth, StreamState
from ui.engine_port import EngineBridge
from ui.live.arrangement import Rect
from ui.live.overlay_match import Overlay, Playout, Trail, overlay_for, trails_until
from ui.live.overlay_paint import Placement

STALE_AFTER_S = 1.5
"""A picture older than this says so; live cameras deliver at least a few pictures a second."""
NARROW_PX = 200
REMOVED_AFTER_S = 5.0
"""A picture older than this is taken away (specification: offline in 5 s)."""


@dataclass
class Tile:
    """The camera of one place and its newest picture, overlay and health.

    ``image`` wraps the frame's own memory, which ``frame`` keeps alive. ``age_s`` is the age of
    the newest picture known, None before the first.
    """

    stream: Stream
    rect: Rect
    playout: Playout = field(default_factory=Playout)
    frame: WallFrame | None = None
    image: QImage | None = None
    overlay: Overlay | None = None
    trails: tuple[Trail, ...] = ()
    health: StreamHealth | None = None
    age_s: float | None = None
    asked_px: tuple[int, int] | None = None
    _newest_result: int = -1

    @property
    def state(self) -> StreamState:
        """The camera's state; CONNECTING until the engine has said anything."""
        return self.health.state if self.health is not None else StreamState.CONNECTING

    @property
    def has_picture(self) -> bool:
        """True while there is a picture young enough to be shown as the present."""
        gone = self.state in (StreamState.OFFLINE, StreamState.ERROR, StreamState.INACTIVE)
        gone |= self.state is StreamState.ENDED
        return self.frame is not None and not gone and (self.age_s or 0.0) < REMOVED_AFTER_S

    @property
    def stale(self) -> bool:
        """True when the picture shown is older than a live picture should be."""
        fps = self.health.fps if self.health is not None else 0.0
        limit_s = max(STALE_AFTER_S, 3.0 / fps) if fps > 0 else STALE_AFTER_S
        return self.age_s is not None and self.age_s > limit_s

    def wanted_px(self, ratio: float, fill: bool) -> tuple[int, int]:
        """The picture size to ask the engine for, in device pixels: the whole picture inside the
        tile, or (``fill``) the tile covered by it."""
        width, height = self.rect.width * ratio, self.rect.height * ratio
        source = self._source_size()
        if source is None:
            return max(round(width), 2), max(round(height), 2)
        scales = (width / source[0], height / source[1])
        scale = max(scales) if fill else min(scales)
        return max(round(source[0] * scale), 2), max(round(source[1] * scale), 2)

    def _source_size(self) -> tuple[int, int] | None:
        if self.frame is not None:
            return self.frame.picture_width_px, self.frame.picture_height_px
        if self.health is not None and self.health.width_px and self.health.height_px:
            return self.health.width_px, self.health.height_px
        return None

    def update(
        self, bridge: EngineBridge, now_mono_s: float, synchronised: bool, with_trails: bool
    ) -> bool:
        """Fetch what is due now; True if the tile looks different from before."""
        frames = bridge.wall_frames(self.stream.id)
        results = bridge.results(self.stream.id)
        chosen = self.playout.choose(frames, results, now_mono_s, synchronised)
        was_shown, was_stale = self.has_picture, self.stale
        if chosen is not None:
            self.age_s = max(now_mono_s - frames[-1].stamp.captured_mono_s, 0.0)
        newest = results[-1].stamp.sequence if results else -1
        same = chosen is None or chosen is self.frame
        if same and (newest == self._newest_result or self.frame is None):
            return was_shown != self.has_picture or was_stale != self.stale
        self._newest_result = newest
        if chosen is not None:
            self._take(chosen)
        self._match(results, with_trails)
        return True

    def _take(self, frame: WallFrame) -> None:
        if frame is self.frame:
            return
        self.frame = frame
        self.image = image_of(frame.bgra)

    def _match(self, results: tuple[FrameResult, ...], with_trails: bool) -> None:
        if self.frame is None:
            return
        self.overlay = overlay_for(self.frame.stamp, results)
        self.trails = trails_until(self.frame.stamp, results) if with_trails else ()

    def placement(self, ratio: float) -> Placement | None:
        """How the picture lies in the tile: centred, whole device pixels; None without one."""
        frame = self.frame
        if frame is None:
            return None
        height_px, width_px = frame.bgra.shape[:2]
        width, height = width_px / ratio, height_px / ratio
        asked = self.asked_px
        if asked is not None and (width_px, height_px) != asked:
            scale = min(asked[0] / width_px, asked[1] / height_px)
            width, height = width * scale, height * scale
        x = self.rect.x + (self.rect.width - width) / 2
        y = self.rect.y + (self.rect.height - height) / 2
        return Placement(
            width / frame.picture_width_px,
            height / frame.picture_height_px,
            round(x * ratio) / ratio,
            round(y * ratio) / ratio,
        )

    def covered_rect(self, ratio: float) -> Rect:
        """The part of the tile the picture covers; the whole tile without a picture."""
        placement = self.placement(ratio)
        if placement is None or self.frame is None:
            return self.rect
        width = placement.scale_x * self.frame.picture_width_px
        height = placement.scale_y * self.frame.picture_height_px
        x, y = max(math.ceil(placement.x), self.rect.x), max(math.ceil(placement.y), self.rect.y)
        right = min(math.floor(placement.x + width), self.rect.x + self.rect.width)
        bottom = min(math.floor(placement.y + height), self.rect.y + self.rect.height)
        return Rect(x, y, max(right - x, 1), max(bottom - y, 1))

    def visible_rect(self, ratio: float) -> Rect:
        """Where the frame, header and corners go: around the picture, or around the whole tile
        where the picture is too narrow for a header."""
        covered = self.covered_rect(ratio)
        return covered if covered.width >= NARROW_PX else self.rect


def image_of(bgra: np.ndarray) -> QImage:
    """A QImage over a BGRA array's memory (C order); the caller keeps the array alive."""
    height, width = bgra.shape[:2]
    return QImage(bgra.data, width, height, bgra.strides[0], QImage.Format.Format_RGB32)
