"""Runs a session in batches that fit, and keeps going when the device does not."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from engine.domain.errors import EnvironmentFault
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.domain.results import Degradation
from engine.models.sessions import Device, OutOfMemory, Session

log = logging.getLogger(__name__)


class BatchRunner:
    """Executes any number of equally sized pictures, in chunks of at most ``batch_limit``.

    On a CPU pictures run one by one: a batch of 8 costs 1.16 times as much a picture there. When
    memory runs out the chunk is halved for good; when one picture does not fit either, or the
    device is lost, the model is opened again on the CPU. ``degradation`` says what happened.
    """

    def __init__(
        self, open_on: Callable[[Device], Session], device: Device, batch_limit: int
    ) -> None:
        self._open_on = open_on
        self._wanted = batch_limit
        self.degradation = Degradation.NONE
        self.session = self._open(device)

    def _open(self, device: Device) -> Session:
        session = self._open_on(device)
        fixed = session.input.shape[0]
        self._fixed = fixed if fixed is not None and fixed > 1 else None
        self.limit = fixed or (1 if session.device == "cpu" else max(self._wanted, 1))
        return session

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        """Outputs of all pictures, uint8 (B, H, W, 3) with B > 0, joined along the batch.

        Raises OutOfMemory or EnvironmentFault when even the CPU cannot run one picture.
        """
        if len(pictures_bgr) <= self.limit and self._fixed is None:
            try:
                return self.session.run(pictures_bgr)
            except EnvironmentFault as error:
                self._degrade(error, len(pictures_bgr))
        parts: list[list[FloatArray]] = []
        start = 0
        while start < len(pictures_bgr):
            chunk = pictures_bgr[start : start + self.limit]
            try:
                parts.append(self._run_chunk(chunk))
                start += len(chunk)
            except EnvironmentFault as error:
                self._degrade(error, len(chunk))
        return [np.concatenate(columns) for columns in zip(*parts, strict=True)]

    def _run_chunk(self, chunk: Image) -> list[FloatArray]:
        count = len(chunk)
        if self._fixed is None or count == self._fixed:
            return self.session.run(chunk)
        padded = np.zeros((self._fixed, *chunk.shape[1:]), np.uint8)
        padded[:count] = chunk
        return [out[:count] for out in self.session.run(padded)]

    def _degrade(self, error: EnvironmentFault, size: int) -> None:
        """Make the next try cheaper, or raise the error again when nothing is left to give up."""
        if isinstance(error, OutOfMemory) and size > 1 and self._fixed is None:
            self.limit = max(size // 2, 1)
            self.degradation |= Degradation.SMALLER_BATCH
            log.warning("%s Batches now hold %d pictures.", error, self.limit)
            return
        if self.session.device == "cpu":
            raise error
        log.warning("%s The model goes on, slower, on the CPU.", error)
        self.session.close()
        self.session = self._open("cpu")
        self.degradation |= Degradation.ON_CPU

    def close(self) -> None:
        """Close the session."""
        self.session.close()
