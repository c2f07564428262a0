"""What programmes see of a camera: its newest picture, its horses, and a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from engine.domain.detections import SubjectClass
from engine.domain.errors import Bug, EnvironmentFault
from engine.domain.frames import FrameStamp, Image, Picture
from engine.domain.ids import StreamId
from engine.domain.ports import Clock
from engine.domain.results import FrameResult

SMALL_WIDTH_PX = 160
"""Width of the grey copies whose difference says that a view still moves."""
RECORD_FPS = 10
RECORD_WIDTH_PX = 1280
ENOUGH_RESULTS = 5
"""Analysed pictures that are enough to count the horses of a view."""


class Eyes(Protocol):
    """One camera's pictures. Used by one programme's thread."""

    def small(self) -> tuple[float, Image] | None:
        """Monotonic instant and a grey copy, uint8 (h, 160), of the newest picture."""
        ...

    def picture(self) -> Image | None:
        """The newest picture, uint8 (h, w, 3) BGR."""
        ...

    def horses(self, since_mono_s: float) -> tuple[int, int]:
        """Horses seen in pictures taken since then, and how many pictures were analysed."""
        ...

    def record(self, name: str, seconds: float, going: Callable[[], bool]) -> str:
        """Record the view for so long or until ``going`` is False; the file's name. Raises
        EnvironmentFault when nothing could be written."""
        ...


class EngineEyes:
    """Meets Eyes with what the engine captures and analyses."""

    def __init__(
        self,
        stream_id: StreamId,
        latest: Callable[[StreamId], tuple[FrameStamp, Picture] | None],
        results: Callable[[StreamId], Sequence[FrameResult]],
        folder: Path,
        clock: Clock,
    ) -> None:
        self._stream_id = stream_id
        self._latest = latest
        self._results = results
        self._folder = folder
        self._clock = clock

    def small(self) -> tuple[float, Image] | None:
        """See Eyes."""
        latest = self._latest(self._stream_id)
        if latest is None:
            return None
        stamp, picture = latest
        height = max(round(SMALL_WIDTH_PX * picture.height_px / picture.width_px), 1)
        grey = cv2.cvtColor(picture.scaled_bgr(SMALL_WIDTH_PX, height), cv2.COLOR_BGR2GRAY)
        return stamp.captured_mono_s, np.asarray(grey, np.uint8)

    def picture(self) -> Image | None:
        """See Eyes."""
        latest = self._latest(self._stream_id)
        return None if latest is None else _sized(latest[1])

    def horses(self, since_mono_s: float) -> tuple[int, int]:
        """See Eyes. The second largest count of the pictures, so that one wrong box is none."""
        counts = sorted(
            int(np.count_nonzero(result.tracks.class_ids == SubjectClass.HORSE))
            for result in self._results(self._stream_id)
            if result.stamp.captured_mono_s >= since_mono_s and not result.held
        )
        if not counts:
            return 0, 0
        return (counts[-2] if len(counts) > 1 else counts[-1]), len(counts)

    def record(self, name: str, seconds: float, going: Callable[[], bool]) -> str:
        """See Eyes: H.264 in MP4, at most 1280 px wide, 10 pictures a second."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.mp4"
        try:
            with _Movie(path) as movie:
                began_s = now_s = self._clock.mono_s()
                while now_s < began_s + seconds and going():
                    picture = self.picture()
                    if picture is not None:
                        movie.add(picture, now_s - began_s)
                    self._clock.sleep(1.0 / RECORD_FPS)
                    now_s = self._clock.mono_s()
        except (av.FFmpegError, OSError) as error:
            raise EnvironmentFault(
                f"The recording {path.name} could not be written ({type(error).__name__}).",
                "Look at the free space of the disk.",
            ) from error
        if movie.pictures == 0:
            path.unlink(missing_ok=True)
            raise EnvironmentFault("No picture came from the camera to be recorded.")
        return path.name


class _Movie:
    """A growing MP4 file."""

    def __init__(self, path: Path) -> None:
        self._container = av.open(str(path), "w")
        self._stream: VideoStream | None = None
        self._last_pts = -1
        self.pictures = 0

    def __enter__(self) -> _Movie:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._stream is not None:
                for packet in self._stream.encode(None):
                    self._container.mux(packet)
        finally:
            self._container.close()

    def add(self, picture: Image, at_s: float) -> None:
        """Append a picture, uint8 (h, w, 3) BGR, taken so long after the beginning; the first
        sets the size."""
        if self._stream is None:
            self._stream = self._opened(picture)
        size = self._stream.width, self._stream.height
        if (picture.shape[1], picture.shape[0]) != size:
            picture = np.asarray(cv2.resize(picture, size), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        pts = max(round(at_s * RECORD_FPS), self._last_pts + 1)
        frame.pts = self._last_pts = pts
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        self.pictures += 1

    def _opened(self, picture: Image) -> VideoStream:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        options = {"preset": "veryfast", "crf": "23"} if codec == "libx264" else {"q": "3"}
        stream = self._container.add_stream(codec, rate=RECORD_FPS, options=options)
        if not isinstance(stream, VideoStream):
            raise Bug(f"{codec} makes no video")
        stream.width = picture.shape[1] // 2 * 2
        stream.height = picture.shape[0] // 2 * 2
        stream.pix_fmt = "yuv420p"
        return stream


def recording_name(stream_name: str, preset: int, at: datetime) -> str:
    """File name of a scan's recording, without suffix: safe on every system."""
    safe = "".join(c if c.isalnum() else "-" for c in stream_name).strip("-")[:40] or "camera"
    return f"{at:%Y%m%dT%H%M%SZ}-{safe}-preset{preset}"


def _sized(picture: Picture) -> Image:
    scale = min(RECORD_WIDTH_PX / picture.width_px, 1.0)
    return picture.scaled_bgr(
        max(round(picture.width_px * scale) // 2 * 2, 2),
        max(round(picture.height_px * scale) // 2 * 2, 2),
    )
