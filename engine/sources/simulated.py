"""A simulated camera as a live source.

``simulated:paddock?seed=3&horses=5``: a scene of its own, from its beginning.
``simulated://barn/paddock?seed=3&horses=10``: one of the cameras of a shared farm. All of them with
the same seed and number of horses look at the same herd at the same time, which is the wall clock,
in one process or many. ``programme`` chooses what the herd does: ``rounds`` (the usual) or one of
``scenarios.PROGRAMMES``. ``width`` sets the picture's width, 16:9.
"""

from __future__ import annotations

import re
import threading
import time
from urllib.parse import parse_qsl

from engine.domain.errors import OperatorMistake, SourceUnreachable
from engine.domain.ports import SourcePicture
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.simulation.barn import SimulatedBarn
from engine.simulation.cameras import FPS, WIDTH_PX
from engine.simulation.scenarios import shared_farm
from engine.simulation.truth import BarnTruth
from engine.sources.pictures import ArrayPicture

_ADDRESS = re.compile(
    r"simulated:(?://)?(?P<shared>barn/)?(?P<camera>[a-z0-9]+)(?:\?(?P<query>.*))?", re.IGNORECASE
)
_LATE_AT_MOST_S = 0.5
_SETTINGS = {"seed", "horses", "width"}


def simulated_barn(address: str) -> SimulatedBarn:
    """The barn that an address names. Raises OperatorMistake."""
    return _understood(address)[0]


def _understood(address: str) -> tuple[SimulatedBarn, bool]:
    """The barn of an address, and whether other cameras share its farm and clock."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None:
        raise OperatorMistake(
            f"{address} names no simulated camera.",
            "Write for example simulated:paddock or simulated://barn/paddock.",
        )
    shared = found["shared"] is not None
    query = dict(parse_qsl(found["query"] or ""))
    known = _SETTINGS | {"programme"} if shared else _SETTINGS
    if unknown := set(query) - known:
        raise OperatorMistake(f"A simulated camera has no setting {sorted(unknown)[0]!r}.")
    try:
        seed = int(query.get("seed", "0"))
        horses = int(query["horses"]) if "horses" in query else None
        width_px = int(query.get("width", WIDTH_PX))
    except ValueError as error:
        raise OperatorMistake(
            "seed, horses and width of a simulated camera are numbers."
        ) from error
    if not 160 <= width_px <= 3840:
        raise OperatorMistake("A simulated picture is 160 to 3840 pixels wide.")
    farm = None
    if shared:
        farm = shared_farm(query.get("programme", "rounds"), seed, 10 if horses is None else horses)
    size_px = (width_px, round(width_px * 9 / 16))
    return SimulatedBarn(found["camera"].lower(), seed, horses, farm, size_px), shared


def open_simulated(stream: Stream, settings: CaptureSettings) -> SimulatedSource:
    """Start a simulated camera; it needs nothing outside this process."""
    barn, shared = _understood(stream.address)
    live = stream.realtime and shared
    return SimulatedSource(barn, paced=stream.realtime, start_s=time.time() if live else 0.0)


class SimulatedSource:
    """A FrameSource that renders 25 pictures a second; picture n shows time ``start_s`` + n / 25 s.

    ``paced``: behaves like a camera. Otherwise pictures come as fast as they are read. A reader
    that falls behind by half a second loses pictures, as with a real camera.
    """

    codec = "simulated"

    def __init__(self, barn: SimulatedBarn, paced: bool = True, start_s: float = 0.0) -> None:
        self._barn = barn
        self._paced = paced
        self._start_s = start_s
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

    @property
    def start_s(self) -> float:
        """Time of the farm's clock when ``pts_s`` is 0."""
        return self._start_s

    def truth_at(self, pts_s: float) -> BarnTruth:
        """Ground truth of the picture with that ``pts_s``."""
        return self._barn.truth_at(self._start_s + pts_s)

    def read(self) -> SourcePicture:
        """See ``FrameSource``."""
        if self._paced:
            self._wait_for_turn()
        if self._closed.is_set():
            raise SourceUnreachable("The simulated camera was closed.")
        pts_s = self._index / FPS
        self._index += 1
        return SourcePicture(ArrayPicture(self._barn.picture_at(self._start_s + pts_s)), pts_s)

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
