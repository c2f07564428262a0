"""H.264 made from decoded pictures, for sources whose packets no browser can play."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction

import av
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from engine.domain.frames import FrameStamp, Picture
from engine.recording.copying import GAP_S, Ending, Step
from engine.recording.open_chunk import Beginning
from engine.recording.segment_file import FRAGMENT_S, Sample

TIME_BASE = Fraction(1, 90_000)
_QUALITY = "26"


class PictureEncoder:
    """Encodes the pictures of one camera at one size, in one thread.

    x264 ``ultrafast`` and ``zerolatency``: each picture comes out at once, none refers to a later
    one. A key picture comes every two seconds. ``size_px`` is even on both sides.
    """

    def __init__(self, size_px: tuple[int, int], fps: float) -> None:
        self.size_px = size_px
        context = CodecContext.create("libx264", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = size_px
        context.pix_fmt = "yuv420p"
        context.time_base = TIME_BASE
        context.framerate = Fraction(fps).limit_denominator(1000)
        context.thread_count = 1
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": _QUALITY,
            "x264-params": "keyint=infinite:scenecut=0:repeat-headers=1:log-level=none",
        }
        self._context = context
        self._last_key: int | None = None

    def encode(self, picture: Picture, ticks: int, begins: bool) -> list[Sample]:
        """The packets of one picture at ``ticks`` of ``TIME_BASE``; ``begins`` makes it a key
        picture. Times must rise."""
        frame = av.VideoFrame.from_ndarray(picture.scaled_bgr(*self.size_px), "bgr24")
        frame.pts, frame.time_base = ticks, TIME_BASE
        last = self._last_key
        if begins or last is None or (ticks - last) * TIME_BASE >= FRAGMENT_S:
            frame.pict_type = PictureType.I
            self._last_key = ticks
        samples = []
        for packet in self._context.encode(frame):
            assert packet.pts is not None and packet.dts is not None
            samples.append(Sample(bytes(packet), packet.pts, packet.dts, 0, packet.is_keyframe))
        return samples


def recorded_size(width_px: int, height_px: int, height_at_most_px: int) -> tuple[int, int]:
    """The even size at which a picture is encoded."""
    scale = min(height_at_most_px / height_px, 1.0)
    width, height = round(width_px * scale / 2) * 2, round(height_px * scale / 2) * 2
    return max(width, 2), max(height, 2)


class EncodeTrack:
    """Turns decoded pictures into the steps of ``CopyTrack``. Used by one thread.

    Time is the stamps' ``pts_s``, where the source states none their monotonic time.
    """

    def __init__(
        self,
        height_at_most_px: int,
        fps: float,
        segment_s: float,
        now: Callable[[], datetime],
    ) -> None:
        self.segment_s = segment_s
        self._height_px = height_at_most_px
        self._fps = fps
        self._now = now
        self._encoder: PictureEncoder | None = None
        self._begun: Beginning | None = None
        self._last = 0

    def reset(self) -> None:
        """Forget the running chunk; the next picture begins one."""
        self._begun = None

    def feed(self, stamp: FrameStamp, picture: Picture) -> list[Step]:
        """The steps of one picture; the last one is its sample, if it got one."""
        time_s = stamp.captured_mono_s if stamp.pts_s is None else stamp.pts_s
        ticks = round(time_s / TIME_BASE)
        size_px = recorded_size(picture.width_px, picture.height_px, self._height_px)
        steps: list[Step] = []
        encoder, begun = self._encoder, self._begun
        if encoder is None or encoder.size_px != size_px or self._breaks(ticks):
            steps = [Ending()] if begun is not None else []
            begun = None
            self._encoder = encoder = PictureEncoder(size_px, self._fps)
        if begun is None or (ticks - begun.first_tick) * TIME_BASE >= self.segment_s - 1e-3:
            begun = Beginning("h264", size_px, TIME_BASE, ticks, stamp.pts_s, self._now())
            steps.append(begun)
        samples = encoder.encode(picture, ticks, begins=begun is not self._begun)
        self._begun, self._last = begun, ticks
        return [*steps, *samples]

    def _breaks(self, ticks: int) -> bool:
        if self._begun is None:
            return self._encoder is not None and ticks <= self._last
        ahead_s = (ticks - self._last) * TIME_BASE
        return ahead_s <= 0 or ahead_s > GAP_S
