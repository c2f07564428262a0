"""Recordings with boxes, track numbers and skeletons drawn on them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from engine.domain.detections import SubjectClass
from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.results import FrameResult
from engine.domain.tracks import TrackBatch, TrackState

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""

TIME_BASE = Fraction(1, 30_000)
"""Fine enough for any rate, and within MPEG-4 part 2's 16 bits."""
_REFERENCE_SIDE_PX = 540
"""Lines and letters have their nominal size on pictures whose short side is this."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LUMA_BGR = (0.114, 0.587, 0.299)  # ITU-R BT.601


def _bgr(name: str) -> Colour:
    """``#RRGGBB`` as OpenCV wants it."""
    red, green, blue = bytes.fromhex(name.removeprefix("#"))
    return blue, green, red


class OverlayColours:
    """The console's own colours, from its token file."""

    def __init__(self, tokens: dict[str, dict[str, object]]) -> None:
        overlay, tracks = tokens["overlay"], tokens["tracks"]
        names = tracks["hex"]
        assert isinstance(names, list)
        self.tracks: tuple[Colour, ...] = tuple(_bgr(str(name)) for name in names)
        self.joint = _bgr(str(overlay["joint"]))
        self.bone = _bgr(str(overlay["bone"]))
        self.halo = _bgr(str(overlay["bone_halo"]))
        self.on_light = _bgr(str(overlay["on_light"]))
        self.on_dark = _bgr(str(overlay["on_dark"]))

    def words_on(self, background: Colour) -> Colour:
        """The colour of words that reads on this background."""
        luma = sum(w * c for w, c in zip(_LUMA_BGR, background, strict=True))
        return self.on_light if luma > 140 else self.on_dark


@cache
def overlay_colours() -> OverlayColours:
    """The colours of ``resources/style/tokens.toml``."""
    text = (files("resources") / "style" / "tokens.toml").read_text(encoding="utf-8")
    return OverlayColours(tomllib.loads(text))


def horse_rows(tracks: TrackBatch) -> list[int]:
    """Rows of the horses seen in this picture, tentative ones included."""
    seen = np.isin(tracks.states, (TrackState.TENTATIVE, TrackState.ACTIVE))
    return [int(row) for row in np.flatnonzero((tracks.class_ids == SubjectClass.HORSE) & seen)]


def draw_result(bgr: Image, result: FrameResult, keypoint_confidence: float) -> None:
    """Draw the horses of ``result`` onto its picture.

    bgr: uint8 ``(h, w, 3)`` of the result's size, changed in place. Keypoints that score below
    ``keypoint_confidence`` and bones that end in one are left out.
    """
    colours = overlay_colours()
    tracks = result.tracks
    unit = unit_of(bgr)
    for row in horse_rows(tracks):
        colour = colours.tracks[int(tracks.colours[row]) % len(colours.tracks)]
        draw_box(bgr, tracks.boxes_xyxy_px[row], str(int(tracks.numbers[row])), colour, unit)
    if result.poses is None:
        return
    for row in horse_rows(tracks):
        seen = result.poses.scores[row] >= max(keypoint_confidence, 1e-6)
        points = [(round(float(x)), round(float(y))) for x, y in result.poses.keypoints_px[row]]
        draw_skeleton(bgr, points, seen.tolist(), result.poses.skeleton.bones, unit)


def unit_of(bgr: Image) -> float:
    """How large lines and letters are on this picture, 1 on one with a short side of 540."""
    return max(float(min(bgr.shape[:2])) / _REFERENCE_SIDE_PX, 0.6)


