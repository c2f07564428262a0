"""Makes one backup: an instant of the database, counted, dumped, described, and looked at again."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from barnhand_desktop import __version__
from barnhand_desktop.backup.archive import BLOCK_BYTES, ArchiveWriter, reading, require_room
from barnhand_desktop.backup.archive import writing as writing_archive
from barnhand_desktop.backup.contents import Contents, Snapshot, snapshot
from barnhand_desktop.backup.manifest import Manifest, damaged
from barnhand_desktop.backup.programs import Child, explained, find_program, running
from engine.domain.backups import BackupProgress
from engine.domain.errors import BarnhandError

log = logging.getLogger(__name__)

LOCK_WAIT_S = 60
_COMPRESSION = "zstd:3"
_COMPRESSION_OF_OTHERS = "gzip:6"
"""Of programs that were built without the better one."""
_DUMPING = re.compile(r'dumping contents of table "[^"]*?\.?([^".]+)"')
_DUMP_SHARE = 0.9
"""The rest of the progress is for reading it again."""


class BackupCancelled(Exception):
    """Whoever asked for the backup took it back."""


def never() -> bool:
    """Nobody cancels."""
    return False


def untold(share: float, doing: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class BackupOrder:
    """What to back up and where to. ``keys``: the locked keys to put in; ``expected_bytes``: the
    size of the last one, None where there was none."""

    dsn: str
    path: Path
    at: datetime
    keys: bytes | None = None
    expected_bytes: int | None = None


def make_backup(
    order: BackupOrder,
    progress: BackupProgress = untold,
    cancelled: Callable[[], bool] = never,
) -> Manifest:
    """Write one backup file and verify it; what it says of itself.

    Raises EnvironmentFault (server away, disk full, programs too old), OperatorMistake, or
    BackupCancelled; in each case nothing is left of it.
    """
    with snapshot(order.dsn) as instant:
        contents = instant.contents
        expected = order.expected_bytes
        needed = contents.database_bytes // 2 if expected is None else expected * 5 // 4
        require_room(order.path.parent, needed)
        program = find_program("pg_dump", contents.server_major)
        progress(0.0, "counting rows")
        rows = instant.count_rows()
        with writing_archive(order.path) as archive:
            _dump(order, instant, program, archive, progress, cancelled)
            archive.finish(_manifest(order, contents, rows, archive), order.keys)
    progress(_DUMP_SHARE, "reading it again")
    try:
        made = verify_file(order.path, cancelled)
    except (BarnhandError, BackupCancelled):
        order.path.unlink(missing_ok=True)
        raise
    progress(1.0, "done")
    return made


def _manifest(
    order: BackupOrder, contents: Contents, rows: Mapping[str, int], archive: ArchiveWriter
) -> Manifest:
    return Manifest(
        program=__version__,
        created_at=order.at,
        node=socket.gethostname(),
        database=contents.database,
        server_version=contents.server_version,
        schema_version=contents.schema_version,
        queue_version=contents.queue_version,
        extensions=contents.extensions,
        farms=contents.farms,
        rows=rows,
        database_bytes=contents.database_bytes,
        dump_bytes=archive.dump_bytes,
        sha256=archive.sha256,
        with_keys=order.keys is not None,
    )


def _dump(
    order: BackupOrder,
    instant: Snapshot,
    program: Path,
    archive: ArchiveWriter,
    progress: BackupProgress,
    cancelled: Callable[[], bool],
) -> None:
    for compression in (_COMPRESSION, _COMPRESSION_OF_OTHERS):
        command = [
            str(program),
            "--format=custom",
            f"--compress={compression}",
            f"--snapshot={instant.name}",
            f"--lock-wait-timeout={LOCK_WAIT_S * 1000}",
            "--verbose",
            "--no-password",
        ]
        meter = _Meter(instant.contents.piece_bytes, progress)
        complaints = _dumped(command, order.dsn, archive, meter, cancelled)
        if complaints is None:
            return
        # A program that was built without a compression says so before any work.
        unknown = "compress" in complaints and not archive.dump_bytes
        if not unknown or compression == _COMPRESSION_OF_OTHERS:
            raise explained("the database was dumped", complaints)


def _dumped(
    command: list[str],
    dsn: str,
    archive: ArchiveWriter,
    meter: _Meter,
    cancelled: Callable[[], bool],
) -> str | None:
    """Run pg_dump into the archive; what it complained of when it failed."""
    with running(command, dsn, cancelled, feeds=False) as child:
        pipe = child.process.stdout
        assert pipe is not None
        while block := pipe.read(BLOCK_BYTES):
            archive.write(block)
            meter.look(child)
        status = child.process.wait()
        if child.cancelled or cancelled():
            raise BackupCancelled
        return None if status == 0 else child.complaints


class _Meter:
    """How far a dump is, by the sizes of the tables that it says it has come to."""

    def __init__(self, sizes: Mapping[str, int], progress: BackupProgress) -> None:
        self._sizes = dict(sizes)
        self._whole = max(sum(sizes.values()), 1)
        self._done = 0
        self._current = 0
        self._place = 0
        self._progress = progress

    def look(self, child: Child) -> None:
        """Read what it said since the last look, and tell."""
        lines, self._place = child.lines_after(self._place)
        for line in lines:
            match = _DUMPING.search(line)
            if match is not None:
                self._done += self._current
                self._current = self._sizes.pop(match[1], 0)
        share = min(self._done / self._whole, 1.0) * _DUMP_SHARE
        self._progress(share, "dumping the database")


def verify_file(path: Path, cancelled: Callable[[], bool] = never) -> Manifest:
    """Read a backup as a whole: its hash, and PostgreSQL's own reading of the table of contents.

    Raises OperatorMistake when it is damaged, BackupCancelled.
    """
    with reading(path) as archive:
        archive.verify()
        program = find_program("pg_restore", 0)
        with running([str(program), "--list"], "", cancelled, feeds=True) as child:
            child.feed(archive.blocks())
            status = child.process.wait()
            if child.cancelled:
                raise BackupCancelled
            if status != 0:
                raise damaged(path, f"pg_restore refuses it ({child.complaints.strip()[-200:]})")
        return archive.manifest
