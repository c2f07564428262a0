"""The console's own list of sessions, read on a worker: every second while one is analysed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from engine.domain.errors import BarnhandError
from engine.domain.ids import FarmId, HorseId
from engine.domain.sessions import Session, SessionId, SessionRepository, SessionState
from ui.requests import RequestRunner

BUSY_MS, REST_MS = 1000, 5000
PAGE = 200
AT_MOST = 1000
BUSY = (SessionState.QUEUED, SessionState.RUNNING)


class SessionFeed(QObject):
    """``changed`` follows every reading that brought something new or a new problem. ``horse_id``
    and ``states`` limit what is read; ``problem`` says why the store could not be (it is asked
    again)."""

    changed = Signal()

    def __init__(
        self,
        sessions: SessionRepository | None,
        farm_id: FarmId | None,
        requests: RequestRunner,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._repository = sessions
        self._farm_id = farm_id
        self._requests = requests
        self.sessions: tuple[Session, ...] = ()
        self.horse_id: HorseId | None = None
        self.states: tuple[SessionState, ...] = ()
        self.problem: BarnhandError | None = None
        self.loaded = False
        self._limit = PAGE
        self._asked = self._again = self._watched = False
        self._timer = QTimer(self, interval=REST_MS)
        self._timer.timeout.connect(self.refresh)
        if sessions is not None:
            self._timer.start()

    @property
    def offered(self) -> bool:
        """False where the console has no store of sessions."""
        return self._repository is not None

    @property
    def has_more(self) -> bool:
        """Whether older ones may be left."""
        return self._limit <= len(self.sessions) < AT_MOST

    def choose(self, horse_id: HorseId | None, states: Sequence[SessionState]) -> None:
        """Read these only."""
        self.horse_id, self.states, self._limit = horse_id, tuple(states), PAGE
        self.refresh()

    def read_more(self) -> None:
        """Older ones too."""
        self._limit = min(self._limit + PAGE, AT_MOST)
        self.refresh()

    def watch_closely(self, on: bool) -> None:
        """The page is on show."""
        self._watched = on
        self._pace()
        if on:
            self.refresh()

    def refresh(self) -> None:
        """Read now; one reading at a time, and once more for what was asked meanwhile."""
        repository = self._repository
        if repository is None:
            return
        if self._asked:
            self._again = True
            return
        self._asked = True
        farm, horse, states, limit = self._farm_id, self.horse_id, self.states, self._limit
        self._requests.submit(
            "sessions",
            lambda: tuple(repository.list(farm, horse, states=states, limit=limit)),
            self._on_read,
            self._on_failed,
            owner=self,
        )

    def take(self, session: Session) -> None:
        """The newest state of one, at once; a new one stands first."""
        known = [session if one.id == session.id else one for one in self.sessions]
        if session.id not in {one.id for one in known}:
            known.insert(0, session)
        self.sessions = tuple(known)
        self._pace()
        self.changed.emit()
        self.refresh()

    def get(self, session_id: SessionId | None) -> Session | None:
        """One of those that were read."""
        return next((one for one in self.sessions if one.id == session_id), None)

    def stop(self) -> None:
        """Read no more (the window is closing)."""
        self._timer.stop()
        self._repository = None

    def _on_read(self, sessions: tuple[Session, ...]) -> None:
        self._asked = False
        news = sessions != self.sessions or not self.loaded or self.problem is not None
        self.problem, self.loaded, self.sessions = None, True, sessions
        self._pace()
        if news:
            self.changed.emit()
        self._once_more()

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = False
        self.problem = error
        self.changed.emit()
        self._again = False

    def _once_more(self) -> None:
        if self._again:
            self._again = False
            self.refresh()

    def _pace(self) -> None:
        busy = any(session.state in BUSY for session in self.sessions)
        wanted = BUSY_MS if busy and self._watched else REST_MS
        if self._timer.interval() != wanted:
            self._timer.setInterval(wanted)
