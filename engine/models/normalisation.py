"""Pictures to network input: channel order, mean and spread."""

from __future__ import annotations

import cv2
import numpy as np

from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.manifest import InputSpec


class Normaliser:
    """Turns uint8 (B, H, W, 3) BGR into float32 (B, 3, H, W) by an InputSpec.

    The returned array is reused by the next call of the same shape. Splitting first and then
    converting each plane by one multiply-add is about twice as fast as a blob function.
    """

    def __init__(self, spec: InputSpec) -> None:
        planes = (0, 1, 2) if spec.colour == "bgr" else (2, 1, 0)
        self._planes = planes
        self._gains = tuple(np.float32(1.0 / std) for std in spec.std)
        self._offsets = tuple(
            np.float32(-mean / std) for mean, std in zip(spec.mean, spec.std, strict=True)
        )
        self._buffer: FloatArray = np.empty((0, 3, 0, 0), np.float32)

    def __call__(self, pictures_bgr: Image) -> FloatArray:
        """(value - mean) / std per channel, in the model's channel order."""
        count, height, width, _ = pictures_bgr.shape
        if self._buffer.shape != (count, 3, height, width):
            self._buffer = np.empty((count, 3, height, width), np.float32)
        for picture, target in zip(pictures_bgr, self._buffer, strict=True):
            split = cv2.split(picture)
            for channel, source in enumerate(self._planes):
                gain, offset = self._gains[channel], self._offsets[channel]
                if gain == 1.0:
                    target[channel] = split[source]
                else:
                    np.multiply(split[source], gain, out=target[channel], casting="unsafe")
                if offset:
                    target[channel] += offset
        return self._buffer
