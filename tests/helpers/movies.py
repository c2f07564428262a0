"""Small videos made for a test."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from engine.domain.frames import Image


def colour_card(width: int, height: int, index: int) -> Image:
    """A smooth coloured picture with a bright square that moves with ``index``; uint8 BGR."""
    x = np.linspace(0, 255, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 255, height, dtype=np.float32)[:, None]
    card = np.stack([x + 0 * y, y + 0 * x, 255 - x + 0 * y], axis=-1).astype(np.uint8)
    left = (index * 4) % max(width - 24, 1)
    cv2.rectangle(card, (left, 20), (left + 20, 40), (255, 255, 255), -1)
    return card


def write_movie(
    path: Path,
    *,
    size: tuple[int, int] = (320, 180),
    frames: int = 25,
    fps: int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    keys_every: int = 10,
) -> Path:
    """Encode ``colour_card`` pictures; the container follows the suffix."""
    options = {"preset": "ultrafast", "tune": "zerolatency"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = keys_every
        for index in range(frames):
            card = colour_card(*size, index)
            for packet in stream.encode(av.VideoFrame.from_ndarray(card, "bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
