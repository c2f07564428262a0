"""A seat on a simulated view without a camera between."""

from __future__ import annotations

from concurrent.futures import Future

from engine.domain.errors import BarnhandError
from engine.domain.ptz import Motion
from engine.simulation.ptz_view import MovingView


class PaperSeat:
    """Meets Seat. ``lose_after`` moves, somebody else has the camera. ``faults``: presets that
    fail, and how."""

    def __init__(self, view: MovingView) -> None:
        self.view = view
        self.motions: list[Motion] = []
        self.visited: list[int] = []
        self.faults: dict[int, BarnhandError] = {}
        self.lost = False
        self.lose_after: int | None = None
        self.stops = 0
        self.released = False

    def hold(self) -> bool:
        return not self.lost

    def move(self, motion: Motion) -> bool:
        if self.lose_after is not None and len(self.motions) >= self.lose_after:
            self.lost = True
        if self.lost:
            return False
        self.motions.append(motion)
        self.view.drive(motion.pan, motion.tilt, motion.zoom)
        return True

    def stop(self) -> None:
        self.stops += 1
        self.view.drive(0.0, 0.0, 0.0)

    def go_to(self, preset: int) -> Future[None] | None:
        if self.lost:
            return None
        self.visited.append(preset)
        arrived: Future[None] = Future()
        if preset in self.faults:
            arrived.set_exception(self.faults[preset])
        else:
            self.view.go_to(preset)
            arrived.set_result(None)
        return arrived

    def release(self) -> None:
        self.released = True
