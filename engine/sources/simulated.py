"""A simulated camera as a live source: ``simulated:paddock?seed=3&horses=5``."""

from __future__ import annotations

import re
import threading
import time
from urllib.parse import parse_qsl

from engine.domain.errors import OperatorMistake, SourceUnreachable
from engine.domain.ports import SourcePicture
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.simulation.barn import BarnTruth, SimulatedBarn
from engine.simulation.cameras import FPS
from engine.sources.pictures import ArrayPicture

_ADDRESS = re.compile(r"simulated:(?://)?([a-z]+)(?:\?(.*))?", re.IGNORECASE)
_LATE_AT_MOST_S = 0.5


def simulated_barn(address: str) -> SimulatedBarn:
    """The barn that an address names. Raises OperatorMistake."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None:
        raise OperatorMistake(
            f"{address} names no simulated camera.", "Write for example simulated:paddock."
        )
    query = dict(parse_qsl(found[2] or ""))
    if unknown := set(query) - {"seed", "horses"}:
        raise OperatorMistake(f"A simulated camera has no setting {sorted(unknown)[0]!r}.")
    try:
        seed = int(query.get("seed", "0"))
        horses = int(query["horses"]) if "horses" in query else None
    except ValueError as error:
        raise OperatorMistake("seed and horses of a simulated camera are numbers.") from error
    return SimulatedBarn(found[1].lower(), seed, horses)


def open_simulated(stream: Stream, settings: CaptureSettings) -> SimulatedSource:
    """Start a simulated camera; it needs nothing outside this process."""
    return SimulatedSource(simulated_barn(stream.address), paced=stream.realtime)


class SimulatedSource:
    """A FrameSource that renders 25 pictures a second; picture n shows time n / 25 s.

    ``paced``: behaves like a camera. Otherwise pictures come as fast as they are read. A reader
    that falls behind by half a second loses pictures, as with a real camera.
    """

    codec = "simulated"

    def __init__(self, barn: SimulatedBarn, paced: bool = True) -> None:
        self._barn = barn
        self._paced = paced
        self._closed = threading.Event()
        self._index = 0
        self._began_mono_s: float | None = None

    @property
    def live(self) -> bool:
        """See ``FrameSource``."""
        return self._paced

    @property
    def nominal_fps(self) -> float | None:
        """See ``FrameSource``."""
        return FPS

    @property
    def duration_s(self) -> float | None:
        """See ``FrameSource``."""
        return None

    def truth_at(self, t_s: float) -> BarnTruth:
        """Ground truth of the picture whose ``pts_s`` is ``t_s``."""
        return self._barn.truth_at(t_s)

    def read(self) -> SourcePicture:
        """See ``FrameSource``."""
        if self._paced:
            self._wait_for_turn()
        if self._closed.is_set():
            raise SourceUnreachable("The simulated camera was closed.")
        pts_s = self._index / FPS
        self._index += 1
        return SourcePicture(ArrayPicture(self._barn.picture_at(pts_s)), pts_s)

    def close(self) -> None:
        """See ``FrameSource``."""
        self._closed.set()

    def _wait_for_turn(self) -> None:
        now_s = time.monotonic()
        if self._began_mono_s is None:
            self._began_mono_s = now_s
        late_s = now_s - self._began_mono_s - self._index / FPS
        if late_s > _LATE_AT_MOST_S:
            self._index += int(late_s * FPS)
        elif late_s < 0:
            self._closed.wait(-late_s)
