"""Analyse still scenes less often, moving ones at full rate.

The gate compares a small grey copy of the picture with the last *analysed* one, so slow movement
adds up until it is seen. A still scene is analysed again every ``still_interval_s``; a lying horse
therefore keeps its track (tracks live 10 s) and is never lost to the gate.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import AnalysisFrame
from engine.domain.ids import StreamId

GATE_WIDTH_PX = 160
"""Width of the compared copy."""
CHANGED_LEVELS = 12
"""Grey levels (of 255) by which a pixel must differ; above sensor noise after area averaging."""
CHANGED_SHARE = 0.002
"""Share of changed pixels that means motion: about a 5 x 6 px patch of the small copy."""


class MotionGate:
    """Says for each camera whether a picture is worth the models' time. Used by one thread."""

    def __init__(self, still_interval_s: float) -> None:
        self.still_interval_s = still_interval_s
        self._analysed: dict[StreamId, tuple[float, NDArray[np.uint8]]] = {}

    def wants(self, frame: AnalysisFrame) -> bool:
        """True when the picture moved since the last analysed one, or that is long ago."""
        height, width = frame.detector_bgr.shape[:2]
        size = (GATE_WIDTH_PX, max(round(GATE_WIDTH_PX * height / width), 1))
        small = cv2.cvtColor(
            cv2.resize(frame.detector_bgr, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
        )
        now_s = frame.stamp.captured_mono_s
        before = self._analysed.get(frame.stamp.stream_id)
        if before is not None and before[1].shape == small.shape:
            changed = np.count_nonzero(cv2.absdiff(before[1], small) > CHANGED_LEVELS)
            recent = 0.0 <= now_s - before[0] < self.still_interval_s
            if recent and changed < CHANGED_SHARE * small.size:
                return False
        self._analysed[frame.stamp.stream_id] = (now_s, small.astype(np.uint8))
        return True

    def forget(self, stream_id: StreamId) -> None:
        """A camera was removed."""
        self._analysed.pop(stream_id, None)
