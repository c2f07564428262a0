"""What is cleared away once a day, each task counted, logged and noted in the audit trail.

Recordings are no business of this module (``engine/recording/keeper.py``), nor are jobs
(``db/queue/jobs.py: tidy``) and the days of detections (``db/timeseries.py``), which their owners
tend all the time. A further task is a ``Task`` in the list that ``tasks`` returns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
from psycopg_pool import ConnectionPool

from barnhand_desktop.backup.alone import alone_on_server
from barnhand_desktop.backup.session_archive import OldSessions, sweep_unfinished
from barnhand_desktop.exports.names import EXPORTS, PART
from db.migrate import has_timescale
from db.pool import transaction
from db.queries import queries
from db.repositories.audit import AuditEntry, AuditRepository
from db.repositories.avatars import CHOSEN
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.errors import BarnhandError

log = logging.getLogger(__name__)

FORGOTTEN_AFTER = timedelta(days=90)
"""Horses that were not seen for so long need no large pictures (specification: operations)."""
THIN_PX = 128
THIN_QUALITY = 70
LARGE_AVATAR_BYTES = 16_000
CROPS_KEPT = 3
_BATCH = 5000
_MOST_ROUNDS = 10_000

Counts = Mapping[str, int]
Work = Callable[[datetime, Callable[[], bool]], Counts]
"""Clears away as of an instant (UTC), asked between steps whether to end early; what went."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of clearing away. ``on_every_node``: it is about this machine's files; otherwise
    one node of a server does it for all."""

    name: str
    work: Work
    on_every_node: bool = False


def tasks(
    pool: ConnectionPool, media: Path, retention_days: int, exports_days: int
) -> tuple[Task, ...]:
    """The tasks of this program."""
    shelf = ClearedRows(pool, retention_days)
    exports = OldExports(pool, media, exports_days)
    sessions = OldSessions(PostgresSessionRepository(pool), media)
    return (
        Task("strides", shelf.strides),
        Task("detections", shelf.follow_retention),
        Task("pictures", shelf.pictures),
        Task("exports", exports.remove, on_every_node=True),
        Task("sessions", sessions.archive_due, on_every_node=True),
        Task("unfinished", partial(sweep_unfinished, media), on_every_node=True),
    )


class Housekeeping:
    """Does each task once a day. Used by the thread of daily work."""

    def __init__(self, dsn: str, pool: ConnectionPool, todo: Sequence[Task]) -> None:
        self._dsn = dsn
        self._todo = tuple(todo)
        self._audit = AuditRepository(pool)
        self._done_here: dict[str, datetime] = {}

    def look(self, due: datetime, now: datetime, cancelled: Callable[[], bool]) -> None:
        """Do what was not done since ``due``. Faults are logged and tried again a day later."""
        for task in self._todo:
            if cancelled():
                return
            if self._done_here.get(task.name, due - timedelta(days=1)) >= due:
                continue
            try:
                if task.on_every_node:
                    self._run(task, now, cancelled)
                else:
                    self._run_alone(task, due, now, cancelled)
            except BarnhandError as error:
                log.warning("housekeeping (%s) did not end: %s", task.name, error)
            self._done_here[task.name] = now

    def _run_alone(
        self, task: Task, due: datetime, now: datetime, cancelled: Callable[[], bool]
    ) -> None:
        lock = queries("housekeeping")["try_alone"]
        with alone_on_server(self._dsn, lock, "asking who keeps house") as connection:
            if connection is None:
                return  # another node is at it
            row = connection.execute(
                queries("housekeeping")["last_run"], {"task": task.name}
            ).fetchone()
            if row is None or row[0] < due:
                self._run(task, now, cancelled)

    def _run(self, task: Task, now: datetime, cancelled: Callable[[], bool]) -> None:
        counts = dict(task.work(now, cancelled))
        removed = sum(counts.values())
        if removed:
            said = ", ".join(f"{number} {what}" for what, number in counts.items())
            log.info("housekeeping (%s): %s", task.name, said)
        if removed or not task.on_every_node:
            self._audit.add(
                AuditEntry(
                    user_id=None,
                    username="barnhand",
                    api_key_id=None,
                    farm_id=None,
                    action="housekeeping.run",
                    object_kind="housekeeping",
                    object_id=task.name,
                    address=None,
                    details=counts,
                )
            )


class ClearedRows:
    """Rows and pictures in the database that are past their time."""

    def __init__(self, pool: ConnectionPool, retention_days: int) -> None:
        self._pool = pool
        self._keep_days = retention_days
        self._sql = queries("housekeeping")

    def strides(self, now: datetime, cancelled: Callable[[], bool]) -> Counts:
        """Strides are kept as long as the detections they were measured in; bouts and sums of
        hours stay, they are small and are what timelines and baselines read."""
        before = now - timedelta(days=self._keep_days)
        return {"strides": self._in_batches("drop_old_strides", {"before": before}, cancelled)}

    def follow_retention(self, now: datetime, cancelled: Callable[[], bool]) -> Counts:
        """TimescaleDB's own policy gets the days of the settings. Native partitions are dropped
        hourly by the writer."""
        with transaction(self._pool, "setting the retention") as connection:
            if not has_timescale(connection):
                return {}
            days = {"keep": f"{self._keep_days} days"}
            changed = connection.execute(self._sql["set_retention"], days).rowcount
        return {"policies": max(changed, 0)}

    def pictures(self, now: datetime, cancelled: Callable[[], bool]) -> Counts:
        """Thin the pictures of horses that were not seen for 90 days, whatever their status:

        - the avatar becomes a JPEG of at most 128 px, if it took more than 16 kB; one that a
          person chose stays as it is;
        - of the crops of its tracks the three best stay, as they are; tracks that belong in part
          to a horse that was seen since keep theirs.

        A horse that is seen again gets a new avatar from its next better crop.
        """
        before = now - FORGOTTEN_AFTER
        fields = {"before": before, "keep": CROPS_KEPT}
        return {
            "avatars": self._avatars(before, cancelled),
            "crops": self._in_batches("thin_crops", fields, cancelled),
        }

    def _avatars(self, before: datetime, cancelled: Callable[[], bool]) -> int:
        thinned, looked_at = 0, list[UUID]()
        while not cancelled():
            fields = {
                "before": before, "large": LARGE_AVATAR_BYTES, "chosen": CHOSEN, "limit": 50,
                "done": looked_at,
            }  # fmt: skip
            with transaction(self._pool, "thinning pictures") as connection:
                rows = connection.execute(self._sql["forgotten_avatars"], fields).fetchall()
                for horse, avatar in rows:
                    looked_at.append(horse)
                    thin = thinner(bytes(avatar))
                    if thin is not None:
                        change = {"id": horse, "avatar": avatar, "thin": thin}
                        thinned += connection.execute(self._sql["thin_avatar"], change).rowcount
            if not rows:
                break
        return thinned

    def _in_batches(
        self, statement: str, fields: Mapping[str, object], cancelled: Callable[[], bool]
    ) -> int:
        """Short transactions, so that nobody waits long for a lock."""
        total = 0
        for _ in range(_MOST_ROUNDS):
            if cancelled():
                break
            with transaction(self._pool, "clearing away old rows") as connection:
                gone = connection.execute(
                    self._sql[statement], {**fields, "limit": _BATCH}
                ).rowcount
            total += gone
            if gone < _BATCH:
                break
        return total


def thinner(jpeg: bytes) -> bytes | None:
    """The picture with at most ``THIN_PX`` pixels a side; None where it cannot be read or would
    not get smaller."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    height, width = image.shape[:2]
    scale = THIN_PX / max(height, width)
    if scale < 1.0:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, THIN_QUALITY])
    return bytes(data) if done and len(data) < len(jpeg) else None


