"""The one instant that lanes, plots and players share, and the range marked on it.

Everything that shows recorded time follows one ``TimeCursor``: it is told where it is by ``moved``
and moves it by ``move_to``; while it plays, its own clock moves it and players keep up. A player
that cannot keep up (it opens a file, it fills a buffer) holds the clock until it can.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from engine.domain.errors import Bug
from engine.domain.ports import Clock
from engine.runtime.clock import SystemClock

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
TICK_MS = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(at_us: int) -> datetime:
    """The UTC instant of microseconds since 1970, exactly."""
    return EPOCH + timedelta(microseconds=int(at_us))


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From one UTC instant up to a later one. Raises Bug when it is empty or turned around."""

    start_at: datetime
    end_at: datetime

    def __post_init__(self) -> None:
        if self.end_at <= self.start_at:
            raise Bug(f"a range ends after it starts, not {self.start_at} to {self.end_at}")

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_at - self.start_at).total_seconds()


class TimeCursor(QObject):
    """Where in time the console looks. ``moved`` carries the UTC instant, ``playing_changed``
    whether it plays, ``speed_changed`` the speed (1 is as it happened), ``range_changed`` the
    marked TimeRange or None. Lives on the UI thread. It never plays beyond now: there it pauses.
    """

    moved = Signal(object)
    playing_changed = Signal(bool)
    speed_changed = Signal(float)
    range_changed = Signal(object)

    def __init__(self, parent: QObject | None = None, clock: Clock | None = None) -> None:
        super().__init__(parent)
        self._clock: Clock = clock or SystemClock()
        self._at = self._clock.now()
        self._speed = 1.0
        self._range: TimeRange | None = None
        self._holding: dict[int, object] = {}
        self._last_mono_s = 0.0
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)

    # --- where ----------------------------------------------------------------------------------

    @property
    def at(self) -> datetime:
        """The UTC instant."""
        return self._at

    @property
    def at_us(self) -> int:
        """The instant in microseconds since 1970 UTC."""
        return micros(self._at)

    def move_to(self, at: datetime) -> None:
        """Go to an instant; not later than now."""
        at = min(at.astimezone(UTC), self._clock.now())
        self._last_mono_s = self._clock.mono_s()
        if at != self._at:
            self._at = at
            self.moved.emit(at)

    def move_by(self, seconds: float) -> None:
        """Go on or back by seconds."""
        self.move_to(self._at + timedelta(seconds=seconds))

    def step(self, frames: int, fps: float = 25.0) -> None:
        """Pause and go on or back by pictures of a camera's rate."""
        self.pause()
        self.move_by(frames / max(fps, 0.1))

    # --- playing --------------------------------------------------------------------------------

    @property
    def playing(self) -> bool:
        """Whether it plays (it does while it is held, too)."""
        return self._timer.isActive()

    @property
    def speed(self) -> float:
        """How many seconds of the recording pass in one second."""
        return self._speed

    @property
    def held(self) -> bool:
        """True while a player keeps the clock waiting."""
        return bool(self._holding)

    def play(self) -> None:
        """Let time pass."""
        if not self.playing:
            self._last_mono_s = self._clock.mono_s()
            self._timer.start()
            self.playing_changed.emit(True)

    def pause(self) -> None:
        """Stand still."""
        if self.playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    def toggle(self) -> None:
        """Play or pause."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def set_speed(self, speed: float) -> None:
        """Play at a speed, cut to what SPEEDS offers at its ends."""
        speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])
        if speed != self._speed:
            self._speed = speed
            self.speed_changed.emit(speed)

    def faster(self) -> None:
        """The next higher speed."""
        self.set_speed(next((s for s in SPEEDS if s > self._speed), SPEEDS[-1]))

    def slower(self) -> None:
        """The next lower speed."""
        self.set_speed(next((s for s in reversed(SPEEDS) if s < self._speed), SPEEDS[0]))

    def hold(self, player: object) -> None:
        """A player is not ready: time stands still until it lets go."""
        self._holding[id(player)] = player

    def let_go(self, player: object) -> None:
        """The player is ready, or gone."""
        if self._holding.pop(id(player), None) is not None:
            self._last_mono_s = self._clock.mono_s()

    def tick(self) -> None:
        """Move by what passed since the last tick; called by its own timer while it plays."""
        now_mono_s = self._clock.mono_s()
        passed_s = now_mono_s - self._last_mono_s
        self._last_mono_s = now_mono_s
        if self._holding or not self.playing:
            return
        self.move_by(passed_s * self._speed)
        if self._at >= self._clock.now():
            self.pause()

    # --- range ----------------------------------------------------------------------------------

    @property
    def range(self) -> TimeRange | None:
        """What is marked, None for nothing."""
        return self._range

    def mark(self, one: datetime, other: datetime) -> None:
        """Mark from one instant to another, whichever is first; the same twice marks nothing."""
        start, end = sorted((one.astimezone(UTC), other.astimezone(UTC)))
        self._set_range(TimeRange(start, end) if end > start else None)

    def clear_range(self) -> None:
        """Mark nothing."""
        self._set_range(None)

    def _set_range(self, marked: TimeRange | None) -> None:
        if marked != self._range:
            self._range = marked
            self.range_changed.emit(marked)
