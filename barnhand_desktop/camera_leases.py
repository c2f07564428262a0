"""Which cameras this process watches: its leases in the shared server, kept up on a thread.

The engine knows every camera, analyses and records those this node holds, and only shows the rest.
While the server is away the node goes on with what it holds; nobody can take it over meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from engine.domain.errors import BarnhandError, StoreUnavailable
from engine.domain.ids import StreamId
from engine.domain.nodes import (
    LEASE_LIFE_S,
    RENEW_EVERY_S,
    CameraLeases,
    LeaseTable,
    NodeCard,
    claims,
)
from engine.domain.notices import Notice, Severity
from engine.domain.streams import SourceKind, Stream
from engine.pipeline.onlooker import NOBODY
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

REST_AFTER_S = 2.0
"""Free cameras that no other node took for so long are taken beyond the fair share."""
READ_AGAIN_S = 30.0
"""The stored cameras are read again even if no news told of a change."""
JUST_AFTER_S = 0.05
KEY_DIFFERS = "leases.key_differs"
SERVER_AWAY = "leases.server_away"
_HEAR_STOP_S = 0.25


class News(Protocol):
    """What tells of changes; see ``db.leases.CameraNews``."""

    def wait(self, timeout_s: float) -> frozenset[str]: ...

    def close(self) -> None: ...


class Cameras(Protocol):
    """What is told which cameras to watch (``engine.facade.Engine``)."""

    def set_streams(
        self, streams: Sequence[Stream], elsewhere: Mapping[StreamId, str] | None = None
    ) -> None: ...

    def notify(self, notice: Notice) -> None: ...


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this node holds and what the server last said. ``away`` says why the server did not
    answer last; empty while it does."""

    mine: frozenset[StreamId] = frozenset()
    table: LeaseTable | None = None
    away: str = ""