class OldExports:
    """Finished exports in this machine's media folder."""

    def __init__(self, pool: ConnectionPool, media: Path, keep_days: int) -> None:
        self._pool = pool
        self._folder = media / EXPORTS
        self._keep = timedelta(days=keep_days)

    def remove(self, now: datetime, cancelled: Callable[[], bool]) -> Counts:
        """Remove files older than the setting, and say so in the rows of their jobs. Unfinished
        ones (``.part``) are the exporter's own."""
        oldest = now - self._keep
        gone: list[str] = []
        freed = 0
        for path in sorted(self._folder.glob("*")) if self._folder.is_dir() else ():
            if cancelled():
                break
            if path.is_symlink() or not path.is_file() or PART in path.name:
                continue
            stat = path.stat()
            if datetime.fromtimestamp(stat.st_mtime, UTC) >= oldest:
                continue
            try:
                path.unlink()
            except OSError as error:
                log.warning("an old export was not removed: %s", error)
                continue
            gone.append(f"{EXPORTS}/{path.name}")
            freed += stat.st_size
        if gone:
            with transaction(self._pool, "noting removed exports") as connection:
                fields = {"paths": gone, "at": now}
                connection.execute(queries("housekeeping")["exports_gone"], fields)
            log.info("removed %d old exports (%d bytes)", len(gone), freed)
        return {"exports": len(gone)}
