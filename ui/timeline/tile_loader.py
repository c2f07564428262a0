"""Tiles read on workers and kept: the newest wish wins, what is known stays on show meanwhile."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from engine.domain.errors import BarnhandError
from engine.domain.ports import Clock
from engine.runtime.clock import SystemClock
from ui.requests import RequestId, RequestRunner
from ui.timeline.tile_grid import TileKey

T = TypeVar("T")
KEPT = 64
AT_ONCE = 2
RETRY_MS = 3000


@dataclass
class _Entry(Generic[T]):
    value: T
    generation: int
    read_mono_s: float
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Piece(Generic[T]):
    """A tile's content over the part of the window that it is shown for; ``key`` is the tile."""

    value: T
    start_us: int
    end_us: int
    key: TileKey


class TileLoader(QObject, Generic[T]):
    """Reads tiles with ``read(key)``, which captures its inputs on the UI thread and returns the
    blocking work. ``whole(value)`` says that a tile holds everything and serves finer levels, too.

    ``arrived`` follows every tile that came, ``failed`` carries why one did not (it is asked again
    by itself while it is wanted), ``recovered`` the first success after that.
    """

    arrived = Signal()
    failed = Signal(object)
    recovered = Signal()

    def __init__(
        self,
        requests: RequestRunner,
        name: str,
        read: Callable[[TileKey], Callable[[], T] | None],
        whole: Callable[[T], bool] = lambda _value: False,
        parent: QObject | None = None,
        clock: Clock | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        super().__init__(parent)
        self._requests = requests
        self._name = name
        self._read = read
        self._whole = whole
        self._clock: Clock = clock or SystemClock()
        self._at_once = at_once
        self._entries: OrderedDict[TileKey, _Entry[T]] = OrderedDict()
        self._wanted: list[TileKey] = []
        self._reading: dict[TileKey, RequestId] = {}
        self._generation = 0
        self.problem: BarnhandError | None = None
        self.version = 0
        """Grows whenever what is known changes; painters compare it."""
        self._retry = QTimer(self, interval=RETRY_MS, singleShot=True)
        self._retry.timeout.connect(self._read_next)

    # --- wishes ---------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something wanted is still on its way."""
        return bool(self._reading) or (not self.problem and bool(self._missing()))

    def want(self, keys: Sequence[TileKey]) -> None:
        """These tiles, the most urgent first; what was wanted before and not begun is not."""
        self._wanted = list(keys)
        for key in [key for key in self._reading if key not in self._wanted]:
            self._requests.cancel(self._reading.pop(key))
        for key in keys:
            if key in self._entries:
                self._entries.move_to_end(key)
        if not self._retry.isActive():
            self._read_next()

    def reset(self, *, forget: bool = False) -> None:
        """Other lanes are wanted, or the store changed: everything is read again; what is known
        is shown until then, unless it is to be forgotten."""
        self._generation += 1
        for request_id in self._reading.values():
            self._requests.cancel(request_id)
        self._reading.clear()
        if forget:
            self._entries.clear()
            self.version += 1
        self._retry.stop()
        self._read_next()

    def refresh(self, start_us: int, end_us: int, older_than_s: float) -> None:
        """Read tiles of a span again that were read longer ago than this."""
        before_s = self._clock.mono_s() - older_than_s
        for key, entry in self._entries.items():
            if key.start_us < end_us and key.end_us > start_us and entry.read_mono_s <= before_s:
                entry.stale = True
        if not self._retry.isActive():
            self._read_next()

    # --- what is known --------------------------------------------------------------------------

    def has(self, key: TileKey) -> bool:
        """Whether a span is known as finely as its level asks, whatever its age."""
        return key in self._entries or self._within_whole(key) is not None

    def pieces(self, level: int, start_us: int, end_us: int) -> list[Piece[T]]:
        """The best of what is known about a span, in order: tiles of the wanted level, then those
        nearest to it, so that something is on show while the rest is on its way."""
        order = sorted(
            (k for k in self._entries if k.start_us < end_us and k.end_us > start_us),
            key=lambda k: (self._entries[k].generation != self._generation, abs(k.level - level)),
        )
        gaps, found = [(start_us, end_us)], []
        for key in order:
            left: list[tuple[int, int]] = []
            for gap in gaps:
                first, last = max(gap[0], key.start_us), min(gap[1], key.end_us)
                if first >= last:
                    left.append(gap)
                    continue
                found.append(Piece(self._entries[key].value, first, last, key))
                left += [part for part in ((gap[0], first), (last, gap[1])) if part[0] < part[1]]
            gaps = left
            if not gaps:
                break
        return sorted(found, key=lambda piece: piece.start_us)

    # --- reading --------------------------------------------------------------------------------

    def _fresh(self, key: TileKey) -> bool:
        entry = self._entries.get(key)
        if entry is not None and not entry.stale and entry.generation == self._generation:
            return True
        if entry is not None:
            return False
        whole = self._within_whole(key)
        return whole is not None and not whole.stale and whole.generation == self._generation

    def _within_whole(self, key: TileKey) -> _Entry[T] | None:
        """A coarser tile that holds everything about the span of this one."""
        found = (
            entry
            for other, entry in self._entries.items()
            if other.level > key.level
            and other.start_us <= key.start_us
            and key.end_us <= other.end_us
            and self._whole(entry.value)
        )
        return next(found, None)

    def _missing(self) -> list[TileKey]:
        return [k for k in self._wanted if k not in self._reading and not self._fresh(k)]

    def _read_next(self) -> None:
        for key in self._missing():
            if len(self._reading) >= self._at_once:
                return
            self._begin(key)

    def _begin(self, key: TileKey) -> None:
        work = self._read(key)
        if work is None:
            return
        generation = self._generation

        def done(value: T) -> None:
            self._reading.pop(key, None)
            self._keep(key, value, generation)

        def failed(error: BarnhandError) -> None:
            self._reading.pop(key, None)
            self.problem = error
            self._retry.start()
            self.failed.emit(error)

        self._reading[key] = self._requests.submit(self._name, work, done, failed, self)

    def _keep(self, key: TileKey, value: T, generation: int) -> None:
        self._entries[key] = _Entry(value, generation, self._clock.mono_s())
        self._entries.move_to_end(key)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        self.version += 1
        if self.problem is not None:
            self.problem = None
            self.recovered.emit()
        self.arrived.emit()
        self._read_next()