class CameraKeeper:
    """Claims, renews and gives back this node's cameras, and tells the engine.

    ``stored`` reads the cameras of the server; None where the cameras were named on the command
    line, which this node takes all of, as far as nobody else has them. ``unreadable``: the cameras
    whose passwords this workstation's key cannot read; they are left to others.
    """

    def __init__(
        self,
        card: NodeCard,
        leases: CameraLeases,
        news: News,
        cameras: Cameras,
        stored: Callable[[], Sequence[Stream]],
        unreadable: Callable[[], frozenset[StreamId]] = frozenset,
    ) -> None:
        self.card = card
        self._leases = leases
        self._news = news
        self._cameras = cameras
        self._stored = stored
        self._unreadable = unreadable
        self._locked: frozenset[StreamId] = frozenset()
        self._follows = True
        self._streams: dict[StreamId, Stream] = {}
        self._holdings = Holdings()
        self._assigned: object = None
        self._lock = threading.RLock()
        self._free_since_s: float | None = None
        self._renewed_s = -1e9
        self._patient_until_s = -1e9
        self._read_s = 0.0
        self._left = False
        self._worker = Worker("camera leases", self._run, restart_budget=100_000)

    @property
    def holdings(self) -> Holdings:
        """What this node holds now, and the nodes and leases as they were last read."""
        return self._holdings

    def holds(self, stream_id: StreamId) -> bool:
        """True if this node watches the camera."""
        return stream_id in self._holdings.mine

    # --- start and stop -------------------------------------------------------------------------

    def prepare(self, streams: Sequence[Stream], follow_stored: bool) -> None:
        """Join, claim at once what is free, and give the engine its cameras; before it starts.

        With the server away the engine gets them all: there is nobody to ask, and cameras that
        nobody watches are the greater loss. The look after it is back puts that right.
        """
        with self._lock:
            self._follows = follow_stored
            self._streams = {stream.id: stream for stream in streams}
            self._read_s = time.monotonic()
            try:
                self._leases.register(self.card)
                self._try_key()
                self._look()
            except StoreUnavailable as error:
                self._server_went(error)
                wanted = frozenset(s.id for s in streams if s.enabled)
                self._holdings = Holdings(wanted, None, error.message)
                self._assign()

    def start(self) -> None:
        """Keep the leases up."""
        self._worker.start()

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """Stop renewing and end; call ``leave`` when the cameras are no longer watched."""
        self._worker.ask_to_stop()
        return () if self._worker.join(deadline_s) else (self._worker.name,)

    def leave(self) -> None:
        """Give all cameras back, so that others take them at once."""
        if self._left:
            return
        self._left = True
        try:
            self._leases.leave(self.card.id)
        except BarnhandError as error:
            log.info("the cameras are given back by their leases' end: %s", error)

    # --- what others ask ------------------------------------------------------------------------

    def set_streams(self, streams: Sequence[Stream]) -> None:
        """These are the cameras from now on (the console's command, which stored them before).
        New ones are claimed at once. Raises nothing: without the server the engine gets them."""
        with self._lock:
            known = set(self._streams)
            self._streams = {stream.id: stream for stream in streams}
            fresh = [s.id for s in streams if s.id not in known and s.enabled]
            try:
                self._leases.claim(self.card.id, fresh, len(fresh))
                self._look()
            except StoreUnavailable as error:
                self._server_went(error)
                mine = self._holdings.mine | frozenset(fresh)
                self._holdings = Holdings(mine, self._holdings.table, error.message)
                self._assign()

    def read_again(self) -> None:
        """The stored cameras changed. Raises StoreUnavailable."""
        with self._lock:
            if self._follows:
                self._read()
            self._look()

    def ask_for(self, stream_id: StreamId) -> bool:
        """Ask the node that has a camera to hand it to this one; False when nobody has it.
        Raises StoreUnavailable."""
        return self._leases.ask(self.card.id, stream_id)

    # --- the thread -----------------------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        try:
            while not token.stopping:
                try:
                    self._round(token)
                except StoreUnavailable as error:
                    self._server_went(error)
                    token.wait(1.0)
                except BarnhandError as error:
                    log.warning("the cameras' leases were not looked at: %s", error)
                    token.wait(1.0)
        finally:
            self._news.close()

    def _round(self, token: StopToken) -> None:
        """Wait for news or for the time to renew, and look."""
        due_s = self._renewed_s + self._pause_s()
        told: frozenset[str] = frozenset()
        while not told and not token.stopping and (left_s := due_s - time.monotonic()) > 0:
            told = self._news.wait(min(left_s, _HEAR_STOP_S))
        if token.stopping:
            return
        with self._lock:
            stale = time.monotonic() - self._read_s > READ_AGAIN_S
            if self._follows and ("streams" in told or stale):
                self._read()
            self._look()

    def _pause_s(self) -> float:
        """Until the next look: at once when a lease of another has just ended."""
        if self._free_since_s is not None:
            return REST_AFTER_S / 2
        table = self._holdings.table
        others = [] if table is None else [
            (one.expires_at - table.at).total_seconds()
            for one in table.leases
            if one.live and one.node_id != self.card.id
        ]  # fmt: skip
        return min([RENEW_EVERY_S, *(left_s + JUST_AFTER_S for left_s in others)])

    def _read(self) -> None:
        self._streams = {stream.id: stream for stream in self._stored()}
        self._try_key()
        self._read_s = time.monotonic()

    def _try_key(self) -> None:
        """Say which cameras' passwords were locked with another workstation's key."""
        self._locked = self._unreadable()
        names = sorted(s.name for s in self._streams.values() if s.id in self._locked)
        self._cameras.notify(
            Notice(
                KEY_DIFFERS,
                Severity.WARNING,
                "The passwords of these cameras were stored with another workstation's key, so "
                f"they are left to it: {', '.join(names)}.",
                "There: `barnhand key export FILE`; here: `barnhand key import FILE`, and start "
                "again. Or enter the passwords again here.",
                datetime.now(UTC),
                active=bool(names),
            )
        )

    def _look(self) -> None:
        """Renew, let go what is not wanted or was taken, claim what is free, tell the engine."""
        now_s = time.monotonic()
        mine = self._leases.renew(self.card)
        if self._holdings.table is not None and now_s - self._renewed_s > LEASE_LIFE_S / 2:
            # Silent ourselves: who else was cut off like us cannot be told yet.
            self._patient_until_s = now_s + LEASE_LIFE_S
        self._renewed_s = time.monotonic()
        wanted = {s.id: s.kind for s in self._streams.values() if s.enabled}
        unwanted = mine - wanted.keys()
        table = self._leases.list()
        asked = self._asked(table)
        if unwanted or asked:
            # First the engine lets go, then the server hears of it: never two at once.
            self._hold(mine - unwanted - asked, table)
            self._leases.release(self.card.id, unwanted)
            for stream_id in asked:
                self._leases.hand_over(self.card.id, stream_id)
            mine, table = self._leases.renew(self.card), self._leases.list()
        got = self._claim(wanted, table)
        if got:
            table = self._leases.list()
        self._server_came()
        self._hold(mine | got, table)

    def _asked(self, table: LeaseTable) -> frozenset[StreamId]:
        alive = {node.id for node in table.nodes if node.alive}
        return frozenset(
            one.stream_id
            for one in table.leases
            if one.live and one.node_id == self.card.id and one.asked_by in alive
        )

    def _claim(
        self, wanted: Mapping[StreamId, SourceKind], table: LeaseTable
    ) -> frozenset[StreamId]:
        now_s = time.monotonic()
        here = {
            i: kind
            for i, kind in wanted.items()
            if i not in self._locked and is_here(self._streams[i])
        }
        waited = self._free_since_s is not None and now_s - self._free_since_s >= REST_AFTER_S
        free, at_most = claims(
            here,
            table,
            self.card,
            rest=waited or not self._follows,
            others_too=now_s >= self._patient_until_s,
        )
        got = self._leases.claim(self.card.id, free, at_most)
        if not free or len(got) == len(free):
            self._free_since_s = None
        elif self._free_since_s is None:
            self._free_since_s = now_s
        if got:
            log.info("this node took %d cameras", len(got))
        return got

    def _hold(self, mine: Collection[StreamId], table: LeaseTable) -> None:
        lost = self._holdings.mine - set(mine)
        if lost:
            log.info("this node let go of %d cameras", len(lost))
        self._holdings = Holdings(frozenset(mine), table)
        self._assign()

    def _assign(self) -> None:
        """Tell the engine, if anything is different from what it was told before."""
        holdings = self._holdings
        elsewhere: dict[StreamId, str] = {}
        for stream in self._streams.values():
            if stream.id in holdings.mine or not stream.enabled:
                continue
            lease = None if holdings.table is None else holdings.table.holder(stream.id)
            elsewhere[stream.id] = NOBODY if lease is None else lease.node_name
        assigned = (tuple(self._streams.values()), elsewhere)
        if assigned != self._assigned:
            self._assigned = assigned
            self._cameras.set_streams(assigned[0], elsewhere)

    # --- the server -----------------------------------------------------------------------------

    def _server_went(self, error: StoreUnavailable) -> None:
        if not self._holdings.away:
            log.warning("this node goes on with the cameras it holds: %s", error)
        held = self._holdings
        self._holdings = Holdings(held.mine, held.table, error.message)
        self._tell(
            "The server that shares the cameras among the workstations does not answer.",
            "This one goes on with the cameras it has and keeps its rows on disk.",
            active=True,
        )

    def _server_came(self) -> None:
        if self._holdings.away:
            log.info("the server of the cameras' leases answers again")
            self._tell("", "", active=False)

    def _tell(self, message: str, advice: str, active: bool) -> None:
        self._cameras.notify(
            Notice(SERVER_AWAY, Severity.WARNING, message, advice, datetime.now(UTC), active=active)
        )


def is_here(stream: Stream) -> bool:
    """False for a file or folder that this machine does not have."""
    if stream.kind not in (SourceKind.FILE, SourceKind.FOLDER):
        return True
    try:
        return Path(stream.address).expanduser().exists()
    except OSError:
        return False
