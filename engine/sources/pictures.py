"""Decoded pictures that keep their planes and are converted only at the size asked for.

A 1080p picture scaled as planes to a detector's 640x360 and converted there costs about a third
of converting it whole; a 192x192 crop of it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from engine.domain.errors import SourceUnreadable
from engine.domain.frames import Image, Picture
from engine.domain.geometry import read_only
from engine.sources.scaling import Affine, composed, resized, warped

ColourMap = NDArray[np.float32]

_PLANAR = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
_HALF_PLANAR = {"nv12"}
_GREY = {"gray", "gray8"}
_FULL_RANGE = {"yuvj420p", "yuvj422p", "yuvj444p", "gray", "gray8"}

# Luma weights of red and blue by AVColorSpace (ITU-T H.273, table 4). Untagged video is read as
# BT.601, which is what FFmpeg's scaler and OpenCV do with it.
_BT601 = (0.299, 0.114)
_WEIGHTS = {1: (0.2126, 0.0722), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


class ArrayPicture:
    """A picture that arrives as packed BGR (USB cameras, GIF, the simulated barn).

    ``bgr``: uint8 ``(h, w, 3)``; it is made read-only and must not be written to any more.
    """

    def __init__(self, bgr: Image) -> None:
        read_only(bgr)
        self._bgr = bgr

    @property
    def width_px(self) -> int:
        """Width of the whole picture."""
        return int(self._bgr.shape[1])

    @property
    def height_px(self) -> int:
        """Height of the whole picture."""
        return int(self._bgr.shape[0])

    def scaled_bgr(self, width_px: int, height_px: int) -> Image:
        """See ``Picture``."""
        scaled = resized(self._bgr, width_px, height_px)
        return scaled.copy() if scaled is self._bgr else scaled

    def scaled_bgra(self, width_px: int, height_px: int) -> Image:
        """See ``Picture``."""
        bgr = resized(self._bgr, width_px, height_px)
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA), np.uint8)

    def warped_bgr(self, matrix: Affine, width_px: int, height_px: int, fill: int = 0) -> Image:
        """See ``Picture``."""
        return warped(self._bgr, matrix, width_px, height_px, fill)


class PlanesPicture:
    """A picture as the decoder's own 8-bit luma and chroma planes.

    luma: ``(h, w)``. chroma: two planes ``(ch, cw)`` (Cb, Cr), one interleaved plane
    ``(ch, cw, 2)``, or none for grey. ``full_range``: codes 0..255 instead of 16..235/240.
    ``luma_weights``: weight of red and blue in luma. The planes may be the decoder's memory; the
    arrays keep it alive.
    """

    def __init__(
        self,
        luma: Image,
        chroma: tuple[Image, ...],
        full_range: bool,
        luma_weights: tuple[float, float] = _BT601,
    ) -> None:
        self._luma = luma
        self._chroma = chroma
        self._full_range = full_range
        self._weights = luma_weights
        for plane in (luma, *chroma):
            read_only(plane)

    @property
    def width_px(self) -> int:
        """Width of the whole picture."""
        return int(self._luma.shape[1])

    @property
    def height_px(self) -> int:
        """Height of the whole picture."""
        return int(self._luma.shape[0])

    def scaled_bgr(self, width_px: int, height_px: int) -> Image:
        """See ``Picture``."""
        if self._fits_i420(width_px, height_px):
            i420 = self._scaled_i420(width_px, height_px)
            return np.asarray(cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420), np.uint8)
        return self._converted(lambda plane, _: resized(plane, width_px, height_px))

    def scaled_bgra(self, width_px: int, height_px: int) -> Image:
        """See ``Picture``."""
        if self._fits_i420(width_px, height_px):
            i420 = self._scaled_i420(width_px, height_px)
            return np.asarray(cv2.cvtColor(i420, cv2.COLOR_YUV2BGRA_I420), np.uint8)
        bgr = self._converted(lambda plane, _: resized(plane, width_px, height_px))
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA), np.uint8)

    def warped_bgr(self, matrix: Affine, width_px: int, height_px: int, fill: int = 0) -> Image:
        """See ``Picture``; ``fill`` may come out one level off through the luma code."""
        luma_fill = fill if self._full_range else round(16 + fill * 219 / 255)

        def warp(plane: Image, is_chroma: bool) -> Image:
            if not is_chroma:
                return warped(plane, matrix, width_px, height_px, luma_fill)
            step_x = self._luma.shape[1] / plane.shape[1]
            step_y = self._luma.shape[0] / plane.shape[0]
            to_crop = _from_chroma(matrix, round(step_x), round(step_y))
            return warped(plane, to_crop, width_px, height_px, 128)

        return self._converted(warp)

    def _converted(self, fetch: Callable[[Image, bool], Image]) -> Image:
        """Luma and chroma brought to one size by ``fetch``, converted to BGR."""
        luma = fetch(self._luma, False)
        if not self._chroma:
            return np.asarray(cv2.transform(luma, _grey_map(self._full_range)), np.uint8)
        stacked = cv2.merge([luma, *(fetch(plane, True) for plane in self._chroma)])
        return np.asarray(
            cv2.transform(stacked, _colour_map(self._weights, self._full_range)), np.uint8
        )

    def _fits_i420(self, width_px: int, height_px: int) -> bool:
        """True where OpenCV's ready conversion applies: BT.601, limited range, even size."""
        return (
            len(self._chroma) == 2
            and not self._full_range
            and self._weights == _BT601
            and not (width_px | height_px) & 1
        )

    def _scaled_i420(self, width_px: int, height_px: int) -> Image:
        half_width, half_height = width_px // 2, height_px // 2
        i420 = np.empty((height_px * 3 // 2, width_px), np.uint8)
        i420[:height_px] = resized(self._luma, width_px, height_px)
        flat = i420[height_px:].reshape(2, half_height, half_width)
        for target, plane in zip(flat, self._chroma, strict=True):
            target[:] = resized(plane, half_width, half_height)
        return i420


def picture_of(frame: av.VideoFrame) -> Picture:
    """The picture in a decoded frame, upright, with its colours as the frame declares them.

    4:2:0, 4:2:2 and 4:4:4 planes of 8 bits are kept as they are; deeper ones are brought to 8
    bits, packed colours to BGR. Raises SourceUnreadable for formats FFmpeg cannot convert.
    """
    name = frame.format.name
    if name not in _PLANAR | _HALF_PLANAR | _GREY:
        if frame.format.is_rgb or name == "pal8":
            return ArrayPicture(_turned(_packed_bgr(frame), frame.rotation))
        frame = _reformatted(frame, "gray" if len(frame.format.components) < 3 else "yuv444p")
        name = frame.format.name
    luma, *rest = (_plane(frame, index) for index in range(1 if name in _GREY else _planes(name)))
    chroma = tuple(p.reshape(p.shape[0], -1, 2) for p in rest) if name in _HALF_PLANAR else rest
    return PlanesPicture(
        _turned(luma, frame.rotation),
        tuple(_turned(plane, frame.rotation) for plane in chroma),
        full_range=name in _FULL_RANGE or frame.color_range == ColorRange.JPEG,
        luma_weights=_WEIGHTS.get(int(frame.colorspace), _BT601),
    )


def _planes(name: str) -> int:
    return 2 if name in _HALF_PLANAR else 3


def _plane(frame: av.VideoFrame, index: int) -> Image:
    """One plane without its row padding, uint8 ``(h, w)`` in the frame's own memory."""
    plane = frame.planes[index]
    rows = _rows(plane)
    wide = plane.width * (2 if index == 1 and frame.format.name in _HALF_PLANAR else 1)
    return rows[:, :wide]


def _rows(plane: VideoPlane) -> Image:
    """The plane's memory with its row padding, uint8 ``(h, line_size)``; keeps the plane alive."""
    codes = np.asarray(memoryview(plane), np.uint8)
    return codes[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)


def _packed_bgr(frame: av.VideoFrame) -> Image:
    packed = _reformatted(frame, "bgr24")
    plane = packed.planes[0]
    wide = _rows(plane)[:, : plane.width * 3]
    return np.ascontiguousarray(wide).reshape(plane.height, plane.width, 3)


def _reformatted(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    try:
        return frame.reformat(format=name, threads=1)
    except (av.FFmpegError, ValueError) as error:
        raise SourceUnreadable(
            f"Pictures in the pixel format {frame.format.name} cannot be converted.",
            "Set the camera or recorder to plain H.264 or H.265.",
        ) from error


def _turned(plane: Image, rotation_deg: int) -> Image:
    """The plane turned upright; ``rotation_deg`` is counter-clockwise, as PyAV states it."""
    turn = _TURNS.get(rotation_deg % 360)
    return plane if turn is None else np.asarray(cv2.rotate(plane, turn), np.uint8)


def _from_chroma(matrix: Affine, step_x: int, step_y: int) -> Affine:
    """The map to the crop from chroma pixels that each cover ``step_x`` by ``step_y`` of luma."""
    if step_x == step_y:
        return composed(matrix, float(step_x), (step_x - 1) / 2.0)
    offset = np.array([[(step_x - 1) / 2.0], [(step_y - 1) / 2.0]])
    linear = matrix[:, :2] * np.array([step_x, step_y], dtype=np.float64)
    return np.concatenate([linear, matrix[:, 2:] + matrix[:, :2] @ offset], axis=1)


@lru_cache(maxsize=16)
def _colour_map(weights: tuple[float, float], full_range: bool) -> ColourMap:
    """The affine map of (Y, Cb, Cr) codes to B, G, R, float32 ``(3, 4)``.

    ITU-T H.273: R = Y + 2(1 - Kr)Cr, B = Y + 2(1 - Kb)Cb, G from Y = KrR + KgG + KbB.
    """
    red, blue = weights
    green = 1.0 - red - blue
    luma = 1.0 if full_range else 255.0 / 219.0
    chroma = 1.0 if full_range else 255.0 / 224.0
    per_cb = np.array([2 * (1 - blue), -2 * (1 - blue) * blue / green, 0.0]) * chroma
    per_cr = np.array([0.0, -2 * (1 - red) * red / green, 2 * (1 - red)]) * chroma
    constant = -(per_cb + per_cr) * 128.0 - (0.0 if full_range else 16.0 * luma)
    return np.stack([np.full(3, luma), per_cb, per_cr, constant], axis=1).astype(np.float32)


@lru_cache(maxsize=2)
def _grey_map(full_range: bool) -> ColourMap:
    """The map of luma codes alone to grey B, G, R, float32 ``(3, 2)``."""
    scale, constant = (1.0, 0.0) if full_range else (255.0 / 219.0, -16.0 * 255.0 / 219.0)
    return np.array([[scale, constant]] * 3, np.float32)