def draw_box(
    bgr: Image, box_xyxy_px: Sequence[float] | FloatArray, label: str, colour: Colour, unit: float
) -> None:
    """Draw a box with a label on its upper edge. ``unit``: nominal size is 1."""
    x1, y1, x2, y2 = (round(float(value)) for value in box_xyxy_px)
    line = max(round(2 * unit), 1)
    cv2.rectangle(bgr, (x1, y1), (x2, y2), colour, line, cv2.LINE_AA)
    size = 0.6 * unit
    weight = max(round(1.5 * unit), 1)
    (wide, high), base = cv2.getTextSize(label, _FONT, size, weight)
    edge = round(4 * unit)
    left = min(max(x1, 0), max(bgr.shape[1] - wide - 2 * edge, 0))
    top = max(y1 - high - base - edge, 0)
    corner = (left + wide + 2 * edge, top + high + base + edge)
    cv2.rectangle(bgr, (left, top), corner, colour, cv2.FILLED)
    words = overlay_colours().words_on(colour)
    origin = (left + edge, top + high + edge)
    cv2.putText(bgr, label, origin, _FONT, size, words, weight, cv2.LINE_AA)


def draw_skeleton(
    bgr: Image,
    points: Sequence[tuple[int, int]],
    seen: Sequence[bool],
    bones: Sequence[tuple[int, int]],
    unit: float,
) -> None:
    """Draw bones between points that are seen, and the points. ``unit``: nominal size is 1."""
    colours = overlay_colours()
    bone = max(round(2 * unit), 1)
    lines = [(points[a], points[b]) for a, b in bones if seen[a] and seen[b]]
    for colour, width in ((colours.halo, bone + 2), (colours.bone, bone)):
        for start, end in lines:
            cv2.line(bgr, start, end, colour, width, cv2.LINE_AA)
    radius = max(round(3 * unit), 2)
    for point, visible in zip(points, seen, strict=True):
        if visible:
            cv2.circle(bgr, point, radius, colours.joint, cv2.FILLED, cv2.LINE_AA)


class OverlayVideo:
    """An MP4 that grows picture by picture; H.264 where FFmpeg has libx264, else MPEG-4 part 2.

    The first picture sets its size, rounded up to even numbers. Pictures keep their own times.
    Methods raise EnvironmentFault when the disk or the encoder fails.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._rate = Fraction(fps).limit_denominator(1001)
        self._last_tick = -1
        self._stream: VideoStream | None = None
        try:
            self._container = av.open(str(path), "w", format="mp4")
        except (av.FFmpegError, OSError) as error:
            raise self._fault(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def add(self, bgr: Image, at_s: float) -> None:
        """Append a picture, uint8 ``(h, w, 3)``, shown from ``at_s`` since the beginning."""
        try:
            stream = self._stream or self._open_stream(bgr.shape[1], bgr.shape[0])
            frame = av.VideoFrame.from_ndarray(_fitted(bgr, stream.width, stream.height), "bgr24")
            self._last_tick = max(round(at_s / TIME_BASE), self._last_tick + 1)
            frame.pts, frame.time_base = self._last_tick, TIME_BASE
            self._container.mux(stream.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._fault(error) from error

    def finish(self) -> None:
        """Write what the encoder still holds; call once, after the last picture."""
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
        except (av.FFmpegError, OSError) as error:
            raise self._fault(error) from error

    def _open_stream(self, width_px: int, height_px: int) -> VideoStream:
        if "libx264" in av.codecs_available:
            stream = self._container.add_stream(
                "libx264", rate=self._rate, options={"crf": "20", "preset": "veryfast"}
            )
        else:
            stream = self._container.add_stream("mpeg4", rate=self._rate, options={"q": "3"})
            stream.bit_rate = width_px * height_px * 6
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = width_px + width_px % 2, height_px + height_px % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        self._stream = stream
        return stream

    def _fault(self, error: Exception) -> EnvironmentFault:
        return EnvironmentFault(
            f"{self._path.parent} cannot take the video ({type(error).__name__}).",
            "Check that the folder is writable and the disk is not full.",
        )


def _fitted(bgr: Image, width_px: int, height_px: int) -> Image:
    """The picture at the video's size: a missing row or column is repeated, else it is scaled."""
    down, right = height_px - bgr.shape[0], width_px - bgr.shape[1]
    if (down, right) == (0, 0):
        return bgr
    if down in (0, 1) and right in (0, 1):
        return np.asarray(
            cv2.copyMakeBorder(bgr, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8
        )
    return np.asarray(
        cv2.resize(bgr, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8
    )
