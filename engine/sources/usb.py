"""Cameras plugged into this machine."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path

import cv2
import numpy as np

from engine.domain.errors import OperatorMistake, SourceUnreachable
from engine.domain.ports import SourcePicture
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.pictures import ArrayPicture

_DEVICE = re.compile(r"(?:usb:|/dev/video)(\d{1,2})")


def device_index(address: str) -> int:
    """The number in ``usb:0`` or ``/dev/video0``. Raises OperatorMistake for anything else."""
    found = _DEVICE.fullmatch(address.strip())
    if found is None:
        raise OperatorMistake(
            f"{address} names no USB camera.",
            "Write usb:0 for the first camera, usb:1 for the next.",
        )
    return int(found[1])


def open_usb(stream: Stream, settings: CaptureSettings) -> UsbSource:
    """Open a USB camera by its number; the system's own camera driver sets the time-outs."""
    index = device_index(stream.address)
    if sys.platform.startswith("linux") and not Path(f"/dev/video{index}").exists():
        raise SourceUnreachable(
            f"There is no USB camera {index}.", "Plug it in, or try another number."
        )
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        capture.release()
        raise SourceUnreachable(
            f"The USB camera {index} cannot be opened.",
            "Check that no other program uses it and that this program may.",
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return UsbSource(capture, index)


class UsbSource:
    """A FrameSource over an opened OpenCV camera."""

    codec = "usb"

    def __init__(self, capture: cv2.VideoCapture, index: int) -> None:
        self._capture = capture
        self._index = index
        self._busy = threading.Lock()
        self._closing = False
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._fps = fps if 0 < fps <= 240 else None

    @property
    def live(self) -> bool:
        """See ``FrameSource``."""
        return True

    @property
    def nominal_fps(self) -> float | None:
        """See ``FrameSource``."""
        return self._fps

    @property
    def duration_s(self) -> float | None:
        """See ``FrameSource``."""
        return None

    def read(self) -> SourcePicture:
        """See ``FrameSource``."""
        try:
            with self._busy:
                got, bgr = (False, None) if self._closing else self._capture.read()
        finally:
            if self._closing:
                self.close()
        if not got or bgr is None:
            raise SourceUnreachable(
                f"The USB camera {self._index} stopped sending.", "Check its cable."
            )
        return SourcePicture(ArrayPicture(np.asarray(bgr, np.uint8)), None, int(bgr.nbytes))

    def close(self) -> None:
        """See ``FrameSource``; a read that runs closes when it returns."""
        self._closing = True
        if self._busy.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._busy.release()
